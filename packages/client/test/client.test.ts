// The promises of the client: what settles when, what is refused before it is sent, what waits and how much of it, and
// that nothing is left over when it is closed.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import {
  type BytePipe,
  type ClientError,
  type ConnectOptions,
  connect,
  createClient,
  type PublishResult,
} from '../src/node.ts';
import { randomFrom } from './fake-clock.ts';
import { ModelServer } from './model-server.ts';
import {
  answerSubscribe,
  clientOf,
  listen,
  nothingBeforeMarker,
  outcome,
  reaches,
  scripted,
} from './support.ts';

test('a QoS 0 publish resolves when the transport took it, QoS 1 and 2 when they are acknowledged', async () => {
  const { client, peer } = await scripted();
  await client.publish('a');
  let isDone = false;
  const publishing = client.publish('a', 'x', { qos: 1 }).finally(() => {
    isDone = true;
  });
  await peer.expect(packetType.PUBLISH);
  const { id } = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  await client.publish('b');
  expect(isDone).toBe(false);
  peer.send(packet.puback({ id }));
  await publishing;
});

test('a message as data is published with its options', async () => {
  const { client, peer } = await scripted();
  await client.publish({ topic: 'a', payload: 'x', retain: true });
  expect(decode.publish(await peer.expect(packetType.PUBLISH), 5)).toMatchObject({
    topic: 'a',
    retain: true,
  });
});

test('everything that one turn publishes leaves with one write', async () => {
  const writes: number[] = [];
  const server = new ModelServer();
  const client = createClient('mqtt://model', {
    transport: async () => {
      const pipe: BytePipe = await server.open();
      const send = pipe.send;
      pipe.send = (bytes) => {
        writes.push(bytes.length);
        return send(bytes);
      };
      return pipe;
    },
  });
  onTestFinished(() => client.close());
  await client.whenConnected();
  writes.length = 0;
  await Promise.all(Array.from({ length: 100 }, () => client.publish('some/topic', 'x')));
  await new Promise((resolve) => setImmediate(resolve));
  expect(writes).toHaveLength(1);
});

test('a slow transport holds publishes back, and they go on when it has drained', async () => {
  const server = await listen();
  const { client } = clientOf(server, { offline: { maxMessages: 1000 } });
  const { peer } = await server.acceptClient();
  await client.whenConnected();
  peer.stream.pause();
  const payload = Buffer.alloc(100_000);
  const results: Promise<PublishResult>[] = [];
  while (client.stats().queuedMessages < 10) results.push(client.publish('t', payload));
  let settled = 0;
  for (const result of results) void result.then(() => settled++);
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(results.length - 10);
  peer.stream.resume();
  await Promise.all(results);
  expect(client.stats().queuedMessages).toBe(0);
});

test('a signal or a timeout ends the wait; a message that was not sent is not sent any more', async () => {
  const { client, peer } = await scripted({}, { properties: [[property.receiveMaximum, 1]] });
  const abort = new AbortController();
  const sent = outcome(client.publish('t', 'sent', { qos: 1, signal: abort.signal }));
  const waiting = outcome(client.publish('t', 'waiting', { qos: 1, signal: abort.signal }));
  const late = outcome(client.publish('t', 'late', { qos: 1, timeout: 10 }));
  const { id } = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  expect(await late).toMatchObject({ code: 'TOBYMQ_TIMEOUT', topic: 't' });
  abort.abort(new Error('changed my mind'));
  expect([await sent, await waiting]).toMatchObject([{ code: 'TOBYMQ_ABORTED' }, { code: 'TOBYMQ_ABORTED' }]);
  peer.send(packet.puback({ id }));
  await expect.poll(() => client.stats().openOutgoing).toBe(0);
  await nothingBeforeMarker(client, peer);
  expect(await outcome(client.publish('t', '', { signal: AbortSignal.abort() }))).toMatchObject({
    code: 'TOBYMQ_ABORTED',
  });
});

test('a full queue refuses, or drops the oldest, or the newest: as it was told', async () => {
  const lives = async (
    whenFull: 'reject' | 'drop-oldest' | 'drop-newest',
  ): Promise<(string | undefined)[]> => {
    const server = await listen();
    const { client } = clientOf(server, { offline: { maxMessages: 2, whenFull } });
    const results = ['1', '2', '3'].map((payload) => outcome(client.publish('t', payload)));
    await server.acceptClient();
    const done = await Promise.all(results);
    return done.map((result) => (result as ClientError).code);
  };
  expect(await lives('reject')).toEqual([undefined, undefined, 'TOBYMQ_QUEUE_FULL']);
  expect(await lives('drop-oldest')).toEqual(['TOBYMQ_EVICTED', undefined, undefined]);
  expect(await lives('drop-newest')).toEqual([undefined, undefined, 'TOBYMQ_EVICTED']);
});

test('a message that is larger than the queue drops none of those that wait', async () => {
  const server = await listen();
  const { client } = clientOf(server, { offline: { maxBytes: 10_000, whenFull: 'drop-oldest' } });
  const waiting = client.publish('t', 'x', { qos: 1 });
  const large = client.publish('t', 'x'.repeat(10_000), { qos: 1 });
  await expect(large).rejects.toMatchObject({ code: 'TOBYMQ_QUEUE_FULL' });
  const { peer } = await server.acceptClient();
  peer.send(packet.puback({ id: decode.publish(await peer.expect(packetType.PUBLISH), 5).id }));
  await waiting;
});

test('QoS 0 can be told not to wait for a connection', async () => {
  const server = await listen();
  const { client } = clientOf(server, { offline: { qos0: false } });
  expect(await outcome(client.publish('t', 'x'))).toMatchObject({ code: 'TOBYMQ_CONNECTION_LOST' });
});

test('close with drain waits for what is open and for what waits', async () => {
  const { client, peer } = await scripted({}, { properties: [[property.receiveMaximum, 1]] });
  const results = [client.publish('t', '1', { qos: 1 }), client.publish('t', '2', { qos: 2 })];
  const closing = client.close({ drain: true });
  peer.send(packet.puback({ id: decode.publish(await peer.expect(packetType.PUBLISH), 5).id }));
  const { id } = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  peer.send(packet.pubrec({ id }));
  await peer.expect(packetType.PUBREL);
  peer.send(packet.pubcomp({ id }));
  await peer.expect(packetType.DISCONNECT);
  await Promise.all([...results, closing]);
});

test('closing again is the same closing, and a closed client refuses everything', async () => {
  const { client } = await scripted();
  await Promise.all([client.close(), client.close({ drain: true })]);
  expect(await outcome(client.publish('t'))).toMatchObject({ code: 'TOBYMQ_CLOSED' });
  expect(() => client.subscribe('t')).toThrow(expect.objectContaining({ code: 'TOBYMQ_CLOSED' }));
  expect(() => client.messages()).toThrow(expect.objectContaining({ code: 'TOBYMQ_CLOSED' }));
  await expect(client.reauthenticate()).rejects.toMatchObject({ name: 'ClientError' });
  for await (const state of client.states()) expect(state).toEqual({ state: 'closed' });
});

test('a client that is closed while it connects settles everything', async () => {
  const server = await listen();
  for (const options of [{}, { transport: () => new Promise<never>(() => {}) }] as ConnectOptions[]) {
    const { client } = clientOf(server, options);
    const publishing = outcome(client.publish('t', 'x', { qos: 1 }));
    const subscription = client.subscribe('t');
    await client.close();
    expect(await publishing).toMatchObject({ code: 'TOBYMQ_CLOSED' });
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
  }
});

test.each([
  [{ url: 'nonsense' }, 'url'],
  [{ url: 'http://localhost' }, 'scheme'],
  [{ url: 'mqtt://user:100%@localhost' }, 'url has a %'],
  [{}, 'url is missing'],
  [{ url: 'mqtt://h', keepAlive: '2 days' }, 'keepAlive'],
  [{ url: 'mqtt://h', keepAlive: 'soon' as never }, 'keepAlive'],
  [{ url: 'mqtt://h', receiveMaximum: 0 }, 'receiveMaximum'],
  [{ url: 'mqtt://h', topicAliasMaximum: 70_000 }, 'topicAliasMaximum'],
  [{ url: 'mqtt://h', session: { keep: '1 h' } }, 'clientId'],
  [{ url: 'mqtt://h', will: { topic: 'w', expiry: -1 } }, 'expiry'],
] as [ConnectOptions, string][])(
  'options %j are refused with a message that names %s',
  async (options, name) => {
    expect(() => createClient(options)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(name) }),
    );
    await expect(connect(options)).rejects.toMatchObject({ message: expect.stringContaining(name) });
  },
);

test('the client identifier and the credentials may be in the URL', async () => {
  const server = await listen();
  const client = createClient(`mqtt://u%40x:p%3Aw@127.0.0.1:${server.port}?clientId=from-url`);
  onTestFinished(() => client.close());
  const { connect: request } = await server.acceptClient();
  expect([request.clientId, request.username, request.password?.toString()]).toEqual([
    'from-url',
    'u@x',
    'p:w',
  ]);
});

test('an error handler that throws harms nothing', async () => {
  const consoleError = console.error;
  const printed: unknown[] = [];
  console.error = (...args: unknown[]) => void printed.push(...args);
  onTestFinished(() => {
    console.error = consoleError;
  });
  const { client, peer } = await scripted({
    onError: () => {
      throw new Error('the handler is broken too');
    },
  });
  const pending = client.on('t', () => {
    throw new Error('broken');
  });
  await answerSubscribe(peer);
  await pending;
  peer.send(packet.publish({ topic: 't' }));
  await expect.poll(() => printed.length).toBe(2);
  expect(client.connected).toBe(true);
});

test('a trace hook that throws harms nothing', async () => {
  const { client, peer, errors } = await scripted({
    trace: () => {
      throw new Error('broken');
    },
  });
  await client.publish('t');
  await peer.expect(packetType.PUBLISH);
  expect(errors[0]).toMatchObject({ code: 'TOBYMQ_HANDLER_FAILED' });
});

test('a handler may publish and wait for the acknowledgement, whatever waits behind its message', async () => {
  const { client, peer } = await scripted({ receiveMaximum: 1 });
  const pending = client.on('in', () => client.publish('out', 'x', { qos: 1 }));
  await answerSubscribe(peer);
  await pending;
  peer.send(packet.publish({ topic: 'in', qos: 1, id: 1 }));
  const { id } = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  for (let i = 0; i < 100; i++) peer.send(packet.publish({ topic: 'in' }));
  peer.send(packet.puback({ id }));
  expect(decode.ack(await peer.take(packetType.PUBACK), 5).id).toBe(1);
});

test('no promise is left pending after close, whatever was going on', async () => {
  const seed = Number(process.env.TOBYMQ_SEED ?? Date.now() % 1_000_000);
  for (let run = 0; run < 30; run++) {
    const random = randomFrom(seed + run);
    const server = new ModelServer();
    const client = createClient('mqtt://model', {
      transport: server.open,
      reconnect: { min: 1, max: 2 },
      onError: () => {},
      offline: { maxMessages: 20 },
    });
    const promises: Promise<unknown>[] = [];
    const watch = (promise: Promise<unknown>): void => {
      promises.push(
        promise.then(
          () => 'ok',
          () => 'error',
        ),
      );
    };
    watch(client.whenConnected());
    for (let step = 0; step < 60; step++) {
      const choice = Math.floor(random() * 9);
      const filter = `f/${step % 5}`;
      if (choice < 4) watch(client.publish(filter, 'x', { qos: (choice % 3) as 0 | 1 | 2 }));
      else if (choice === 4) watch(client.on(filter, () => {}));
      else if (choice === 5) watch(client.subscribe(filter).next());
      else if (choice === 6) watch(client.subscribe(filter).unsubscribe());
      else if (choice === 7) server.connection?.drop();
      else if (server.connection !== undefined) server.connection.isFrozen = true;
      if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
    }
    const states = client.states();
    await client.close();
    // A promise that has settled wins against one that settles a turn later.
    const turn = new Promise((resolve) => setTimeout(resolve, 0, 'pending'));
    const outcomes = await Promise.all(promises.map((promise) => Promise.race([promise, turn])));
    expect(outcomes, `TOBYMQ_SEED=${seed + run}`).not.toContain('pending');
    let last = '';
    for await (const { state } of states) last = state;
    expect(last).toBe('closed');
  }
});

test('stats count what happened', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  await client.publish('a', 'x');
  peer.send(packet.publish({ topic: 't', qos: 1, id: 1 }));
  await subscription.next();
  expect(client.stats()).toMatchObject({
    messagesSent: 1,
    messagesReceived: 1,
    connects: 1,
    openIncoming: 1,
    subscriptions: 1,
  });
  expect(client.stats().bytesSent).toBeGreaterThan(20);
  peer.destroy();
  await reaches(client, 'offline');
  expect(client.stats().bytesReceived).toBeGreaterThan(10);
});
