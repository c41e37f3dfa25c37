// What `tobymq serve` does with a data folder that it cannot use, and how `--repair` and `backup` help.

import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode, packet, packetType, property, RawPeer, runProcess, TestProcess } from '@tobymq/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

// Several starts of a real server in each test.
vi.setConfig({ testTimeout: 60_000 });

async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-data-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function serveArguments(folder: string, ...more: readonly string[]): string[] {
  return [cli, 'serve', '--data', folder, '--port', '0', '--ws-port', '0', '--no-http', ...more];
}

async function startServer(folder: string, ...more: readonly string[]): Promise<TestProcess> {
  const server = TestProcess.start(process.execPath, serveArguments(folder, ...more));
  onTestFinished(async () => void (await server.stop()));
  await server.line(/is ready: /);
  return server;
}

test('a second server on one data folder is refused, and the first goes on', async () => {
  const folder = await dataFolder();
  const first = await startServer(folder);
  const second = await runProcess(process.execPath, serveArguments(folder));
  expect(second.code).not.toBe(0);
  expect(second.stderr + second.stdout).toContain(`the data folder ${folder} is used by another server`);
  expect((await first.stop()).code).toBe(0);
  await startServer(folder);
});

test('a damaged store stops the start, and --repair sets it aside and starts', async () => {
  const folder = await dataFolder();
  await (await startServer(folder)).stop();
  const file = await open(join(folder, 'tobymq.db'), 'r+');
  await file.write(Buffer.alloc(60, 0x5a), 0, 60, 20);
  await file.close();

  const refused = await runProcess(process.execPath, serveArguments(folder));
  expect(refused.code).not.toBe(0);
  expect(refused.stderr + refused.stdout).toMatch(/tobymq\.db.*--repair/s);

  const repaired = await startServer(folder, '--repair', '--log-format', 'json');
  await repaired.line(/"event":"store-repaired"/);
  await repaired.stop();
  expect((await readdir(folder)).some((name) => name.startsWith('tobymq.db.damaged-'))).toBe(true);
  await startServer(folder);
});

test('a foreign file in the place of the store stops the start and stays as it is', async () => {
  const folder = await dataFolder();
  await writeFile(join(folder, 'tobymq.db'), 'a letter to my aunt, which is not a database');
  const refused = await runProcess(process.execPath, serveArguments(folder));
  expect(refused.code).not.toBe(0);
  expect(refused.stderr + refused.stdout).toContain('does not begin like a TobyMQ store');
});

test('a copy made by `tobymq backup` while the server runs holds sessions, queues and retained messages', async () => {
  const folder = await dataFolder();
  const server = TestProcess.start(process.execPath, [
    ...[cli, 'serve', '--data', folder, '--port', '0', '--ws-port', '0', '--http-port', '0'],
  ]);
  onTestFinished(async () => void (await server.stop()));
  const sleeper = await connect(await portOf(server), 'sleeper');
  expect(sleeper.sessionPresent).toBe(false);
  sleeper.peer.send(packet.subscribe({ version: 5, id: 1, filters: [['news/#', 1]] }));
  await sleeper.peer.expect(packetType.SUBACK);
  sleeper.peer.destroy();
  const { peer } = await connect(await portOf(server), 'publisher');
  peer.send(packet.publish({ version: 5, topic: 'news/today', qos: 1, id: 1, retain: true, payload: 'sun' }));
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5).reason).toBe(0);

  const restored = await dataFolder();
  await mkdir(join(restored, 'data'));
  const copy = join(restored, 'data', 'tobymq.db');
  const made = await runProcess(process.execPath, [cli, 'backup', copy, '--data', folder]);
  expect([made.code, made.stderr]).toEqual([0, '']);
  const again = await runProcess(process.execPath, [cli, 'backup', copy, '--data', folder]);
  expect(again.code).not.toBe(0);
  expect(again.stderr).toContain('exists already');

  const port = await portOf(await startServer(join(restored, 'data')));
  const back = await connect(port, 'sleeper');
  expect(back.sessionPresent).toBe(true);
  const message = decode.publish(await back.peer.expect(packetType.PUBLISH), 5);
  expect([message.topic, Buffer.from(message.payload).toString()]).toEqual(['news/today', 'sun']);
  const reader = await connect(port, 'reader');
  reader.peer.send(packet.subscribe({ version: 5, id: 1, filters: [['news/#', 0]] }));
  const retained = decode.publish(await reader.peer.take(packetType.PUBLISH), 5);
  expect([retained.retain, Buffer.from(retained.payload).toString()]).toEqual([true, 'sun']);
});

async function portOf(server: TestProcess): Promise<number> {
  const [, port] = await server.line(/mqtt:\/\/127\.0\.0\.1:(\d+)/);
  return Number(port);
}

/** Connects with MQTT 5 and a session that stays. */
async function connect(port: number, clientId: string): Promise<{ peer: RawPeer; sessionPresent: boolean }> {
  const peer = await RawPeer.connect({ port });
  onTestFinished(() => peer.destroy());
  const properties = [[property.sessionExpiryInterval, 3600] as const];
  peer.send(packet.connect({ version: 5, clientId, clean: false, properties }));
  const { sessionPresent } = decode.connack(await peer.expect(packetType.CONNACK), 5);
  return { peer, sessionPresent };
}
