// The clock of the machine is set while the broker runs, by NTP after a start without a network for example.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { type Broker, type BrokerOptions, MemoryStore } from '../src/index.ts';
import { connectPeer, openPeer, publishPacket, startBroker, until } from './support.ts';

const HOUR_MS = 3_600_000;

/** A clock that can be set, and time that can pass; `isSet` resolves when the broker has noticed. */
async function startWithClock(options: BrokerOptions = {}) {
  const time = { wall: 1_700_000_000_000, passed: 0 };
  const noticed: number[] = [];
  const { broker, port } = await startBroker({
    clock: { now: () => time.wall, monotonic: () => time.passed },
    logger: {
      log: (_level, event, { seconds }) => event === 'clock-set' && noticed.push(seconds as number),
    },
    limits: { connectTimeoutMs: 10_000 },
    ...options,
  });
  return {
    time,
    broker,
    port,
    passMs: (ms: number) => {
      time.wall += ms;
      time.passed += ms;
    },
    setMs: async (ms: number) => {
      const before = noticed.length;
      time.wall += ms;
      await until(() => noticed.length > before);
      expect(noticed.at(-1)).toBe(ms / 1000);
    },
  };
}

/** A client goes whose Will is due in a minute and whose session ends in ten; returns the Wills that come. */
async function leaveWithWill(broker: Broker, port: number): Promise<readonly string[]> {
  const gone = await connectPeer(port, {
    clientId: 'gone',
    clean: false,
    properties: [[property.sessionExpiryInterval, 600]],
    will: { topic: 'w', payload: 'x', properties: [[property.willDelayInterval, 60]] },
  });
  const wills: string[] = [];
  broker.subscribe('w', ({ topic }) => wills.push(topic));
  gone.destroy();
  await until(() => broker.client('gone') === undefined);
  return wills;
}

test('a clock that is set forward ends no connection, no session and no wait for a Will', async () => {
  const { broker, port, passMs, setMs } = await startWithClock();
  const live = await connectPeer(port, { clientId: 'live', keepAlive: 30 });
  const stranger = await openPeer(port);
  await until(() => broker.metrics.socketsNow === 2);
  const wills = await leaveWithWill(broker, port);
  await setMs(100_000 * HOUR_MS);
  await live.ping();
  expect(broker.session('gone')).toBeDefined();
  stranger.send(packet.connect({ version: 5, clientId: 'late' }));
  await stranger.expect(packetType.CONNACK);

  passMs(30_000);
  await live.ping();
  expect(wills).toEqual([]);
  passMs(31_000);
  await until(() => wills.length === 1);
  passMs(600_000);
  await until(() => broker.session('gone') === undefined);
});

test('a clock that is set back does not keep silent clients, sessions and Wills', async () => {
  const { broker, port, passMs, setMs } = await startWithClock();
  const before = await connectPeer(port, { clientId: 'before', keepAlive: 30 });
  await setMs(-HOUR_MS);
  const after = await connectPeer(port, { clientId: 'after', keepAlive: 30 });
  const stranger = await openPeer(port);
  await until(() => broker.metrics.socketsNow === 3);
  const wills = await leaveWithWill(broker, port);
  passMs(46_000);
  for (const peer of [before, after]) {
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x8d);
  }
  await stranger.expectClose();
  passMs(15_000);
  await until(() => wills.length === 1);
  passMs(600_000);
  await until(() => broker.session('gone') === undefined);
});

test('what has an end by the clock ends by the clock that was set', async () => {
  const expiresAt = 1_700_000_000_000 + HOUR_MS;
  const { broker, port, passMs, setMs } = await startWithClock();
  await broker.addExtension({ name: 'token', authenticate: () => ({ allow: true, expiresAt }) });
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(
    publishPacket('r', 'x', {
      qos: 1,
      id: 1,
      retain: true,
      properties: [[property.messageExpiryInterval, 3_600]],
    }),
  );
  await peer.expect(packetType.PUBACK);
  await setMs(HOUR_MS);
  passMs(200);
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0xa0);
  await until(() => broker.metrics.retainedNow === 0);
});

test('a session whose client left before the clock was set outlives a restart as long as without it', async () => {
  for (const jumpMs of [100_000 * HOUR_MS, -100_000 * HOUR_MS]) {
    const store = new MemoryStore();
    const { broker, port, time, setMs } = await startWithClock({ store });
    await leaveWithWill(broker, port);
    await setMs(jumpMs);
    await broker.stop();
    const { broker: next } = await startBroker({ store, clock: { now: () => time.wall } });
    expect(next.session('gone')).toMatchObject({ hasWill: true, expiresAt: time.wall + 600_000 });
  }
});
