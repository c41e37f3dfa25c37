// What becomes of the messages of a session that ends: none is passed on too late, kept for nobody, or lost in silence.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { type DropInfo, MemoryStore, type QueueTarget, type StoredMessage } from '../src/index.ts';
import { connectPeer, openPeer, startBroker, subscribe, until } from './support.ts';

const expiry = [[property.sessionExpiryInterval, 100]] as const;

test('what waits for a session that ends is counted and told of', async () => {
  const drops: DropInfo[] = [];
  const { port, broker } = await startBroker({
    extensions: [{ name: 'drops', onDropped: (info) => drops.push(info) }],
  });
  const sleeper = await connectPeer(port, { clientId: 's', properties: expiry });
  await subscribe(sleeper, 't', 1);
  sleeper.destroy();
  await until(() => broker.client('s') === undefined);
  for (let i = 0; i < 2; i++) await broker.publish({ topic: 't', payload: 'x', qos: 1 });
  expect(broker.kick('s', { endSession: true })).toBe(true);
  expect(broker.metrics.dropped['session-ended']).toBe(2);
  expect(drops).toEqual([{ reason: 'session-ended', topic: '', clientId: 's', count: 2 }]);
});

test('a session that ends while a message is on its way to several gets no copy into its queue', async () => {
  const queued: number[] = [];
  class WatchedStore extends MemoryStore {
    override enqueue(message: StoredMessage, targets: readonly QueueTarget[]): void {
      queued.push(targets.length);
      super.enqueue(message, targets);
    }
  }
  const { port, broker } = await startBroker({
    store: new WatchedStore(),
    limits: { queueMessagesMax: 1 },
    extensions: [
      {
        name: 'strict',
        onDropped: ({ clientId }) =>
          void (clientId === 'first' && broker.kick('second', { endSession: true })),
      },
    ],
  });
  for (const clientId of ['first', 'second']) {
    const peer = await connectPeer(port, { clientId, properties: expiry });
    await subscribe(peer, 't', 1);
    if (clientId === 'first') await subscribe(peer, 'fills', 1);
    peer.destroy();
  }
  await until(() => broker.metrics.connectionsNow === 0);
  await broker.publish({ topic: 'fills', payload: 'x', qos: 1 });
  await broker.publish({ topic: 't', payload: 'x', qos: 1 });
  expect(broker.session('second')).toBeUndefined();
  expect(queued).toEqual([1]);
  expect(broker.metrics.dropped).toMatchObject({ 'queue-full': 1, 'session-ended': 1 });
});

test('a member of a shared subscription does not get what has expired while another one had it', async () => {
  let now = 1_000_000;
  const { port, broker } = await startBroker({ clock: { now: () => now } });
  const first = await connectPeer(port, { clientId: 'first' });
  await subscribe(first, '$share/g/t', 1);
  const publish = (payload: string, messageExpiryInterval?: number) =>
    broker.publish({ topic: 't', payload, qos: 1, properties: { messageExpiryInterval } });
  await publish('short', 10);
  await publish('long', 1_000);
  for (let i = 0; i < 2; i++) await first.expect(packetType.PUBLISH);
  const second = await connectPeer(port, { clientId: 'second' });
  await subscribe(second, '$share/g/t', 1);
  now += 20_000;
  first.destroy();
  const message = decode.publish(await second.expect(packetType.PUBLISH), 5);
  expect(message.payload.toString()).toBe('long');
  expect(broker.metrics.dropped).toMatchObject({ expired: 1, 'session-ended': 0 });
});

test.each(['a kick', 'a clean start'])(
  'what a member of a shared subscription has not acknowledged goes to another one when %s ends its session',
  async (cause) => {
    const { port, broker } = await startBroker({ limits: { inflightMax: 1 } });
    const first = await connectPeer(port, { clientId: 'first', clean: false, properties: expiry });
    await subscribe(first, '$share/g/t', 1);
    for (const payload of ['on its way', 'waiting']) await broker.publish({ topic: 't', payload, qos: 1 });
    await first.expect(packetType.PUBLISH);
    const second = await connectPeer(port, { clientId: 'second' });
    await subscribe(second, '$share/g/t', 1);
    if (cause === 'a kick') broker.kick('first', { endSession: true });
    else (await openPeer(port)).send(packet.connect({ version: 5, clientId: 'first', clean: true }));
    for (const payload of ['on its way', 'waiting']) {
      const message = decode.publish(await second.expect(packetType.PUBLISH), 5);
      expect(message.payload.toString()).toBe(payload);
      second.send(packet.puback({ id: message.id }));
    }
    await until(() => broker.session('second')?.queuedMessages === 0);
    expect(broker.metrics.dropped['session-ended']).toBe(0);
  },
);
