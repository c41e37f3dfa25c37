// `npm run conformance` as a command: it starts our own server, knows its WebSocket listener, and says by its exit code
// how it went. The whole suite runs in the tests of the broker.

import { fileURLToPath } from 'node:url';
import { freePort, runProcess } from '@tobymq/testkit';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../../scripts/conformance.mjs', import.meta.url));
const conformance = (...args: string[]) => runProcess(process.execPath, [script, ...args]);

test('all cases about WebSocket pass against our own server', async () => {
  const { code, stdout, stderr } = await conformance('--filter', '6 WebSocket');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^6 WebSocket +7 +0 +0 +0$/m);
});

test('results come as JSON when asked for', async () => {
  const { stdout } = await conformance('--filter', 'every PINGREQ', '--versions', '4', '--json');
  expect(JSON.parse(stdout)).toMatchObject([{ id: 'MQTT-3.12.4-1', version: 4, outcome: 'pass' }]);
});

test('a server that cannot be reached ends the command with 2 and a message', async () => {
  const { code, stderr } = await conformance('--port', String(await freePort()));
  expect(code).toBe(2);
  expect(stderr).toContain('ECONNREFUSED');
});

test('a filter that nothing contains ends the command with 2 and a message', async () => {
  const { code, stderr } = await conformance('--filter', 'no such case');
  expect(code).toBe(2);
  expect(stderr).toContain('no case of versions 3,4,5 contains "no such case"');
});
