// What a store that was closed, killed or opened twice does.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { SqliteStore, StoreError } from '../src/index.ts';
import {
  loadedSessions,
  message,
  openStore,
  queuedIds,
  session,
  target,
  temporaryFolder,
} from './support.ts';

test('the counters go on above every key and id ever stored, also of what is gone', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder });
  store.putSession(session(7));
  store.enqueue(message(70), [target(7)]);
  store.putRetained(message(80));
  await store.commit();
  store.dequeue(7, 70);
  store.deleteRetained(message(80).topic);
  store.deleteSession(7);
  await store.close();
  const state = await store.open();
  expect(state.lastSessionKey).toBeGreaterThanOrEqual(7);
  expect(state.lastMessageId).toBeGreaterThanOrEqual(80);
});

test('close commits what is open', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder });
  store.putSession(session(1));
  await store.close();
  const again = await openStore({ folder });
  expect((await loadedSessions(again)).size).toBe(1);
});

test('a closed store refuses reads and commits by name', async () => {
  const store = await openStore({ folder: await temporaryFolder() });
  await store.close();
  await expect(store.getValue('a', 'b')).rejects.toMatchObject({ code: 'TOBYMQ_STORE_CLOSED' });
  store.putSession(session(1));
  await expect(store.commit()).rejects.toMatchObject({ code: 'TOBYMQ_STORE_CLOSED' });
});

test('a store in memory leaves nothing on disk', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder: join(folder, 'data'), durability: 'memory' });
  store.putSession(session(1));
  await store.commit();
  expect(store.durable).toBe(false);
  expect(await readdir(folder)).toEqual([]);
});

test('a message that leaves all its queues before the commit costs no disk', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder });
  store.putSession(session(1));
  await store.commit();
  const sizes = async (): Promise<number[]> =>
    Promise.all(['tobymq.db', 'tobymq.db-wal'].map(async (name) => (await stat(join(folder, name))).size));
  const before = await sizes();
  for (let id = 1; id <= 1000; id++) {
    store.enqueue(message(id), [target(1, { packetId: id })]);
    store.dequeue(1, id);
    await store.commit();
  }
  expect(await sizes()).toEqual(before);
});

test('a second store on the same folder is refused, in this process and in another', async () => {
  const folder = await temporaryFolder();
  const first = await openStore({ folder });
  const second = new SqliteStore({ folder });
  const refusal = await second.open().catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(StoreError);
  expect(refusal).toMatchObject({ code: 'TOBYMQ_STORE_LOCKED' });
  expect((refusal as Error).message).toContain(folder);

  const child = startWriter(folder);
  const [line] = (await once(child.lines, 'line')) as [string];
  expect(line).toBe('error TOBYMQ_STORE_LOCKED');
  await first.close();
  await second.open();
  await second.close();
});

test('what was committed before a kill -9 is there after it, at every level that promises it', async () => {
  for (const durability of ['fsync', 'commit'] as const) {
    const folder = await temporaryFolder();
    let acknowledged = 0;
    for (let round = 0; round < 3; round++) {
      const child = startWriter(folder, durability, acknowledged);
      const target = acknowledged + 150 + round * 40;
      child.lines.on('line', (line: string) => {
        const [word, id] = line.split(' ');
        if (word !== 'committed') throw new Error(`the writer says: ${line}`);
        acknowledged = Number(id);
        if (acknowledged >= target) child.process.kill('SIGKILL');
      });
      await once(child.lines, 'close');
    }
    const store = await openStore({ folder, durability });
    const ids = await queuedIds(store, 1);
    // Ids 1, 2, 3 ... without a hole, at least as far as the writer was told; each tenth was taken out again.
    const last = ids.at(-1)!;
    expect(last).toBeGreaterThanOrEqual(acknowledged - 1);
    const expected = Array.from({ length: last }, (_, i) => i + 1).filter((id) => id % 10 !== 0);
    expect(ids.filter((id) => id % 10 !== 0)).toEqual(expected);
    await store.close();
  }
});

test('a folder that cannot be made is named in the error', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'file'), 'in the way');
  const store = new SqliteStore({ folder: join(folder, 'file', 'data') });
  const error = (await store.open().catch((cause: unknown) => cause)) as StoreError;
  expect(error.code).toBe('TOBYMQ_STORE_NO_ACCESS');
  expect(error.message).toContain(join(folder, 'file', 'data'));
});

interface Writer {
  readonly process: ChildProcess;
  readonly lines: ReturnType<typeof createInterface>;
}

/** A process that stores one message after the other into session 1 and prints each id when it is committed. */
function startWriter(folder: string, durability = 'fsync', lastId = 0): Writer {
  const script = fileURLToPath(new URL('./kill-writer.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, folder, durability, String(lastId)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { process: child, lines: createInterface({ input: child.stdout! }) };
}
