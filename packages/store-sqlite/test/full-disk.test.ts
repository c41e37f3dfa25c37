// A disk without space: on a small file system of its own where this process may mount one, and with SQLite's own bound
// on the file everywhere.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { asStoreError } from '../src/errors.ts';
import { SqliteStore, type StoreError } from '../src/index.ts';
import {
  loadedSessions,
  message,
  openStore,
  queuedIds,
  session,
  target,
  temporaryFolder,
} from './support.ts';

interface Health {
  readonly changes: boolean[];
  /** Resolves when the store reports that state. */
  readonly became: (healthy: boolean) => Promise<void>;
}

function watchHealth(store: SqliteStore): Health {
  const changes: boolean[] = [];
  const waiting: (() => void)[] = [];
  store.onHealth = (healthy, error) => {
    expect(error === undefined).toBe(healthy);
    changes.push(healthy);
    for (const wake of waiting.splice(0)) wake();
  };
  return {
    changes,
    became: async (healthy) => {
      while (changes.at(-1) !== healthy) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}

/** Stores messages until one is refused. Answers with the ids of those that were committed. */
async function fillUntilRefused(
  store: SqliteStore,
  firstId: number,
): Promise<{ ids: number[]; error: StoreError }> {
  const ids: number[] = [];
  for (let id = firstId; id < firstId + 10_000; id++) {
    store.enqueue(message(id, { payload: Buffer.alloc(20_000, id) }), [target(1)]);
    const error = await store.commit().then(
      () => undefined,
      (cause: StoreError) => cause,
    );
    if (error !== undefined) return { ids, error };
    ids.push(id);
  }
  throw new Error('the disk never became full');
}

test('a bound on the file: refusals by name, kept deletions, and recovery by itself', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder, fileBytesMax: 2 * 1024 * 1024, retryDelayMs: 20 });
  const health = watchHealth(store);
  store.putSession(session(1));
  store.putSession(session(2));
  await store.commit();
  const { ids, error } = await fillUntilRefused(store, 1);
  expect(ids.length).toBeGreaterThan(50);
  expect(error.code).toBe('TOBYMQ_STORE_FULL');
  expect(health.changes).toEqual([false]);
  const refused = ids.at(-1)! + 1;

  // Refused messages are gone, what was committed is there, and reads see what the store could not write yet.
  expect(await queuedIds(store, 1)).toEqual(ids);
  store.enqueue(message(refused + 1), [target(1)]);
  store.putRetained(message(refused + 2));
  store.putInbound(2, 77);
  store.putValue('space', 'key', Buffer.from('kept'));
  await expect(store.commit()).rejects.toMatchObject({ code: 'TOBYMQ_STORE_FULL' });
  expect(Buffer.from((await store.getValue('space', 'key'))!).toString()).toBe('kept');

  // Taking messages out of queues makes space.
  for (const id of ids.slice(0, 40)) store.dequeue(1, id);
  const taken = store.commit().catch(() => undefined);
  expect(await queuedIds(store, 1)).toEqual(ids.slice(40));
  await taken;
  await health.became(true);
  expect(health.changes).toEqual([false, true]);

  store.enqueue(message(refused + 3), [target(1)]);
  await store.commit();
  await store.close();
  const again = await openStore({ folder });
  expect(await queuedIds(again, 1)).toEqual([...ids.slice(40), refused + 3]);
  expect((await loadedSessions(again)).get(2)!.inboundPacketIds).toEqual([77]);
  expect(Buffer.from((await again.getValue('space', 'key'))!).toString()).toBe('kept');
});

test('a backup takes no part in a commit: what the full disk refuses is refused to the one who wrote it', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder, fileBytesMax: 2 * 1024 * 1024, retryDelayMs: 60_000 });
  store.putSession(session(1));
  await store.commit();
  const { ids } = await fillUntilRefused(store, 1);
  store.enqueue(message(20_000), [target(1)]);
  const backup = store.backup(join(folder, 'copy.db'));
  await expect(store.commit()).rejects.toMatchObject({ code: 'TOBYMQ_STORE_FULL' });
  await backup;
  expect(await queuedIds(store, 1)).toEqual(ids);
});

const mounted = mountSmallDisk();

// Without the right to mount, the file's own bound (above) is what stands for a full disk; this test then runs on it.
test(`a full ${mounted === undefined ? 'file' : 'file system'}: nothing committed is lost, and it recovers when space returns`, async () => {
  const folder = mounted ?? (await temporaryFolder());
  if (mounted !== undefined) onTestFinished(() => unmount(mounted));
  const bound = mounted === undefined ? { fileBytesMax: 3 * 1024 * 1024 } : {};
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024));
  const options = { folder: join(folder, 'data'), retryDelayMs: 20, ...bound };
  const store = await openStore(options);
  const health = watchHealth(store);
  store.putSession(session(1));
  await store.commit();
  const first = await fillUntilRefused(store, 1);
  expect(first.error.code).toBe('TOBYMQ_STORE_FULL');
  store.putInbound(1, 5);
  await store.commit().catch(() => undefined);

  rmSync(ballast);
  if (mounted === undefined) for (const id of first.ids.splice(0, 40)) store.dequeue(1, id);
  await store.commit().catch(() => undefined);
  await health.became(true);
  const id = first.ids.at(-1)! + 100;
  store.enqueue(message(id), [target(1)]);
  await store.commit();
  expect(await queuedIds(store, 1)).toEqual([...first.ids, id]);
  await store.close();
  const again = await openStore(options);
  expect(await queuedIds(again, 1)).toEqual([...first.ids, id]);
  expect((await loadedSessions(again)).get(1)!.inboundPacketIds).toEqual([5]);
  await again.close();
});

test('a full disk gives up its reserve, so that deletions make room, and sets it aside again', async () => {
  const disk = mountSmallDisk();
  if (disk !== undefined) onTestFinished(() => unmount(disk));
  const folder = join(disk ?? (await temporaryFolder()), 'data');
  const reserve = join(folder, 'tobymq.reserve');
  const reserveBytes = 3 * 1024 * 1024;
  mkdirSync(folder);
  writeFileSync(reserve, Buffer.alloc(reserveBytes));
  const bound = disk === undefined ? { fileBytesMax: 2 * 1024 * 1024 } : {};
  const store = await openStore({ folder, retryDelayMs: 5, reserveBytes, ...bound });
  const health = watchHealth(store);
  store.putSession(session(1));
  await store.commit();
  const { ids, error } = await fillUntilRefused(store, 1);
  expect(error.message).toContain('its reserve of 3 MB serves deletions');
  expect(existsSync(reserve)).toBe(false);

  for (const id of ids) store.dequeue(1, id);
  await store.commit().catch(() => undefined);
  await health.became(true);
  expect(statSync(reserve).size).toBe(reserveBytes);
  store.enqueue(message(20_000), [target(1)]);
  await store.commit();
  expect(await queuedIds(store, 1)).toEqual([20_000]);
});

test('a disk that is full when the store is opened is called full', async () => {
  const disk = mountSmallDisk();
  const folder = disk ?? (await temporaryFolder());
  if (disk !== undefined) onTestFinished(() => unmount(disk));
  const store = new SqliteStore({ folder: join(folder, 'data') });
  await store.open();
  await store.close();
  if (disk === undefined) {
    // What SQLite says then.
    expect(asStoreError({ errcode: 4874 }, folder).code).toBe('TOBYMQ_STORE_FULL');
    return;
  }
  expect(() => writeFileSync(join(folder, 'ballast'), Buffer.alloc(8 * 1024 * 1024))).toThrow('ENOSPC');
  await expect(store.open()).rejects.toMatchObject({ code: 'TOBYMQ_STORE_FULL' });
  rmSync(join(folder, 'ballast'));
  await store.open();
  await store.close();
});

test('a disk that others filled gives up the reserve to open the store, and refuses messages until there is room', async () => {
  const disk = mountSmallDisk();
  if (disk === undefined) return;
  onTestFinished(() => unmount(disk));
  const folder = join(disk, 'data');
  const reserve = join(folder, 'tobymq.reserve');
  const reserveBytes = 3 * 1024 * 1024;
  const options = { folder, retryDelayMs: 5, reserveBytes };
  const before = await openStore(options);
  before.putSession(session(1));
  before.enqueue(message(1), [target(1)]);
  await before.close();
  writeFileSync(reserve, Buffer.alloc(reserveBytes));
  const ballast = join(disk, 'ballast');
  expect(() => writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024))).toThrow('ENOSPC');

  const store = new SqliteStore(options);
  onTestFinished(() => store.close());
  const health = watchHealth(store);
  await store.open();
  expect([health.changes, existsSync(reserve)]).toEqual([[false], false]);
  store.enqueue(message(2), [target(1)]);
  store.dequeue(1, 1);
  await expect(store.commit()).rejects.toMatchObject({ code: 'TOBYMQ_STORE_FULL', isRestDurable: true });
  expect(await queuedIds(store, 1)).toEqual([]);

  rmSync(ballast);
  await health.became(true);
  expect(statSync(reserve).size).toBe(reserveBytes);
  store.enqueue(message(3), [target(1)]);
  await store.commit();
  expect(await queuedIds(store, 1)).toEqual([3]);
});

/** A file system of 8 MB in memory; undefined where this process may not mount one. */
function mountSmallDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const base = '/run/tobymq-test-disks';
  mkdirSync(base, { recursive: true });
  const folder = join(base, `${process.pid}-${readdirSync(base).length}`);
  mkdirSync(folder);
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
  if (status === 0) return folder;
  rmSync(folder, { recursive: true });
  return undefined;
}

function unmount(folder: string): void {
  const { status, stderr } = spawnSync('umount', ['--lazy', folder]);
  if (status !== 0) throw new Error(`umount ${folder}: ${stderr}`);
  rmSync(folder, { recursive: true });
}
