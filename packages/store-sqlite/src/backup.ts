// A consistent copy of a store that is in use.
//
// The copy is made through a connection of its own (`VACUUM INTO`), which reads one state of the database while commits
// go on, and it appears under its name only when it is complete and flushed.

import { existsSync, renameSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { StoreError } from './errors.ts';
import { removeDatabase, syncFile, syncFolder } from './open-database.ts';
import type { Database } from './sqlite.ts';

export function copyDatabase(database: Database, path: string): undefined {
  const target = resolve(path);
  if (existsSync(target)) {
    throw new StoreError(
      'TOBYMQ_STORE_BACKUP_EXISTS',
      `backup ${target} exists already; choose another name`,
    );
  }
  const unfinished = `${target}.unfinished`;
  removeDatabase(unfinished);
  try {
    database.prepare('VACUUM INTO ?').run(unfinished);
    syncFile(unfinished);
    renameSync(unfinished, target);
    syncFolder(dirname(target));
  } catch (error) {
    removeDatabase(unfinished);
    throw error;
  }
  return undefined;
}
