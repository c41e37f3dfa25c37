// What becomes of the messages of a session that ends: none is passed on too late, kept for nobody, or lost in silence.

import { property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import type { DropInfo } from '../src/index.ts';
import { connectPeer, startBroker, subscribe, until } from './support.ts';

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
