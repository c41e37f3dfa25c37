// The client against servers that others wrote, and against ours: Mosquitto, which has to be installed, Aedes, and our
// broker over TCP and in memory. One conversation with everything that is used every day.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { Broker } from '@tobymq/broker';
import { freePort, TestProcess, withTempDir } from '@tobymq/testkit';
import { Aedes } from 'aedes';
import { describe, expect, test } from 'vitest';
import {
  type ConnectOptions,
  connect,
  createClient,
  fileStore,
  json,
  presence,
  rpc,
  text,
  topic,
} from '../src/node.ts';

interface ServerUnderTest {
  readonly name: string;
  readonly versions: readonly (3 | 4 | 5)[];
  /** Runs the test with options that connect to the server, which ends afterwards. */
  run(use: (options: ConnectOptions) => Promise<void>): Promise<void>;
}

const mosquitto =
  ['/usr/sbin/mosquitto', '/usr/bin/mosquitto'].find((path) => existsSync(path)) ?? 'mosquitto';

const servers: readonly ServerUnderTest[] = [
  {
    name: 'Mosquitto',
    versions: [5, 4, 3],
    run: (use) =>
      withTempDir(async (directory) => {
        const port = await freePort();
        const config = join(directory, 'mosquitto.conf');
        await writeFile(config, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
        const server = TestProcess.start(mosquitto, ['-c', config]);
        try {
          // It has no line that says it listens; the client keeps trying until it does.
          await use({ url: `mqtt://127.0.0.1:${port}`, reconnect: { min: 10, max: 20 } });
        } finally {
          server.child.kill();
          await server.exit();
        }
      }),
  },
  {
    name: 'Aedes',
    versions: [4, 3],
    run: async (use) => {
      const aedes = await Aedes.createBroker();
      const server = createServer(aedes.handle);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      await use({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` });
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      server.close();
    },
  },
  {
    name: 'TobyMQ over TCP',
    versions: [5, 4, 3],
    run: async (use) => {
      const broker = await Broker.start();
      const listener = await broker.listen({ port: 0, host: '127.0.0.1' });
      await use({ url: `mqtt://127.0.0.1:${listener.port}` });
      await broker.stop();
    },
  },
  {
    name: 'TobyMQ in memory',
    versions: [5, 4, 3],
    run: async (use) => {
      const broker = await Broker.start();
      await use({ transport: () => broker.connect() });
      await broker.stop();
    },
  },
];

async function everyday(options: ConnectOptions): Promise<void> {
  const errors: unknown[] = [];
  const common = { ...options, onError: (error: unknown) => errors.push(error) };
  const client = await connect({ ...common, clientId: 'everyday' });
  const seen: string[] = [];
  const subscription = await client.on(
    'room/+/light',
    ({ topic, text, qos, retain }) => void seen.push(`${topic} ${text} ${qos} ${retain}`),
    { qos: 2 },
  );
  expect((await subscription.ready).map((result) => result.reasonCode)).toEqual([2]);
  for (const qos of [0, 1, 2] as const) await client.publish(`room/${qos}/light`, `on ${qos}`, { qos });
  await expect
    .poll(() => seen.toSorted())
    .toEqual([0, 1, 2].map((qos) => `room/${qos}/light on ${qos} ${qos} false`));

  const overlapping: string[] = [];
  await client.on('hall/#', () => void overlapping.push('wide'), { qos: 1 });
  await client.on(['hall/light', '+/light'], () => void overlapping.push('narrow'), { qos: 2 });
  await client.publish('hall/light', 'on', { qos: 2 });
  await client.publish('hall/end', '', { qos: 2 });
  await expect.poll(() => overlapping.toSorted()).toEqual(['narrow', 'wide', 'wide']);

  await client.publish('kept', 'retained', { qos: 1, retain: true });
  for await (const message of client.subscribe('kept')) {
    expect([message.text, message.retain]).toEqual(['retained', true]);
    break;
  }
  await client.publish('kept', '', { qos: 1, retain: true });

  const payload = Buffer.alloc(700_000, 'x');
  const large = client.subscribe('large');
  await large.ready;
  await client.publish('large', payload, { qos: 2 });
  expect(Buffer.compare((await large.next()).value.payload, payload)).toBe(0);
  await large.unsubscribe();

  const many = 500;
  const burst = client.subscribe('burst', { qos: 1 });
  await burst.ready;
  await Promise.all(Array.from({ length: many }, (_, i) => client.publish('burst', String(i), { qos: 1 })));
  for (let i = 0; i < many; i++) expect((await burst.next()).value.text).toBe(String(i));
  await client.close({ drain: true });
  expect(errors).toEqual([]);
}

/** A session that is kept gets what came while its client was away. */
async function sessions(options: ConnectOptions): Promise<void> {
  const session = { keep: '1 h' } as const;
  const first = await connect({ ...options, clientId: 'sleeper', session });
  await first.on('while/away', () => {}, { qos: 1 });
  await first.close();
  const other = await connect({ ...options, clientId: 'other' });
  await other.publish('while/away', 'news', { qos: 1 });
  const second = await connect({ ...options, clientId: 'sleeper', session });
  const { value: message } = await second.messages().next();
  expect([message.topic, message.text, message.qos]).toEqual(['while/away', 'news', 1]);
  message.ack();
  await second.close();
  await other.close();
}

/** Request and response, retained topics as a map, and presence. */
async function patterns(options: ConnectOptions): Promise<void> {
  const scale = rpc('math/{op}', json<number>(), json<number>());
  const status = topic('device/{id}/status', text);
  const me = presence(status.at({ id: 'worker' }), { online: 'on', offline: 'off' });
  const client = await connect({ ...options, clientId: 'asker' });
  const devices = await client.view(status);
  const worker = await connect({ ...options, ...me, clientId: 'worker' });
  expect(await devices.waitFor({ id: 'worker' }, (value) => value === 'on')).toBe('on');

  await worker.serve(scale, (value, { params }) => {
    if (params.op !== 'double') throw new Error('no such thing');
    return value * 2;
  });
  const answers = Array.from({ length: 20 }, (_, i) => client.request(scale.at({ op: 'double' }), i));
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i));
  await expect(client.request(scale.at({ op: 'halve' }), 1)).rejects.toMatchObject({
    code: 'TOBYMQ_REQUEST_FAILED',
  });

  await worker.close();
  expect(await devices.waitFor({ id: 'worker' }, (value) => value === 'off')).toBe('off');
  await devices.delete({ id: 'worker' });
  expect(devices.size).toBe(0);
  await client.close();
}

/** With the file store, what was published without a connection arrives after another client took it over. */
async function stored(options: ConnectOptions): Promise<void> {
  await withTempDir(async (folder) => {
    const session = { keep: '1 h', store: fileStore(folder) } as const;
    const reader = await connect({ ...options, clientId: 'reader' });
    const arriving = reader.subscribe('stored', { qos: 2 });
    await arriving.ready;
    const nowhere = () => Promise.reject(new Error('no network'));
    const first = createClient({ ...options, transport: nowhere, clientId: 'writer', session });
    const publishing = [1, 2].map((qos) => first.publish('stored', `qos ${qos}`, { qos: qos as 1 | 2 }));
    const outcomes = Promise.allSettled(publishing);
    while (first.state.state !== 'offline') await new Promise((resolve) => setImmediate(resolve));
    await first.close();
    await outcomes;
    const second = await connect({ ...options, clientId: 'writer', session });
    // Aedes does not keep the order across QoS levels.
    const arrived = [await arriving.next(), await arriving.next()].map(({ value }) => value.text);
    expect(arrived.sort()).toEqual(['qos 1', 'qos 2']);
    await second.close({ drain: true });
    await reader.close();
    expect((await session.store.open('writer')).messages).toEqual([]);
    await session.store.close();
  });
}

describe.each(
  servers.flatMap((server) => server.versions.map((version) => [server.name, version, server] as const)),
)('%s, protocol version %i', (_, protocolVersion, server) => {
  test('everyday use, sessions, request and response, views, presence, and the file store', async () => {
    await server.run(async (options) => {
      await everyday({ ...options, protocolVersion });
      await sessions({ ...options, protocolVersion });
      await patterns({ ...options, protocolVersion });
      await stored({ ...options, protocolVersion });
    });
  });
});

test('a version that the server does not speak is stepped down from', async () => {
  const aedes = servers.find(({ name }) => name === 'Aedes')!;
  await aedes.run(async (options) => {
    const client = await connect({ ...options, protocolVersion: 'auto' });
    expect(client.protocolVersion).toBe(4);
    await client.close();
  });
});
