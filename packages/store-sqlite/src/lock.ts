// One server per data folder.
//
// The lock is an exclusive SQLite lock on an empty file of its own: the operating system releases it when the process
// ends, however it ends, so that no stale lock survives a `kill -9`, and it works the same on every platform. The
// store itself is not locked this way because a backup reads it through a second connection.

import { join } from 'node:path';
import { asStoreError, StoreError } from './errors.ts';
import { type Database, openSqlite } from './sqlite.ts';

/** Takes the lock and answers with what holds it; closing that gives it back. */
export function lockFolder(folder: string): Database {
  const file = join(folder, 'tobymq.lock');
  let lock: Database | undefined;
  try {
    lock = openSqlite(file);
    lock.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const failure = asStoreError(error, file);
    if (failure.code !== 'TOBYMQ_STORE_LOCKED') throw failure;
    throw new StoreError(
      'TOBYMQ_STORE_LOCKED',
      `the data folder ${folder} is used by another server; stop that one, or give this one a folder of its own`,
    );
  }
}
