// Files that are not, or not any more, what the store wrote: each is named for what it is, and none is overwritten.

import { spawnSync } from 'node:child_process';
import fs, { chmodSync, statSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SqliteStore, type StoreError } from '../src/index.ts';
import { migrate } from '../src/migrations.ts';
import { createFile, openDatabase } from '../src/open-database.ts';
import { withDefaults } from '../src/options.ts';
import { PageReader } from '../src/read-pages.ts';
import { createSchema, readNumber } from '../src/schema.ts';
import { openSqlite, type SqliteValue, type Statement } from '../src/sqlite.ts';
import {
  collect,
  loadedSessions,
  message,
  openStore,
  queuedIds,
  session,
  target,
  temporaryFolder,
} from './support.ts';

const pageBytes = 4096;

async function openError(folder: string): Promise<StoreError> {
  return (await new SqliteStore({ folder }).open().catch((error: unknown) => error)) as StoreError;
}

/** A store with sessions 1 to 20, 100 messages in the queue of each, a shared and a retained one. */
async function filledFolder(): Promise<string> {
  const folder = await temporaryFolder();
  const store = await openStore({ folder });
  const keys = Array.from({ length: 20 }, (_, i) => i + 1);
  for (const key of keys) {
    store.putSession(session(key));
    store.putSubscription(key, {
      filter: `for/${key}`,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      subscriptionId: 0,
    });
    for (let i = 1; i <= 100; i++) {
      store.enqueue(message(key * 1000 + i, { payload: Buffer.alloc(200, key) }), [target(key)]);
    }
  }
  store.enqueue(
    message(30_000),
    keys.map((key) => target(key)),
  );
  store.putRetained(message(30_001, { topic: 'kept' }));
  store.putValue('space', 'key', Buffer.from('value'));
  await store.close();
  return folder;
}

/** Makes a file one that may be read only, for root too; false where that is not possible. */
function writeProtect(file: string): boolean {
  if (process.getuid?.() !== 0) {
    chmodSync(file, 0o444);
    return true;
  }
  if (spawnSync('mount', ['--bind', '-o', 'ro', file, file]).status !== 0) return false;
  onTestFinished(() => void spawnSync('umount', ['--lazy', file]));
  return true;
}

type FileCall = 'fsyncSync' | 'renameSync' | 'rmSync';

/** Puts another function in the place of one of `node:fs`. Answers with what puts it back, which the test's end does too. */
function replaceFileCall<Name extends FileCall>(
  name: Name,
  replacement: (original: (typeof fs)[Name]) => (typeof fs)[Name],
): () => void {
  const original = fs[name];
  const put = (call: (typeof fs)[Name]): void => {
    fs[name] = call;
    syncBuiltinESMExports();
  };
  put(replacement(original));
  const restore = (): void => put(original);
  onTestFinished(restore);
  return restore;
}

const fileOf = (folder: string): string => join(folder, 'tobymq.db');

async function overwrite(file: string, at: number, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, at);
  await handle.close();
}

test('a file that is no database is called foreign and left as it is', async () => {
  const folder = await temporaryFolder();
  await writeFile(fileOf(folder), 'these are my holiday notes, more than sixteen bytes of them');
  const error = await openError(folder);
  expect(error.code).toBe('TOBYMQ_STORE_FOREIGN');
  expect(error.message).toContain(fileOf(folder));
  expect(await readFile(fileOf(folder), 'utf8')).toContain('holiday notes');
});

test('a database of another program is called foreign, and is set aside untouched by repair', async () => {
  const folder = await temporaryFolder();
  const other = openSqlite(fileOf(folder));
  other.exec('CREATE TABLE session (name TEXT); INSERT INTO session VALUES (1)');
  other.close();
  const before = await readFile(fileOf(folder));
  expect((await openError(folder)).code).toBe('TOBYMQ_STORE_FOREIGN');
  const store = await openStore({ folder, repair: true });
  expect(store.repairReport).toMatchObject({ sessions: 0, queuedMessages: 0 });
  expect(await readFile(store.repairReport!.damagedFile)).toEqual(before);
});

test('a file of a newer format is refused, by repair too', async () => {
  const folder = await filledFolder();
  const database = openSqlite(fileOf(folder));
  database.exec('PRAGMA user_version = 99');
  database.close();
  const error = await openError(folder);
  expect(error.code).toBe('TOBYMQ_STORE_NEWER');
  expect(error.message).toContain('99');
  await expect(new SqliteStore({ folder, repair: true }).open()).rejects.toMatchObject({
    code: 'TOBYMQ_STORE_NEWER',
  });
});

test('an emptied file is called damaged, never taken for a new store', async () => {
  const folder = await filledFolder();
  await truncate(fileOf(folder), 0);
  expect((await openError(folder)).code).toBe('TOBYMQ_STORE_DAMAGED');
});

test('a missing file whose write-ahead log is still there is called damaged', async () => {
  const folder = await filledFolder();
  await rm(fileOf(folder));
  await writeFile(`${fileOf(folder)}-wal`, 'something');
  expect((await openError(folder)).code).toBe('TOBYMQ_STORE_DAMAGED');
});

test('a start that was cut off while the file was made starts again', async () => {
  const folder = await temporaryFolder();
  await writeFile(`${fileOf(folder)}.new`, 'half a file');
  const store = await openStore({ folder });
  expect((await loadedSessions(store)).size).toBe(0);
});

test('damage in the middle is reported, and repair keeps what lies around it', async () => {
  const folder = await filledFolder();
  const size = (await readFile(fileOf(folder))).length;
  const middle = Math.floor(size / pageBytes / 2) * pageBytes;
  await overwrite(fileOf(folder), middle, Buffer.alloc(3 * pageBytes, 0xee));
  const error = await openError(folder);
  expect(error.code).toBe('TOBYMQ_STORE_DAMAGED');
  expect(error.message).toContain('--repair');

  const store = await openStore({ folder, repair: true });
  const report = store.repairReport!;
  expect(report.sessions).toBe(20);
  expect(report.queuedMessages).toBeGreaterThan(1500);
  expect(report.queuedMessages).toBeLessThan(2020);
  expect(report.incompleteTables).toContain('queue');
  const loaded = await loadedSessions(store);
  let queued = 0;
  for (const key of loaded.keys()) {
    const ids = await queuedIds(store, key);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(loaded.get(key)!.queuedMessages).toBe(ids.length);
    queued += ids.length;
  }
  expect(queued).toBe(report.queuedMessages);
  expect((await readdir(folder)).filter((name) => name.includes('damaged'))).toHaveLength(1);
  await store.close();
  expect((await openStore({ folder })).repairReport).toBeUndefined();
});

test.each([
  ['the header', 0, 100],
  ['the whole first page', 0, pageBytes],
  ['the names of the tables', 100, pageBytes - 100],
])('repair reads everything behind a damage of %s', async (_, at, length) => {
  const folder = await filledFolder();
  await overwrite(fileOf(folder), at, Buffer.alloc(length, 0xa5));
  expect(['TOBYMQ_STORE_FOREIGN', 'TOBYMQ_STORE_DAMAGED']).toContain((await openError(folder)).code);
  const store = await openStore({ folder, repair: true });
  expect(store.repairReport).toMatchObject({
    sessions: 20,
    subscriptions: 20,
    queuedMessages: 2020,
    retainedMessages: 1,
    values: 1,
    lostQueueEntries: 0,
    incompleteTables: [],
  });
  expect((await queuedIds(store, 20)).length).toBe(101);
  expect((await collect(store.loadRetained()))[0]!.topic).toBe('kept');
});

test('a file cut short is repaired as far as it goes', async () => {
  const folder = await filledFolder();
  const size = (await readFile(fileOf(folder))).length;
  await truncate(fileOf(folder), Math.floor(size / pageBytes / 2) * pageBytes);
  expect((await openError(folder)).code).toBe('TOBYMQ_STORE_DAMAGED');
  const store = await openStore({ folder, repair: true });
  expect(store.repairReport!.sessions).toBe(20);
  expect(store.repairReport!.queuedMessages).toBeGreaterThan(100);
});

test('a repair that is killed at any step of its end loses nothing, and the next start finishes it', async () => {
  const live = await temporaryFolder();
  const store = await openStore({ folder: live });
  store.putSession(session(1));
  for (let id = 1; id <= 50; id++) store.enqueue(message(id), [target(1)]);
  await store.commit();
  const settings = withDefaults({ folder: live, repair: true });
  /** Repairs a store whose messages are in its log only, and is killed at the call `lastCall`; answers with the calls. */
  const repairUntil = async (folder: string, lastCall: number): Promise<number> => {
    for (const suffix of ['', '-wal']) await copyFile(fileOf(live) + suffix, fileOf(folder) + suffix);
    await overwrite(fileOf(folder), 0, Buffer.alloc(16, 0xee));
    let calls = 0;
    const killed = <Call extends (...values: never[]) => void>(call: Call): Call =>
      ((...values) => {
        if (++calls > lastCall) throw new Error('killed');
        call(...values);
      }) as Call;
    const names = ['fsyncSync', 'renameSync', 'rmSync'] as const;
    const restore = names.map((name) => replaceFileCall(name, killed));
    try {
      openDatabase({ ...settings, folder }, 0).database.close();
    } catch (error) {
      expect(String(error)).toContain('killed');
    }
    for (const put of restore) put();
    return calls;
  };

  const all = await repairUntil(await temporaryFolder(), Number.POSITIVE_INFINITY);
  for (let lastCall = all - 9; lastCall < all; lastCall++) {
    const folder = await temporaryFolder();
    await repairUntil(folder, lastCall);
    const { database } = openDatabase({ ...settings, folder }, 1000);
    expect([lastCall, readNumber(database, 'SELECT count(*) FROM queue')]).toEqual([lastCall, 50]);
    database.close();
    const damaged = (await readdir(folder)).filter((name) => name.includes('.damaged-')).sort();
    expect(damaged).toEqual([damaged[0], `${damaged[0]}-wal`]);
  }
});

test('repair of a healthy store changes nothing', async () => {
  const folder = await filledFolder();
  const store = await openStore({ folder, repair: true });
  expect(store.repairReport).toBeUndefined();
  expect((await loadedSessions(store)).size).toBe(20);
});

test('an older format is brought forward after a copy was set aside', async () => {
  const folder = await temporaryFolder();
  const file = fileOf(folder);
  createFile(file);
  const database = openSqlite(file);
  const steps = [
    { from: 1, run: () => database.exec('ALTER TABLE session ADD COLUMN added INTEGER') },
    { from: 2, run: () => database.exec('ALTER TABLE session RENAME COLUMN added TO renamed') },
  ];
  const copy = migrate(database, file, Date.UTC(2026, 0, 2, 3, 4, 5), steps, 3)!;
  expect(copy).toBe(`${file}.format-1-2026-01-02T03-04-05Z`);
  expect(readNumber(database, 'PRAGMA user_version')).toBe(3);
  database.prepare('SELECT renamed FROM session').all();
  expect(migrate(database, file, 0, steps, 3)).toBeUndefined();
  database.close();

  await mkdir(join(folder, 'old'));
  await copyFile(copy, join(folder, 'old', 'tobymq.db'));
  const old = await openStore({ folder: join(folder, 'old') });
  expect((await loadedSessions(old)).size).toBe(0);
});

test('the copy has reached the disk, and its name too, before the first step of a migration', async () => {
  const folder = await temporaryFolder();
  const file = fileOf(folder);
  createFile(file);
  const database = openSqlite(file);
  const flushed: number[] = [];
  replaceFileCall('fsyncSync', (fsync) => (descriptor) => {
    flushed.push(fs.fstatSync(descriptor).ino);
    fsync(descriptor);
  });
  let flushedBefore: number[] = [];
  const run = (): void => {
    flushedBefore = [...flushed];
  };
  const copy = migrate(database, file, 0, [{ from: 1, run }], 2)!;
  database.close();
  expect(flushedBefore).toContain(statSync(copy).ino);
  if (process.platform !== 'win32') expect(flushedBefore).toContain(statSync(folder).ino);
});

test('a migration that fails leaves the old format', async () => {
  const file = join(await temporaryFolder(), 'tobymq.db');
  createFile(file);
  const database = openSqlite(file);
  const steps = [{ from: 1, run: () => database.exec('DROP TABLE session') }];
  expect(() => migrate(database, file, 0, steps, 3)).toThrow('no way from store format 2 to 3');
  expect(readNumber(database, 'PRAGMA user_version')).toBe(1);
  database.prepare('SELECT * FROM session').all();
  database.close();
});

test('repair looks for damage in a file that is too large to be checked at every start', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder });
  store.putSession(session(1));
  for (let id = 1; id <= 2000; id++) store.enqueue(message(id), [target(1)]);
  store.enqueue(message(2001, { payload: Buffer.alloc(65 * 1024 * 1024) }), [target(1)]);
  await store.close();
  const at = (await readFile(fileOf(folder))).indexOf('payload of 1000');
  await overwrite(fileOf(folder), at - (at % pageBytes), Buffer.alloc(pageBytes, 0xff));

  const repaired = await openStore({ folder, repair: true });
  expect(repaired.repairReport?.incompleteTables).toEqual(['queue']);
  expect(repaired.repairReport?.queuedMessages).toBeGreaterThan(1900);
  const ids = await queuedIds(repaired, 1);
  expect(ids).toHaveLength(repaired.repairReport!.queuedMessages);
  expect(ids.at(-1)).toBe(2001);
});

test('a queue that cannot be read gives nothing of its own to others', () => {
  const database = openSqlite(':memory:');
  createSchema(database);
  const insert = database.prepare('INSERT INTO queue VALUES (?, ?, 0, 0, 0, NULL, ?)');
  insert.run(1, 1, Buffer.from('secret'));
  insert.run(1, 2, null);
  insert.run(2, 3, Buffer.from('own'));
  const reader = new PageReader(database, 0);
  expect(() => reader.queue(1, 0, 10, 1000)).toThrow();
  const page = Buffer.from(reader.queue(2, 0, 10, 1000).bytes);
  expect(page.includes('own')).toBe(true);
  expect(page.includes('secret')).toBe(false);
});

test('sessions of which SQLite cannot put a page together are read in smaller pages', () => {
  const database = openSqlite(':memory:');
  createSchema(database);
  for (let key = 1; key <= 9; key++) {
    database.prepare('INSERT INTO session VALUES (?, ?)').run(key, Buffer.from('record'));
  }
  const limit = (sql: string): Statement => {
    const statement = database.prepare(sql);
    const get = (...values: SqliteValue[]) => {
      const row = statement.get(...values);
      if (Number(row?.count ?? 0) <= 2) return row;
      throw Object.assign(new Error('string or blob too big'), { errcode: 18 });
    };
    return { ...statement, get };
  };
  const reader = new PageReader({ ...database, prepare: limit }, 0);
  const counts: number[] = [];
  for (let after: number | undefined = -1; after !== undefined; ) {
    const page = reader.sessions(after, 8);
    counts.push(page.sessions.bytes.length / 'record'.length);
    after = page.next;
  }
  expect(counts).toEqual([2, 2, 2, 2, 1]);
});

test('a file that may be read only is no store to begin with, and no lock', async () => {
  for (const name of ['tobymq.db', 'tobymq.lock']) {
    const folder = await temporaryFolder();
    const store = await openStore({ folder });
    await store.close();
    if (!writeProtect(join(folder, name))) return;
    const error = await openError(folder);
    expect(error.code).toBe('TOBYMQ_STORE_NO_ACCESS');
    expect(error.message).toContain(name);
  }
});

test('a damaged lock is named, with what to do', async () => {
  const folder = await temporaryFolder();
  const lock = join(folder, 'tobymq.lock');
  await writeFile(lock, 'no lock '.repeat(1000));
  const error = await openError(folder);
  expect(error.message).toContain(`the lock ${lock} is damaged; it holds nothing, so delete it`);
  await rm(lock);
  await openStore({ folder });
});
