// What commands do when nobody reads their output any more, or it cannot be written.

import { once } from 'node:events';
import { TestProcess } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { CLI, cleanEnvironment, startToolServer } from './tools-harness.ts';

test('a reader of kv watch that goes away is no error', async () => {
  const server = await startToolServer();
  const watcher = server.start(['kv', 'watch', 'cfg/+']);
  await server.subscribed('cfg/+');
  watcher.child.stdout.destroy();
  await once(watcher.child.stdout, 'close');
  await server.broker.publish({ topic: 'cfg/a', payload: '1', retain: true });
  expect(await watcher.exit()).toMatchObject({ code: 0, stderr: '' });
});

test.each(['sub', 'kv watch'])('a full disk ends %s in one line', async (name) => {
  const server = await startToolServer();
  const command = [process.execPath, CLI, ...name.split(' '), 'cfg/+', '-p', String(server.port)];
  const tool = TestProcess.start('sh', ['-c', 'exec "$@" > /dev/full', 'sh', ...command], {
    env: cleanEnvironment,
  });
  onTestFinished(async () => {
    await tool.stop();
  });
  await server.subscribed('cfg/+');
  await server.broker.publish({ topic: 'cfg/a', payload: '1', retain: true });
  expect(await tool.exit()).toMatchObject({
    code: 1,
    stderr: 'tobymq: the output cannot be written: ENOSPC: no space left on device, write\n',
  });
});
