// From a folder to a database that can be used, or to an error that says what is wrong with it.
//
// A new file is made under another name and renamed when it is complete. So an existing file is never legitimately
// empty, and an empty one is reported as damaged instead of being taken for a new store.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { freemem } from 'node:os';
import { dirname, join } from 'node:path';
import { asStoreError, StoreError } from './errors.ts';
import { migrate } from './migrations.ts';
import type { Settings } from './options.ts';
import { finishRepair, type RepairReport, repairFile } from './repair.ts';
import { APPLICATION_ID, createSchema, FORMAT_VERSION, PAGE_BYTES, readNumber, tables } from './schema.ts';
import { type Database, openSqlite } from './sqlite.ts';

// Up to this size all pages are checked at the start; it takes about 100 ms. Damage in larger files shows when the
// page is read, or when a repair is asked for.
const checkedBytesMax = 64 * 1024 * 1024;
const readAheadBytesMax = 2 * 1024 * 1024 * 1024;
// SQLite copies the write-ahead log into the database after so many pages (16 MiB), which bounds the log. Larger
// means fewer writes of pages that change often, and a longer pause when it happens.
const checkpointPages = 4096;

export const storeFileOf = (folder: string): string => join(folder, 'tobymq.db');

export interface OpenedDatabase {
  readonly database: Database;
  readonly repairReport: RepairReport | undefined;
}

/** Opens the store of a folder; the caller holds the folder's lock. */
export function openDatabase(settings: Settings, now: number): OpenedDatabase {
  if (settings.durability === 'memory') {
    const database = openSqlite(':memory:');
    createSchema(database);
    return { database, repairReport: undefined };
  }
  const file = storeFileOf(settings.folder);
  try {
    return { database: openExisting(file, settings, now), repairReport: undefined };
  } catch (error) {
    const failure = asStoreError(error, file);
    const canRepair = failure.code === 'TOBYMQ_STORE_DAMAGED' || failure.code === 'TOBYMQ_STORE_FOREIGN';
    if (!settings.repair || !canRepair) throw failure;
    const repairReport = repairFile(file, failure.message, now);
    return { database: openExisting(file, settings, now), repairReport };
  }
}

/** Makes the data folder if it is missing. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw asStoreError(error, folder);
  }
}

function openExisting(file: string, settings: Settings, now: number): Database {
  finishRepair(file);
  if (!existsSync(file)) {
    if (existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0) {
      throw new StoreError(
        'TOBYMQ_STORE_DAMAGED',
        `store ${file} is missing, but its write-ahead log is there; put the file back, restore a backup, or start with --repair`,
      );
    }
    createFile(file);
  }
  // SQLite opens a file that it may not write as well, and fails with the first commit.
  accessSync(file, constants.W_OK);
  checkHeader(file);
  readAhead(file);
  const database = openSqlite(file);
  try {
    // Before anything else, because the journal mode is a change of the file, which may be somebody else's.
    checkIdentity(database, file);
    configure(database, settings);
    migrate(database, file, now);
    checkContents(database, file, settings.repair);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes a complete, flushed, empty store. */
export function createFile(file: string): void {
  const unfinished = `${file}.new`;
  removeDatabase(unfinished);
  const database = openSqlite(unfinished);
  try {
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    createSchema(database);
  } finally {
    database.close();
  }
  syncFile(unfinished);
  renameSync(unfinished, file);
  syncFolder(dirname(file));
}

export function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
}

function configure(database: Database, settings: Settings): void {
  // A backup reads through another connection and may hold a lock for a moment.
  database.exec('PRAGMA busy_timeout = 5000');
  database.exec('PRAGMA journal_mode = WAL');
  // FULL flushes the log with every commit; NORMAL leaves that to the flush interval and to checkpoints.
  database.exec(`PRAGMA synchronous = ${settings.durability === 'fsync' ? 'FULL' : 'NORMAL'}`);
  // macOS only: there an ordinary flush stops at the cache of the disk.
  database.exec('PRAGMA fullfsync = ON');
  database.exec(`PRAGMA cache_size = -${Math.ceil(settings.cacheBytes / 1024)}`);
  database.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
  database.exec(`PRAGMA journal_size_limit = ${2 * checkpointPages * PAGE_BYTES}`);
  const pagesMax = settings.fileBytesMax > 0 ? Math.ceil(settings.fileBytesMax / PAGE_BYTES) : 0xffff_fffe;
  database.exec(`PRAGMA max_page_count = ${pagesMax}`);
}

function checkHeader(file: string): void {
  const size = statSync(file).size;
  if (size === 0) {
    throw new StoreError(
      'TOBYMQ_STORE_DAMAGED',
      `store ${file} is empty, which it never is: it was truncated; restore a backup, or start with --repair`,
    );
  }
  const header = Buffer.alloc(16);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, header, 0, 16, 0);
  } finally {
    closeSync(descriptor);
  }
  if (header.toString('latin1') !== 'SQLite format 3\0') {
    throw new StoreError(
      'TOBYMQ_STORE_FOREIGN',
      `store ${file} does not begin like a TobyMQ store: it is another kind of file or its beginning was overwritten; ` +
        'choose another folder, restore a backup, or start with --repair to set it aside',
    );
  }
}

/**
 * Reads the file once from its beginning to its end, so that the start finds it in memory: its pages lie in the order
 * in which they were written, and fetching them one by one in the order of the sessions takes minutes on a slow disk.
 */
function readAhead(file: string): void {
  const size = statSync(file).size;
  if (size > Math.min(readAheadBytesMax, freemem() / 2)) return;
  const chunk = Buffer.allocUnsafe(4 * 1024 * 1024);
  const descriptor = openSync(file, 'r');
  try {
    while (readSync(descriptor, chunk) > 0);
  } finally {
    closeSync(descriptor);
  }
}

function checkIdentity(database: Database, file: string): void {
  if (readNumber(database, 'PRAGMA application_id') !== APPLICATION_ID) {
    throw new StoreError(
      'TOBYMQ_STORE_FOREIGN',
      `store ${file} is an SQLite database of another program; choose another folder, or start with --repair to set it aside`,
    );
  }
  const version = readNumber(database, 'PRAGMA user_version');
  if (version > FORMAT_VERSION) {
    throw new StoreError(
      'TOBYMQ_STORE_NEWER',
      `store ${file} has format ${version}, and this TobyMQ knows formats up to ${FORMAT_VERSION}: ` +
        'start the TobyMQ that wrote it, or a newer one',
    );
  }
}

function checkContents(database: Database, file: string, isThorough: boolean): void {
  for (const table of tables) database.prepare(`SELECT * FROM ${table} LIMIT 1`).get();
  if (isThorough || statSync(file).size <= checkedBytesMax) {
    const verdict = String(Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0]);
    if (verdict !== 'ok') {
      throw new StoreError(
        'TOBYMQ_STORE_DAMAGED',
        `store ${file} is damaged (${verdict}); restore a backup, or start with --repair to keep what can be read`,
      );
    }
  }
}

export function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a rename last; Windows neither needs nor allows it. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
