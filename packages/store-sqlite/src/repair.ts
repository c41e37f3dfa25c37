// Saves what can be read from a damaged store.
//
// The damaged file is copied and only the copy is worked on. Rows are read forward until a page cannot be read, then
// backward from the end, then from many points in the gap between. What was read goes into a new file, which takes
// the place of the damaged one when it is complete; the damaged one stays beside it under a dated name.
//
// A database and its log cannot be exchanged in one step. So a complete new file gets a name that says so and names what
// it replaces; from then on a start that finds it goes on with the exchange, however often that is cut off.
//
// When the first page is broken, which holds the names of the tables, the first page of a new store takes its place: the
// tables were made in the same order then, so they begin at the same pages.

import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { datedName } from './migrations.ts';
import { createFile, removeDatabase, syncFile, syncFolder } from './open-database.ts';
import { APPLICATION_ID, PAGE_BYTES, readNumber, tables } from './schema.ts';
import {
  bindable,
  type Database,
  openSqlite,
  type SqliteValue,
  type Statement,
  transaction,
} from './sqlite.ts';

/** What `repair` found and kept. */
export interface RepairReport {
  /** Why the file could not be used. */
  readonly reason: string;
  /** Where the damaged file is now. */
  readonly damagedFile: string;
  readonly sessions: number;
  readonly subscriptions: number;
  /** Entries of all queues. */
  readonly queuedMessages: number;
  readonly retainedMessages: number;
  readonly values: number;
  /** Entries of queues whose session or message could not be read. */
  readonly lostQueueEntries: number;
  /** Tables in which something could not be read; empty when nothing is missing. */
  readonly incompleteTables: readonly string[];
}

const gapProbes = 1024;
/** Follows the name of the damaged file in that of the complete new one. */
const completeSuffix = '.repaired';

/** Replaces the damaged store `file` by what can be read from it. */
export function repairFile(file: string, reason: string, now: number): RepairReport {
  const damagedFile = datedName(file, 'damaged', now);
  const salvage = `${file}.salvage`;
  const recovered = `${file}.recovered`;
  removeDatabase(salvage);
  removeDatabase(recovered);
  createFile(recovered);
  const target = openSqlite(recovered);
  const incomplete: string[] = [];
  let counts: Omit<RepairReport, 'reason' | 'damagedFile' | 'incompleteTables'>;
  try {
    const source = openSalvage(file, salvage, recovered);
    if (source === undefined) incomplete.push(...tables);
    else {
      try {
        for (const table of tables) if (!copyTable(source, target, table)) incomplete.push(table);
      } finally {
        source.close();
      }
    }
    counts = makeConsistent(target);
  } finally {
    target.close();
    removeDatabase(salvage);
  }
  syncFile(recovered);
  renameSync(recovered, damagedFile + completeSuffix);
  syncFolder(dirname(file));
  exchange(file, damagedFile);
  return { reason, damagedFile, ...counts, incompleteTables: incomplete };
}

/** Goes on with a repair of the store `file` that was cut off when the new file was complete. */
export function finishRepair(file: string): void {
  const folder = dirname(file);
  const beginning = `${basename(file)}.damaged-`;
  const complete = readdirSync(folder).find(
    (name) => name.startsWith(beginning) && name.endsWith(completeSuffix),
  );
  if (complete !== undefined) exchange(file, join(folder, complete.slice(0, -completeSuffix.length)));
}

/** The damaged file and its log get their dated names, and then the new file its own. */
function exchange(file: string, damagedFile: string): void {
  const log = `${file}-wal`;
  if (existsSync(log) && statSync(log).size > 0) renameSync(log, `${damagedFile}-wal`);
  rmSync(log, { force: true });
  // The index of the log is made again from the log.
  rmSync(`${file}-shm`, { force: true });
  if (existsSync(file)) renameSync(file, damagedFile);
  // The log must not come back beside the new file, to which it does not belong.
  syncFolder(dirname(file));
  renameSync(damagedFile + completeSuffix, file);
  syncFolder(dirname(file));
}

/** A copy of the damaged store whose tables can be named; undefined if there is no such thing. */
function openSalvage(file: string, salvage: string, fresh: string): Database | undefined {
  if (!existsSync(file) || statSync(file).size < PAGE_BYTES) return undefined;
  const copy = (): void => {
    removeDatabase(salvage);
    copyFileSync(file, salvage);
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${salvage}-wal`);
  };
  copy();
  const plain = tryOpen(salvage);
  if (plain === 'foreign') return undefined;
  if (plain !== undefined) return plain;
  copy();
  replaceFirstPage(salvage, fresh);
  const patched = tryOpen(salvage);
  return patched === 'foreign' ? undefined : patched;
}

function tryOpen(file: string): Database | 'foreign' | undefined {
  let database: Database | undefined;
  try {
    database = openSqlite(file);
    if (readNumber(database, 'PRAGMA application_id') !== APPLICATION_ID) {
      database.close();
      return 'foreign';
    }
    for (const table of tables) database.prepare(`SELECT 1 FROM ${table} LIMIT 0`).get();
    return database;
  } catch {
    database?.close();
    return undefined;
  }
}

function replaceFirstPage(file: string, fresh: string): void {
  const page = Buffer.alloc(PAGE_BYTES);
  const from = openSync(fresh, 'r');
  readSync(from, page, 0, PAGE_BYTES, 0);
  closeSync(from);
  // Offsets of SQLite's file format: versions for reading and writing (2 is WAL), pages in the file, free list.
  page.fill(existsSync(`${file}-wal`) ? 2 : 1, 18, 20);
  page.writeUInt32BE(Math.floor(statSync(file).size / PAGE_BYTES), 28);
  page.fill(0, 32, 40);
  const to = openSync(file, 'r+');
  writeSync(to, page, 0, PAGE_BYTES, 0);
  closeSync(to);
}

/** Answers whether the whole table could be read. */
function copyTable(source: Database, target: Database, table: (typeof tables)[number]): boolean {
  const columns = target.prepare(`SELECT name, pk FROM pragma_table_info('${table}') ORDER BY cid`).all();
  const keys = columns.filter((column) => Number(column.pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk));
  const keyNames = keys.map((column) => String(column.name));
  const firstKey = keyNames[0]!;
  const insert = target.prepare(
    `INSERT OR IGNORE INTO ${table} VALUES (${columns.map(() => '?').join(', ')})`,
  );
  const copyRows = (sql: string, ...values: readonly SqliteValue[]): RowsCopied =>
    transaction(target, () => copyUntilDamage(source, sql, values, insert, firstKey));

  const order = (direction: string): string => keyNames.map((name) => `${name} ${direction}`).join(', ');
  const select = `SELECT * FROM ${table}`;
  const forward = copyRows(`${select} ORDER BY ${order('ASC')}`);
  if (forward.complete) return true;
  const backward = copyRows(`${select} ORDER BY ${order('DESC')}`);
  const low = Number(forward.lastKey ?? 0);
  const high = Number(backward.lastKey ?? Number.NaN);
  if (!(high > low)) return false;
  const step = Math.max(1, (high - low) / gapProbes);
  for (let at = low; at < high; at += step) {
    copyRows(`${select} WHERE ${firstKey} >= ? AND ${firstKey} < ? ORDER BY ${order('ASC')}`, at, at + step);
  }
  return false;
}

interface RowsCopied {
  readonly complete: boolean;
  readonly lastKey: SqliteValue | undefined;
}

function copyUntilDamage(
  source: Database,
  sql: string,
  values: readonly SqliteValue[],
  insert: Statement,
  firstKey: string,
): RowsCopied {
  let lastKey: SqliteValue | undefined;
  const rows = damageAsEnd(() => rowsOf(source.prepare(sql), values));
  if (rows === undefined) return { complete: false, lastKey };
  for (;;) {
    const step = damageAsEnd(() => rows.next());
    if (step === undefined) return { complete: false, lastKey };
    if (step.done) return { complete: true, lastKey };
    lastKey = step.value[firstKey];
    // A row of the wrong shape (a NULL where none may be) is passed over like one that cannot be read.
    damageAsEnd(() => insert.run(...Object.values(step.value).map(bindable)));
  }
}

const beingRead = new Set<Statement>();

/** The rows of a statement, which is kept meanwhile: the iterators of Node 22.13 let theirs be collected as garbage. */
function* rowsOf(
  statement: Statement,
  values: readonly SqliteValue[],
): Generator<Readonly<Record<string, SqliteValue>>, void> {
  beingRead.add(statement);
  try {
    yield* statement.iterate(...values);
  } finally {
    beingRead.delete(statement);
  }
}

function damageAsEnd<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Removes what refers to something lost, and counts again what the tables say of each other. */
function makeConsistent(
  database: Database,
): Omit<RepairReport, 'reason' | 'damagedFile' | 'incompleteTables'> {
  const count = (table: string): number => readNumber(database, `SELECT count(*) FROM ${table}`);
  const before = count('queue');
  transaction(database, () => {
    const noSession = 'session_key NOT IN (SELECT key FROM session)';
    database.exec(`DELETE FROM queue WHERE ${noSession}`);
    database.exec('DELETE FROM queue WHERE body IS NULL AND message_id NOT IN (SELECT id FROM message)');
    database.exec(`DELETE FROM subscription WHERE ${noSession}`);
    database.exec(`DELETE FROM inbound WHERE ${noSession}`);
    database.exec('DELETE FROM dropped');
    database.exec(`
      CREATE TEMP TABLE reference (id INTEGER PRIMARY KEY, queues INTEGER);
      INSERT INTO reference SELECT message_id, count(*) FROM queue WHERE body IS NULL GROUP BY message_id;
      DELETE FROM message WHERE id NOT IN (SELECT id FROM reference);
      UPDATE message SET queues = (SELECT queues FROM reference WHERE reference.id = message.id);
    `);
    const leap = 1_000_000;
    raiseCounter(database, 'message', `SELECT coalesce(max(message_id), 0) + ${leap} FROM queue`);
    raiseCounter(database, 'message', `SELECT coalesce(max(id), 0) + ${leap} FROM retained`);
    raiseCounter(database, 'session', `SELECT coalesce(max(key), 0) + ${leap} FROM session`);
  });
  return {
    sessions: count('session'),
    subscriptions: count('subscription'),
    queuedMessages: count('queue'),
    retainedMessages: count('retained'),
    values: count('value'),
    lostQueueEntries: before - count('queue'),
  };
}

function raiseCounter(database: Database, name: string, least: string): void {
  database.exec(
    `INSERT INTO counter VALUES ('${name}', (${least}))
     ON CONFLICT DO UPDATE SET value = max(value, excluded.value)`,
  );
}
