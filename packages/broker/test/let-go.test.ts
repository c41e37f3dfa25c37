// What is over leaves the memory, and does not wait there for a time that was set for it.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { packet } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { type Broker, MemoryStore, type Store } from '../src/index.ts';
import { connectPeer, publishPacket, startBroker, until } from './support.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function untilGone(reference: WeakRef<object>): Promise<void> {
  await until(() => {
    collectGarbage();
    return reference.deref() === undefined;
  });
}

async function retain(broker: Broker, text: string): Promise<WeakRef<object>> {
  const payload = Buffer.from(text);
  const properties = { messageExpiryInterval: 3_600 };
  await broker.publish({ topic: 'r', payload, retain: true, properties });
  return new WeakRef(payload);
}

test('a retained message that was replaced does not wait for its expiry', async () => {
  const { broker } = await startBroker();
  const first = await retain(broker, 'first');
  await retain(broker, 'second');
  await untilGone(first);
});

test('a retained message that was deleted does not wait for its expiry', async () => {
  const { broker } = await startBroker();
  const first = await retain(broker, 'first');
  await broker.publish({ topic: 'r', payload: '', retain: true });
  await untilGone(first);
});

test('a retained message keeps no memory but its own', async () => {
  const { port, broker } = await startBroker();
  const used = async (): Promise<number> => {
    for (let run = 0; run < 3; run++) {
      collectGarbage();
      await new Promise<void>((resolve) => setTimeout(resolve, 10));
    }
    return process.memoryUsage().arrayBuffers;
  };
  const peer = await connectPeer(port, { clientId: 'c' });
  const before = await used();
  const payload = 'x'.repeat(100);
  for (let i = 0; i < 500; i++) {
    // Of many that are replaced soon, one stays.
    for (let j = 0; j < 50; j++) peer.send(publishPacket(`often/${j}`, payload, { retain: true }));
    peer.send(publishPacket(`once/client/${i}`, payload, { retain: true }));
    for (let j = 0; j < 50; j++) await broker.publish({ topic: `often/${j}`, payload, retain: true });
    await broker.publish({ topic: `once/program/${i}`, payload, retain: true });
    await peer.ping();
  }
  expect(broker.metrics.retainedNow).toBe(1_050);
  expect((await used()) - before).toBeLessThan(1_000_000);
});

test('a retained message that comes back, because the one after it could not be stored, still expires', async () => {
  class FailingStore extends MemoryStore implements Store {
    override readonly durable = true;
    isFull = false;
    override commit(): Promise<void> {
      return this.isFull ? Promise.reject(new Error('no space left')) : Promise.resolve();
    }
  }
  const store = new FailingStore();
  let nowMs = 1_000_000;
  const { broker } = await startBroker({ store, clock: { now: () => nowMs } });
  await retain(broker, 'first');
  store.isFull = true;
  await expect(retain(broker, 'second')).rejects.toMatchObject({ code: 'TOBYMQ_NOT_STORED' });
  expect([...broker.retained()].map(({ payload }) => String(payload))).toEqual(['first']);
  nowMs += 3_601_000;
  await until(() => broker.metrics.retainedNow === 0);
});

test('a connection that has ended does not stay in memory, nor wait for the end of its credentials', async () => {
  const identities: WeakRef<object>[] = [];
  const authenticate = () => {
    const identity = {};
    identities.push(new WeakRef(identity));
    return { allow: true, identity, expiresAt: Date.now() + 3_600_000 } as const;
  };
  const { port, broker } = await startBroker({ extensions: [{ name: 'token', authenticate }] });
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(packet.disconnect());
  await peer.expectClose();
  await until(() => broker.metrics.socketsNow === 0);
  await untilGone(identities[0]!);
});
