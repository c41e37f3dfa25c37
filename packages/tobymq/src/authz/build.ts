// From the section `access` to an authorizer: reads the files it names.

import { checkTopicFilter } from '@tobymq/codec';
import { ConfigError } from '../config/errors.ts';
import { type AccessConfig, type RuleConfig, ruleFileSchema } from '../config/schema-access.ts';
import { readYaml } from '../config/yaml.ts';
import { readAclFile } from '../mosquitto/acl-file.ts';
import type { Authorizer } from './authorizer.ts';
import { MosquittoAcl } from './mosquitto-acl.ts';
import { type PlacedRule, RuleAuthorizer } from './rules.ts';

/** Throws {@link ConfigError} for files and rules that cannot be used. */
export function buildAuthorizer(access: AccessConfig): Authorizer {
  if (access.aclFile !== undefined) {
    if (access.file !== undefined || access.rules.length > 0) {
      throw ConfigError.of('access: "aclFile" cannot stand beside "rules" or "file"; choose one');
    }
    return new MosquittoAcl(readAclFile(access.aclFile));
  }
  const fromFile = access.file === undefined ? undefined : readYaml(access.file, ruleFileSchema, process.env);
  const rules: PlacedRule[] = [
    ...access.rules.map((rule, index) => ({ rule, place: `rule ${index + 1}` })),
    ...(fromFile?.value.rules ?? []).map((rule, index) => ({
      rule,
      place: `${access.file}:${fromFile?.lineOf(['rules', index])}`,
    })),
  ];
  for (const { rule, place } of rules) checkFilters(rule, place);
  return new RuleAuthorizer({
    rules,
    roles: mergeRoles(access.roles, fromFile?.value.roles ?? {}),
    superusers: [...access.superusers, ...(fromFile?.value.superusers ?? [])],
  });
}

function checkFilters({ topics }: RuleConfig, place: string): void {
  for (const topic of topics) {
    const wrong = checkTopicFilter(topic);
    if (wrong !== undefined)
      throw ConfigError.of(`access: ${place}: "${topic}" is not a topic filter: ${wrong}`);
  }
}

type Roles = Readonly<Record<string, readonly string[]>>;

function mergeRoles(a: Roles, b: Roles): Roles {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, [...(a[name] ?? []), ...(b[name] ?? [])]]));
}
