// Limits of the server, reached through real connections.

import { decode, packet, packetType, property, RawPeer } from '@tobymq/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ConfigInput } from '../src/config/schema.ts';
import type { LogEvent } from '../src/logging/log.ts';
import { Server } from '../src/server.ts';
import { connect, nextMessage, portOf, publish, startServer, subscribe, testConfig } from './harness.ts';

const host = '127.0.0.1';

async function withLimits(limits: ConfigInput['limits']) {
  const server = await startServer({ limits });
  return {
    server,
    login: (clientId: string, more = {}) => connect({ host, port: portOf(server) }, { clientId, ...more }),
  };
}

test('more sessions than allowed are refused, but those that exist may come back', async () => {
  const { login } = await withLimits({ sessions: 1 });
  const kept = { clean: false, properties: [[property.sessionExpiryInterval, 60]] as const };
  const first = await login('first', kept);
  first.peer.destroy();
  expect(await login('second')).toMatchObject({ reason: 0x89, reasonString: 'there are 1 sessions already' });
  expect((await login('first', kept)).reason).toBe(0);
});

test('more connections than allowed are closed', async () => {
  const { server, login } = await withLimits({ connections: 1 });
  await login('first');
  const second = await RawPeer.connect({ host, port: portOf(server) });
  await second.expectClose();
  second.destroy();
});

test('memory: above the limit nobody new comes in', async () => {
  const server = await startServer({ limits: { memory: '1MB' } });
  const isRefused = async (): Promise<boolean> => {
    const peer = await RawPeer.connect({ host, port: portOf(server) });
    peer.send(packet.connect({ version: 5, clientId: 'c' }));
    return peer
      .next()
      .then(
        () => false,
        () => true,
      )
      .finally(() => peer.destroy());
  };
  await expect.poll(isRefused, { timeout: 8000 }).toBe(true);
});

test('a payload above the limit is acknowledged and dropped', async () => {
  const { login, server } = await withLimits({ payloadSize: 10 });
  const { peer } = await login('c');
  await subscribe(peer, 'a');
  expect(await publish(peer, 'a', 'x'.repeat(11))).toBe(0);
  expect(await publish(peer, 'a', 'small')).toBe(0);
  expect((await nextMessage(peer)).payload).toBe('small');
  expect(server.broker.metrics.dropped.hook).toBe(1);
});

test('retained messages get an expiry', async () => {
  const { login } = await withLimits({ retainedExpiry: '1h' });
  const { peer } = await login('c');
  await publish(peer, 'r', 'kept', true);
  await subscribe(peer, 'r');
  const { properties } = decode.publish(await peer.take(packetType.PUBLISH), 5);
  expect(properties.get(property.messageExpiryInterval)).toEqual([3600]);
});

test('upgradeQoS delivers with the QoS of the subscription', async () => {
  const { login } = await withLimits({ upgradeQoS: true });
  const { peer } = await login('c');
  await subscribe(peer, 'u', 1);
  peer.send(packet.publish({ version: 5, topic: 'u', payload: 'low' }));
  expect(decode.publish(await peer.take(packetType.PUBLISH), 5).qos).toBe(1);
});

test('a full queue drops the newest messages, or the oldest, and one line in the log says how many', async () => {
  for (const [queueFull, expected] of [
    ['drop-newest', ['1', '2']],
    ['drop-oldest', ['3', '4']],
  ] as const) {
    const { server, login } = await withLimits({ queuedMessages: 2, queueFull });
    const events: LogEvent[] = [];
    const { log } = server.log;
    server.log.log = (level, event, fields) => {
      events.push({ level, event, fields, time: 0 });
      log.call(server.log, level, event, fields);
    };
    const session = { clean: false, properties: [[property.sessionExpiryInterval, 60]] as const };
    const sleeper = await login('sleeper', session);
    await subscribe(sleeper.peer, 'q', 1);
    sleeper.peer.send('e000');
    await sleeper.peer.expectClose();
    const { peer } = await login('writer');
    for (const payload of ['1', '2', '3', '4']) await publish(peer, 'q', payload);
    const awake = await login('sleeper', session);
    expect([(await nextMessage(awake.peer)).payload, (await nextMessage(awake.peer)).payload]).toEqual(
      expected,
    );
    await server.stop();
    expect(events.find(({ event }) => event === 'messages-dropped')?.fields).toMatchObject({
      clientId: 'sleeper',
      reason: 'queue-full',
      count: 2,
    });
  }
});

test('a client that is watched has each of its messages in the log, others have not', async () => {
  const server = await startServer({});
  const events: LogEvent['fields'][] = [];
  const { log } = server.log;
  server.log.log = (level, event, fields) => {
    if (event === 'publish-received') events.push(fields);
    log.call(server.log, level, event, fields);
  };
  const { peer } = await connect({ host, port: portOf(server) }, { clientId: 'watched' });
  await publish(peer, 'before');
  server.log.adjust({ clients: ['watched'] });
  await publish(peer, 'during');
  server.log.adjust({ clients: [] });
  await publish(peer, 'after');
  expect(events.map(({ topic }) => topic)).toEqual(['during']);
  onTestFinished(() => peer.destroy());
});

test('a store that cannot write at the end keeps nothing else open', async () => {
  const server = await Server.start({
    config: testConfig({ http: { enabled: true, port: 0 } }),
    version: 'test',
  });
  const fault = new Error('the disk is full');
  vi.spyOn(server.broker, 'stop').mockRejectedValue(fault);
  const closed = vi.spyOn(server.log, 'close');
  await expect(server.stop()).rejects.toBe(fault);
  expect(closed).toHaveBeenCalled();
});
