// Stored, then acknowledged: with a store whose commits the test controls.

import { decode, packet, packetType, property, RawPeer } from '@tobymq/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type LogFields, MemoryStore, type Store } from '../src/index.ts';
import {
  connectPeer,
  openPeer,
  publishPacket,
  type RunningBroker,
  startBroker,
  subscribe,
  until,
} from './support.ts';

/** A store in memory that says it is durable, and commits when it is told to. */
class GatedStore extends MemoryStore implements Store {
  override readonly durable = true;
  #isDirty = false;
  #pending: { resolve: () => void; reject: (error: Error) => void } | undefined;
  /** Whether commits succeed at once. */
  isOpen = true;
  isFull = false;
  /** Everything is stored but messages. */
  hasLittleRoom = false;
  #hasMessages = false;

  override get dirty(): boolean {
    return this.#isDirty;
  }

  get isCommitting(): boolean {
    return this.#pending !== undefined;
  }

  override commit(): Promise<void> {
    this.#isDirty = false;
    const isRefused = this.hasLittleRoom && this.#hasMessages;
    this.#hasMessages = false;
    if (isRefused)
      return Promise.reject(Object.assign(new Error('little space left'), { isRestDurable: true }));
    if (this.isFull) return Promise.reject(new Error('no space left'));
    if (this.isOpen) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
  }

  finish(error?: Error): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (error === undefined) pending?.resolve();
    else pending?.reject(error);
  }

  override putSession(...args: Parameters<Store['putSession']>): void {
    this.#isDirty = true;
    super.putSession(...args);
  }

  override enqueue(...args: Parameters<Store['enqueue']>): void {
    this.#isDirty = true;
    this.#hasMessages = true;
    super.enqueue(...args);
  }

  override putRetained(...args: Parameters<Store['putRetained']>): void {
    this.#isDirty = true;
    super.putRetained(...args);
  }

  override putSubscription(...args: Parameters<Store['putSubscription']>): void {
    this.#isDirty = true;
    super.putSubscription(...args);
  }

  override putInbound(...args: Parameters<Store['putInbound']>): void {
    this.#isDirty = true;
    super.putInbound(...args);
  }

  override markReleased(...args: Parameters<Store['markReleased']>): void {
    this.#isDirty = true;
    super.markReleased(...args);
  }
}

const expiry = [[property.sessionExpiryInterval, 100]] as const;

async function brokerWithSleeper(
  store: GatedStore,
  log?: (event: string, fields: LogFields) => void,
): Promise<RunningBroker> {
  const running = await startBroker({
    store,
    logger: { log: (_level, event, fields) => log?.(event, fields) },
  });
  const sleeper = await connectPeer(running.port, { clientId: 'sleeper', clean: false, properties: expiry });
  await subscribe(sleeper, 'keep/#', 2);
  sleeper.send(packet.disconnect());
  await sleeper.expectClose();
  await running.broker.flush();
  return running;
}

async function expectNothingBut(peer: RawPeer, type: number): Promise<void> {
  peer.send(packet.pingreq());
  expect((await peer.next()).type).toBe(type);
}

test('PUBACK waits for the commit of the message, and what needs no store does not wait', async () => {
  const store = new GatedStore();
  const { port } = await brokerWithSleeper(store);
  const publisher = await connectPeer(port, { clientId: 'p' });
  store.isOpen = false;
  publisher.send(publishPacket('keep/a', 'x', { qos: 1, id: 1 }));
  await until(() => store.isCommitting);
  await expectNothingBut(publisher, packetType.PINGRESP);
  const other = await connectPeer(port, { clientId: 'other' });
  other.send(publishPacket('elsewhere', 'x', { qos: 1, id: 1 }));
  await other.expect(packetType.PUBACK);
  store.isOpen = true;
  store.finish();
  expect(decode.ack(await publisher.expect(packetType.PUBACK), 5)).toMatchObject({ id: 1, reason: 0 });
});

test('acknowledgements of one client stay in order behind one that waits', async () => {
  const store = new GatedStore();
  const { port } = await brokerWithSleeper(store);
  const publisher = await connectPeer(port, { clientId: 'p' });
  store.isOpen = false;
  publisher.send(
    publishPacket('keep/a', 'x', { qos: 1, id: 1 }),
    publishPacket('free', 'x', { qos: 1, id: 2 }),
  );
  await until(() => store.isCommitting);
  await expectNothingBut(publisher, packetType.PINGRESP);
  store.finish();
  expect(decode.ack(await publisher.expect(packetType.PUBACK), 5).id).toBe(1);
  expect(decode.ack(await publisher.expect(packetType.PUBACK), 5).id).toBe(2);
});

test('a message that cannot be stored is refused with 0x97 and leaves the queue; afterwards all is well again', async () => {
  const store = new GatedStore();
  const events: string[] = [];
  const { port, broker } = await brokerWithSleeper(store, (event) => events.push(event));
  const publisher = await connectPeer(port, { clientId: 'p' });
  store.isFull = true;
  for (const id of [1, 2]) {
    publisher.send(publishPacket('keep/a', 'lost', { qos: 1, id }));
    expect(decode.ack(await publisher.expect(packetType.PUBACK), 5)).toMatchObject({ id, reason: 0x97 });
  }
  publisher.send(publishPacket('keep/a', 'lost', { qos: 2, id: 3 }));
  expect(decode.ack(await publisher.expect(packetType.PUBREC), 5).reason).toBe(0x97);
  expect(broker.session('sleeper')?.queuedMessages).toBe(0);
  expect(events.filter((event) => event === 'store-failed')).toEqual(['store-failed']);
  store.isFull = false;
  publisher.send(publishPacket('keep/a', 'kept', { qos: 1, id: 4 }));
  expect(decode.ack(await publisher.expect(packetType.PUBACK), 5).reason).toBe(0);
  expect(broker.session('sleeper')?.queuedMessages).toBe(1);
});

test('a 3.1.1 publisher gets no acknowledgement for a message that cannot be stored, and stays connected', async () => {
  const store = new GatedStore();
  const { port } = await brokerWithSleeper(store);
  const publisher = await connectPeer(port, { version: 4, clientId: 'p' });
  store.isFull = true;
  publisher.send(packet.publish({ version: 4, topic: 'keep/a', payload: 'x', qos: 1, id: 1 }));
  await until(() => !store.dirty);
  await expectNothingBut(publisher, packetType.PINGRESP);
  store.isFull = false;
  publisher.send(packet.publish({ version: 4, topic: 'keep/a', payload: 'x', qos: 1, id: 1 }));
  await publisher.expect(packetType.PUBACK);
});

test('a retained message that cannot be stored makes way for the one before it', async () => {
  const store = new GatedStore();
  const { port, broker } = await startBroker({ store });
  const publisher = await connectPeer(port, { clientId: 'p' });
  publisher.send(publishPacket('r', 'first', { qos: 1, id: 1, retain: true }));
  await publisher.expect(packetType.PUBACK);
  store.isFull = true;
  publisher.send(publishPacket('r', 'second', { qos: 1, id: 2, retain: true }));
  expect(decode.ack(await publisher.expect(packetType.PUBACK), 5).reason).toBe(0x97);
  expect([...broker.retained('r')].map(({ payload }) => Buffer.from(payload).toString())).toEqual(['first']);
});

test('CONNACK and SUBACK of a persistent session are refused when they cannot be stored', async () => {
  const store = new GatedStore();
  const { port } = await startBroker({ store });
  const peer = await connectPeer(port, { clientId: 'c', clean: false, properties: expiry });
  store.isFull = true;
  expect(decode.codes(await subscribe(peer, 'a', 1), 5).codes).toEqual([0x97]);
  const late = await openPeer(port);
  late.send(packet.connect({ version: 5, clientId: 'late', clean: false, properties: expiry }));
  expect(decode.connack(await late.expect(packetType.CONNACK), 5).reason).toBe(0x88);
  await late.expectClose();
  const clean = await connectPeer(port, { clientId: 'clean' });
  expect(decode.codes(await subscribe(clean, 'a', 1), 5).codes).toEqual([1]);
});

test('a subscription that cannot be stored leaves the one that it would have replaced', async () => {
  const store = new GatedStore();
  const { port, broker } = await startBroker({ store });
  const peer = await connectPeer(port, { clientId: 'c', clean: false, properties: expiry });
  await subscribe(peer, 'a', 1);
  store.isFull = true;
  const request = (...filters: [string, number][]) => packet.subscribe({ version: 5, id: 1, filters });
  peer.send(request(['a', 2], ['a', 0], ['b', 1]), request(['a', 0], ['b', 2]));
  for (const codes of [
    [0x97, 0x97, 0x97],
    [0x97, 0x97],
  ])
    expect(decode.codes(await peer.expect(packetType.SUBACK), 5).codes).toEqual(codes);
  expect(broker.session('c')?.subscriptions).toMatchObject([{ filter: 'a', qos: 1 }]);
  store.isFull = false;
  const stored: unknown[] = [];
  for await (const page of store.loadSessions())
    for (const { subscriptions } of page)
      for (const { filter, qos } of subscriptions) stored.push([filter, qos]);
  expect(stored).toEqual([['a', 1]]);
});

test('a new session that cannot be stored is gone when its CONNECT was refused, and its Will is not published', async () => {
  const store = new GatedStore();
  const { port, broker } = await startBroker({ store });
  const wills: string[] = [];
  broker.subscribe('will', ({ payload }) => wills.push(Buffer.from(payload).toString()));
  store.isFull = true;
  const will = { topic: 'will', payload: 'gone' };
  for (const clean of [false, true]) {
    const late = await openPeer(port);
    late.send(packet.connect({ version: 5, clientId: 'late', clean, properties: expiry, will }));
    expect(decode.connack(await late.expect(packetType.CONNACK), 5).reason).toBe(0x88);
    await late.expectClose();
    expect([...broker.sessions()]).toEqual([]);
  }
  store.isFull = false;
  const again = await openPeer(port);
  again.send(packet.connect({ version: 5, clientId: 'late', clean: false, properties: expiry, will }));
  expect(decode.connack(await again.expect(packetType.CONNACK), 5)).toMatchObject({ sessionPresent: false });
  expect(wills).toEqual([]);
});

test('a client whose session is stored comes in and gets its messages while nothing can be stored', async () => {
  const store = new GatedStore();
  const { port, broker } = await brokerWithSleeper(store);
  await broker.publish({ topic: 'keep/t', payload: 'x', qos: 1 });
  store.isFull = true;
  for (let round = 0; round < 2; round++) {
    const again = await openPeer(port);
    again.send(
      packet.connect({ version: 5, clientId: 'sleeper', clean: false, properties: expiry }),
      packet.pingreq(),
    );
    expect(decode.connack(await again.expect(packetType.CONNACK), 5)).toMatchObject({
      reason: 0,
      sessionPresent: true,
    });
    await again.expect(packetType.PINGRESP);
    if (round === 0)
      again.send(packet.puback({ id: decode.publish(await again.expect(packetType.PUBLISH), 5).id }));
    await again.ping();
    expect(broker.session('sleeper')).toMatchObject({ queuedMessages: 0 });
    again.destroy();
    await until(() => broker.client('sleeper') === undefined);
  }

  // A session that nobody was told of yet is refused again and again.
  for (let round = 0; round < 2; round++) {
    const late = await openPeer(port);
    late.send(packet.connect({ version: 5, clientId: 'new', clean: false, properties: expiry }));
    expect(decode.connack(await late.expect(packetType.CONNACK), 5).reason).toBe(0x88);
    await late.expectClose();
  }
});

test('nothing reaches a client before a CONNACK that waits for the store', async () => {
  const store = new GatedStore();
  const { port } = await brokerWithSleeper(store);
  const publisher = await connectPeer(port, { clientId: 'p' });
  store.isOpen = false;
  const sleeper = await openPeer(port);
  sleeper.send(
    packet.connect({ version: 5, clientId: 'sleeper', clean: false, properties: expiry }),
    packet.pingreq(),
  );
  await until(() => store.isCommitting);
  publisher.send(publishPacket('keep/a', 'zero'), publishPacket('keep/a', 'one', { qos: 1, id: 1 }));
  await publisher.ping();
  expect(sleeper.history).toEqual([]);
  store.isOpen = true;
  store.finish();
  expect((await sleeper.next()).type).toBe(packetType.CONNACK);
  expect(decode.publish(await sleeper.take(packetType.PUBLISH), 5).payload.toString()).toBe('one');
});

test('a QoS 2 message goes to a persistent session when message and packet id are stored, a QoS 1 message at once', async () => {
  const store = new GatedStore();
  const { port } = await startBroker({ store });
  const receiver = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(receiver, 'q/#', 2);
  const publisher = await connectPeer(port, { clientId: 'p' });
  store.isOpen = false;
  publisher.send(
    publishPacket('q/2', 'two', { qos: 2, id: 1 }),
    publishPacket('q/1', 'one', { qos: 1, id: 2 }),
  );
  expect(decode.publish(await receiver.expect(packetType.PUBLISH), 5).topic).toBe('q/1');
  await until(() => store.isCommitting);
  await expectNothingBut(receiver, packetType.PINGRESP);
  store.isOpen = true;
  store.finish();
  const second = decode.publish(await receiver.expect(packetType.PUBLISH), 5);
  expect([second.topic, second.dup]).toEqual(['q/2', false]);
  receiver.send(packet.pubrec({ id: second.id }));
  await receiver.expect(packetType.PUBREL);
});

test('a SUBSCRIBE over several turns is refused as a whole if the part of an early one could not be stored', async () => {
  const store = new GatedStore();
  let nowMs = 1_000_000;
  const { port, broker } = await startBroker({ store, clock: { now: () => ++nowMs } });
  const peer = await connectPeer(port, { clientId: 'a', clean: false, properties: expiry });
  store.isOpen = false;
  const filters = Array.from({ length: 3_000 }, (_, i): [string, number] => [`many/${i}/+`, 1]);
  peer.send(packet.subscribe({ version: 5, id: 7, filters }));
  await until(() => store.isCommitting);
  expect(broker.totals().subscriptions).toBeLessThan(3_000);
  await until(() => broker.totals().subscriptions === 3_000);
  store.isOpen = true;
  store.finish(new Error('no space left'));
  const { body } = await peer.expect(packetType.SUBACK);
  expect(new Set(body.subarray(3))).toEqual(new Set([0x97]));
  expect(broker.totals().subscriptions).toBe(0);
});

test('a message that its receiver acknowledged before the commit failed leaves the queue once', async () => {
  const store = new GatedStore();
  const { port, broker } = await startBroker({ store });
  const receiver = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(receiver, 'q', 1);
  const publisher = await connectPeer(port, { clientId: 'p' });
  store.isOpen = false;
  publisher.send(publishPacket('q', 'x', { qos: 1, id: 1 }));
  const { id } = decode.publish(await receiver.expect(packetType.PUBLISH), 5);
  receiver.send(packet.puback({ id }));
  await receiver.ping();
  store.isOpen = true;
  store.finish(new Error('no space left'));
  expect(decode.ack(await publisher.expect(packetType.PUBACK), 5).reason).toBe(0x97);
  expect(broker.session('r')).toMatchObject({ queuedMessages: 0, queuedBytes: 0 });
  expect(broker.metrics.dropped['store-unavailable']).toBe(0);
});

test('a stored QoS 2 message goes out although the commit of its packet id failed at first', async () => {
  const store = new GatedStore();
  const { port } = await brokerWithSleeper(store);
  const publisher = await connectPeer(port, { clientId: 'p' });
  publisher.send(publishPacket('keep/a', 'two', { qos: 2, id: 1 }));
  await publisher.expect(packetType.PUBREC);
  store.isOpen = false;
  const sleeper = await openPeer(port);
  sleeper.send(packet.connect({ version: 5, clientId: 'sleeper', clean: false, properties: expiry }));
  await until(() => store.isCommitting);
  store.finish();
  await sleeper.expect(packetType.CONNACK);
  await until(() => store.isCommitting);
  store.isOpen = true;
  store.finish(new Error('no space left'));
  expect(decode.publish(await sleeper.expect(packetType.PUBLISH), 5).payload.toString()).toBe('two');
});

test('stored QoS 2 messages go on to their receivers while those of busy publishers cannot be stored', async () => {
  const store = new GatedStore();
  const { port } = await brokerWithSleeper(store);
  const publisher = await connectPeer(port, { clientId: 'p' });
  publisher.send(publishPacket('keep/a', 'two', { qos: 2, id: 1 }));
  await publisher.expect(packetType.PUBREC);
  const sleeper = await openPeer(port);
  store.hasLittleRoom = true;
  // In every batch there is a message, which is refused.
  let isOver = false;
  const busy = (async () => {
    for (let id = 2; !isOver; id++) {
      publisher.send(publishPacket('keep/b', 'refused', { qos: 1, id }));
      expect(decode.ack(await publisher.take(packetType.PUBACK), 5)).toMatchObject({ id, reason: 0x97 });
    }
  })();
  sleeper.send(packet.connect({ version: 5, clientId: 'sleeper', clean: false, properties: expiry }));
  await sleeper.expect(packetType.CONNACK);
  const next = async (type: number) => {
    for (;;) {
      const frame = await sleeper.next();
      // What could not be stored is sent at QoS 1 all the same.
      if (frame.type !== packetType.PUBLISH || decode.publish(frame, 5).qos === 2) {
        expect(frame.type).toBe(type);
        return frame;
      }
    }
  };
  const { id, payload } = decode.publish(await next(packetType.PUBLISH), 5);
  expect(payload.toString()).toBe('two');
  sleeper.send(packet.pubrec({ id }));
  await next(packetType.PUBREL);
  isOver = true;
  await busy;
});

test('QoS 2 messages that could not be stored make way for those behind them', async () => {
  const store = new GatedStore();
  const { port } = await startBroker({ store });
  const properties = [...expiry, [property.receiveMaximum, 1]] as const;
  const receiver = await connectPeer(port, { clientId: 'r', clean: false, properties });
  await subscribe(receiver, 'q', 2);
  const publisher = await connectPeer(port, { clientId: 'p' });
  store.isOpen = false;
  publisher.send(publishPacket('q', 'one', { qos: 2, id: 1 }));
  await until(() => store.isCommitting);
  publisher.send(publishPacket('q', 'two', { qos: 2, id: 2 }));
  await publisher.ping();
  store.isOpen = true;
  store.finish(new Error('no space left'));
  expect(decode.publish(await receiver.expect(packetType.PUBLISH), 5).payload.toString()).toBe('two');
});

test('a QoS 2 message that could not be stored is a new one when it comes again, also on another connection', async () => {
  const store = new GatedStore();
  const { port, broker } = await brokerWithSleeper(store);
  const options = { clientId: 'p', clean: false, properties: expiry };
  const publisher = await connectPeer(port, options);
  store.isOpen = false;
  publisher.send(publishPacket('keep/a', 'x', { qos: 2, id: 1 }));
  await until(() => store.isCommitting);
  publisher.destroy();
  await until(() => broker.client('p') === undefined);
  store.isOpen = true;
  store.finish(new Error('no space left'));
  const again = await connectPeer(port, options);
  again.send(publishPacket('keep/a', 'x', { qos: 2, id: 1, dup: true }));
  expect(decode.ack(await again.expect(packetType.PUBREC), 5).reason).toBe(0);
  expect(broker.session('sleeper')?.queuedMessages).toBe(1);
});

test('a client that another one takes over from before its CONNACK hears nothing, and nobody hears of it', async () => {
  const store = new GatedStore();
  const told: string[] = [];
  const { port, broker } = await startBroker({
    store,
    limits: { lingerMs: 50 },
    extensions: [
      {
        name: 'presence',
        onConnected: () => told.push('connected'),
        onDisconnected: () => told.push('disconnected'),
      },
    ],
  });
  store.isOpen = false;
  const connect = packet.connect({ version: 5, clientId: 'c', clean: false, properties: expiry });
  const first = await RawPeer.connect({ port, allowHalfOpen: true });
  onTestFinished(() => first.destroy());
  first.send(connect);
  await until(() => store.isCommitting);
  const second = await openPeer(port);
  second.send(connect);
  await until(() => broker.metrics.takeovers === 1);
  store.isOpen = true;
  store.finish();
  await second.expect(packetType.CONNACK);
  expect(await first.expectClose()).toEqual([]);
  expect(told).toEqual(['connected']);
  await until(() => broker.metrics.socketsNow === 1);
  expect(broker.metrics.publishersPausedNow).toBe(0);
});

test('nothing comes before a CONNACK that waits for the store after an authenticator that took its time', async () => {
  const store = new GatedStore();
  const { port } = await startBroker({
    store,
    extensions: [{ name: 'slow', authenticate: async () => ({ allow: true }) }],
  });
  store.isOpen = false;
  const peer = await openPeer(port);
  peer.send(
    packet.connect({ version: 5, clientId: 'c', clean: false, properties: expiry }),
    packet.pingreq(),
  );
  await until(() => store.isCommitting);
  const other = await connectPeer(port, { clientId: 'other' });
  await other.ping();
  store.isOpen = true;
  store.finish();
  expect((await peer.next()).type).toBe(packetType.CONNACK);
  expect((await peer.next()).type).toBe(packetType.PINGRESP);
});

test('a session that ends by its full queue before its CONNACK takes its connection with it', async () => {
  const store = new GatedStore();
  const { port, broker } = await startBroker({
    store,
    limits: { queueOverflow: 'disconnect', queueMessagesMax: 1 },
  });
  const options = { clientId: 'r', clean: false, properties: expiry };
  const receiver = await connectPeer(port, options);
  await subscribe(receiver, 'q', 1);
  receiver.send(packet.disconnect());
  await receiver.expectClose();
  await broker.flush();
  store.isOpen = false;
  const again = await openPeer(port);
  again.send(packet.connect({ version: 5, ...options }));
  await until(() => store.isCommitting);
  const publisher = await connectPeer(port, { clientId: 'p' });
  publisher.send(publishPacket('q', '1', { qos: 1, id: 1 }), publishPacket('q', '2', { qos: 1, id: 2 }));
  await publisher.ping();
  expect(broker.session('r')).toBeUndefined();
  store.isOpen = true;
  store.finish();
  await again.expectClose();
});

test('a CONNACK that waits for the store and cannot be encoded costs its own connection only', async () => {
  const store = new GatedStore();
  const responseInformation = 'x'.repeat(70_000);
  const { port } = await startBroker({
    store,
    extensions: [{ name: 'faulty', authenticate: () => ({ allow: true, responseInformation }) }],
  });
  const properties = [...expiry, [property.requestResponseInformation, 1]] as const;
  const peer = await openPeer(port);
  peer.send(packet.connect({ version: 5, clientId: 'asks', clean: false, properties }));
  expect(await peer.expectClose()).toEqual([]);
  const other = await connectPeer(port, { clientId: 'other', clean: false, properties: expiry });
  await other.ping();
});

test('a message that was sent but could not be stored is not counted when its receiver goes without acknowledging it', async () => {
  const store = new GatedStore();
  const { port, broker } = await startBroker({ store });
  const receiver = await connectPeer(port, { clientId: 'r', clean: false, properties: expiry });
  await subscribe(receiver, 't', 1);
  store.isFull = true;
  await expect(broker.publish({ topic: 't', payload: 'lost', qos: 1 })).rejects.toThrow('was not stored');
  await receiver.expect(packetType.PUBLISH);
  expect(broker.session('r')).toMatchObject({ inFlight: 1 });
  receiver.destroy();
  await until(() => broker.client('r') === undefined);
  expect(broker.session('r')).toMatchObject({ queuedMessages: 0, queuedBytes: 0 });
});

test('of several retained messages that cannot be stored none remains', async () => {
  const store = new GatedStore();
  const { broker } = await startBroker({ store });
  const publish = (payload: string) => broker.publish({ topic: 'r', payload, retain: true });
  await publish('first');
  store.isOpen = false;
  const failing = [publish('second'), publish('third')];
  await until(() => store.isCommitting);
  failing.push(publish('fourth'));
  const outcomes = Promise.allSettled(failing);
  store.isFull = true;
  store.finish(new Error('no space left'));
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect([...broker.retained('r')].map(({ payload }) => Buffer.from(payload).toString())).toEqual(['first']);
});

test('retained messages go on coming to a connection that takes over while its CONNACK waits for the store', async () => {
  const store = new GatedStore();
  const { port, broker } = await startBroker({ store, limits: { inflightMax: 10 } });
  for (let i = 0; i < 200; i++) await broker.publish({ topic: `r/${i}`, payload: 'x', qos: 1, retain: true });
  const first = await connectPeer(port, { clientId: 'c', clean: false, properties: expiry });
  await subscribe(first, 'r/#', 1);
  await first.expect(packetType.PUBLISH);
  store.isOpen = false;
  const second = await openPeer(port);
  second.send(packet.connect({ version: 5, clientId: 'c', clean: false, properties: expiry }));
  await until(() => store.isCommitting);
  await first.expectClose();
  await new Promise<void>((resolve) => setTimeout(resolve, 20)); // It looks whether it can go on in this time.
  store.isOpen = true;
  store.finish();
  await second.expect(packetType.CONNACK);
  const topics = new Set<string>();
  while (topics.size < 200) {
    const { topic, id } = decode.publish(await second.take(packetType.PUBLISH), 5);
    topics.add(topic);
    second.send(packet.puback({ id }));
  }
});

test('flush tells that the store cannot write', async () => {
  const store = new GatedStore();
  const { broker } = await startBroker({ store });
  store.isFull = true;
  await expect(broker.flush()).rejects.toMatchObject({ code: 'TOBYMQ_NOT_STORED' });
  store.isFull = false;
  await broker.flush();
});

test("a value that is stored has not failed because others' messages were refused", async () => {
  const store = new GatedStore();
  const { broker } = await brokerWithSleeper(store);
  store.hasLittleRoom = true;
  const published = broker.publish({ topic: 'keep/a', payload: 'x', qos: 1 });
  const put = broker.values('space').put('key', Buffer.from('value'));
  await expect(published).rejects.toMatchObject({ code: 'TOBYMQ_NOT_STORED' });
  await put;
});

test('a broker that has stopped does not go on asking a store that cannot write', async () => {
  // What is no message is kept for the next commit.
  class KeepingStore extends GatedStore {
    override get dirty(): boolean {
      return this.isFull || super.dirty;
    }
  }
  const store = new KeepingStore();
  const { broker } = await startBroker({ store });
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  store.isFull = true;
  const putting = broker.values('space').put('key', Buffer.from('value'));
  await expect(putting).rejects.toThrow('no space left');
  const stopping = broker.stop({ deadlineMs: 100 });
  await vi.advanceTimersByTimeAsync(1_000);
  await stopping;
  const { commits } = broker.metrics;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(broker.metrics.commits).toBe(commits);
  await expect(broker.values('space').put('key', Buffer.from('value'))).rejects.toMatchObject({
    code: 'TOBYMQ_BROKER_STOPPED',
  });
});
