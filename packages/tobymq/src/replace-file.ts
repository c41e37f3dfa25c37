// Replaces a file of lines in one step, so that whoever reads it meanwhile sees the old one or the new one. Owner and
// permissions stay as they were: an administrator who changes a password as root must not lock the server's account out.

import { chmodSync, chownSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';

/** A file that is new can be read by its owner only. */
export function replaceFile(path: string, lines: readonly string[]): void {
  const before = statSync(path, { throwIfNoEntry: false });
  // A link stays one; what it points to is replaced.
  const target = before ? realpathSync(path) : path;
  const next = `${target}.${process.pid}.new`;
  writeFileSync(next, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  if (before) {
    // Nobody else may give files away.
    if (process.getuid?.() === 0) chownSync(next, before.uid, before.gid);
    chmodSync(next, before.mode & 0o777);
  }
  renameSync(next, target);
}
