// What is known to go wrong with MQTT clients in the field, each as a test that it does not go wrong here. The labels
// are those of our study of MQTT.js 5.16.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { type ClientError, connect } from '../src/node.ts';
import {
  answerSubscribe,
  clientOf,
  listen,
  nothingBeforeMarker,
  outcome,
  quickly,
  reaches,
  scripted,
} from './support.ts';

test('B1: messages queued while offline are sent in a window, and the client is connected at CONNACK', async () => {
  const server = await listen();
  const { client } = clientOf(server);
  const results = Array.from({ length: 200 }, (_, i) => client.publish('t', String(i), { qos: 1 }));
  const { peer } = await server.acceptClient({ properties: [[property.receiveMaximum, 50]] });
  await client.whenConnected();
  const first = [];
  for (let i = 0; i < 50; i++) first.push(decode.publish(await peer.expect(packetType.PUBLISH), 5));
  expect(first.map((message) => message.payload.toString())).toEqual(
    Array.from({ length: 50 }, (_, i) => String(i)),
  );
  for (const { id } of first) peer.send(packet.puback({ id }));
  for (let i = 50; i < 200; i++)
    peer.send(packet.puback({ id: decode.publish(await peer.expect(packetType.PUBLISH), 5).id }));
  await Promise.all(results);
});

test('B2: receive maximum, packet size, maximum QoS, retain and the assigned identifier are honoured', async () => {
  const { client, peer, again } = await scripted(
    { clientId: '' },
    {
      properties: [
        [property.receiveMaximum, 5],
        [property.maximumPacketSize, 100],
        [property.maximumQoS, 1],
        [property.retainAvailable, 0],
        [property.assignedClientIdentifier, 'given'],
      ],
    },
  );
  expect(client.clientId).toBe('given');
  await expect(client.publish('t', 'x'.repeat(100))).rejects.toMatchObject({
    code: 'TOBYMQ_SERVER_LIMIT',
    reasonCode: 0x95,
  });
  await expect(client.publish('t', 'x', { qos: 2 })).rejects.toMatchObject({
    code: 'TOBYMQ_SERVER_LIMIT',
    reasonCode: 0x9b,
  });
  await expect(client.publish('t', 'x', { retain: true })).rejects.toMatchObject({
    code: 'TOBYMQ_SERVER_LIMIT',
    reasonCode: 0x9a,
  });
  const results = Array.from({ length: 50 }, () => outcome(client.publish('t', 'x', { qos: 1 })));
  for (let i = 0; i < 5; i++) await peer.expect(packetType.PUBLISH);
  peer.send(packet.pingresp());
  expect(client.stats().openOutgoing).toBe(5);
  peer.destroy();
  const second = await again({ sessionPresent: true });
  expect(decode.connect(second.history[0]!).clientId).toBe('given');
  await client.close();
  await Promise.all(results);
});

test('B5: a QoS 2 message by topic alias has its topic', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('a/b');
  await answerSubscribe(peer);
  const alias = [[property.topicAlias, 3]] as const;
  peer.send(
    packet.publish({ topic: 'a/b', payload: '1', properties: alias }),
    packet.publish({ topic: '', payload: '2', qos: 2, id: 9, properties: alias }),
  );
  expect((await subscription.next()).value.topic).toBe('a/b');
  const second = (await subscription.next()).value;
  expect([second.topic, second.text]).toEqual(['a/b', '2']);
});

test('B6: of three filters one is refused: it is reported, and the two others are restored after a reconnect', async () => {
  const { client, peer, again, errors } = await scripted(
    {},
    { properties: [[property.subscriptionIdentifierAvailable, 0]] },
  );
  const pending = client.on(['a', 'b', 'c'], () => {});
  await answerSubscribe(peer, [1, 0x87, 2]);
  const results = await (await pending).ready;
  expect(results.map((result) => [result.filter, result.isGranted, result.reasonCode])).toEqual([
    ['a', true, 1],
    ['b', false, 0x87],
    ['c', true, 2],
  ]);
  expect(errors.map((error) => [error.code, error.topic])).toEqual([['TOBYMQ_SUBSCRIBE_REFUSED', 'b']]);
  peer.destroy();
  const second = await again({ properties: [[property.subscriptionIdentifierAvailable, 0]] });
  const request = await answerSubscribe(second, [1, 1]);
  expect(request.filters.map(([filter]) => filter)).toEqual(['a', 'c']);
});

test('B7: a session that was taken over is not taken back, and the client says why', async () => {
  const { client, peer, server } = await scripted();
  peer.send(packet.disconnect({ reason: 0x8e }));
  const state = await reaches(client, 'failed');
  expect(state).toMatchObject({ reason: { code: 'TOBYMQ_DISCONNECTED', reasonCode: 0x8e } });
  expect(server.backlog).toBe(0);
  await expect(client.publish('t')).rejects.toMatchObject({ reasonCode: 0x8e });
});

test('B8: subscribing again with other options replaces the subscription at the server', async () => {
  const { client, peer } = await scripted();
  const first = client.on('t', () => {}, { qos: 1 });
  expect((await answerSubscribe(peer)).filters).toEqual([['t', 1]]);
  await first;
  const second = client.on('t', () => {}, { qos: 1, noLocal: true, retained: 'never' });
  expect((await answerSubscribe(peer)).filters).toEqual([['t', 1 | 4 | 0x20]]);
  await second;
});

test('B9: close with drain settles although a message is open and there is no network', async () => {
  const { client, peer, server } = await scripted();
  const publishing = outcome(client.publish('t', 'x', { qos: 1 }));
  await peer.expect(packetType.PUBLISH);
  await server.stopListening();
  peer.destroy();
  await reaches(client, 'offline');
  await client.close({ drain: 30 });
  expect(await publishing).toMatchObject({ code: 'TOBYMQ_CLOSED' });
});

test('B10: messages that were open when the connection was cut come again with DUP and their identifiers', async () => {
  const { client, peer, again } = await scripted();
  const results = Array.from({ length: 5 }, (_, i) => client.publish('t', String(i), { qos: 1 }));
  const sent = [];
  for (let i = 0; i < 5; i++) sent.push(decode.publish(await peer.expect(packetType.PUBLISH), 5));
  expect(sent.every((message) => !message.dup)).toBe(true);
  peer.destroy();
  const second = await again();
  for (const { id, payload } of sent) {
    const repeated = decode.publish(await second.expect(packetType.PUBLISH), 5);
    expect([repeated.id, repeated.dup, repeated.payload]).toEqual([id, true, payload]);
    second.send(packet.puback({ id }));
  }
  await Promise.all(results);
});

test('B12: a handler that throws is reported, its message is not acknowledged, and the client goes on', async () => {
  const { client, peer, errors } = await scripted();
  const pending = client.on('t', (message) => {
    if (message.text === 'bad') throw new Error('broken');
  });
  await answerSubscribe(peer);
  await pending;
  peer.send(
    packet.publish({ topic: 't', payload: 'bad', qos: 1, id: 1 }),
    packet.publish({ topic: 't', payload: 'good', qos: 1, id: 2 }),
  );
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5).id).toBe(2);
  expect(errors).toMatchObject([{ code: 'TOBYMQ_HANDLER_FAILED', topic: 't' }]);
});

test('B13: at most so many handlers run at once as the concurrency says, and the waiting messages are bounded', async () => {
  const { client, peer, errors } = await scripted();
  let running = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const pending = client.on(
    't',
    async () => {
      running++;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => release.push(resolve));
      running--;
    },
    { concurrency: 3, inHand: 100 },
  );
  await answerSubscribe(peer);
  const subscription = await pending;
  for (let i = 0; i < 1000; i++) peer.send(packet.publish({ topic: 't', payload: 'x' }));
  peer.send(packet.publish({ topic: 't', payload: 'last', qos: 1, id: 1 }));
  await expect.poll(() => client.stats().messagesReceived).toBe(1001);
  expect([running, subscription.pendingCount]).toEqual([3, 101]);
  expect(client.stats().droppedIncoming).toBe(897);
  expect(errors).toMatchObject([{ code: 'TOBYMQ_MESSAGE_DROPPED' }]);
  const free = setInterval(() => {
    for (const resolve of release.splice(0)) resolve();
  }, 0);
  await peer.expect(packetType.PUBACK);
  clearInterval(free);
  expect(most).toBe(3);
});

test('B15: without reconnecting a lost connection rejects what is pending', async () => {
  const { client, peer } = await scripted({ reconnect: false });
  const publishing = outcome(client.publish('t', 'x', { qos: 1 }));
  await peer.expect(packetType.PUBLISH);
  peer.destroy();
  expect(await publishing).toMatchObject({ code: 'TOBYMQ_CONNECTION_LOST' });
  expect(client.state).toMatchObject({ state: 'failed', reason: { code: 'TOBYMQ_CONNECTION_LOST' } });
});

test('B16: connect() to a closed port goes on trying until the signal says stop', async () => {
  const server = await listen();
  const { port } = server;
  await server.close();
  const attempts: number[] = [];
  const abort = new AbortController();
  const error = await outcome(
    connect(`mqtt://127.0.0.1:${port}`, {
      signal: abort.signal,
      reconnect: {
        ...quickly,
        decide: ({ attempt }) => {
          attempts.push(attempt);
          if (attempt === 4) abort.abort(new Error('enough'));
          return undefined;
        },
      },
    }),
  );
  expect(error).toMatchObject({ code: 'TOBYMQ_ABORTED' });
  expect(attempts).toEqual([1, 2, 3, 4]);
});

test('B17: CONNACK "server unavailable" is retried', async () => {
  const server = await listen();
  const { client } = clientOf(server);
  await server.acceptClient({ reason: 0x88 });
  await server.acceptClient();
  await client.whenConnected();
});

test('B18: a publish to a wildcard topic is refused locally', async () => {
  const { client, peer } = await scripted();
  await expect(client.publish('a/#', 'x')).rejects.toMatchObject({
    code: 'TOBYMQ_TOPIC_INVALID',
    topic: 'a/#',
  });
  await nothingBeforeMarker(client, peer);
});

test('B19: the offline queue is bounded in messages and in bytes', async () => {
  const server = await listen();
  const { client } = clientOf(server, { offline: { maxMessages: 10, maxBytes: 10_000 } });
  const results = Array.from({ length: 20 }, () => outcome(client.publish('t', 'x')));
  const codes = await Promise.all(results.slice(10));
  expect(codes.every((result) => (result as ClientError).code === 'TOBYMQ_QUEUE_FULL')).toBe(true);
  expect(client.stats().queuedMessages).toBe(10);
  await expect(client.publish('t', 'x'.repeat(10_000))).rejects.toMatchObject({ code: 'TOBYMQ_QUEUE_FULL' });
  await client.close();
  await Promise.all(results);
});

test('B20: a refused UNSUBSCRIBE rejects', async () => {
  const { client, peer } = await scripted();
  const pending = client.on('t', () => {});
  await answerSubscribe(peer);
  const subscription = await pending;
  const leaving = outcome(subscription.unsubscribe());
  const { id } = decode.unsubscribe(await peer.expect(packetType.UNSUBSCRIBE), 5);
  peer.send(packet.unsuback({ id, codes: [0x87] }));
  expect(await leaving).toMatchObject({ code: 'TOBYMQ_UNSUBSCRIBE_REFUSED', reasonCode: 0x87, topic: 't' });
});

test('B23: messages in the same segment as CONNACK wait unacknowledged for their consumer', async () => {
  const server = await listen();
  const { client } = clientOf(server, { clientId: 'c', session: { keep: '1 h' } });
  const peer = await server.accept();
  await peer.expect(packetType.CONNECT);
  const messages = [1, 2, 3].map((id) => packet.publish({ topic: 't', payload: String(id), qos: 1, id }));
  peer.send(packet.connack({ sessionPresent: true }), ...messages);
  await client.whenConnected();
  await expect.poll(() => client.stats().unclaimed).toBe(3);
  await nothingBeforeMarker(client, peer);
  const seen: string[] = [];
  const pending = client.on('t', (message) => void seen.push(message.text));
  await peer.take(packetType.SUBSCRIBE);
  for (const id of [1, 2, 3]) expect(decode.ack(await peer.take(packetType.PUBACK), 5).id).toBe(id);
  expect(seen).toEqual(['1', '2', '3']);
  pending.catch(() => {});
});

test('B24: messages queued offline keep their order across QoS levels', async () => {
  const server = await listen();
  const { client } = clientOf(server);
  const results = Array.from({ length: 6 }, (_, i) =>
    outcome(client.publish('t', String(i), { qos: i % 2 === 0 ? 0 : 1 })),
  );
  const { peer } = await server.acceptClient();
  const order = [];
  for (let i = 0; i < 6; i++)
    order.push(decode.publish(await peer.expect(packetType.PUBLISH), 5).payload.toString());
  expect(order).toEqual(['0', '1', '2', '3', '4', '5']);
  await client.close();
  await Promise.all(results);
});

test('B25: a message that expires offline is dropped and reported; what is left of the expiry is sent', async () => {
  let now = 1_000_000;
  const timers: { at: number; run: () => void }[] = [];
  const clock = {
    now: () => now,
    setTimeout: (run: () => void, ms: number) => {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return timer;
    },
    clearTimeout: (timer: unknown) => void timers.splice(timers.indexOf(timer as never) >>> 0, 1),
    random: () => 0.5,
  };
  const server = await listen();
  const { client } = clientOf(server, { clock });
  const short = outcome(client.publish('t', 'short', { qos: 1, expiry: '1 s' }));
  const long = outcome(client.publish('t', 'long', { qos: 1, expiry: '10 s' }));
  now += 1500;
  for (const timer of timers.filter(({ at }) => at <= now)) timer.run();
  expect(await short).toMatchObject({ code: 'TOBYMQ_EXPIRED' });
  const { peer } = await server.acceptClient();
  const message = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  expect([message.payload.toString(), message.properties.get(property.messageExpiryInterval)]).toEqual([
    'long',
    [9],
  ]);
  await client.close();
  await long;
});

test('B27: a publish that has no valid packet is refused at once, and the connection is not harmed', async () => {
  const { client, peer } = await scripted();
  const bad = [
    client.publish('t', 'x', { qos: 1, expiry: -1 }),
    client.publish('t', 'x', { qos: 3 as 2 }),
    client.publish('t', 'x', { qos: 1, contentType: '\ud800' }),
    client.publish('t', 'x', { qos: 1, responseTopic: 'a/#' }),
    client.publish('t', 'x', { qos: 1, userProperties: { name: 'with\0null' } }),
    client.publish('t', 7 as never, { qos: 1 }),
    client.publish('x'.repeat(65_536), 'x', { qos: 1 }),
  ];
  for (const promise of bad) await expect(promise).rejects.toMatchObject({ name: 'ClientError' });
  await nothingBeforeMarker(client, peer);
  expect(client.stats()).toMatchObject({ connects: 1, queuedMessages: 0 });
});
