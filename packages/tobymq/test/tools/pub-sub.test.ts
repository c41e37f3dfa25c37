// `tobymq pub` and `tobymq sub` as scripts use them: what they print and how they end.

import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@tobymq/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runTool, startTool, startToolServer } from './tools-harness.ts';

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
  authorizePublish: (_client: unknown, { topic }: { topic: string }) => !topic.startsWith('secret'),
  authorizeSubscribe: (_client: unknown, { filter }: { filter: string }) => !filter.startsWith('secret'),
};

describe('pub', () => {
  test.each([
    ['accepted', ['a', 'x'], 0, ''],
    ['nobody subscribed', ['-q', '1', 'a', 'x'], 7, 'nobody is subscribed to a'],
    ['not authorized', ['-q', '1', 'secret/a', 'x'], 5, 'not authorized'],
    ['bad credentials', ['-u', 'ana', '-P', 'wrong', 'a', 'x'], 5, 'bad user name or password'],
    ['a wildcard in the topic', ['a/#', 'x'], 2, 'wildcard'],
    ['no topic', [], 2, 'TOPIC is missing'],
    ['no payload', ['a'], 2, 'the payload is missing'],
    ['two payloads', ['a', 'x', '-n'], 2, 'one payload'],
    ['a QoS that does not exist', ['-q', '3', 'a', 'x'], 2, '--qos must be one of'],
    ['a file that does not exist', ['a', '-f', '/nonexistent'], 1, 'cannot be read'],
  ])('%s ends as documented', async (_what, args, code, text) => {
    const server = await startToolServer({}, rules);
    const result = await server.run(['pub', ...args]);
    expect(result.stderr.toLowerCase()).toContain(text.toLowerCase());
    expect(result.code).toBe(code);
    expect(result.stdout).toBe('');
  });

  test('an unreachable server ends with 3, and who finds out why is named', async () => {
    const result = await runTool(['pub', '-p', String(await freePort()), 'a', 'x']);
    expect(result).toMatchObject({ code: 3, stderr: expect.stringContaining('\n"tobymq doctor" with') });
  });

  test('a server that says nothing, and one that has no answer, are told apart', async () => {
    const silent = createTcpServer().listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const port = String((silent.address() as AddressInfo).port);
    const server = await startToolServer();
    const ask = ['request', '-V', '3.1.1', '-W', '1', 'a', 'x'];
    const [nothing, noAnswer] = await Promise.all([runTool([...ask, '-p', port]), server.run(ask)]);
    expect(nothing).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/^tobymq request: the server did not answer in time\.\n"tobymq doctor"/),
    });
    expect(noAnswer).toMatchObject({ code: 6, stderr: 'tobymq request: no answer from a within 1 s.\n' });
  });

  test('TLS on a plain port ends with 8, of MQTT and of WebSocket', async () => {
    const server = await startToolServer();
    const web = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void web.close());
    await once(web, 'listening');
    const { port } = web.address() as AddressInfo;
    const urls = [`mqtts://127.0.0.1:${server.port}`, `mqtts://127.0.0.1:${port}`, `wss://127.0.0.1:${port}`];
    const results = await Promise.all(urls.map((url) => runTool(['pub', '-L', url, 'a', 'x'])));
    expect(results.map(({ code }) => code)).toEqual([8, 8, 8]);
  });

  test('--quiet says nothing, whatever happens', async () => {
    const server = await startToolServer({}, rules);
    const refused = await server.run(['pub', '--quiet', '-q', '1', 'secret/a', 'x']);
    expect(refused).toMatchObject({ code: 5, stderr: '' });
    const unreachable = await runTool(['pub', '--quiet', '-p', String(await freePort()), 'a', 'x']);
    expect(unreachable).toMatchObject({ code: 3, stderr: '' });
  });

  test('lines, JSON lines, files, standard input and binary payloads arrive as they are', async () => {
    const server = await startToolServer();
    const received: [string, string][] = [];
    server.broker.subscribe(
      '#',
      ({ topic, payload }) => void received.push([topic, Buffer.from(payload).toString('hex')]),
    );
    const hex = (text: string): string => Buffer.from(text).toString('hex');
    await server.run(['pub', '-q', '1', '--lines', 'log'], 'one\r\ntwo\n\nlast');
    await server.run(
      ['pub', '-q', '1', '--json-lines', 'default'],
      '{"topic":"j","payload":{"a":1}}\n{"payload":"text"}\n{"payloadBase64":"AP8="}\n',
    );
    await server.run(['pub', '-q', '1', '--stdin', 'all'], Uint8Array.from([0, 255, 10, 13]));
    await server.run(['pub', '-q', '1', '--repeat', '3', 'again', 'x']);
    expect(received).toEqual([
      ['log', hex('one')],
      ['log', hex('two')],
      ['log', ''],
      ['log', hex('last')],
      ['j', hex('{"a":1}')],
      ['default', hex('text')],
      ['default', '00ff'],
      ['all', '00ff0a0d'],
      ['again', hex('x')],
      ['again', hex('x')],
      ['again', hex('x')],
    ]);
  });

  test('a wrong JSON line is named by its number', async () => {
    const server = await startToolServer();
    const result = await server.run(['pub', '--json-lines', 'a'], '{"payload":1}\n{"qos":5}\n');
    expect(result.stderr).toContain('line 2: "qos" must be 0, 1 or 2');
    expect(result.code).toBe(1);
  });
});

describe('sub', () => {
  test('prints payloads, topics when there are several, and hex for what is no text', async () => {
    const server = await startToolServer();
    const one = server.start(['sub', '-C', '2', 'one']);
    const many = server.start(['sub', '-C', '2', 'a/+', 'b']);
    await Promise.all(['one', 'a/+', 'b'].map((filter) => server.subscribed(filter)));
    await server.broker.publish({ topic: 'one', payload: 'hello' });
    await server.broker.publish({ topic: 'one', payload: Uint8Array.from([0, 159, 1]) });
    await server.broker.publish({ topic: 'a/x', payload: 'first' });
    await server.broker.publish({ topic: 'b', payload: 'second' });
    expect(await one.exit()).toMatchObject({ code: 0, stdout: 'hello\n0x009f01\n', stderr: '' });
    expect(await many.exit()).toMatchObject({ code: 0, stdout: 'a/x first\nb second\n' });
  });

  test('--json prints one object a line with everything that came along', async () => {
    const server = await startToolServer();
    const sub = server.start(['sub', '--json', '-q', '1', '-C', '2', 'a']);
    await server.subscribed('a');
    const properties = {
      contentType: 'application/json',
      userProperties: [
        ['k', 'v'],
        ['k', 'w'],
      ] as const,
    };
    await server.broker.publish({ topic: 'a', payload: '{"n":1}', qos: 1, properties });
    await server.broker.publish({ topic: 'a', payload: Uint8Array.from([255]) });
    const { stdout } = await sub.exit();
    const [first, second] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      topic: 'a',
      qos: 1,
      retain: false,
      payload: { n: 1 },
      contentType: 'application/json',
      userProperties: [
        ['k', 'v'],
        ['k', 'w'],
      ],
    });
    expect(second).toMatchObject({ payloadBase64: '/w==' });
  });

  test.each([
    ['null', 'null'],
    ['a JSON text', '"on"'],
    ['a text with a byte order mark', '\ufeffon'],
    ['a number', '21.5'],
    ['a number of more digits than JavaScript has', '{"id":12345678901234567890,"of":"a : \\" b"}'],
    ['a number that is larger than any of JavaScript', '[1e400,-0]'],
  ])('%s is the same payload behind sub --json and pub --json-lines', async (_what, payload) => {
    const server = await startToolServer();
    const sub = server.start(['sub', '--json', '-C', '1', 'a']);
    await server.subscribed('a');
    await server.broker.publish({ topic: 'a', payload });
    const { stdout } = await sub.exit();
    const copied = new Promise<string>((resolve) =>
      server.broker.subscribe('a', (message) => resolve(Buffer.from(message.payload).toString())),
    );
    await server.run(['pub', '--json-lines'], stdout);
    expect(await copied).toBe(payload);
  });

  test('-F takes a format string, and a wrong one is told before connecting', async () => {
    const server = await startToolServer();
    const sub = server.start(['sub', '-F', '%t|%l|%x', '-C', '1', 'a']);
    await server.subscribed('a');
    await server.broker.publish({ topic: 'a', payload: 'hi' });
    expect((await sub.exit()).stdout).toBe('a|2|6869\n');
    expect(await runTool(['sub', '-F', '%y', 'a'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('%y'),
    });
  });

  test('retained messages only, or none of them', async () => {
    const server = await startToolServer();
    await server.broker.publish({ topic: 'r/1', payload: 'kept', retain: true, qos: 1 });
    const only = server.start(['sub', '--retained-only', '-C', '1', 'r/#']);
    expect((await only.exit()).stdout).toBe('r/1 kept\n');
    const none = server.start(['sub', '-R', '-C', '1', 'r/+']);
    await server.subscribed('r/+');
    await server.broker.publish({ topic: 'r/2', payload: 'live' });
    expect((await none.exit()).stdout).toBe('r/2 live\n');
  });

  test('filtered topics are not shown', async () => {
    const server = await startToolServer();
    const sub = server.start(['sub', '-T', 'a/noise/#', '-C', '1', 'a/#']);
    await server.subscribed('a/#');
    await server.broker.publish({ topic: 'a/noise/1', payload: 'x' });
    await server.broker.publish({ topic: 'a/signal', payload: 'y' });
    expect((await sub.exit()).stdout).toBe('a/signal y\n');
  });

  test('a refused filter, a timeout and no filter end as documented', async () => {
    const server = await startToolServer({}, rules);
    const refused = await server.run(['sub', '-W', '1', 'secret/#']);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('secret/#') });
    expect((await server.run(['sub', '-C', '1', '-W', '1', 'quiet'])).code).toBe(6);
    expect((await server.run(['sub'])).code).toBe(2);
  });

  test('a timeout that is longer than a timer can be is refused, and the longest one does not end at once', async () => {
    const server = await startToolServer();
    expect(await server.run(['sub', '-W', '2147484', 'a'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--timeout must be a whole number from 1 to 2147483'),
    });
    const sub = server.start(['sub', '-W', '2147483', '-C', '1', 'a']);
    await server.subscribed('a');
    await server.broker.publish({ topic: 'a', payload: 'x' });
    expect(await sub.exit()).toMatchObject({ code: 0, stdout: 'x\n', stderr: '' });
  });

  test('a reader that goes away is no error', async () => {
    const server = await startToolServer();
    const sub = server.start(['sub', 'a']);
    await server.subscribed('a');
    sub.child.stdout.destroy();
    // What is written before this finds its reader.
    await once(sub.child.stdout, 'close');
    await server.broker.publish({ topic: 'a', payload: 'x' });
    await server.broker.publish({ topic: 'a', payload: 'y' });
    expect(await sub.exit()).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('where the connection comes from', () => {
  test.each(['localhost:1884', 'two words', 'a/b', 'ana@localhost', '::1%lo'])(
    'a host that is none is not another one: %s',
    async (name) => {
      const server = await startToolServer();
      const result = await server.run(['pub', '-h', name, 'a', 'x']);
      expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('--host must be') });
      expect((await server.run(['mosquitto_pub', '-h', name, '-t', 'a', '-m', 'x'])).code).toBe(1);
      expect(server.broker.metrics.publishReceived).toBe(0);
    },
  );

  test.each(['mqtt://[', 'mqtt://ana:%zz@localhost/a'])(
    'mosquitto_pub says that %s is no URL',
    async (url) => {
      const result = await runTool(['mosquitto_pub', '-L', url, '-m', 'x']);
      expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Error: Invalid .*URL/) });
    },
  );

  test('the environment and a saved profile say what the command line does not', async () => {
    const server = await startToolServer({}, rules);
    const folder = await mkdtemp(join(tmpdir(), 'tobymq-profile-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'profiles.json');
    const url = `mqtt://127.0.0.1:${server.port}`;
    await writeFile(
      file,
      JSON.stringify({ default: 'home', profiles: { home: { url, username: 'ana', password: 'wrong' } } }),
      { mode: 0o600 },
    );
    const env = { TOBYMQ_PROFILES: file };
    expect((await runTool(['pub', 'a', 'x'], '', env)).code).toBe(5);
    expect((await runTool(['pub', 'a', 'x'], '', { ...env, TOBYMQ_PASSWORD: 'right' })).code).toBe(0);
    expect((await runTool(['pub', '-P', 'right', 'a', 'x'], '', env)).code).toBe(0);
    expect((await runTool(['pub', '--profile', 'away', 'a', 'x'], '', env)).stderr).toContain(
      'there is no profile "away"; saved are: home',
    );
    await chmod(file, 0o644);
    expect((await runTool(['pub', 'a', 'x'], '', env)).stderr).toContain(`chmod 600 ${file}`);
  });
});

test.each([
  ['waits for its input', ['--lines']],
  ['waits for the next turn', ['--lines', '--rate', '0.001']],
])('Ctrl-C ends pub while it %s', async (_what, args) => {
  const server = await startToolServer();
  const published = new Promise<void>((resolve) => server.broker.subscribe('a', () => resolve()));
  const tool = server.start(['pub', 'a', ...args]);
  tool.child.stdin.write('first\nsecond\n');
  await published;
  tool.child.kill('SIGINT');
  expect((await tool.exit()).code).toBe(0);
});

test.each([
  ['waits for its input', []],
  ['waits for the next turn', ['--rate', '0.001']],
])('a server that ends is noticed while pub %s', async (_what, args) => {
  const server = await startToolServer();
  const published = new Promise<void>((resolve) => server.broker.subscribe('a', () => resolve()));
  const tool = server.start(['pub', 'a', '--lines', ...args]);
  tool.child.stdin.write('first\nsecond\n');
  await published;
  await server.broker.stop();
  expect(await tool.exit()).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/^tobymq pub: the server ended the connection with 0x8b .*\n$/),
  });
});

test('a rate that is lower than a timer can wait for is kept', async () => {
  const server = await startToolServer();
  const published = new Promise<void>((resolve) => server.broker.subscribe('a', () => resolve()));
  const tool = server.start(['pub', 'a', 'x', '--repeat', '2', '--rate', '1e-9']);
  await published;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(server.broker.metrics.publishReceived).toBe(1);
  tool.child.kill('SIGINT');
  expect(await tool.exit()).toMatchObject({ code: 0, stderr: '' });
});

test('Ctrl-C ends sub cleanly', async () => {
  const server = await startToolServer();
  const sub = startTool(['sub', '-p', String(server.port), 'a']);
  await server.subscribed('a');
  sub.child.kill('SIGINT');
  expect(await sub.exit()).toMatchObject({ code: 0, stderr: '' });
});
