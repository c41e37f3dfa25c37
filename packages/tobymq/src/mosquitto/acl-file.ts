// Reads Mosquitto's ACL file.
//
//   topic read $SYS/#          before any `user`: for clients without a user name
//   user roger                 the rules of roger follow
//   topic foo/bar              read and write
//   topic deny foo/secret
//   pattern write tele/%c/#    for everybody; %c and %u stand for the names of the client
//
// What the rules mean for a client is decided in authz/mosquitto-acl.ts.

import { readFileSync } from 'node:fs';
import { ConfigError, fileFault } from '../config/errors.ts';

export type AclAccess = 'read' | 'write' | 'readwrite' | 'deny';

export interface AclRule {
  readonly access: AclAccess;
  readonly filter: string;
  readonly line: number;
}

export interface Acl {
  readonly path: string;
  /** Rules by user name; those of clients without a name are under undefined. */
  readonly users: ReadonlyMap<string | undefined, readonly AclRule[]>;
  readonly patterns: readonly AclRule[];
}

/** Reads the file; throws {@link ConfigError} for a file that cannot be used. */
export function readAclFile(path: string): Acl {
  try {
    return parseAcl(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw ConfigError.of(`the ACL file cannot be read: ${fileFault(error)}`, { file: path });
  }
}

/** The same for text that was read already. */
function parseAcl(text: string, path: string): Acl {
  const users = new Map<string | undefined, AclRule[]>();
  const patterns: AclRule[] = [];
  let user: string | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const line = index + 1;
    const [, keyword = '', value = ''] = /^(\S+)\s*(.*)$/s.exec(content) as unknown as string[];
    if (value === '') throw ConfigError.of(`"${keyword}" has no value`, { file: path, line });
    if (keyword === 'user') {
      user = value;
      if (!users.has(user)) users.set(user, []);
    } else if (keyword === 'topic') {
      const rules = users.get(user) ?? [];
      rules.push(ruleOf(value, path, line));
      users.set(user, rules);
    } else if (keyword === 'pattern') {
      patterns.push(ruleOf(value, path, line));
    } else {
      throw ConfigError.of(`expected user, topic or pattern, found "${keyword}"`, { file: path, line });
    }
  }
  return { path, users, patterns };
}

function ruleOf(value: string, file: string, line: number): AclRule {
  const match = /^(read|write|readwrite|deny)\s+(.+)$/s.exec(value);
  const access = (match?.[1] ?? 'readwrite') as AclAccess;
  const filter = match?.[2] ?? value;
  const levels = filter.split('/');
  const wrong = levels.some(
    (level, index) =>
      (level.includes('#') && (level !== '#' || index !== levels.length - 1)) ||
      (level.includes('+') && level !== '+'),
  );
  if (wrong) throw ConfigError.of(`"${filter}" is not a valid topic filter`, { file, line });
  return { access, filter, line };
}
