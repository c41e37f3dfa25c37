// Copies of a store that goes on working.

import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { message, openStore, queuedIds, session, target, temporaryFolder } from './support.ts';

test('a backup holds everything committed before it, and a consistent state of what comes meanwhile', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder: join(folder, 'data') });
  store.putSession(session(1));
  store.putSession(session(2));
  for (let id = 1; id <= 5000; id++) store.enqueue(message(id), [target(1), target(2)]);
  await store.commit();

  let copied = false;
  const copy = store.backup(join(folder, 'copy', 'tobymq.db')).catch((error: unknown) => error);
  expect(await copy).toMatchObject({ code: 'TOBYMQ_STORE_NO_ACCESS' });
  const backup = store.backup(join(folder, 'tobymq.db')).then(() => {
    copied = true;
  });
  let id = 5000;
  while (!copied) {
    id += 1;
    store.enqueue(message(id), [target(1), target(2)]);
    await store.commit();
  }
  await backup;
  expect(await queuedIds(store, 1)).toHaveLength(id);

  const restored = await openStore({ folder });
  const ids = await queuedIds(restored, 1);
  expect(ids.length).toBeGreaterThanOrEqual(5000);
  expect(ids).toEqual(Array.from({ length: ids.length }, (_, i) => i + 1));
  expect(await queuedIds(restored, 2)).toEqual(ids);
});

test('a backup never overwrites a file, and leaves none when it fails', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder: join(folder, 'data') });
  await writeFile(join(folder, 'taken'), 'mine');
  await expect(store.backup(join(folder, 'taken'))).rejects.toMatchObject({
    code: 'TOBYMQ_STORE_BACKUP_EXISTS',
  });
  expect((await readdir(folder)).sort()).toEqual(['data', 'taken']);
});

test('a store in memory can be copied to disk', async () => {
  const folder = await temporaryFolder();
  const store = await openStore({ folder: 'unused', durability: 'memory' });
  store.putSession(session(1));
  store.enqueue(message(1), [target(1)]);
  await store.backup(join(folder, 'tobymq.db'));
  expect(await queuedIds(await openStore({ folder }), 1)).toEqual([1]);
});
