// SUBSCRIBE, UNSUBSCRIBE, sessions and enhanced authentication, each by its number.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { describe, expect, test } from 'vitest';
import { connect, type EnhancedAuth, memoryStore } from '../../src/node.ts';
import { FakeClock } from '../fake-clock.ts';
import {
  answerSubscribe,
  clientOf,
  listen,
  nothingBeforeMarker,
  outcome,
  quickly,
  reaches,
  scripted,
} from '../support.ts';

describe('SUBSCRIBE and UNSUBSCRIBE', () => {
  test('[MQTT-3.8.1-1] [MQTT-3.10.1-1] flags and layout, byte by byte', async () => {
    const { client, peer } = await scripted(
      { clock: new FakeClock(() => 0) },
      { properties: [[property.subscriptionIdentifierAvailable, 0]] },
    );
    const subscription = client.subscribe('a/+', {
      qos: 2,
      noLocal: true,
      retainAsPublished: true,
      retained: 'new',
    });
    const subscribe = await peer.expect(packetType.SUBSCRIBE);
    expect(subscribe.bytes.toString('hex')).toBe(
      `820900010000${'03'}${Buffer.from('a/+').toString('hex')}1e`,
    );
    peer.send(packet.suback({ id: 1, codes: [2] }));
    await subscription.ready;
    const leaving = subscription.unsubscribe();
    const unsubscribe = await peer.expect(packetType.UNSUBSCRIBE);
    expect(unsubscribe.bytes.toString('hex')).toBe(
      `a20800020000${'03'}${Buffer.from('a/+').toString('hex')}`,
    );
    peer.send(packet.unsuback({ id: 2, codes: [0] }));
    await leaving;
  });

  test.each([
    ['[MQTT-3.8.3-2] [MQTT-3.8.3-3] [MQTT-3.10.3-2] no filter at all', [], {}],
    ['[MQTT-4.7.1-1] "#" that is not the last level', 'a/#/b', {}],
    ['[MQTT-4.7.1-1] "#" within a level', 'a#', {}],
    ['[MQTT-4.7.1-2] "+" within a level', 'a+', {}],
    ['[MQTT-4.7.3-1] an empty filter', '', {}],
    ['[MQTT-4.7.3-2] U+0000', 'a\0', {}],
    ['[MQTT-4.7.3-3] more than 65 535 bytes', 'x'.repeat(65_536), {}],
    ['[MQTT-3.8.3-1] [MQTT-3.10.3-1] a lone surrogate', '\ud800', {}],
    ['[MQTT-4.8.2-1] an empty share name', '$share//t', {}],
    ['[MQTT-4.8.2-2] a share name without a filter', '$share/g', {}],
    ['[MQTT-4.8.2-2] a wildcard in a share name', 't', { share: 'a+' }],
    ['[MQTT-3.8.3-4] noLocal on a shared subscription', 't', { share: 'g', noLocal: true }],
  ])('%s is refused locally', async (_, filters, options) => {
    const { client, peer } = await scripted();
    expect(() => client.subscribe(filters, options)).toThrow(
      expect.objectContaining({ name: 'ClientError' }),
    );
    await nothingBeforeMarker(client, peer);
  });

  test('[MQTT-3.8.4-6] a SUBACK with a wrong number of codes ends the connection', async () => {
    const { client, peer } = await scripted();
    void outcome(client.on('t', () => {}));
    const { id } = decode.subscribe(await peer.expect(packetType.SUBSCRIBE), 5);
    peer.send(packet.suback({ id, codes: [0, 0] }));
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x82);
  });

  test('[MQTT-3.9.3-2] a SUBACK with an unknown code ends the connection', async () => {
    const { client, peer } = await scripted();
    void outcome(client.on('t', () => {}));
    const { id } = decode.subscribe(await peer.expect(packetType.SUBSCRIBE), 5);
    peer.send(packet.suback({ id, codes: [3] }));
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x82);
  });

  test('[N43] a granted QoS below the requested one is reported', async () => {
    const { client, peer } = await scripted();
    const pending = client.on('t', () => {}, { qos: 2 });
    await answerSubscribe(peer, [1]);
    expect(await (await pending).ready).toEqual([
      { filter: 't', reasonCode: 1, isGranted: true, error: undefined },
    ]);
  });

  test('[N40] [M11] messages that come before the SUBACK are delivered', async () => {
    const { client, peer } = await scripted();
    const subscription = client.subscribe('t');
    const { id } = decode.subscribe(await peer.expect(packetType.SUBSCRIBE), 5);
    peer.send(packet.publish({ topic: 't', payload: 'early' }), packet.suback({ id, codes: [1] }));
    expect((await subscription.next()).value.text).toBe('early');
    await subscription.ready;
  });

  test('[N39] subscriptions that the server does not offer are refused locally', async () => {
    const { client, peer } = await scripted(
      {},
      {
        properties: [
          [property.wildcardSubscriptionAvailable, 0],
          [property.sharedSubscriptionAvailable, 0],
          [property.subscriptionIdentifierAvailable, 0],
        ],
      },
    );
    await expect(client.on('a/#', () => {})).rejects.toMatchObject({
      code: 'TOBYMQ_SERVER_LIMIT',
      reasonCode: 0xa2,
    });
    await expect(client.on('a', () => {}, { share: 'g' })).rejects.toMatchObject({
      code: 'TOBYMQ_SERVER_LIMIT',
      reasonCode: 0x9e,
    });
    const pending = client.on('a', () => {});
    expect((await answerSubscribe(peer)).properties.size).toBe(0);
    await pending;
  });

  test('[N38] each filter has a subscription identifier of its own', async () => {
    const { client, peer } = await scripted();
    client.subscribe(['a', 'b']);
    const first = decode
      .subscribe(await peer.expect(packetType.SUBSCRIBE), 5)
      .properties.get(property.subscriptionIdentifier)!;
    const second = decode
      .subscribe(await peer.expect(packetType.SUBSCRIBE), 5)
      .properties.get(property.subscriptionIdentifier)!;
    expect([first.length, second.length]).toEqual([1, 1]);
    expect(first).not.toEqual(second);
  });
});

describe('sessions', () => {
  test('[MQTT-3.1.2-23] [MQTT-4.1.0-1] a session over a lost connection: resubscription only if it was not resumed', async () => {
    const { client, peer, again } = await scripted();
    const pending = client.on('t', () => {});
    await answerSubscribe(peer);
    await pending;
    peer.destroy();
    const resumed = await again({ sessionPresent: true });
    expect(decode.connect(resumed.history[0]!).clean).toBe(false);
    await expect.poll(() => client.connected).toBe(true);
    await nothingBeforeMarker(client, resumed);
    resumed.destroy();
    const fresh = await again({ sessionPresent: false });
    expect((await answerSubscribe(fresh)).filters).toEqual([['t', 1]]);
  });

  test('[N15] a session expiry in CONNACK replaces ours: after it the session counts as ended', async () => {
    const clock = new FakeClock();
    const { client, peer, again } = await scripted(
      { clock },
      { properties: [[property.sessionExpiryInterval, 10]] },
    );
    const reconnect = async (awayMs: number): Promise<boolean> => {
      await expect.poll(() => client.state.state).toBe('offline');
      clock.jump(awayMs);
      client.retryNow();
      const next = await again({ properties: [[property.sessionExpiryInterval, 10]] });
      await reaches(client, 'connected');
      next.destroy();
      return decode.connect(next.history[0]!).clean;
    };
    peer.destroy();
    expect(await reconnect(9_000)).toBe(false);
    expect(await reconnect(11_000)).toBe(true);
  });

  test('[N14] a session that is kept is asked for on the first connection, for as long as was said', async () => {
    const { connect: request } = await scripted({ clientId: 'c', session: { keep: 'forever' } });
    expect([request.clean, request.properties.get(property.sessionExpiryInterval)]).toEqual([
      false,
      [0xffff_ffff],
    ]);
    const hour = await scripted({ clientId: 'c', session: { keep: '1 h' } });
    expect(hour.connect.properties.get(property.sessionExpiryInterval)).toEqual([3600]);
  });

  test('[M14] [MQTT-4.4.0-1] with a store, open messages of an earlier process are repeated in order with DUP and identifier', async () => {
    const store = memoryStore();
    const session = { keep: '1 h', store } as const;
    const first = await scripted({ clientId: 'c', session });
    const results = [
      outcome(first.client.publish('a', '1', { qos: 1 })),
      outcome(first.client.publish('a', '2', { qos: 2 })),
      outcome(first.client.publish('a', '3', { qos: 2 })),
    ];
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(decode.publish(await first.peer.expect(packetType.PUBLISH), 5).id);
    first.peer.send(packet.pubrec({ id: ids[2]! }));
    await first.peer.expect(packetType.PUBREL);
    await first.client.close();
    expect(await Promise.all(results)).toMatchObject([
      { code: 'TOBYMQ_CLOSED' },
      { code: 'TOBYMQ_CLOSED' },
      { code: 'TOBYMQ_CLOSED' },
    ]);

    const { client } = clientOf(first.server, { clientId: 'c', session });
    void outcome(client.publish('a', '4', { qos: 1 }));
    const { peer } = await first.server.acceptClient({ sessionPresent: true });
    for (const [i, payload] of ['1', '2'].entries()) {
      const message = decode.publish(await peer.expect(packetType.PUBLISH), 5);
      expect([message.id, message.payload.toString(), message.dup]).toEqual([ids[i], payload, true]);
    }
    expect(decode.ack(await peer.expect(packetType.PUBREL), 5).id).toBe(ids[2]);
    const fresh = decode.publish(await peer.expect(packetType.PUBLISH), 5);
    expect([fresh.payload.toString(), fresh.dup, ids.includes(fresh.id)]).toEqual(['4', false, false]);
    for (const [i, id] of [...ids, fresh.id].entries()) {
      if (i === 1) {
        peer.send(packet.pubrec({ id }));
        await peer.expect(packetType.PUBREL);
      }
      peer.send(i === 0 || i === 3 ? packet.puback({ id }) : packet.pubcomp({ id }));
    }
    await expect.poll(async () => (await store.open('c')).messages).toEqual([]);
  });

  test('[M14] with a store, a QoS 2 message that an earlier process received is not delivered again', async () => {
    const session = { keep: '1 h', store: memoryStore() } as const;
    const first = await scripted({ clientId: 'c', session });
    first.peer.send(packet.publish({ topic: 't', qos: 2, id: 4 }));
    (await first.client.messages().next()).value.ack();
    await first.peer.expect(packetType.PUBREC);
    await first.client.close();
    const { client } = clientOf(first.server, { clientId: 'c', session });
    const { peer } = await first.server.acceptClient({ sessionPresent: true });
    peer.send(packet.publish({ topic: 't', qos: 2, id: 4, dup: true }), packet.pubrel({ id: 4 }));
    await peer.expect(packetType.PUBREC);
    expect(decode.ack(await peer.expect(packetType.PUBCOMP), 5).reason).toBe(0);
    expect(client.stats().messagesReceived).toBe(0);
  });

  test('nothing is sent before the store has written what it depends on', async () => {
    const store = memoryStore();
    const held: (() => void)[] = [];
    const slow = {
      ...store,
      write: (operations: Parameters<typeof store.write>[0]) =>
        new Promise<void>((resolve) => held.push(() => resolve(store.write(operations)))),
    };
    const { client, peer } = await scripted({ clientId: 'c', session: { keep: '1 h', store: slow } });
    const publishing = client.publish('a', '1', { qos: 1 });
    await expect.poll(() => held.length).toBe(1);
    expect([peer.unread.length, client.stats().openOutgoing]).toEqual([0, 1]);
    held.shift()!();
    const { id } = decode.publish(await peer.expect(packetType.PUBLISH), 5);
    peer.send(packet.puback({ id }));
    await publishing;
    const release = setInterval(() => held.shift()?.(), 1);
    await client.close();
    clearInterval(release);
  });

  test('a store that cannot write ends the client with its error, and nothing is sent', async () => {
    const store = { ...memoryStore(), write: () => Promise.reject(new Error('disk full')) };
    const { client, peer } = await scripted({ clientId: 'c', session: { store } });
    expect(await outcome(client.publish('a', '1', { qos: 1 }))).toMatchObject({
      code: 'TOBYMQ_STORE_FAILED',
    });
    expect(client.state).toMatchObject({ state: 'failed', reason: { code: 'TOBYMQ_STORE_FAILED' } });
    expect(await peer.expectClose()).toEqual([]);
  });

  test('a message in hand while the connection was lost is not handed over twice', async () => {
    const { client, peer, again } = await scripted();
    const texts: string[] = [];
    let finish = (): void => {};
    const pending = client.on('t', async (message) => {
      texts.push(message.text);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    await answerSubscribe(peer);
    await pending;
    peer.send(packet.publish({ topic: 't', payload: 'once', qos: 1, id: 3 }));
    await expect.poll(() => texts.length).toBe(1);
    peer.destroy();
    const second = await again();
    second.send(packet.publish({ topic: 't', payload: 'once', qos: 1, id: 3, dup: true }));
    await expect.poll(() => client.stats().openIncoming).toBe(1);
    finish();
    expect(decode.ack(await second.expect(packetType.PUBACK), 5).id).toBe(3);
    expect(texts).toEqual(['once']);
  });
});

describe('enhanced authentication', () => {
  const method = [property.authenticationMethod, 'M'] as const;
  const data = (text: string) => [property.authenticationData, Buffer.from(text)] as const;
  const auth = (log: string[] = []): EnhancedAuth => ({
    method: 'M',
    start: async () => Buffer.from('hello'),
    respond: async (given) => Buffer.from(`re:${Buffer.from(given!).toString()}`),
    finish: async (given) => {
      log.push(Buffer.from(given ?? []).toString());
      if (log[0] === 'forged') throw new Error('wrong signature');
    },
  });

  test('[MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1] challenge and answer, with the method in each packet', async () => {
    const log: string[] = [];
    const server = await listen();
    const { client } = clientOf(server, { auth: auth(log) });
    const peer = await server.accept();
    const request = decode.connect(await peer.expect(packetType.CONNECT));
    expect([request.properties.get(0x15), request.properties.get(0x16)]).toEqual([
      ['M'],
      [Buffer.from('hello')],
    ]);
    peer.send(packet.auth({ reason: 0x18, properties: [method, data('more')] }));
    const answer = decode.reason(await peer.expect(packetType.AUTH), 5);
    expect([answer.reason, answer.properties.get(0x15), answer.properties.get(0x16)]).toEqual([
      0x18,
      ['M'],
      [Buffer.from('re:more')],
    ]);
    // A message in the same segment as CONNACK waits until the server's proof was checked.
    peer.send(packet.connack({ properties: [method, data('proof')] }), packet.publish({ topic: 't' }));
    await client.whenConnected();
    expect((await client.messages().next()).value.topic).toBe('t');
    expect(log).toEqual(['proof']);
  });

  test('[MQTT-4.12.1-2] a server that cannot prove itself is left', async () => {
    const server = await listen();
    const { client } = clientOf(server, { auth: auth(), reconnect: false });
    await server.acceptClient({ properties: [method, data('forged')] });
    expect(await reaches(client, 'failed')).toMatchObject({ reason: { code: 'TOBYMQ_AUTH_FAILED' } });
  });

  test.each([
    [
      'CONNACK with another method',
      packet.connack({ properties: [[property.authenticationMethod, 'other']] }),
    ],
    ['CONNACK without a method', packet.connack()],
    [
      'AUTH with another method',
      packet.auth({ reason: 0x18, properties: [[property.authenticationMethod, 'other']] }),
    ],
    ['[N48] AUTH without a method', packet.auth({ reason: 0x18, properties: [] })],
  ])('[MQTT-4.12.0-5] %s ends the connection', async (_, bytes) => {
    const server = await listen();
    const { client } = clientOf(server, { auth: auth(), reconnect: false });
    const peer = await server.accept();
    await peer.expect(packetType.CONNECT);
    peer.send(bytes);
    await peer.expectClose();
    expect(client.state).toMatchObject({ state: 'failed', reason: { code: 'TOBYMQ_PROTOCOL_VIOLATION' } });
  });

  test('[MQTT-4.12.1-1] [N49] re-authentication uses the method of CONNECT, and messages flow meanwhile', async () => {
    const { client, peer } = await scripted({ auth: auth() }, { properties: [method] });
    const renewing = client.reauthenticate();
    const start = decode.reason(await peer.expect(packetType.AUTH), 5);
    expect([start.reason, start.properties.get(0x15)]).toEqual([0x19, ['M']]);
    peer.send(packet.publish({ topic: 't' }));
    await client.messages().next();
    peer.send(packet.auth({ reason: 0x18, properties: [method, data('x')] }));
    await peer.expect(packetType.AUTH);
    peer.send(packet.auth({ reason: 0x00, properties: [method] }));
    await renewing;
  });

  test('[MQTT-3.15.2-2] [MQTT-3.15.2-3] AUTH has no reason and no user properties that a small maximum could forbid', async () => {
    const { client, peer } = await scripted(
      { auth: auth(), userProperties: [['site', 'north']] },
      { properties: [method, [property.maximumPacketSize, 20]] },
    );
    const renewing = outcome(client.reauthenticate());
    const frame = await peer.expect(packetType.AUTH);
    const { properties } = decode.reason(frame, 5);
    expect([properties.get(property.reasonString), properties.get(property.userProperty)]).toEqual([
      undefined,
      undefined,
    ]);
    expect(frame.body.length + 2).toBeLessThanOrEqual(20);
    peer.destroy();
    expect(await renewing).toMatchObject({ code: 'TOBYMQ_CONNECTION_LOST' });
  });

  test('[MQTT-4.12.1-2] a failed re-authentication rejects', async () => {
    const { client, peer } = await scripted({ auth: auth() }, { properties: [method] });
    const renewing = outcome(client.reauthenticate());
    await peer.expect(packetType.AUTH);
    peer.send(packet.disconnect({ reason: 0x87 }));
    expect(await renewing).toMatchObject({ code: 'TOBYMQ_DISCONNECTED', reasonCode: 0x87 });
  });

  test('[MQTT-4.12.1-2] a re-authentication in which the server does not prove itself rejects', async () => {
    let isProven = true;
    const finish = (): void => {
      if (!isProven) throw new Error('no proof');
    };
    const { client, peer } = await scripted({ auth: { ...auth(), finish } }, { properties: [method] });
    const renewing = outcome(client.reauthenticate());
    await peer.expect(packetType.AUTH);
    isProven = false;
    peer.send(packet.auth({ reason: 0x00, properties: [method] }));
    expect(await renewing).toMatchObject({ code: 'TOBYMQ_AUTH_FAILED' });
  });

  test('a re-authentication whose connection ends before it has begun rejects', async () => {
    let goOn = (): void => {};
    let count = 0;
    const start = (): undefined | Promise<undefined> =>
      ++count === 1 ? undefined : new Promise((resolve) => (goOn = () => resolve(undefined)));
    const { client, peer } = await scripted({ auth: { ...auth(), start } }, { properties: [method] });
    const renewing = outcome(client.reauthenticate());
    peer.destroy();
    await reaches(client, 'offline');
    goOn();
    expect(await renewing).toMatchObject({ code: 'TOBYMQ_CONNECTION_LOST' });
  });

  test('two who re-authenticate at once share one exchange', async () => {
    const { client, peer } = await scripted({ auth: auth() }, { properties: [method] });
    const both = Promise.all([client.reauthenticate(), client.reauthenticate()]);
    await peer.expect(packetType.AUTH);
    peer.send(packet.auth({ reason: 0x00, properties: [method] }));
    await both;
    expect(peer.history.filter(({ type }) => type === packetType.AUTH)).toHaveLength(1);
  });

  test('[MQTT-4.12.0-7] without a method re-authentication is refused locally', async () => {
    const { client, peer } = await scripted();
    await expect(client.reauthenticate()).rejects.toMatchObject({ code: 'TOBYMQ_OPTION_INVALID' });
    await nothingBeforeMarker(client, peer);
  });

  test('credentials are fetched anew for each attempt', async () => {
    const server = await listen();
    let count = 0;
    const pending = connect(`mqtt://127.0.0.1:${server.port}`, {
      reconnect: quickly,
      credentials: async ({ attempt }) => ({ username: `u${++count}`, password: `attempt ${attempt}` }),
    });
    const first = await server.acceptClient({ reason: 0x88 });
    const second = await server.acceptClient();
    expect([first.connect.username, second.connect.username, second.connect.password?.toString()]).toEqual([
      'u1',
      'u2',
      'attempt 2',
    ]);
    await (await pending).close();
  });
});
