// Every limit, reached: what happens to the client that reaches it, and the counter that shows it.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { Broker, MemoryStore } from '../src/index.ts';
import { connectPeer, openPeer, publishPacket, startBroker, subscribe, until } from './support.ts';

const expiry = [[property.sessionExpiryInterval, 100]] as const;

test('connectionsMax: one socket more is closed at once', async () => {
  const { port, broker } = await startBroker({ limits: { connectionsMax: 1 } });
  const first = await connectPeer(port, { clientId: 'a' });
  const second = await openPeer(port);
  await second.expectClose();
  await first.ping();
  expect(broker.metrics.socketsRefused).toBe(1);
});

test('connectionsPerAddressMax: counts by address and is free again when a socket closes', async () => {
  const { port, broker } = await startBroker({ limits: { connectionsPerAddressMax: 1 } });
  const first = await connectPeer(port, { clientId: 'a' });
  await (await openPeer(port)).expectClose();
  first.destroy();
  await until(() => broker.metrics.socketsNow === 0);
  await connectPeer(port, { clientId: 'b' });
});

test("a listener's own connectionsMax leaves other listeners alone", async () => {
  const { port, broker } = await startBroker({}, { connectionsMax: 1 });
  const other = await broker.listen({ port: 0 });
  await connectPeer(port, { clientId: 'a' });
  await (await openPeer(port)).expectClose();
  await connectPeer(other.port, { clientId: 'b' });
});

test('connectTimeoutMs: a socket that drips its CONNECT has one deadline', async () => {
  const { port, broker } = await startBroker({ limits: { connectTimeoutMs: 150 } });
  const peer = await openPeer(port);
  const connect = packet.connect({ version: 5, clientId: 'slow' });
  let at = 0;
  const timer = setInterval(() => peer.send(connect.subarray(at, ++at)), 40);
  await peer.expectClose();
  clearInterval(timer);
  expect(broker.metrics.connectionsAccepted).toBe(0);
  expect(broker.metrics.refusedByReasonCode.get(0x80)).toBe(1);
});

test('connectBytesMax: a CONNECT that is too large is not read to its end', async () => {
  const { port, broker } = await startBroker({ limits: { connectBytesMax: 1_000 } });
  const peer = await openPeer(port);
  peer.send(
    packet
      .connect({ version: 5, clientId: 'c', username: 'u', password: 'x'.repeat(2_000) })
      .subarray(0, 100),
  );
  await peer.expectClose();
  expect(broker.metrics.refusedByReasonCode.get(0x95)).toBe(1);
});

test('maximumPacketSize: announced, and a larger packet ends the connection with 0x95', async () => {
  const { port } = await startBroker({}, { maximumPacketSize: 100 });
  const peer = await openPeer(port);
  peer.send(packet.connect({ version: 5, clientId: 'c' }));
  const connack = decode.connack(await peer.expect(packetType.CONNACK), 5);
  expect(connack.properties.get(property.maximumPacketSize)).toEqual([100]);
  peer.send(publishPacket('t', 'x'.repeat(200)));
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x95);
});

test('maximumPacketSize of a client: an alias is given only with a message that is not too large with it', async () => {
  const { port, broker } = await startBroker();
  // Three bytes of alias make five, because both lengths of the packet need one more.
  const properties = [
    [property.topicAliasMaximum, 1],
    [property.maximumPacketSize, 16_387],
  ] as const;
  const peer = await connectPeer(port, { clientId: 'c', properties });
  await subscribe(peer, 't');
  const contentType = 'x'.repeat(122);
  await broker.publish({ topic: 't', payload: 'y'.repeat(16_251), properties: { contentType } });
  await broker.publish({ topic: 't', payload: 'small' });
  const [large, small] = [await peer.expect(packetType.PUBLISH), await peer.expect(packetType.PUBLISH)];
  expect(large.bytes.length).toBe(16_383);
  expect(decode.publish(small, 5).topic).toBe('t');
});

test('topicLevelsMax: 200 levels pass, 201 are refused in topics and filters', async () => {
  const { port } = await startBroker();
  const peer = await connectPeer(port, { clientId: 'c' });
  const levels = (count: number) => Array.from({ length: count }, () => 'l').join('/');
  peer.send(
    packet.subscribe({
      version: 5,
      id: 1,
      filters: [
        [levels(200), 0],
        [levels(201), 0],
      ],
    }),
  );
  expect(decode.codes(await peer.expect(packetType.SUBACK), 5).codes).toEqual([0, 0x8f]);
  peer.send(publishPacket(levels(200), 'x'));
  expect(decode.publish(await peer.expect(packetType.PUBLISH), 5).topic).toBe(levels(200));
  peer.send(publishPacket(levels(201), 'x'));
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x90);
});

test('topicBytesMax: a longer topic is refused', async () => {
  const { port } = await startBroker({ limits: { topicBytesMax: 10 } });
  const peer = await connectPeer(port, { clientId: 'c' });
  expect(decode.codes(await subscribe(peer, 'x'.repeat(11)), 5).codes).toEqual([0x8f]);
  peer.send(publishPacket('x'.repeat(11), 'x'));
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x90);
});

test('topicBytesMax: counts the mount point, without which nobody outside could be sent the topic', async () => {
  const { port, broker } = await startBroker();
  const mounted = await broker.listen({ port: 0, mountPoint: 'site1/' });
  const watcher = await connectPeer(port, { clientId: 'w' });
  await subscribe(watcher, '#');
  const long = 'x'.repeat(65_530);
  const peer = await connectPeer(mounted.port, { clientId: 'c' });
  peer.send(publishPacket(long, 'x', { qos: 1, id: 1 }));
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x90);
  const late = await openPeer(mounted.port);
  late.send(packet.connect({ version: 5, clientId: 'd', will: { topic: long, payload: 'x' } }));
  expect(decode.connack(await late.expect(packetType.CONNACK), 5).reason).toBe(0x90);
  const good = await connectPeer(mounted.port, { clientId: 'e' });
  good.send(publishPacket('x'.repeat(65_529), 'x'));
  expect(decode.publish(await watcher.expect(packetType.PUBLISH), 5).topic.length).toBe(65_535);
});

test('topicBytesMax: counts bytes and not characters, and for the topic of a Will, too', async () => {
  const { port } = await startBroker({ limits: { topicBytesMax: 10 } });
  const peer = await connectPeer(port, { clientId: 'c' });
  expect(decode.codes(await subscribe(peer, '€€€'), 5).codes).toEqual([0]);
  expect(decode.codes(await subscribe(peer, '€€€€'), 5).codes).toEqual([0x8f]);
  const late = await openPeer(port);
  const will = { topic: '€€€€', payload: 'x' };
  late.send(packet.connect({ version: 5, clientId: 'late', will }));
  expect(decode.connack(await late.expect(packetType.CONNACK), 5).reason).toBe(0x90);
});

test('subscriptionsPerClientMax: one more is refused with 0x97, replacing one is not', async () => {
  const { port, broker } = await startBroker({ limits: { subscriptionsPerClientMax: 1 } });
  const peer = await connectPeer(port, { clientId: 'c' });
  const codes: (readonly number[])[] = [];
  for (const filter of ['a', 'b', 'a']) codes.push(decode.codes(await subscribe(peer, filter), 5).codes);
  expect(codes).toEqual([[0], [0x97], [0]]);
  expect(broker.metrics.subscribeRefused).toBe(1);
});

test('subscriptionsPerClientMax: the filters of one packet count, too', async () => {
  const { port, broker } = await startBroker({ limits: { subscriptionsPerClientMax: 2 } });
  const peer = await connectPeer(port, { clientId: 'c' });
  const filters: [string, number][] = ['a', 'b', 'c', 'a'].map((filter) => [filter, 0]);
  peer.send(packet.subscribe({ version: 5, id: 1, filters }));
  expect(decode.codes(await peer.expect(packetType.SUBACK), 5).codes).toEqual([0, 0, 0x97, 0]);
  expect(broker.totals().subscriptions).toBe(2);
});

test('inflightMax: no more messages are on their way than that, although the client would take more', async () => {
  const { port, broker } = await startBroker({ limits: { inflightMax: 2 } });
  const receiver = await connectPeer(port, { clientId: 'r' });
  await subscribe(receiver, 't', 1);
  for (let i = 0; i < 3; i++) await broker.publish({ topic: 't', payload: String(i), qos: 1 });
  const first = decode.publish(await receiver.expect(packetType.PUBLISH), 5);
  await receiver.expect(packetType.PUBLISH);
  await receiver.ping();
  expect(broker.session('r')).toMatchObject({ inFlight: 2, queuedMessages: 1 });
  receiver.send(packet.puback({ id: first.id }));
  expect(decode.publish(await receiver.expect(packetType.PUBLISH), 5).payload.toString()).toBe('2');
});

test('a client that never completes its QoS 2 messages runs out of packet ids, and nobody else notices', async () => {
  const store = new MemoryStore();
  const session = {
    key: 1,
    clientId: 'r',
    username: undefined,
    protocolVersion: 5,
    expiryInterval: 100,
  } as const;
  store.putSession({ ...session, createdAt: 1, disconnectedAt: Date.now(), will: undefined });
  store.putSubscription(1, {
    filter: 't',
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionId: 0,
  });
  for (let id = 1; id <= 65_535; id++) {
    store.enqueue(
      {
        id,
        topic: 't',
        payload: Buffer.alloc(0),
        qos: 2,
        retain: false,
        properties: undefined,
        expiresAt: 0,
        publishedAt: 1,
        publisher: 'p',
      },
      [{ sessionKey: 1, qos: 2, retain: false, subscriptionIds: [], packetId: id }],
    );
    store.markReleased(1, id);
  }
  const { port, broker } = await startBroker({ store });
  const peer = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  for (let i = 0; i < 65_535; i++) await peer.expect(packetType.PUBREL);
  await broker.publish({ topic: 't', payload: 'more', qos: 1 });
  await peer.ping();
  peer.send(packet.pubcomp({ id: 77 }));
  expect(decode.publish(await peer.expect(packetType.PUBLISH), 5).id).toBe(77);
});

test.for([
  ['drop-newest', ['0', '1']],
  ['drop-oldest', ['3', '4']],
] as const)('queueMessagesMax with %s keeps the right messages', async ([queueOverflow, kept]) => {
  const { port, broker } = await startBroker({ limits: { queueMessagesMax: 2, queueOverflow } });
  const first = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(first, 't', 1);
  first.send(packet.disconnect());
  await first.expectClose();
  const publisher = await connectPeer(port, { clientId: 'p' });
  publisher.send(
    ...['0', '1', '2', '3', '4'].map((payload, i) => publishPacket('t', payload, { qos: 1, id: i + 1 })),
  );
  for (let i = 0; i < 5; i++) await publisher.expect(packetType.PUBACK);
  await until(() => broker.metrics.dropped['queue-full'] === 3);
  expect(broker.session('r')?.queuedMessages).toBe(2);
  const again = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  for (const payload of kept) {
    const message = decode.publish(await again.expect(packetType.PUBLISH), 5);
    expect(message.payload.toString()).toBe(payload);
    again.send(packet.puback({ id: message.id }));
  }
  await again.ping();
  expect(broker.session('r')).toMatchObject({ queuedMessages: 0, queuedBytes: 0, inFlight: 0 });
});

test('expired messages in the queue of a session that sleeps do not keep fresh ones out', async () => {
  let now = 1_000_000;
  const { port, broker } = await startBroker({
    limits: { queueMessagesMax: 8 },
    clock: { now: () => now },
  });
  const first = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(first, 't', 1);
  first.destroy();
  await until(() => broker.client('r') === undefined);
  const publish = (payload: string, messageExpiryInterval?: number) =>
    broker.publish({ topic: 't', payload, qos: 1, properties: { messageExpiryInterval } });
  await publish('lasting');
  for (let i = 0; i < 8; i++) await publish('short', 10 + i);
  expect(broker.metrics.dropped).toMatchObject({ 'queue-full': 1, expired: 0 });
  now += 12_000;
  await until(() => broker.session('r')?.queuedMessages === 5);
  for (let i = 0; i < 3; i++) await publish('late', 100);
  expect(broker.session('r')).toMatchObject({ queuedMessages: 8 });
  now += 50_000;
  await until(() => broker.session('r')?.queuedMessages === 4);
  expect(broker.metrics.dropped).toMatchObject({ 'queue-full': 1, expired: 7 });
  await publish('fresh');

  const again = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  for (const payload of ['lasting', 'late', 'late', 'late', 'fresh']) {
    const message = decode.publish(await again.expect(packetType.PUBLISH), 5);
    expect(message.payload.toString()).toBe(payload);
    again.send(packet.puback({ id: message.id }));
  }
  await again.ping();
  expect(broker.session('r')).toMatchObject({ queuedMessages: 0, queuedBytes: 0 });
});

test('drop-oldest counts right when many messages overflow in one turn', async () => {
  const { port, broker } = await startBroker({
    limits: { queueMessagesMax: 10, queueOverflow: 'drop-oldest' },
  });
  const first = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(first, 't', 1);
  first.destroy();
  await until(() => broker.client('r') === undefined);
  const publisher = await connectPeer(port, { clientId: 'p' });
  publisher.send(
    ...Array.from({ length: 100 }, (_, i) => publishPacket('t', String(i), { qos: 1, id: i + 1 })),
  );
  for (let i = 0; i < 100; i++) await publisher.expect(packetType.PUBACK);
  await until(() => broker.metrics.dropped['queue-full'] === 90);
  const again = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  const received: string[] = [];
  while (received.length < 10) {
    const message = decode.publish(await again.expect(packetType.PUBLISH), 5);
    received.push(message.payload.toString());
    again.send(packet.puback({ id: message.id }));
  }
  await again.ping();
  expect(received).toEqual(Array.from({ length: 10 }, (_, i) => String(90 + i)));
  expect(broker.session('r')?.queuedMessages).toBe(0);
});

test('drop-oldest takes nothing that is on its way to a client that is away [MQTT-4.4.0-1]', async () => {
  const { port, broker } = await startBroker({
    limits: { queueMessagesMax: 2, queueOverflow: 'drop-oldest' },
  });
  const first = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(first, 't', 2);
  await broker.publish({ topic: 't', payload: 'received', qos: 2 });
  const { id } = decode.publish(await first.expect(packetType.PUBLISH), 5);
  first.send(packet.pubrec({ id }));
  await first.expect(packetType.PUBREL);
  first.destroy();
  await until(() => broker.client('r') === undefined);
  for (const payload of ['1', '2', '3']) await broker.publish({ topic: 't', payload, qos: 1 });
  await until(() => broker.metrics.dropped['queue-full'] === 2);
  const again = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  expect(decode.ack(await again.expect(packetType.PUBREL), 5).id).toBe(id);
  expect(decode.publish(await again.expect(packetType.PUBLISH), 5).payload.toString()).toBe('3');
});

test('queueWindowBytes: large messages wait in the store until there is room for them', async () => {
  let readBytes = 0;
  class CountingStore extends MemoryStore {
    override async readQueue(...args: Parameters<MemoryStore['readQueue']>) {
      const read = await super.readQueue(...args);
      for (const { message } of read) readBytes += message.payload.length;
      return read;
    }
  }
  const limits = { inflightMax: 1, queueWindowBytes: 10_000 };
  const { port, broker } = await startBroker({ store: new CountingStore(), limits });
  const first = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(first, 't', 1);
  first.destroy();
  await until(() => broker.client('r') === undefined);
  for (let i = 0; i < 50; i++) await broker.publish({ topic: 't', payload: 'x'.repeat(3_000), qos: 1 });
  const again = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await again.ping();
  expect(readBytes).toBeLessThanOrEqual(15_000);
  for (let i = 0; i < 50; i++) {
    const { id } = decode.publish(await again.expect(packetType.PUBLISH), 5);
    again.send(packet.puback({ id }));
  }
  await again.ping();
  expect(readBytes).toBe(150_000);
  expect(broker.session('r')).toMatchObject({ queuedMessages: 0, queuedBytes: 0 });
});

test('queueBytesMax bounds the bytes of one queue', async () => {
  const { port, broker } = await startBroker({ limits: { queueBytesMax: 1_000 } });
  const first = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(first, 't', 1);
  first.destroy();
  await until(() => broker.client('r') === undefined);
  for (let i = 0; i < 3; i++) await broker.publish({ topic: 't', payload: 'x'.repeat(400), qos: 1 });
  expect(broker.session('r')).toMatchObject({ queuedMessages: 2, queuedBytes: 802 });
  expect(broker.metrics.dropped['queue-full']).toBe(1);
});

test('properties count in queueBytesMax and retainedBytesMax as payload does', async () => {
  const limits = { queueBytesMax: 1_000, retainedBytesMax: 1_000 };
  const { port, broker } = await startBroker({ limits });
  const sleeper = await connectPeer(port, {
    clientId: 'sleeper',
    properties: [[property.sessionExpiryInterval, 100]],
  });
  await subscribe(sleeper, 'q', 1);
  sleeper.destroy();
  await until(() => broker.metrics.connectionsNow === 0);
  const properties = { userProperties: [['name', 'x'.repeat(400)] as const] };
  for (let i = 0; i < 3; i++) await broker.publish({ topic: 'q', payload: 'x', qos: 1, properties });
  expect(broker.session('sleeper')).toMatchObject({ queuedMessages: 2, queuedBytes: 822 });
  for (let i = 0; i < 3; i++) {
    await broker.publish({ topic: `r/${i}`, payload: 'x', retain: true, properties });
  }
  expect(broker.metrics).toMatchObject({ retainedNow: 2, retainedBytesNow: 826 });
  expect(broker.metrics.dropped).toMatchObject({ 'queue-full': 1, 'retained-limit': 1 });
});

test('topics count in queueBytesMax and retainedBytesMax, for they can be longer than what is said about them', async () => {
  const { port, broker } = await startBroker({ limits: { queueBytesMax: 1_000, retainedBytesMax: 1_000 } });
  const sleeper = await connectPeer(port, {
    clientId: 'sleeper',
    properties: [[property.sessionExpiryInterval, 100]],
  });
  await subscribe(sleeper, '+', 1);
  sleeper.destroy();
  await until(() => broker.metrics.connectionsNow === 0);
  for (const letter of ['a', 'b', 'c']) {
    await broker.publish({ topic: letter.repeat(400), payload: 'x', qos: 1, retain: true });
  }
  expect(broker.session('sleeper')).toMatchObject({ queuedMessages: 2, queuedBytes: 802 });
  expect(broker.metrics).toMatchObject({ retainedNow: 2, retainedBytesNow: 802 });
  expect(broker.metrics.dropped).toMatchObject({ 'queue-full': 1, 'retained-limit': 1 });
});

test('queueBytesMax with drop-oldest: a large message takes the room of several small ones, and is logged once', async () => {
  const events: string[] = [];
  const { port, broker } = await startBroker({
    limits: { queueBytesMax: 1_000, queueOverflow: 'drop-oldest', inflightMax: 1 },
    logger: { log: (_level, event) => events.push(event) },
  });
  const receiver = await connectPeer(port, { clientId: 'r' });
  await subscribe(receiver, 't', 1);
  const publish = (payload: string) => broker.publish({ topic: 't', payload, qos: 1 });
  for (let i = 0; i < 20; i++) await publish('x'.repeat(50));
  for (let i = 0; i < 5; i++) await publish('y'.repeat(600));
  // One is on its way, which leaves room for one large message.
  expect(broker.session('r')).toMatchObject({ queuedMessages: 1, queuedBytes: 601 });
  await publish('z'.repeat(1_001));
  expect(broker.session('r')).toMatchObject({ queuedMessages: 1, queuedBytes: 601 });
  expect(broker.metrics.dropped['queue-full']).toBe(24);
  expect(events.filter((event) => event === 'queue-full')).toHaveLength(1);
});

test('queueOverflow disconnect: the client is told 0x97 and its session ends', async () => {
  const { port, broker } = await startBroker({
    limits: { queueMessagesMax: 1, inflightMax: 1, queueOverflow: 'disconnect' },
  });
  const receiver = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(receiver, 't', 1);
  for (let i = 0; i < 3; i++) await broker.publish({ topic: 't', payload: String(i), qos: 1 });
  await receiver.expect(packetType.PUBLISH);
  expect(decode.reason(await receiver.take(packetType.DISCONNECT), 5).reason).toBe(0x97);
  expect(broker.session('r')).toBeUndefined();
});

test('queueQoS0: QoS 0 messages wait for an offline session only when that is asked for', async () => {
  for (const queueQoS0 of [false, true]) {
    const { port, broker } = await startBroker({ limits: { queueQoS0 } });
    const first = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
    await subscribe(first, 't', 1);
    first.destroy();
    await until(() => broker.client('r') === undefined);
    await broker.publish({ topic: 't', payload: 'zero' });
    await broker.publish({ topic: 't', payload: 'one', qos: 1 });
    const again = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
    const message = decode.publish(await again.expect(packetType.PUBLISH), 5);
    expect(message.payload.toString()).toBe(queueQoS0 ? 'zero' : 'one');
    expect(broker.metrics.dropped['qos0-offline']).toBe(queueQoS0 ? 0 : 1);
  }
});

test('queueQoS0: a message that comes while older ones are read from the store goes out behind them', async () => {
  let read = () => {};
  const isRead = new Promise<void>((resolve) => {
    read = resolve;
  });
  class SlowStore extends MemoryStore {
    override async readQueue(...page: Parameters<MemoryStore['readQueue']>) {
      await isRead;
      return super.readQueue(...page);
    }
  }
  const { port, broker } = await startBroker({ store: new SlowStore(), limits: { queueQoS0: true } });
  const first = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(first, 't', 0);
  first.destroy();
  await until(() => broker.client('r') === undefined);
  await broker.publish({ topic: 't', payload: 'older' });
  const again = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await broker.publish({ topic: 't', payload: 'newer' });
  read();
  for (const payload of ['older', 'newer']) {
    const message = decode.publish(await again.expect(packetType.PUBLISH), 5);
    expect(message.payload.toString()).toBe(payload); // [MQTT-4.6.0-5]
  }
  expect(broker.session('r')?.queuedMessages).toBe(0);
});

test('retainedMessagesMax and retainedBytesMax: what is there stays and can be replaced', async () => {
  const { broker } = await startBroker({ limits: { retainedMessagesMax: 1, retainedBytesMax: 10 } });
  await broker.publish({ topic: 'a', payload: '1', retain: true });
  await broker.publish({ topic: 'b', payload: '2', retain: true });
  await broker.publish({ topic: 'a', payload: '3', retain: true });
  await broker.publish({ topic: 'a', payload: 'x'.repeat(11), retain: true });
  expect([...broker.retained()].map(({ topic, payload }) => `${topic} ${Buffer.from(payload)}`)).toEqual([
    'a 3',
  ]);
  expect(broker.metrics.dropped['retained-limit']).toBe(2);
});

test('publishRateMax slows a client down and loses nothing', async () => {
  const { port, broker } = await startBroker({ limits: { publishRateMax: 200 } });
  const peer = await connectPeer(port, { clientId: 'c' });
  const started = Date.now();
  peer.send(...Array.from({ length: 240 }, (_, i) => publishPacket('t', 'x', { qos: 1, id: i + 1 })));
  for (let i = 0; i < 240; i++) await peer.expect(packetType.PUBACK);
  // 200 at once, 40 more take a fifth of a second.
  expect(Date.now() - started).toBeGreaterThanOrEqual(150);
  expect(broker.metrics.rateLimited).toBeGreaterThan(0);
});

test('publishBytesRateMax slows a client down by payload bytes', async () => {
  const { port, broker } = await startBroker({ limits: { publishBytesRateMax: 10_000 } });
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(
    publishPacket('t', 'x'.repeat(11_000), { qos: 1, id: 1 }),
    publishPacket('t', 'x', { qos: 1, id: 2 }),
  );
  await peer.expect(packetType.PUBACK);
  await peer.expect(packetType.PUBACK);
  expect(broker.metrics.rateLimited).toBeGreaterThan(0);
});

test('publishRateMax: holds for clients that are connected already when it is set', async () => {
  const { port, broker } = await startBroker();
  const peer = await connectPeer(port, { clientId: 'c' });
  await peer.ping();
  broker.configure({ limits: { publishRateMax: 10 } });
  for (let i = 0; i < 11; i++) peer.send(publishPacket('t', 'x'));
  await until(() => broker.metrics.rateLimited > 0);
});

test('publishRateMax: a clock that is set back does not hold up anybody', async () => {
  let nowMs = 10_000_000;
  const { port } = await startBroker({ clock: { now: () => nowMs }, limits: { publishRateMax: 100 } });
  const peer = await connectPeer(port, { clientId: 'c' });
  nowMs -= 3_600_000;
  for (const id of [1, 2]) {
    peer.send(publishPacket('t', 'x', { qos: 1, id }));
    expect(decode.ack(await peer.expect(packetType.PUBACK), 5).id).toBe(id);
  }
});

test('sessionExpiryMax caps what a client asks for, and the client is told', async () => {
  const { port, broker } = await startBroker({ limits: { sessionExpiryMax: 50 } });
  const peer = await openPeer(port);
  peer.send(packet.connect({ version: 5, clientId: 'c', clean: false, properties: expiry }));
  const connack = decode.connack(await peer.expect(packetType.CONNACK), 5);
  expect(connack.properties.get(property.sessionExpiryInterval)).toEqual([50]);
  expect(broker.session('c')?.expiryInterval).toBe(50);
});

test('keepAliveMax: a 5.0 client is told, a 3.1.1 client above it is refused', async () => {
  const { port } = await startBroker({}, { keepAliveMax: 30 });
  const peer = await openPeer(port);
  peer.send(packet.connect({ version: 5, clientId: 'c', keepAlive: 60 }));
  const connack = decode.connack(await peer.expect(packetType.CONNACK), 5);
  expect(connack.properties.get(property.serverKeepAlive)).toEqual([30]);
  const old = await openPeer(port);
  old.send(packet.connect({ version: 4, clientId: 'old', keepAlive: 60 }));
  expect(decode.connack(await old.expect(packetType.CONNACK), 4).reason).toBe(2);
});

test('limits can be changed while the broker runs, and nonsense is refused by name', async () => {
  const { port, broker } = await startBroker();
  broker.configure({ limits: { subscriptionsPerClientMax: 1 } });
  const peer = await connectPeer(port, { clientId: 'c' });
  await subscribe(peer, 'a');
  expect(decode.codes(await subscribe(peer, 'b'), 5).codes).toEqual([0x97]);
  expect(() => broker.configure({ limits: { inflightMax: 0 } })).toThrow(/inflightMax/);
  expect(() => broker.configure({ limits: { queueWindowMessages: 0 } })).toThrow(/queueWindowMessages/);
  await expect(Broker.start({ listenerDefaults: { receiveMaximum: 0 } })).rejects.toThrow(/receiveMaximum/);
});

test('a mount point is not seen by the clients below it', async () => {
  const { port, broker } = await startBroker({ store: new MemoryStore() }, { mountPoint: 'site1/' });
  const peer = await connectPeer(port, { clientId: 'c' });
  await subscribe(peer, 'a/#');
  const outside: string[] = [];
  broker.subscribe('#', ({ topic }) => outside.push(topic));
  peer.send(publishPacket('a/b', 'x'));
  expect(decode.publish(await peer.expect(packetType.PUBLISH), 5).topic).toBe('a/b');
  expect(outside).toEqual(['site1/a/b']);
});

test('a client that takes no packet as large as the answer is told so instead of left waiting', async () => {
  const { port } = await startBroker();
  const filters = Array.from({ length: 30 }, (_, i) => `f/${i}`);
  const asks = {
    SUBACK: packet.subscribe({ version: 5, id: 1, filters: filters.map((filter) => [filter, 0] as const) }),
    UNSUBACK: packet.unsubscribe({ version: 5, id: 1, filters }),
  };
  for (const [name, ask] of Object.entries(asks)) {
    const properties = [[property.maximumPacketSize, 30]] as const;
    const peer = await connectPeer(port, { clientId: name, properties });
    peer.send(ask);
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x95);
  }
});
