// Changes to an account with fewer rights once the listeners are open. Files of the data folder change hands first, or
// the store could not write to them any more.

import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config/errors.ts';

/** Does nothing unless the process runs as root. Throws {@link ConfigError} for an account that does not exist. */
export function dropPrivileges(user: string, dataFolder: string): void {
  if (process.getuid?.() !== 0 || user === 'root') return;
  const uid = idOf(user, '-u');
  const gid = idOf(user, '-g');
  for (const name of ownFiles(dataFolder)) chownSync(join(dataFolder, name), uid, gid);
  // Missing in the types, not in Node.
  (process as { initgroups?: (user: string, group: number) => void }).initgroups?.(user, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

function idOf(user: string, flag: '-u' | '-g'): number {
  try {
    return Number(
      execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    throw ConfigError.of(`the account "${user}" does not exist; make it, or set another "user"`);
  }
}

/** The folder itself and what TobyMQ keeps there; a data folder may be shared with others. */
function ownFiles(folder: string): string[] {
  try {
    return ['.', ...readdirSync(folder).filter((name) => /^(tobymq|api-token|server\.json)/.test(name))];
  } catch {
    // There is no data folder: the store is in memory.
    return [];
  }
}
