// Retained messages for a new subscription: all of them come, however many and large they are, and however slowly they
// are read.

import { decode, packet, packetType, property, type RawPeer } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import type { Broker } from '../src/index.ts';
import { connectPeer, startBroker, until } from './support.ts';

async function retain(broker: Broker, count: number, size: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await broker.publish({ topic: `r/${i}`, payload: Buffer.alloc(size), qos: 1, retain: true });
  }
}

/** Takes messages until there are `count`, and acknowledges them; tells how many different topics they had. */
async function receive(peer: RawPeer, count: number): Promise<number> {
  const topics = new Set<string>();
  for (let i = 0; i < count; i++) {
    const message = decode.publish(await peer.take(packetType.PUBLISH), 5);
    topics.add(message.topic);
    if (message.qos > 0) peer.send(packet.puback({ id: message.id }));
  }
  return topics.size;
}

test('QoS 0: a client that reads slowly loses none of them', async () => {
  const { port, broker } = await startBroker({ limits: { outboundBytesMax: 1024 * 1024 } });
  await retain(broker, 60, 500_000);
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.stream.pause();
  peer.send(packet.subscribe({ version: 5, id: 1, filters: [['r/#', 0]] }));
  await until(() => broker.client('c')?.isBlocked === true);
  peer.stream.resume();
  expect(await receive(peer, 60)).toBe(60);
  expect(broker.metrics.dropped['slow-consumer']).toBe(0);
});

test('QoS 1: they wait for room in the queue of a session that ends with its connection', async () => {
  const { port, broker } = await startBroker({ limits: { inflightMax: 2, queueMessagesMax: 10 } });
  await retain(broker, 100, 10);
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(packet.subscribe({ version: 5, id: 1, filters: [['r/#', 1]] }));
  expect(await receive(peer, 100)).toBe(100);
  expect(broker.metrics.dropped['queue-full']).toBe(0);
});

test('QoS 1: they wait for room in the queue of a persistent session, also where that is only in the store', async () => {
  const limits = { inflightMax: 2, queueWindowBytes: 20_000, queueBytesMax: 200_000 };
  const { port, broker } = await startBroker({ limits });
  await retain(broker, 200, 4_000);
  const properties = [[property.sessionExpiryInterval, 100]] as const;
  const peer = await connectPeer(port, { clientId: 'c', clean: false, properties });
  peer.send(packet.subscribe({ version: 5, id: 1, filters: [['r/#', 1]] }));
  expect(await receive(peer, 200)).toBe(200);
  expect(broker.metrics.dropped['queue-full']).toBe(0);
});

test('a subscription that comes when the messages for the one before have just been sent gets its own', async () => {
  const { port, broker } = await startBroker();
  // As many as are looked at in one go, the end of the walk included.
  await retain(broker, 63, 10);
  await broker.publish({ topic: 'own', payload: 'x', retain: true });
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(
    packet.subscribe({ version: 5, id: 1, filters: [['r/+', 0]] }),
    packet.subscribe({ version: 5, id: 2, filters: [['own', 0]] }),
  );
  expect(await receive(peer, 64)).toBe(64);
});
