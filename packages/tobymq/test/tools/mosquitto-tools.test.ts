// The stand-ins for Mosquitto's clients beside the originals from Debian: the same command line has to print the same and
// end with the same exit code.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type ProcessResult, runProcess, TestProcess } from '@tobymq/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { cleanEnvironment, runTool, startToolServer, type ToolServer } from './tools-harness.ts';

const rules = {
  name: 'rules',
  authenticate: ({
    username,
    password,
  }: {
    username?: string | undefined;
    password: Uint8Array | undefined;
  }) =>
    username === undefined || Buffer.from(password ?? []).toString() === 'right'
      ? ({ allow: true } as const)
      : ({ allow: false, reasonCode: 0x86 } as const),
  authorizeSubscribe: (_client: unknown, { filter }: { filter: string }) => !filter.startsWith('secret'),
};

/** The original, with the port of the server. */
function original(
  name: string,
  server: ToolServer,
  args: readonly string[],
  input = '',
): Promise<ProcessResult> {
  return runProcess(name, ['-p', String(server.port), ...args], { env: cleanEnvironment, input });
}

describe('mosquitto_pub', () => {
  test.each([
    ['a message', ['-t', 'a', '-m', 'x', '-q', '1'], ''],
    ['an empty message', ['-t', 'a', '-n'], ''],
    ['lines', ['-t', 'a', '-l'], 'one\ntwo\n'],
    ['standard input', ['-t', 'a', '-s'], 'all of it\n'],
    ['repeated', ['-t', 'a', '-m', 'x', '--repeat', '3', '-q', '2'], ''],
    [
      'MQTT 5 properties',
      [
        '-V',
        '5',
        '-t',
        'a',
        '-m',
        'x',
        '-D',
        'publish',
        'content-type',
        'text/plain',
        '-D',
        'publish',
        'user-property',
        'k',
        'v',
      ],
      '',
    ],
    ['retained', ['-t', 'a', '-m', 'x', '-r', '-q', '1'], ''],
  ])('%s arrives as from the original', async (_what, args, input) => {
    const server = await startToolServer({}, rules);
    const received: unknown[] = [];
    server.broker.subscribe('#', ({ topic, payload, qos, retain, properties }) => {
      received.push({
        topic,
        payload: Buffer.from(payload).toString(),
        qos,
        retain,
        content: properties?.contentType,
        user: properties?.userProperties,
      });
    });
    const expected = await original('mosquitto_pub', server, args, input);
    const expectedMessages = received.splice(0);
    expect(expectedMessages.length).toBeGreaterThan(0);
    const result = await server.run(['mosquitto_pub', ...args], input);
    expect(result).toMatchObject({ code: expected.code, stdout: expected.stdout });
    expect(received).toEqual(expectedMessages);
  });

  test.each([
    ['bad credentials', ['-t', 'a', '-m', 'x', '-u', 'ana', '-P', 'wrong']],
    ['bad credentials in MQTT 5', ['-V', '5', '-t', 'a', '-m', 'x', '-u', 'ana', '-P', 'wrong']],
    ['no topic', ['-m', 'x']],
    ['an unknown flag', ['-t', 'a', '-m', 'x', '--nonsense']],
    ['a QoS that does not exist', ['-t', 'a', '-m', 'x', '-q', '3']],
  ])('%s ends with the same exit code', async (_what, args) => {
    const server = await startToolServer({}, rules);
    const expected = await original('mosquitto_pub', server, args);
    const result = await server.run(['mosquitto_pub', ...args]);
    expect(result.code).toBe(expected.code);
    expect(result.stderr).not.toBe('');
  });

  test('an unreachable server ends as with the original', async () => {
    const args = ['-p', String(await freePort()), '-t', 'a', '-m', 'x'];
    const expected = await runProcess('mosquitto_pub', args);
    expect(await runTool(['mosquitto_pub', ...args])).toMatchObject({
      code: expected.code,
      stderr: expected.stderr,
    });
  });

  test('flags that cannot be honoured are refused with a reason, and option files are read', async () => {
    expect(await runTool(['mosquitto_pub', '-t', 'a', '-m', 'x', '--psk', 'aa'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('pre-shared keys'),
    });
    const server = await startToolServer();
    const folder = await mkdtemp(join(tmpdir(), 'tobymq-options-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'options'), `# where\n-t from/file\n-q 1\n`);
    const seen = new Promise((resolve) => server.broker.subscribe('#', ({ topic }) => resolve(topic)));
    await server.run(['mosquitto_pub', '-o', join(folder, 'options'), '-m', 'x']);
    expect(await seen).toBe('from/file');
  });
});

test.each([
  ['mosquitto_pub waits for a line', ['mosquitto_pub', '-l'], 'first\n', 0],
  [
    'mosquitto_pub waits for the next turn',
    ['mosquitto_pub', '-m', 'x', '--repeat', '2', '--repeat-delay', '9999'],
    '',
    0,
  ],
])('a signal ends it while %s', async (_what, args, input, code) => {
  const server = await startToolServer();
  const published = new Promise<void>((resolve) => server.broker.subscribe('a', () => resolve()));
  const tool = server.start([...args, '-t', 'a']);
  tool.child.stdin.write(input);
  await published;
  tool.child.kill('SIGINT');
  expect(await tool.exit()).toMatchObject({ code, stderr: '' });
});

test('a signal ends mosquitto_pub while it reads the whole of its input', async () => {
  const server = await startToolServer();
  const tool = server.start(['mosquitto_pub', '-s', '-t', 'a']);
  // Taken in a pipe of 64 KiB, the rest shows that it reads.
  await new Promise((resolve) => tool.child.stdin.write(Buffer.alloc(1024 * 1024), resolve));
  tool.child.kill('SIGTERM');
  expect((await tool.exit()).signal).toBe('SIGTERM');
});

test('mosquitto_pub -l notices that the server has gone', async () => {
  const server = await startToolServer();
  const published = new Promise<void>((resolve) => server.broker.subscribe('a', () => resolve()));
  const tool = server.start(['mosquitto_pub', '-V', '5', '-l', '-t', 'a']);
  tool.child.stdin.write('first\n');
  await published;
  await server.broker.stop();
  expect(await tool.exit()).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^Error: the server ended/),
  });
});

describe('mosquitto_sub', () => {
  const messages = [
    { topic: 'a/one', payload: 'hello' },
    { topic: 'a/two', payload: '{"n":1}', qos: 1 as const },
    { topic: 'a/three', payload: '' },
    { topic: 'a/four', payload: 'ü' },
  ];

  async function run(server: ToolServer, start: () => TestProcess): Promise<ProcessResult> {
    const program = start();
    const subscribed = new Promise<void>((resolve) => {
      server.broker.addExtension({ name: `wait-${Math.random()}`, onSubscribed: () => resolve() });
    });
    await subscribed;
    for (const message of messages) await server.broker.publish(message);
    return program.exit();
  }

  test.each([
    ['payloads', ['-t', 'a/#', '-C', '4']],
    ['topics and payloads', ['-v', '-t', 'a/+', '-C', '4']],
    ['a format string', ['-F', '%t|%q|%r|%l|%x|%p', '-t', 'a/#', '-C', '4', '-q', '1']],
    ['widths', ['-F', '[%-8t] [%8t] [%.3t] [%05l]', '-t', 'a/#', '-C', '4']],
    ['no newline', ['-N', '-t', 'a/#', '-C', '4']],
    ['filtered', ['-v', '-T', 'a/two', '-T', 'a/three', '-t', 'a/#', '-C', '2']],
    ['QoS 2', ['-q', '2', '-F', '%q %p', '-t', 'a/#', '-C', '4']],
    ['several topics', ['-v', '-t', 'a/one', '-t', 'a/two', '-C', '2']],
  ])('%s are printed as by the original', async (_what, args) => {
    const server = await startToolServer();
    const port = ['-p', String(server.port)];
    const expected = await run(server, () =>
      TestProcess.start('mosquitto_sub', [...port, ...args], { env: cleanEnvironment }),
    );
    const result = await run(server, () => server.start(['mosquitto_sub', ...args]));
    expect(result).toMatchObject({ code: expected.code, stdout: expected.stdout });
    expect(expected.stdout).not.toBe('');
  });

  test.each([
    ['a timeout', ['-t', 'quiet', '-W', '1']],
    ['leaving once subscribed', ['-t', 'quiet', '-E']],
    ['bad credentials', ['-t', 'a', '-u', 'ana', '-P', 'wrong']],
    ['no topic', []],
    ['a denied subscription', ['-t', 'secret/a', '-W', '1']],
  ])('%s ends with the same exit code', async (_what, args) => {
    const server = await startToolServer({}, rules);
    const expected = await original('mosquitto_sub', server, args);
    expect((await server.run(['mosquitto_sub', ...args])).code).toBe(expected.code);
  });

  test('the longest timeout of the original does not end at once', async () => {
    const server = await startToolServer();
    const sub = server.start(['mosquitto_sub', '-t', 'a', '-W', '2147483647', '-C', '1']);
    await server.subscribed('a');
    await server.broker.publish({ topic: 'a', payload: 'x' });
    expect(await sub.exit()).toMatchObject({ code: 0, stdout: 'x\n', stderr: '' });
  });

  test('retained messages are shown, hidden, and removed', async () => {
    const server = await startToolServer();
    await server.broker.publish({ topic: 'r/a', payload: 'kept', retain: true, qos: 1 });
    expect((await server.run(['mosquitto_sub', '-t', 'r/#', '--retained-only', '-C', '1'])).stdout).toBe(
      'kept\n',
    );
    expect((await server.run(['mosquitto_sub', '-t', 'r/#', '-R', '-W', '1'])).stdout).toBe('');
    await server.run(['mosquitto_sub', '-t', 'r/#', '--remove-retained', '-C', '1']);
    expect((await server.run(['mosquitto_sub', '-t', 'r/#', '-W', '1'])).stdout).toBe('');
  });

  test('-F %j and %J print the same members as the original', async () => {
    const server = await startToolServer();
    await server.broker.publish({
      topic: 'j',
      payload: '{"a":[1,2]}',
      retain: true,
      qos: 1,
      properties: { contentType: 'application/json', userProperties: [['k', 'v']] },
    });
    for (const format of ['%j', '%J']) {
      const args = ['-V', '5', '-t', 'j', '-q', '1', '-C', '1', '-F', format];
      const expected = JSON.parse((await original('mosquitto_sub', server, args)).stdout);
      const { tst, ...result } = JSON.parse((await server.run(['mosquitto_sub', ...args])).stdout);
      const { tst: _tst, mid: _mid, ...rest } = expected;
      const { mid: _ours, ...ours } = result;
      expect(ours).toEqual(rest);
      expect(tst).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4}$/);
    }
  });
});

test('-F %j tells the time of here, as its offset says', async () => {
  const server = await startToolServer();
  await server.broker.publish({ topic: 'j', payload: 'x', retain: true });
  const args = ['mosquitto_sub', '-p', String(server.port), '-t', 'j', '-C', '1', '-F', '%j'];
  const { tst } = JSON.parse((await runTool(args, '', { TZ: 'Asia/Tokyo' })).stdout);
  expect(tst).toMatch(/\+0900$/);
  expect(Math.abs(Date.parse(tst.replace('+0900', '+09:00')) - Date.now())).toBeLessThan(60_000);
});

test.each(['%J', '[%t] %J'])(
  'a payload that is no JSON is told as by the original, and is no fault: %s',
  async (format) => {
    const server = await startToolServer();
    await server.broker.publish({ topic: 'j', payload: 'no json', retain: true });
    const args = ['-t', 'j', '-C', '1', '-F', format];
    expect(await server.run(['mosquitto_sub', ...args])).toEqual(
      await original('mosquitto_sub', server, args),
    );
  },
);

test('mosquitto_rr asks our responder and the original responder asks ours alike', async () => {
  const server = await startToolServer();
  server.start(['respond', 'text/upper', 'tr', 'a-z', 'A-Z']);
  await server.subscribed('text/upper');
  const args = ['-t', 'text/upper', '-e', 'reply/here', '-m', 'hello', '-W', '5'];
  const expected = await original('mosquitto_rr', server, args);
  expect(expected).toMatchObject({ code: 0, stdout: 'HELLO\n' });
  expect(await server.run(['mosquitto_rr', ...args])).toMatchObject({ code: 0, stdout: 'HELLO\n' });
  expect((await server.run(['mosquitto_rr', '-t', 'nobody', '-e', 're', '-m', 'x', '-W', '1'])).code).toBe(
    27,
  );
});

test('mosquitto_passwd makes files that the original understands, and the other way round', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-passwd-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'users');
  expect(
    (await runTool(['mosquitto_passwd', '-c', '-H', 'sha512-pbkdf2', '-b', file, 'ana', 'secret'])).code,
  ).toBe(0);
  await runProcess('mosquitto_passwd', ['-b', file, 'ben', 'word']);
  await runTool(['mosquitto_passwd', '-H', 'sha512', '-b', file, 'cy', 'x']);
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  expect(lines.map((line) => line.split('$').slice(0, 2).join('$'))).toEqual(['ana:$7', 'ben:$7', 'cy:$6']);
  expect((await runTool(['mosquitto_passwd', '-D', file, 'ben'])).code).toBe(0);
  expect((await runTool(['mosquitto_passwd', '-D', file, 'ben'])).code).toBe(1);
  await writeFile(file, 'plain:password\n');
  await runTool(['mosquitto_passwd', '-U', '-H', 'sha512-pbkdf2', file]);
  expect(await readFile(file, 'utf8')).toMatch(/^plain:\$7\$/);
  expect((await runTool(['mosquitto_passwd', '-b', join(folder, 'none'), 'a', 'b'])).code).toBe(1);
  expect((await runTool(['mosquitto_passwd'])).code).toBe(1);
});
