// What a bus is asked and told, shown by the simplest one: brokers in one process that pass messages on by a method call.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { type Bus, type BusPeer, MemoryStore, type StoredMessage } from '../src/index.ts';
import { connectPeer, openPeer, publishPacket, startBroker, subscribe, until } from './support.ts';

/** Joins brokers: who owns which client id, and who wants which filter. */
class Hub {
  readonly members: Member[] = [];

  join(): Member {
    const member = new Member(this);
    this.members.push(member);
    return member;
  }
}

class Member implements Bus {
  readonly hub: Hub;
  readonly interest = new Set<string>();
  readonly owned = new Set<string>();
  /** What `publish` answers; a promise delays the acknowledgement. */
  answer: Promise<void> | undefined;
  #peer: BusPeer | undefined;

  constructor(hub: Hub) {
    this.hub = hub;
  }

  async start(peer: BusPeer): Promise<void> {
    this.#peer = peer;
  }

  async claim(clientId: string): Promise<void> {
    for (const other of this.hub.members) {
      if (other !== this && other.owned.delete(clientId)) await other.#peer?.evict(clientId);
    }
    this.owned.add(clientId);
  }

  release(clientId: string): void {
    this.owned.delete(clientId);
  }

  addInterest(filter: string): void {
    this.interest.add(filter);
  }

  removeInterest(filter: string): void {
    this.interest.delete(filter);
  }

  publish(message: StoredMessage): Promise<void> | void {
    for (const other of this.hub.members) if (other !== this) void other.#peer?.deliver(message);
    return this.answer;
  }

  async stop(): Promise<void> {
    this.#peer = undefined;
  }
}

test('a message reaches subscribers of another broker, and the bus knows what is wanted where', async () => {
  const hub = new Hub();
  const [a, b] = [hub.join(), hub.join()];
  const first = await startBroker({ bus: a });
  const second = await startBroker({ bus: b });
  const reader = await connectPeer(second.port, { clientId: 'reader' });
  await subscribe(reader, 'far/+', 1);
  expect([...b.interest]).toEqual(['far/+']);
  const writer = await connectPeer(first.port, { clientId: 'writer' });
  writer.send(publishPacket('far/away', 'hello', { qos: 1, id: 5 }));
  const message = decode.publish(await reader.expect(packetType.PUBLISH), 5);
  expect({ topic: message.topic, payload: message.payload.toString(), qos: message.qos }).toEqual({
    topic: 'far/away',
    payload: 'hello',
    qos: 1,
  });
  // Nobody is subscribed at this broker, but elsewhere somebody may be.
  expect(decode.ack(await writer.expect(packetType.PUBACK), 5)).toMatchObject({ id: 5, reason: 0 });
  reader.send(packet.unsubscribe({ version: 5, id: 2, filters: ['far/+'] }));
  await reader.expect(packetType.UNSUBACK);
  expect([...b.interest]).toEqual([]);
});

test.each([1, 2] as const)(
  'the acknowledgement of QoS %i waits for the bus, and later packets wait with it',
  async (qos) => {
    const hub = new Hub();
    const bus = hub.join();
    let resolve = (): void => {};
    bus.answer = new Promise((done) => {
      resolve = done;
    });
    const { port } = await startBroker({ bus });
    const writer = await connectPeer(port, { clientId: 'writer' });
    const observer = await connectPeer(port, { clientId: 'observer' });
    writer.send(publishPacket('t', 'x', { qos, id: 9 }));
    writer.send('c000');
    await observer.ping();
    expect(writer.unread).toEqual([]);
    resolve();
    await writer.expect(qos === 1 ? packetType.PUBACK : packetType.PUBREC);
    await writer.expect(packetType.PINGRESP);
  },
);

test('a bus that cannot take a message refuses it, and the connection stays', async () => {
  const bus = new Hub().join();
  bus.answer = Promise.reject(new Error('no quorum'));
  bus.answer.catch(() => {}); // It is rejected before anybody looks at it.
  const { port } = await startBroker({ bus });
  const writer = await connectPeer(port, { clientId: 'writer' });
  writer.send(publishPacket('t', 'x', { qos: 1, id: 9 }));
  expect(decode.ack(await writer.expect(packetType.PUBACK), 5)).toMatchObject({ id: 9, reason: 0x97 });
  await writer.ping();
  bus.answer = undefined;
  writer.send(publishPacket('t', 'x', { qos: 1, id: 9 }));
  expect(decode.ack(await writer.expect(packetType.PUBACK), 5)).toMatchObject({ id: 9, reason: 0 });
});

test('a client id is not kept from other brokers by a client that went while it was claimed', async () => {
  const hub = new Hub();
  const member = hub.join();
  let claim: (() => void) | undefined;
  member.claim = (clientId) =>
    new Promise((resolve) => {
      claim = () => {
        member.owned.add(clientId);
        resolve();
      };
    });
  const { broker } = await startBroker({ bus: member });
  const pipe = broker.connect();
  pipe.send(packet.connect({ version: 5, clientId: 'hasty' }));
  await until(() => claim !== undefined);
  pipe.close(new Error('gone'));
  await until(() => broker.metrics.socketsNow === 0);
  claim?.();
  await until(() => !member.owned.has('hasty'));
});

test('a client that comes to another broker leaves the first one', async () => {
  const hub = new Hub();
  const [a, b] = [hub.join(), hub.join()];
  const first = await startBroker({ bus: a });
  const second = await startBroker({ bus: b });
  const there = await connectPeer(first.port, { clientId: 'wanderer' });
  await connectPeer(second.port, { clientId: 'wanderer' });
  const last = (await there.expectClose()).at(-1);
  expect(last && decode.reason(last, 5).reason).toBe(0x8e);
  expect(second.broker.client('wanderer')).toBeDefined();
});

test('a client whose CONNACK still waits for the store is evicted, too', async () => {
  let finish: (() => void) | undefined;
  class SlowStore extends MemoryStore {
    override readonly durable = true;
    override commit(): Promise<void> {
      return new Promise((resolve) => {
        finish = resolve;
      });
    }
  }
  const hub = new Hub();
  const [there, here] = [hub.join(), hub.join()];
  const { port } = await startBroker({ store: new SlowStore(), bus: there });
  const other = await startBroker({ bus: here });
  const connect = packet.connect({
    version: 5,
    clientId: 'c',
    clean: false,
    properties: [[property.sessionExpiryInterval, 100]],
  });
  const first = await openPeer(port);
  first.send(connect);
  await until(() => finish !== undefined);
  const second = await openPeer(other.port);
  second.send(connect);
  await until(() => !there.owned.has('c'));
  const commit = finish;
  finish = undefined;
  commit?.();
  expect(await first.expectClose()).toEqual([]);
});
