// The time of the machine is set while the broker runs, as a device without a clock chip does when it finds the network.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { connectPeer, openPeer, startBroker, until } from './support.ts';

const YEAR_MS = 365 * 86_400_000;

/** A clock whose time can be set, and which can be let run. */
function settableClock() {
  let nowMs = 1_000_000;
  let elapsedMs = 0;
  return {
    now: () => nowMs,
    elapsed: () => elapsedMs,
    set: (byMs: number) => {
      nowMs += byMs;
    },
    run: (ms: number) => {
      nowMs += ms;
      elapsedMs += ms;
    },
  };
}

test.each([
  ['forward', 50 * YEAR_MS],
  ['back', -3_600_000],
])('silent clients have their time although the clock is set %s, and no more', async (_way, byMs) => {
  const clock = settableClock();
  const sets: unknown[] = [];
  const { port, broker } = await startBroker({
    clock,
    logger: { log: (_level, event, fields) => void (event === 'clock-set' && sets.push(fields.byMs)) },
  });
  const stranger = await openPeer(port);
  const peer = await connectPeer(port, { clientId: 'c', keepAlive: 10 });
  clock.run(5_000);
  clock.set(byMs);
  await until(() => sets.length === 1);
  expect(sets).toEqual([byMs]);
  await peer.ping();
  expect(broker.metrics.socketsNow).toBe(2);
  clock.run(5_001);
  await stranger.expectClose();
  clock.run(10_000);
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x8d);
});

test('what ends at a point in time ends there: credentials and messages', async () => {
  const clock = settableClock();
  const expiresAt = clock.now() + YEAR_MS;
  const { port, broker } = await startBroker({
    clock,
    extensions: [{ name: 'token', authenticate: () => ({ allow: true, expiresAt }) }],
  });
  await broker.publish({
    topic: 'r',
    payload: 'x',
    retain: true,
    properties: { messageExpiryInterval: 3_600 },
  });
  const peer = await openPeer(port);
  peer.send(
    packet.connect({ version: 5, clientId: 'c', properties: [[property.sessionExpiryInterval, 10]] }),
  );
  await peer.expect(packetType.CONNACK);
  clock.set(2 * YEAR_MS);
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0xa0);
  await until(() => broker.metrics.retainedNow === 0);
});
