// The SQLite that this Node can load, behind the few calls that we use.
//
// `node:sqlite` is part of Node from 22.13 on. Node 20 takes the same API from the package `@photostructure/sqlite`,
// which carries its own SQLite. The types are ours because the types of Node 20 do not know the module.

import { createRequire } from 'node:module';
import { StoreError } from './errors.ts';

export type SqliteValue = null | number | string | Uint8Array;

export interface Statement {
  run(...values: readonly SqliteValue[]): { readonly changes: number | bigint };
  get(...values: readonly SqliteValue[]): Readonly<Record<string, SqliteValue>> | undefined;
  all(...values: readonly SqliteValue[]): readonly Readonly<Record<string, SqliteValue>>[];
  iterate(...values: readonly SqliteValue[]): Iterable<Readonly<Record<string, SqliteValue>>>;
}

export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface SqliteModule {
  readonly DatabaseSync: new (path: string, options?: { readonly readOnly?: boolean }) => Database;
}

let loaded: SqliteModule | undefined;

/** Opens a database; throws SQLite's own errors, which `asStoreError` translates. */
export function openSqlite(path: string, options: { readonly readOnly?: boolean } = {}): Database {
  loaded ??= loadSqlite();
  return new loaded.DatabaseSync(path, options);
}

function loadSqlite(): SqliteModule {
  // `getBuiltinModule` answers undefined where the module is missing or behind a flag; `require` would throw.
  const builtIn = process.getBuiltinModule?.('node:sqlite') as SqliteModule | undefined;
  if (builtIn !== undefined) return builtIn;
  try {
    return createRequire(import.meta.url)('@photostructure/sqlite') as SqliteModule;
  } catch (cause) {
    throw new StoreError(
      'TOBYMQ_STORE_NO_SQLITE',
      `Node ${process.versions.node} has no node:sqlite (22.13 is the first that has it), and the package @photostructure/sqlite ` +
        'could not be loaded: run "npm install @photostructure/sqlite", or use a newer Node',
      cause,
    );
  }
}

const EMPTY_BLOB = new Uint8Array(1).subarray(0, 0);

/**
 * A value from outside, fit to be bound: Node 22 binds an empty array that has come from another thread or from SQLite, or
 * was sent to a thread, as NULL, and nothing is above NULL. What is empty but has memory is an empty blob everywhere.
 */
export function bindable(value: SqliteValue): SqliteValue {
  return value instanceof Uint8Array && value.length === 0 ? EMPTY_BLOB : value;
}

/** Runs `work` inside a transaction; whatever it throws undoes everything. */
export function transaction<T>(database: Database, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    try {
      database.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself: it does so after a full disk and some I/O errors.
    }
    throw error;
  }
}
