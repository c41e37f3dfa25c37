// What the store deletes by itself, and that nobody waits for it.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cleaner } from '../src/cleaner.ts';
import { readNumber } from '../src/schema.ts';
import { openSqlite } from '../src/sqlite.ts';
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

test('messages that expired while the store was closed are not counted and not given, but those on their way are', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder });
  store.putSession(session(1));
  store.enqueue(message(1, { expiresAt: 1000 }), [target(1)]);
  store.enqueue(message(2, { expiresAt: 1000 }), [target(1, { packetId: 5 })]);
  store.enqueue(message(3, { expiresAt: Date.now() + 3_600_000 }), [target(1)]);
  store.enqueue(message(4), [target(1)]);
  store.putRetained(message(5, { topic: 'gone', expiresAt: 1000 }));
  store.putRetained(message(6, { topic: 'here' }));
  await store.close();
  await store.open();
  expect((await loadedSessions(store)).get(1)!.queuedMessages).toBe(3);
  expect(await queuedIds(store, 1)).toEqual([2, 3, 4]);
  expect((await collect(store.loadRetained())).map(({ topic }) => topic)).toEqual(['here']);
});

test('the queue of a deleted session and expired messages are cleared slice by slice, and the file shrinks', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'tobymq.db');
  const store = await openStore({ folder });
  for (const key of [1, 2, 3]) store.putSession(session(key));
  const payload = Buffer.alloc(600);
  for (let id = 1; id <= 30_000; id++) {
    store.enqueue(message(id, { payload, expiresAt: id % 2 === 0 ? 1000 : 0 }), [target(1)]);
  }
  for (let id = 30_001; id <= 30_100; id++) {
    store.enqueue(message(id, { payload }), [target(1), target(2)]);
    store.enqueue(message(id + 1000, { expiresAt: 1000 }), [target(3)]);
  }
  await store.commit();
  store.deleteSession(1);
  await store.close();
  const before = (await stat(file)).size;
  expect(before).toBeGreaterThan(18_000_000);

  // The worker's own cleaner does this between batches; here it is driven until nothing is left.
  const database = openSqlite(file);
  database.exec('PRAGMA journal_mode = WAL');
  const cleaner = new Cleaner(database, Date.now());
  let slices = 0;
  while (cleaner.slice()) slices += 1;
  cleaner.stop();
  expect(slices).toBeGreaterThan(50);
  expect(readNumber(database, 'SELECT count(*) FROM queue')).toBe(100);
  expect(readNumber(database, 'SELECT count(*) FROM dropped')).toBe(0);
  expect(readNumber(database, 'SELECT sum(queues) FROM message')).toBe(100);
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
  expect((await stat(file)).size).toBeLessThan(12_000_000);

  const again = await openStore({ folder });
  expect(await queuedIds(again, 2)).toHaveLength(100);
  expect(await queuedIds(again, 3)).toEqual([]);
});

test('the file of a running store shrinks after a large queue was emptied', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder });
  store.putSession(session(1));
  const payload = Buffer.alloc(700);
  for (let id = 1; id <= 30_000; id++) store.enqueue(message(id, { payload }), [target(1)]);
  await store.commit();
  for (let id = 1; id <= 30_000; id++) store.dequeue(1, id);
  await store.commit();
  // Pages leave the file itself when the log is copied into it, which a batch of this size makes happen.
  let size = Number.POSITIVE_INFINITY;
  for (let id = 40_000; size > 14_000_000; id++) {
    store.enqueue(message(id, { payload: Buffer.alloc(1_000_000) }), [target(1)]);
    await store.commit();
    store.dequeue(1, id);
    await store.commit();
    size = (await stat(join(folder, 'tobymq.db'))).size;
  }
  expect(await queuedIds(store, 1)).toEqual([]);
});

test('commits go on while a large queue is cleared', async () => {
  const store = await openStore({ folder: await temporaryFolder() });
  store.putSession(session(1));
  store.putSession(session(2));
  for (let id = 1; id <= 20_000; id++) store.enqueue(message(id), [target(1)]);
  await store.commit();
  store.deleteSession(1);
  await store.commit();
  for (let id = 20_001; id <= 20_200; id++) {
    store.enqueue(message(id), [target(2)]);
    await store.commit();
  }
  expect(await queuedIds(store, 2)).toHaveLength(200);
});
