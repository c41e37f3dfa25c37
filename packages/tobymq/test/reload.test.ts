// A reload applies what has changed and nothing else: clients that are still allowed stay connected and lose nothing,
// and a configuration with a mistake changes nothing.

import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, freePort, packet, packetType, RawPeer, runProcess } from '@tobymq/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { hashPassword } from '../src/auth/password-hash.ts';
import type { ConfigInput } from '../src/config/schema.ts';
import {
  cli,
  connect,
  nextMessage,
  portOf,
  publish,
  startCommand,
  startServer,
  subscribe,
  testConfig,
  webSocketPeer,
} from './harness.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tobymq-reload-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const host = '127.0.0.1';
const everybody: ConfigInput['authentication'] = [{ type: 'anonymous', anyName: true }];

/** A server whose configuration the test can exchange. */
async function changeable(first: ConfigInput) {
  let current = first;
  const server = await startServer(first, { readConfig: () => testConfig(current) });
  return {
    server,
    reload: (next: ConfigInput) => {
      current = next;
      return server.reload();
    },
  };
}

test('listeners are added and removed, and clients of the others stay', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const { server, reload } = await changeable({ listeners: [{ port: first }], authentication: everybody });
  const { peer } = await connect({ host, port: first });
  const report = await reload({ listeners: [{ port: first }, { port: second }], authentication: everybody });
  expect(report).toMatchObject({ added: [`tcp:${second}`], removed: [], disconnected: 0 });
  const { peer: other } = await connect({ host, port: second }, { clientId: 'other' });
  await reload({ listeners: [{ port: first }], authentication: everybody });
  expect(decode.reason(await other.expect(packetType.DISCONNECT), 5).reason).toBe(0x87);
  await expect(RawPeer.connect({ host, port: second })).rejects.toThrow();
  await peer.ping();
  expect(server.broker.metrics.connectionsAccepted).toBe(2);
});

test('a port that two listeners want is not called that of another program', async () => {
  const port = await freePort();
  const listeners = [
    { name: 'first', port },
    { name: 'second', type: 'ws' as const, port },
  ];
  await expect(changeable({ listeners })).rejects.toThrow(
    `listener second: the listener first has the port ${port}; choose another one`,
  );
});

test('a port that cannot be had changes nothing', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const { server: blocker } = await changeable({ listeners: [{ port: second }] });
  const { server, reload } = await changeable({ listeners: [{ port: first }], authentication: everybody });
  const { peer } = await connect({ host, port: first });
  const wanted: ConfigInput = {
    listeners: [{ port: second }],
    authentication: everybody,
    access: { rules: [{ deny: 'all', topics: '#' }] },
  };
  await expect(reload(wanted)).rejects.toThrow(/another program uses the port/);
  expect(server.listeners.map(({ listener }) => listener.port)).toEqual([first]);
  expect(await publish(peer, 'a')).toBe(0x10);
  expect((await connect({ host, port: first }, { clientId: 'new' })).reason).toBe(0);
  expect(blocker.isReady).toBe(true);
});

test('a log file that cannot be written changes nothing either', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const { server, reload } = await changeable({ listeners: [{ port: first }] });
  const wanted: ConfigInput = {
    listeners: [{ port: first }, { port: second }],
    log: { to: ['/nowhere/at/all.log'] },
  };
  await expect(reload(wanted)).rejects.toThrow(/the log file cannot be written/);
  expect(server.listeners).toHaveLength(1);
  await expect(RawPeer.connect({ host, port: second })).rejects.toThrow();
});

test('a larger packet is taken over WebSocket after the limit was raised', async () => {
  const port = await freePort();
  const base: ConfigInput = { listeners: [{ port, type: 'ws' }], authentication: everybody };
  const { reload } = await changeable({ ...base, limits: { packetSize: 1000 } });
  await reload({ ...base, limits: { packetSize: '1MB' } });
  const { peer } = await connect(await webSocketPeer(`ws://${host}:${port}/mqtt`));
  expect(await publish(peer, 'a', 'x'.repeat(500_000))).toBe(0x10);
});

test('a listener of another kind takes over the port', async () => {
  const port = await freePort();
  const { reload } = await changeable({ listeners: [{ port }] });
  await reload({ listeners: [{ port, type: 'ws' }] });
  const response = await fetch(`http://${host}:${port}/`);
  expect(response.status).toBe(426);
});

test('a listener takes over the Unix socket of one that leaves', async () => {
  const path = join(directory, 'taken.sock');
  const { reload } = await changeable({ listeners: [{ type: 'unix', path }] });
  const { peer } = await connect({ path });
  const listeners: ConfigInput['listeners'] = [{ type: 'unix', path, mode: '600' }];
  expect(await reload({ listeners })).toMatchObject({ disconnected: 0 });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await peer.ping();
  await (await connect({ path }, { clientId: 'new' })).peer.ping();
});

test('rules, limits and log level count at once, for clients that are connected too', async () => {
  const port = await freePort();
  const base: ConfigInput = { listeners: [{ port }], authentication: everybody };
  const { server, reload } = await changeable(base);
  const { peer } = await connect({ host, port });
  expect(await publish(peer, 'a')).toBe(0x10);
  await reload({ ...base, access: { rules: [{ allow: 'all', topics: 'b' }] } });
  expect(await publish(peer, 'a')).toBe(0x87);
  expect(await publish(peer, 'b')).toBe(0x10);
  await reload({
    ...base,
    limits: { maximumQoS: 0, packetSize: 1000 },
    log: { to: ['none'], level: 'debug' },
  });
  await peer.ping();
  const limited = await RawPeer.connect({ host, port });
  onTestFinished(() => limited.destroy());
  limited.send(packet.connect({ version: 5, clientId: 'limited' }));
  const { properties } = decode.connack(await limited.expect(packetType.CONNACK), 5);
  expect(properties.get(0x24)).toEqual([0]);
  expect(properties.get(0x27)).toEqual([1000]);
  expect(server.log.level).toBe('debug');
});

test('a server that is stopped while it reloads opens nothing any more', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const { server, reload } = await changeable({ listeners: [{ port: first }] });
  const reloading = reload({ listeners: [{ port: second }] });
  await Promise.resolve(); // it has begun
  await server.stop();
  await reloading;
  for (const port of [first, second]) await expect(connect({ host, port })).rejects.toThrow(/ECONNREFUSED/);
  await expect(server.reload()).rejects.toThrow(/the server is stopping/);
});

test('a server that cannot start leaves the pid file of another one', async () => {
  const [port, pidFile] = [await freePort(), join(directory, 'other.pid')];
  const config: ConfigInput = { listeners: [{ port }], pidFile, store: { type: 'memory' } };
  await changeable(config);
  await expect(changeable(config)).rejects.toThrow(/another program uses the port/);
  expect(existsSync(pidFile)).toBe(true);
});

test('what needs a restart is named until there was one, and stays as it is', async () => {
  const port = await freePort();
  const [first, second] = [join(directory, 'first.pid'), join(directory, 'second.pid')];
  const base: ConfigInput = { listeners: [{ port }] };
  const { server, reload } = await changeable({ ...base, pidFile: first });
  writeFileSync(second, 'of somebody else');
  const changed: ConfigInput = { ...base, pidFile: second, http: { enabled: false, port: 1 } };
  expect((await reload(changed)).needRestart).toEqual(['http', 'pidFile']);
  expect((await reload(changed)).needRestart).toEqual(['http', 'pidFile']);
  await server.stop();
  expect([existsSync(first), existsSync(second)]).toEqual([false, true]);
});

test('the limit of sessions holds after a reload', async () => {
  const port = await freePort();
  const config: ConfigInput = { listeners: [{ port }], authentication: everybody, limits: { sessions: 1 } };
  const { reload } = await changeable(config);
  await connect({ host, port }, { clientId: 'first' });
  await reload(config);
  expect((await connect({ host, port }, { clientId: 'second' })).reason).toBe(0x89);
});

test('who is no longer allowed has to leave, with a reason; who changed the password as well', async () => {
  const path = join(directory, 'users');
  const line = async (name: string, password: string): Promise<string> =>
    `${name}:${await hashPassword(password, 'sha512')}\n`;
  const anna = await line('anna', 'a');
  writeFileSync(path, anna + (await line('berta', 'b')) + (await line('carla', 'c')));
  const server = await startServer({ authentication: [{ type: 'password-file', file: path }] });
  const login = async (name: string): Promise<RawPeer> =>
    (
      await connect(
        { host, port: portOf(server) },
        { clientId: name, username: name, password: name[0] as string },
      )
    ).peer;
  const [first, second, third] = [await login('anna'), await login('berta'), await login('carla')];
  writeFileSync(path, anna + (await line('carla', 'new')));
  const report = await server.reload();
  expect(report.disconnected).toBe(2);
  for (const peer of [second, third]) {
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x87);
  }
  await first.ping();
});

test('under load, reloads drop no client that is allowed and lose no message', async () => {
  const port = await freePort();
  const path = join(directory, 'load-users');
  writeFileSync(path, `anna:${await hashPassword('a', 'sha512')}\n`);
  const base: ConfigInput = {
    listeners: [{ port }],
    authentication: [{ type: 'password-file', file: path }],
  };
  const { server, reload } = await changeable(base);
  const as = { username: 'anna', password: 'a' };
  const subscriber = (await connect({ host, port }, { ...as, clientId: 'subscriber' })).peer;
  expect(await subscribe(subscriber, 'load/#')).toBe(0);
  const publishers: RawPeer[] = [];
  for (let index = 0; index < 20; index++) {
    publishers.push((await connect({ host, port }, { ...as, clientId: `p${index}` })).peer);
  }
  const rounds = 15;
  const reloading = (async () => {
    for (let round = 0; round < 8; round++) {
      await reload({
        ...base,
        access: { rules: [{ allow: 'all', topics: round % 2 === 0 ? '#' : 'load/#' }] },
        limits: { queuedMessages: 100 + round },
      });
    }
  })();
  await Promise.all(
    publishers.map(async (peer, index) => {
      for (let round = 0; round < rounds; round++)
        expect(await publish(peer, `load/${index}`, String(round))).toBe(0);
    }),
  );
  await reloading;
  const last = new Map<string, number>();
  for (let count = 0; count < publishers.length * rounds; count++) {
    const { topic, payload } = await nextMessage(subscriber);
    expect(Number(payload)).toBe((last.get(topic) ?? -1) + 1);
    last.set(topic, Number(payload));
  }
  expect(server.broker.metrics.connectionsNow).toBe(21);
  expect(server.broker.metrics.disconnectsByReasonCode.size).toBe(0);
});

test('tobymq reload, a reload that fails and says why, and no signal that opens a debugger', async () => {
  const data = join(directory, 'data');
  const path = join(directory, 'live.yaml');
  const [first, second] = [await freePort(), await freePort()];
  const write = (listeners: string): void =>
    writeFileSync(path, `data: ${data}\nhttp: {port: 0}\nlisteners: ${listeners}\n`);
  write(`[{port: ${first}}]`);
  const server = startCommand(['serve', '-c', path]);
  await server.line(/is ready/);
  const { peer } = await connect({ host, port: first });
  write(`[{port: ${first}}, {port: ${second}}]`);
  const reloaded = await runProcess(process.execPath, [cli, 'reload', '--data', data]);
  expect(reloaded).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`Listeners added: tcp:${second}`),
  });
  write('[{port: nonsense}]');
  const failed = await runProcess(process.execPath, [cli, 'reload', '--data', data]);
  expect(failed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('live.yaml:3: listeners[0].port: expected a number, found "nonsense"'),
  });
  server.child.kill('SIGUSR1');
  server.child.kill('SIGHUP');
  await server.line(/"event":"reload-failed"/);
  await peer.ping();
  expect((await server.stop()).stderr).not.toContain('Debugger');
  const nobody = await runProcess(process.execPath, [cli, 'reload', '--data', data]);
  expect(nobody).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no server runs with the data folder'),
  });
});
