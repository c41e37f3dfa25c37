// Who may connect to a listener of a mosquitto.conf, and what its clients may do.

import type { ConfigInput } from '../config/schema.ts';
import { type Block, type Directive, fault } from './parser.ts';

type ListenerInput = NonNullable<ConfigInput['listeners']>[number];
type Security = Pick<ListenerInput, 'authentication' | 'access'>;

export function securityOf(
  block: Block,
  global: Block,
  start: Directive | undefined,
  localOnly: boolean,
): Required<Pick<Security, 'authentication'>> & Security {
  const plugins = pluginFiles(block) ?? pluginFiles(global) ?? {};
  // With per_listener_settings these stand in the listener's block, else they are global.
  const passwordFile = block.text('password_file') ?? global.text('password_file') ?? plugins.passwordFile;
  const aclFile = block.text('acl_file') ?? global.text('acl_file') ?? plugins.aclFile;
  const anonymous =
    block.boolean('listener_allow_anonymous') ??
    block.boolean('allow_anonymous') ??
    global.boolean('allow_anonymous') ??
    localOnly;
  const access = aclFile === undefined ? {} : { access: { aclFile } };
  if (block.boolean('use_identity_as_username') || block.boolean('use_subject_as_username')) {
    const username = block.boolean('use_subject_as_username')
      ? ('subject' as const)
      : ('common-name' as const);
    if (block.boolean('use_subject_as_username') && block.boolean('use_identity_as_username')) {
      throw fault(
        block.directive('use_subject_as_username') ?? (start as Directive),
        'use_identity_as_username and use_subject_as_username cannot both be true.',
      );
    }
    return { authentication: [{ type: 'certificate', username }], ...access };
  }
  return {
    authentication: [
      ...(passwordFile === undefined ? [] : [{ type: 'password-file' as const, file: passwordFile }]),
      ...(anonymous ? [{ type: 'anonymous' as const, anyName: passwordFile === undefined }] : []),
    ],
    ...access,
  };
}

/** The two plugins of Mosquitto 2.1 that only read a file; the file is what counts. */
function pluginFiles(block: Block): { passwordFile?: string; aclFile?: string } | undefined {
  const directive = block.directive('plugin') ?? block.directive('auth_plugin');
  if (!directive) return undefined;
  const names = [...block.texts('plugin'), ...block.texts('auth_plugin')];
  const foreign = names.find((name) => !/(?:password|acl)[-_]file|persist[-_]sqlite/.test(name));
  if (foreign !== undefined) {
    throw fault(directive, `The plugin ${foreign} cannot be loaded: ${directive.option.note}`);
  }
  const passwordFile = block.text('plugin_opt_password_file');
  const aclFile = block.text('plugin_opt_acl_file');
  return {
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(aclFile === undefined ? {} : { aclFile }),
  };
}
