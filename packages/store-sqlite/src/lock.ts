// One server per data folder.
//
// The lock is SQLite's exclusive lock on a file of its own: the operating system releases it when the process
// ends, however it ends, so that no stale lock survives a `kill -9`, and it works the same on every platform. The
// store itself is not locked this way because a backup reads it through a second connection.

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { asStoreError, StoreError } from './errors.ts';
import { readNumber } from './schema.ts';
import { type Database, openSqlite } from './sqlite.ts';

/** Takes the lock and answers with what holds it. */
export function lockFolder(folder: string): Database {
  const file = join(folder, 'tobymq.lock');
  let lock: Database | undefined;
  try {
    lock = openSqlite(file);
    lock.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE');
    // A file with a page in it: locking an empty one would write that page, which a full disk refuses.
    if (readNumber(lock, 'PRAGMA user_version') === 0) lock.exec('PRAGMA user_version = 1');
    // Of a file that may be read only, SQLite takes no exclusive lock, and does not say so.
    accessSync(file, constants.W_OK);
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const failure = asStoreError(error, file);
    if (failure.code === 'TOBYMQ_STORE_FOREIGN' || failure.code === 'TOBYMQ_STORE_DAMAGED') {
      throw new StoreError(
        'TOBYMQ_STORE_DAMAGED',
        `the lock ${file} is damaged; it holds nothing, so delete it`,
        error,
      );
    }
    if (failure.code !== 'TOBYMQ_STORE_LOCKED') throw failure;
    throw new StoreError(
      'TOBYMQ_STORE_LOCKED',
      `the data folder ${folder} is used by another server; stop that one, or give this one a folder of its own`,
    );
  }
}

export function unlockFolder(lock: Database): void {
  // Not by closing alone: `@photostructure/sqlite` keeps a connection until its statements are collected as garbage.
  lock.exec('PRAGMA locking_mode = NORMAL; ROLLBACK');
  lock.close();
}
