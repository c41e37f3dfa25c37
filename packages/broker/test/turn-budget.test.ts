// A flood of packets shares the event loop: played with a clock on which all work takes long.

import { packet, packetType } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import type { ByteStream, ByteStreamHandler, Extension } from '../src/index.ts';
import { connectPeer, publishPacket, startBroker, subscribe, until } from './support.ts';

/** Every look at it takes a millisecond. */
function slowClock(): { now(): number } {
  let nowMs = 1_000_000;
  return { now: () => ++nowMs };
}

/** Counts turns of the event loop until it is stopped. */
function countTurns(): { readonly count: number; stop(): void } {
  const turns = { count: 0, isStopped: false, stop: () => {} };
  turns.stop = () => {
    turns.isStopped = true;
  };
  const next = (): void => {
    turns.count++;
    if (!turns.isStopped) setImmediate(next);
  };
  setImmediate(next);
  return turns;
}

test('a flood in one read is handled in many turns, in order and completely', async () => {
  const seenIn: number[] = [];
  const turns = countTurns();
  const witness: Extension = {
    name: 'witness',
    authorizePublish: () => {
      seenIn.push(turns.count);
      return { allow: true, cache: false };
    },
  };
  const { port, broker } = await startBroker({ clock: slowClock(), extensions: [witness] });
  const publisher = await connectPeer(port, { clientId: 'publisher' });
  const subscriber = await connectPeer(port, { clientId: 'subscriber' });
  await subscribe(subscriber, 'flood');
  const numbers = Array.from({ length: 1_000 }, (_, i) => String(i));
  publisher.send(Buffer.concat(numbers.map((number) => publishPacket('flood', number))));
  const received: string[] = [];
  for (const _ of numbers) {
    const { body } = await subscriber.expect(packetType.PUBLISH);
    received.push(body.subarray(8).toString());
  }
  turns.stop();
  expect(received).toEqual(numbers);
  expect(new Set(seenIn).size).toBeGreaterThan(3);
  expect(broker.metrics.publishersPausedNow).toBe(0);
});

test('a flood that ends with DISCONNECT is handled to its end', async () => {
  const { port } = await startBroker({ clock: slowClock() });
  const publisher = await connectPeer(port, { clientId: 'publisher' });
  const subscriber = await connectPeer(port, { clientId: 'subscriber' });
  await subscribe(subscriber, 'flood');
  const flood = Array.from({ length: 500 }, () => publishPacket('flood', 'x'));
  publisher.send(Buffer.concat([...flood, packet.disconnect({ version: 5 })]));
  for (const _ of flood) await subscriber.expect(packetType.PUBLISH);
  await publisher.expectClose();
});

test('somebody else is answered before a flood is over', async () => {
  const { port, broker } = await startBroker({ clock: slowClock() });
  const publisher = await connectPeer(port, { clientId: 'publisher' });
  const other = await connectPeer(port, { clientId: 'other' });
  const subscriber = await connectPeer(port, { clientId: 'subscriber' });
  await subscribe(subscriber, 'flood');
  publisher.send(Buffer.concat(Array.from({ length: 5_000 }, () => publishPacket('flood', 'x'))));
  await subscriber.expect(packetType.PUBLISH);
  await other.ping();
  expect(broker.metrics.publishReceived).toBeLessThan(5_000);
});

test('a SUBSCRIBE with very many filters lets others have their turns, and is answered once, before what follows', async () => {
  const askedIn: number[] = [];
  const turns = countTurns();
  const witness: Extension = {
    name: 'witness',
    authorizeSubscribe: (_client, { filter }) => {
      askedIn.push(turns.count);
      return { allow: filter !== 'many/1234/+' };
    },
  };
  const { port } = await startBroker({ clock: slowClock(), extensions: [witness] });
  const subscriber = await connectPeer(port, { clientId: 'subscriber' });
  const filters = Array.from({ length: 3_000 }, (_, i): [string, number] => [`many/${i}/+`, i % 3]);
  subscriber.send(
    Buffer.concat([
      packet.subscribe({ version: 5, id: 7, filters }),
      publishPacket('many/2999/x', 'mine'),
      packet.pingreq(),
    ]),
  );
  const suback = await subscriber.expect(packetType.SUBACK);
  turns.stop();
  expect([...suback.body.subarray(0, 3)]).toEqual([0, 7, 0]);
  expect([...suback.body.subarray(3)]).toEqual(filters.map(([, qos], i) => (i === 1234 ? 0x87 : qos)));
  await subscriber.expect(packetType.PUBLISH);
  await subscriber.expect(packetType.PINGRESP);
  expect(new Set(askedIn).size).toBeGreaterThan(3);
});

test('a client that goes in the middle of a SUBSCRIBE leaves no subscription', async () => {
  const { port, broker } = await startBroker({ clock: slowClock() });
  const subscriber = await connectPeer(port, { clientId: 'subscriber' });
  const filters = Array.from({ length: 20_000 }, (_, i): [string, number] => [`many/${i}/+`, 0]);
  subscriber.send(packet.subscribe({ version: 5, id: 7, filters }));
  await until(() => broker.totals().subscriptions > 0);
  expect(broker.totals().subscriptions).toBeLessThan(20_000);
  subscriber.destroy();
  await until(() => broker.totals().subscriptions === 0);
  const other = await connectPeer(port, { clientId: 'other' });
  await other.ping();
  expect(broker.totals().subscriptions).toBe(0);
});

test('the retained messages of very many subscriptions of one client let others have their turns, and all come', async () => {
  const { port, broker } = await startBroker({ clock: slowClock() });
  for (let i = 0; i < 50; i++)
    await broker.publish({ topic: `a/a/a/a/a/a/${i}`, payload: 'x', retain: true });
  const subscriber = await connectPeer(port, { clientId: 'subscriber' });
  // Each way to write a level or `+` is a subscription of its own that matches all of them.
  const filters = Array.from({ length: 64 }, (_, i): [string, number] => [
    [...i.toString(2).padStart(6, '0')]
      .map((bit) => (bit === '1' ? '+' : 'a'))
      .join('/')
      .concat('/+'),
    0,
  ]);
  let mostInOneTurn = 0;
  let sentBefore = broker.metrics.publishSent;
  const look = (): void => {
    const { publishSent } = broker.metrics;
    mostInOneTurn = Math.max(mostInOneTurn, publishSent - sentBefore);
    sentBefore = publishSent;
    if (publishSent < 64 * 50) setImmediate(look);
  };
  look();
  subscriber.send(packet.subscribe({ version: 5, id: 7, filters }));
  await subscriber.expect(packetType.SUBACK);
  await until(() => broker.metrics.publishSent === 64 * 50);
  expect(mostInOneTurn).toBeLessThan(1_000);
  for (let i = 0; i < 64 * 50; i++) await subscriber.expect(packetType.PUBLISH);
});

test('an UNSUBSCRIBE with very many filters lets others have their turns, and is answered once, before what follows', async () => {
  const goneIn: number[] = [];
  const turns = countTurns();
  const witness: Extension = { name: 'witness', onUnsubscribed: () => void goneIn.push(turns.count) };
  const { port, broker } = await startBroker({ clock: slowClock(), extensions: [witness] });
  const subscriber = await connectPeer(port, { clientId: 'subscriber' });
  const filters = Array.from({ length: 3_000 }, (_, i) => `many/${i}/+`);
  const asked = filters.filter((_, i) => i !== 1234).map((filter): [string, number] => [filter, 0]);
  subscriber.send(packet.subscribe({ version: 5, id: 7, filters: asked }));
  await subscriber.expect(packetType.SUBACK);
  subscriber.send(Buffer.concat([packet.unsubscribe({ version: 5, id: 8, filters }), packet.pingreq()]));
  const unsuback = await subscriber.expect(packetType.UNSUBACK);
  turns.stop();
  expect([...unsuback.body.subarray(0, 3)]).toEqual([0, 8, 0]);
  expect([...unsuback.body.subarray(3)]).toEqual(filters.map((_, i) => (i === 1234 ? 0x11 : 0)));
  await subscriber.expect(packetType.PINGRESP);
  expect(new Set(goneIn).size).toBeGreaterThan(3);
  expect(broker.totals().subscriptions).toBe(0);
});

test('the end of a session with very many subscriptions lets others have their turns, and nothing comes to it', async () => {
  const { port, broker } = await startBroker({ clock: slowClock() });
  const subscriber = await connectPeer(port, { clientId: 'subscriber' });
  const filters = Array.from({ length: 3_000 }, (_, i): [string, number] => [`many/${i}/+`, 1]);
  subscriber.send(packet.subscribe({ version: 5, id: 7, filters }));
  await subscriber.expect(packetType.SUBACK);
  broker.kick('subscriber');
  expect(broker.session('subscriber')).toBeUndefined();
  expect(broker.totals().subscriptions).toBeLessThan(3_000);
  const turns = countTurns();
  await broker.publish({ topic: 'many/2999/x', payload: 'x', qos: 1 });
  await until(() => broker.totals().subscriptions === 0);
  turns.stop();
  expect(turns.count).toBeGreaterThan(3);
  expect(broker.metrics.dropped['session-ended']).toBe(1);
});

/** A connection without a network that notes in which turn it was written to. */
class NotedStream implements ByteStream {
  readonly remoteAddress = 'noted';
  readonly remotePort = 0;
  readonly listener = 'noted';
  readonly bufferedBytes = 0;
  readonly peer = { transport: 'noted' };
  readonly writtenIn: number[] = [];
  onWrite = () => {};
  isDestroyed = false;
  readonly #turns: { readonly count: number };
  #handler!: ByteStreamHandler;

  constructor(turns: { readonly count: number }) {
    this.#turns = turns;
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
  }

  receive(bytes: Uint8Array): void {
    this.#handler.onData(bytes);
  }

  write(): boolean {
    this.writtenIn.push(this.#turns.count);
    this.onWrite();
    return true;
  }

  writev(): boolean {
    return this.write();
  }

  pause(): void {}
  resume(): void {}
  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    setImmediate(() => this.#handler.onClose(undefined));
  }
}

test('a message for very many subscribers is written to them in many turns, once to each', async () => {
  const { port, broker } = await startBroker({ clock: slowClock() });
  const publisher = await connectPeer(port, { clientId: 'publisher' });
  const turns = countTurns();
  const streams = Array.from({ length: 1_000 }, () => new NotedStream(turns));
  for (const [i, stream] of streams.entries()) {
    broker.attach(stream);
    stream.receive(
      Buffer.concat([
        packet.connect({ version: 4, clientId: `subscriber-${i}` }),
        packet.subscribe({ version: 4, id: 1, filters: [['news', 0]] }),
      ]),
    );
  }
  await until(() => broker.totals().subscriptions === streams.length);
  await publisher.ping();
  const earlier = streams.map((stream) => stream.writtenIn.length);
  publisher.send(publishPacket('news', 'x'));
  await until(() => streams.every((stream, i) => stream.writtenIn.length > earlier[i]!));
  await publisher.ping();
  turns.stop();
  const writtenIn = streams.flatMap((stream, i) => stream.writtenIn.slice(earlier[i]));
  expect(writtenIn).toHaveLength(streams.length);
  expect(new Set(writtenIn).size).toBeGreaterThan(3);
});

test('a stream that hands over bytes while it is written to disturbs no other write', async () => {
  const { port, broker } = await startBroker();
  const publisher = await connectPeer(port, { clientId: 'publisher' });
  const streams = Array.from({ length: 3 }, () => new NotedStream({ count: 0 }));
  for (const [i, stream] of streams.entries()) {
    broker.attach(stream);
    stream.receive(
      Buffer.concat([
        packet.connect({ version: 4, clientId: `subscriber-${i}` }),
        packet.subscribe({ version: 4, id: 1, filters: [['news', 0]] }),
      ]),
    );
  }
  await until(() => streams.every((stream) => stream.writtenIn.length > 0));
  const [first] = streams as [NotedStream];
  first.onWrite = () => {
    first.onWrite = () => {};
    first.receive(packet.pingreq());
  };
  const earlier = streams.map((stream) => stream.writtenIn.length);
  const news = () => streams.map((stream, i) => stream.writtenIn.length - earlier[i]!);
  publisher.send(publishPacket('news', 'x'));
  await until(() => news().every((count) => count > 0) && news()[0] === 2);
  expect(news()).toEqual([2, 1, 1]);
});
