// What commands do that work until they are stopped, when the server does not want their client any more.

import { freePort } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { startTool, startToolServer } from './tools-harness.ts';

test.each([
  ['respond', ['a', '--reply', 'x'], 'a'],
  ['kv watch', ['a/+'], 'a/+'],
  ['watch', ['a/+'], 'a/+'],
  ['top', ['--interval', '1'], '#'],
  ['sub', ['a'], 'a'],
])('%s ends with the reason when its client is taken over', async (name, args, filter) => {
  const server = await startToolServer();
  const tool = server.start([...name.split(' '), ...args, '-i', 'same']);
  await server.subscribed(filter);
  await server.run(['pub', '-i', 'same', 'b', 'x']);
  expect(await tool.exit()).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('0x8e session taken over'),
  });
});

test.each(['sub', 'kv watch', 'watch', 'top'])(
  '%s says that it cannot reach the server yet',
  async (name) => {
    const tool = startTool([
      ...name.split(' '),
      ...(name === 'top' ? [] : ['a']),
      '-p',
      String(await freePort()),
    ]);
    await expect
      .poll(() => tool.stderr, { timeout: 10_000 })
      .toMatch(/^tobymq: .*ECONNREFUSED.*; trying again\.\n$/);
  },
);

test('a client that is to prove its password does not come in without', async () => {
  const server = await startToolServer();
  const args = ['pub', 'a', 'x', '--scram', '-u', 'ana', '-P', 'secret', '-V'];
  for (const version of ['3.1', '3.1.1', 'auto']) {
    expect(await server.run([...args, version])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--scram needs --protocol 5'),
    });
  }
  expect(server.broker.metrics.connectionsAccepted).toBe(0);
});
