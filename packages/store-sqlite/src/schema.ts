// The tables of the store, and what makes a file recognisable as ours.
//
// - A message that waits in one queue lies in that queue's row (`queue.body`): one insert and one delete for its whole
//   life. A message for several queues, or one too large to share a page with others, lies in `message` once, with
//   the number of queues that refer to it.
// - `queue` has no rowid: its rows lie in the order in which a session reads them.
// - Names are BLOBs of UTF-8, so that the worker passes them on without decoding them.
// - `dropped` names sessions that are gone and whose queue is still to be cleared, a slice at a time.
//
// The order of the statements is part of the format: `repair` relies on the root pages that follow from it.

import type { Database } from './sqlite.ts';
import { transaction } from './sqlite.ts';

/** Stands in the header of the file ("Toby" in ASCII), so that a foreign SQLite file is recognised. */
export const APPLICATION_ID = 0x546f6279;

/** Raised with every change of the format; `migrations.ts` brings older files forward. */
export const FORMAT_VERSION = 1;

/** `repair` reads damaged files by the page, so this is part of the format too. */
export const PAGE_BYTES = 4096;

export const tables = [
  'session',
  'subscription',
  'message',
  'queue',
  'inbound',
  'retained',
  'value',
  'dropped',
  'counter',
] as const;

const createTables = `
CREATE TABLE session (
  key INTEGER PRIMARY KEY,
  record BLOB NOT NULL
);
CREATE TABLE subscription (
  session_key INTEGER NOT NULL,
  filter BLOB NOT NULL,
  options INTEGER NOT NULL,
  subscription_id INTEGER NOT NULL,
  PRIMARY KEY (session_key, filter)
) WITHOUT ROWID;
CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  queues INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE queue (
  session_key INTEGER NOT NULL,
  message_id INTEGER NOT NULL,
  delivery INTEGER NOT NULL,
  size INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  subscription_ids BLOB,
  body BLOB,
  PRIMARY KEY (session_key, message_id)
) WITHOUT ROWID;
CREATE TABLE inbound (
  session_key INTEGER NOT NULL,
  packet_id INTEGER NOT NULL,
  PRIMARY KEY (session_key, packet_id)
) WITHOUT ROWID;
CREATE TABLE retained (
  topic BLOB PRIMARY KEY,
  id INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE value (
  space BLOB NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (space, key)
) WITHOUT ROWID;
CREATE TABLE dropped (
  session_key INTEGER PRIMARY KEY
);
CREATE TABLE counter (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
`;

/** Makes the tables in an empty database. */
export function createSchema(database: Database): void {
  // Has to come before the first table: later it would need a VACUUM.
  database.exec('PRAGMA auto_vacuum = INCREMENTAL');
  transaction(database, () => {
    database.exec(createTables);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.exec(`PRAGMA user_version = ${FORMAT_VERSION}`);
  });
}

/** One number of the database, such as a pragma's or a count. */
export function readNumber(database: Database, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0] ?? 0);
}
