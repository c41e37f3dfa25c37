// `npm run conformance` as a command: it starts our own server as people run it, with its durable store and its
// WebSocket listener, finds nothing wrong and leaves nothing out, and says by its exit code how it went.

import { fileURLToPath } from 'node:url';
import { conformanceCases, freePort, runProcess } from '@tobymq/testkit';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../../scripts/conformance.mjs', import.meta.url));
const conformance = (...args: string[]) => runProcess(process.execPath, [script, ...args]);

test('all cases pass against our own server, and none is left out', async () => {
  const { code, stdout, stderr } = await conformance();
  const [summary, ...failures] = stdout.slice(stdout.indexOf('\nall ') + 1).split('\n');
  expect({ code, failures: failures.join('\n').trim(), stderr }).toEqual({
    code: 0,
    failures: '',
    stderr: '',
  });
  const [passed, ...others] = summary!.split(/ +/).slice(1).map(Number);
  expect({ passed, others }).toEqual({ passed: conformanceCases.length, others: [0, 0, 0] });
}, 120_000);

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
