// CONNECT, CONNACK, keep-alive and DISCONNECT: what the standard demands of a client, each by its number.

import { decode, frame, packet, packetType, property } from '@tobymq/testkit';
import { describe, expect, test } from 'vitest';
import { type ConnectOptions, connect, createClient } from '../../src/node.ts';
import { clientOf, listen, nothingBeforeMarker, outcome, reaches, scripted } from '../support.ts';

async function connectPacket(options: ConnectOptions): Promise<Buffer> {
  const server = await listen();
  clientOf(server, { keepAlive: '60 s', ...options });
  const peer = await server.accept();
  return (await peer.expect(packetType.CONNECT)).bytes;
}

describe('CONNECT', () => {
  test('[MQTT-3.1.0-1] [MQTT-3.1.2-1] the first packet is CONNECT with the protocol name MQTT and level 5', async () => {
    const bytes = await connectPacket({ clientId: 'c' });
    expect(bytes[0]).toBe(0x10);
    expect(bytes.subarray(2, 9).toString('hex')).toBe('00044d51545405');
  });

  test('[MQTT-3.1.3-1] [MQTT-3.1.2-9] [MQTT-3.1.2-17] [MQTT-3.1.2-19] a CONNECT with everything, byte by byte', async () => {
    const bytes = await connectPacket({
      clientId: 'id',
      keepAlive: '10 s',
      credentials: { username: 'u', password: Uint8Array.of(0, 255) },
      session: { keep: '1 min', startFresh: true },
      receiveMaximum: 10,
      maximumPacketSize: 1000,
      topicAliasMaximum: 3,
      userProperties: [['a', 'b']],
      will: { topic: 'w', payload: 'gone', qos: 2, retain: true, delay: '5 s', contentType: 'text' },
    });
    const expected = packet.connect({
      clientId: 'id',
      keepAlive: 10,
      username: 'u',
      password: Buffer.from([0, 255]),
      properties: [
        [property.sessionExpiryInterval, 60],
        [property.receiveMaximum, 10],
        [property.maximumPacketSize, 1000],
        [property.topicAliasMaximum, 3],
        [property.userProperty, ['a', 'b']],
      ],
      will: {
        topic: 'w',
        payload: 'gone',
        qos: 2,
        retain: true,
        properties: [
          [property.willDelayInterval, 5],
          [property.contentType, 'text'],
        ],
      },
    });
    const read = (raw: Buffer): unknown => decode.connect(frameOf(raw));
    expect(read(bytes)).toEqual(read(expected));
    expect(bytes).toHaveLength(expected.length);
  });

  test('[MQTT-3.1.2-9] a will without properties has its property length of 0', async () => {
    const bytes = await connectPacket({ clientId: 'i', will: { topic: 'w' } });
    expect(bytes.subarray(-(3 + 1 + 3 + 2)).toString('hex')).toBe('00016900' + '000177' + '0000');
  });

  test('[MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15] [MQTT-3.1.2-16] [MQTT-3.1.2-18] without will and credentials their flags are 0', async () => {
    expect((await connectPacket({ clientId: 'i' }))[9]).toBe(0x02);
  });

  test('[MQTT-3.1.2-12] [MQTT-3.1.2-14] [MQTT-4.7.0-1] a will with QoS 3 or a wildcard topic is refused locally', () => {
    for (const will of [{ topic: 'w', qos: 3 as 2 }, { topic: 'a/#' }, { topic: '' }]) {
      expect(() => createClient('mqtt://127.0.0.1:1', { will })).toThrow(
        expect.objectContaining({ name: 'ClientError' }),
      );
    }
  });

  test('[MQTT-3.1.3-3] an empty client identifier is written as two zero bytes', async () => {
    const bytes = await connectPacket({ clientId: '' });
    expect(bytes.subarray(-2).toString('hex')).toBe('0000');
  });

  test('[MQTT-3.1.3-4] [MQTT-3.1.3-10] [MQTT-3.1.3-11] [MQTT-3.1.3-12] [MQTT-1.5.4-1] [MQTT-1.5.4-2] strings without valid UTF-8 never reach the wire', async () => {
    for (const options of [
      { clientId: '\ud800' },
      { clientId: 'a\0' },
      { clientId: 'c', credentials: { username: '\udfff' } },
    ]) {
      const server = await listen();
      const error = await outcome(
        connect(`mqtt://127.0.0.1:${server.port}`, { ...options, reconnect: false }),
      );
      expect(error).toMatchObject({ name: 'ClientError', code: 'TOBYMQ_OPTION_INVALID' });
    }
  });

  test('[MQTT-3.1.2-4] [MQTT-3.1.3-2] with Clean Start nothing of an earlier session is sent again', async () => {
    const { client, peer, server } = await scripted({ clientId: 'c', session: { keep: '1 h' } });
    const publishing = outcome(client.publish('t', 'old', { qos: 1 }));
    await peer.expect(packetType.PUBLISH);
    await client.close();
    await publishing;
    const { client: next } = clientOf(server, { clientId: 'c', session: { keep: '1 h', startFresh: true } });
    const { peer: second, connect: request } = await server.acceptClient();
    expect(request.clean).toBe(true);
    await next.whenConnected();
    await nothingBeforeMarker(next, second);
  });

  test('[MQTT-3.1.2-30] [N18] [M10] with an authentication method nothing but AUTH is sent before CONNACK', async () => {
    const server = await listen();
    const auth = { method: 'M', start: () => Buffer.from('1'), respond: () => Buffer.from('2') };
    const { client } = clientOf(server, { auth });
    const peer = await server.accept();
    await peer.expect(packetType.CONNECT);
    const publishing = client.publish('t', 'x', { qos: 1 });
    const subscription = client.subscribe('s');
    peer.send(packet.auth({ reason: 0x18, properties: [[property.authenticationMethod, 'M']] }));
    await peer.expect(packetType.AUTH);
    peer.send(packet.connack({ properties: [[property.authenticationMethod, 'M']] }));
    expect((await peer.next()).type).toBe(packetType.SUBSCRIBE);
    const { id } = decode.publish(await peer.expect(packetType.PUBLISH), 5);
    peer.send(packet.puback({ id }));
    await publishing;
    expect(subscription.isEnded).toBe(false);
  });
});

function frameOf(bytes: Buffer): { type: number; flags: number; bytes: Buffer; body: Buffer } {
  return {
    type: bytes[0]! >> 4,
    flags: bytes[0]! & 15,
    bytes,
    body: bytes.subarray(bytes[1]! < 128 ? 2 : 3),
  };
}

describe('CONNACK', () => {
  test('[MQTT-3.2.0-1] a packet before CONNACK ends the connection', async () => {
    const server = await listen();
    const { client } = clientOf(server, { reconnect: false });
    const peer = await server.accept();
    await peer.expect(packetType.CONNECT);
    peer.send(packet.publish({ topic: 't', payload: 'x' }));
    await peer.expectClose();
    expect(client.state).toMatchObject({
      state: 'failed',
      reason: { code: 'TOBYMQ_PROTOCOL_VIOLATION', reasonCode: 0x82 },
    });
  });

  test('[MQTT-3.2.2-4] Session Present after Clean Start ends the connection', async () => {
    const server = await listen();
    const { client } = clientOf(server, { reconnect: false });
    const { peer } = await server.acceptClient({ sessionPresent: true });
    await peer.expectClose();
    expect(client.state).toMatchObject({ state: 'failed', reason: { reasonCode: 0x82 } });
  });

  test('[MQTT-3.2.2-5] without Session Present nothing is repeated under the old identifiers', async () => {
    const { client, peer, again } = await scripted();
    const one = client.publish('t', 'one', { qos: 1 });
    const two = outcome(client.publish('t', 'two', { qos: 2 }));
    const released = client.publish('t', 'released', { qos: 2 });
    await peer.expect(packetType.PUBLISH);
    await peer.expect(packetType.PUBLISH);
    peer.send(packet.pubrec({ id: decode.publish(await peer.expect(packetType.PUBLISH), 5).id }));
    await peer.expect(packetType.PUBREL);
    peer.destroy();
    const second = await again({ sessionPresent: false });
    // QoS 1 starts again as a new message, QoS 2 must not, and what was released has arrived.
    const repeated = decode.publish(await second.expect(packetType.PUBLISH), 5);
    expect([repeated.payload.toString(), repeated.dup]).toEqual(['one', false]);
    second.send(packet.puback({ id: repeated.id }));
    await one;
    await released;
    expect(await two).toMatchObject({ code: 'TOBYMQ_SESSION_LOST' });
    await nothingBeforeMarker(client, second);
  });

  test('[MQTT-3.2.2-7] a refused connection is not used', async () => {
    const server = await listen();
    const { client } = clientOf(server, { reconnect: false });
    const { peer } = await server.acceptClient({ reason: 0x87 });
    await peer.expectClose();
    expect(peer.unread).toEqual([]);
    await expect(client.publish('t')).rejects.toMatchObject({
      code: 'TOBYMQ_CONNECT_REFUSED',
      reasonCode: 0x87,
    });
  });

  test('[N22] the server reference of a refusal is reported', async () => {
    const server = await listen();
    const { client } = clientOf(server, { reconnect: false, redirects: false });
    await server.acceptClient({ reason: 0x9d, properties: [[property.serverReference, 'other.example']] });
    expect(await reaches(client, 'failed')).toMatchObject({
      reason: { reasonCode: 0x9d, serverReference: 'other.example' },
    });
  });

  test('[N17] [M08] no CONNACK in time ends the attempt', async () => {
    const server = await listen();
    const error = await outcome(
      connect(`mqtt://127.0.0.1:${server.port}`, { reconnect: false, connectTimeout: '30 ms' }),
    );
    expect(error).toMatchObject({ code: 'TOBYMQ_CONNECT_TIMEOUT' });
    const peer = await server.accept();
    await peer.expectClose();
  });
});

describe('keep-alive', () => {
  test('[MQTT-3.1.2-20] an idle client pings within its keep-alive, and again after the answer', async () => {
    const { peer } = await scripted({ keepAlive: '1 s' });
    await peer.expect(packetType.PINGREQ, { timeout: 1000 });
    peer.send(packet.pingresp());
    await peer.expect(packetType.PINGREQ, { timeout: 1000 });
  });

  test('[MQTT-3.1.2-21] [MQTT-3.2.2-21] the keep-alive of the server replaces ours', async () => {
    const { peer } = await scripted({ keepAlive: '60 s' }, { properties: [[property.serverKeepAlive, 1]] });
    await peer.expect(packetType.PINGREQ, { timeout: 1000 });
  });

  test('[N17] a server that does not answer a ping is given up', async () => {
    const { client, peer } = await scripted({ keepAlive: '1 s', pingTimeout: '20 ms', reconnect: false });
    await peer.expect(packetType.PINGREQ);
    expect(await reaches(client, 'failed')).toMatchObject({ reason: { code: 'TOBYMQ_KEEP_ALIVE_TIMEOUT' } });
  });
});

describe('DISCONNECT', () => {
  test('[MQTT-3.14.4-1] [MQTT-3.14.4-2] after DISCONNECT nothing is sent and the connection is closed', async () => {
    const { client, peer } = await scripted();
    const closing = client.close();
    const late = outcome(client.publish('t', 'late'));
    await peer.expect(packetType.DISCONNECT);
    expect(await peer.expectClose()).toEqual([]);
    await closing;
    expect(await late).toMatchObject({ code: 'TOBYMQ_CLOSED' });
  });

  test('[MQTT-3.14.2-1] close() sends 0x00, or 0x04 to have the will published', async () => {
    const { client, peer } = await scripted();
    await client.close({ sendWill: true });
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(4);
    const second = await scripted();
    await second.client.close();
    expect(decode.reason(await second.peer.expect(packetType.DISCONNECT), 5).reason).toBe(0);
  });

  test('[N45] [N44] a session that is not kept ends with DISCONNECT, one that is kept goes on', async () => {
    const { client, peer } = await scripted();
    await client.close();
    expect(
      decode
        .reason(await peer.expect(packetType.DISCONNECT), 5)
        .properties.get(property.sessionExpiryInterval),
    ).toEqual([0]);
    const kept = await scripted({ clientId: 'c', session: { keep: '1 h' } });
    await kept.client.close();
    expect(decode.reason(await kept.peer.expect(packetType.DISCONNECT), 5).properties.size).toBe(0);
  });

  test('[MQTT-4.13.2-1] [N47] after a DISCONNECT of the server the client closes', async () => {
    const { client, peer } = await scripted({ reconnect: false });
    peer.send(packet.disconnect({ reason: 0x8b, properties: [[property.reasonString, 'maintenance']] }));
    await peer.expectClose();
    const state = await reaches(client, 'failed');
    expect(state).toMatchObject({ reason: { code: 'TOBYMQ_DISCONNECTED', reasonCode: 0x8b } });
    expect((state as { reason: Error }).reason.message).toContain('maintenance');
  });
});

describe('[N60] the server breaks the protocol: DISCONNECT with the reason code, then close', () => {
  const alias = (value: number): [number, number] => [property.topicAlias, value];
  const cases: [claim: string, reasonCode: number, bytes: Buffer][] = [
    [
      '[MQTT-1.5.4-1] a topic with bad UTF-8',
      0x81,
      packet.publish({ topic: Buffer.from([0x61, 0xc3, 0x28]) }),
    ],
    [
      '[MQTT-1.5.4-1] a topic with a surrogate',
      0x81,
      packet.publish({ topic: Buffer.from([0xed, 0xa0, 0x80]) }),
    ],
    ['[MQTT-1.5.4-2] a topic with U+0000', 0x81, packet.publish({ topic: 'a\0b' })],
    ['[MQTT-3.2.0-2] a second CONNACK', 0x82, packet.connack()],
    ['[MQTT-3.3.1-4] QoS 3', 0x81, packet.publish({ topic: 't', firstByte: 0x36 })],
    ['[MQTT-3.3.1-2] DUP with QoS 0', 0x81, packet.publish({ topic: 't', firstByte: 0x38 })],
    ['[MQTT-3.3.2-2] a wildcard in a topic name', 0x82, packet.publish({ topic: 'a/+' })],
    ['[MQTT-3.3.2-8] [N24] topic alias 0', 0x94, packet.publish({ topic: 't', properties: [alias(0)] })],
    [
      '[MQTT-3.3.2-11] [N24] a topic alias above our maximum',
      0x94,
      packet.publish({ topic: 't', properties: [alias(65)] }),
    ],
    ['[N23] an empty topic without an alias', 0x82, packet.publish({ topic: '' })],
    ['[N23] an alias that was never set', 0x82, packet.publish({ topic: '', properties: [alias(1)] })],
    ['[MQTT-2.2.1-4] packet identifier 0', 0x82, packet.publish({ topic: 't', qos: 1, id: 0 })],
    [
      '[N33] subscription identifier 0',
      0x82,
      packet.publish({ topic: 't', properties: [[property.subscriptionIdentifier, 0]] }),
    ],
    [
      '[N02] a property that PUBLISH does not have',
      0x81,
      packet.publish({ topic: 't', properties: [[property.serverKeepAlive, 1]] }),
    ],
    [
      '[N03] a property twice',
      0x82,
      packet.publish({
        topic: 't',
        properties: [
          [property.contentType, 'a'],
          [property.contentType, 'b'],
        ],
      }),
    ],
    [
      '[N04] a property length beyond the packet',
      0x81,
      packet.publish({ topic: 't', properties: Buffer.from([9]) }),
    ],
    ['[N01] a remaining length of five bytes', 0x81, Buffer.from('3080808080', 'hex')],
    ['[N05] packet type 0', 0x81, Buffer.from('0000', 'hex')],
    ['[N06] CONNECT', 0x82, packet.connect()],
    ['[N06] SUBSCRIBE', 0x82, packet.subscribe({ id: 1, filters: [['t', 0]] })],
    ['[N06] UNSUBSCRIBE', 0x82, packet.unsubscribe({ id: 1, filters: ['t'] })],
    ['[N06] PINGREQ', 0x82, packet.pingreq()],
    ['[MQTT-2.1.3-1] wrong flags of PINGRESP', 0x81, Buffer.from('d100', 'hex')],
    ['[MQTT-3.14.1-1] wrong flags of DISCONNECT', 0x81, Buffer.from('e100', 'hex')],
    ['[MQTT-3.15.1-1] wrong flags of AUTH', 0x81, Buffer.from('f100', 'hex')],
    [
      '[MQTT-3.14.2-2] a session expiry in DISCONNECT',
      0x82,
      packet.disconnect({ reason: 0, properties: [[property.sessionExpiryInterval, 1]] }),
    ],
    [
      '[MQTT-4.12.0-6] AUTH although CONNECT had no method',
      0x82,
      packet.auth({ reason: 0x18, properties: [[property.authenticationMethod, 'M']] }),
    ],
    [
      '[MQTT-3.4.2-1] a PUBACK with a code that PUBACK does not have',
      0x82,
      packet.puback({ id: 1, reason: 0x05 }),
    ],
    ['[MQTT-3.6.1-1] wrong flags of PUBREL', 0x81, packet.pubrel({ id: 1, firstByte: 0x60 })],
    ['[N27] a packet above our maximum size', 0x95, frame(0x30, Buffer.alloc(2000))],
  ];
  test.each(cases)('%s', async (_, reasonCode, bytes) => {
    const { client, peer, errors } = await scripted({ reconnect: false, maximumPacketSize: 1000 });
    peer.send(bytes);
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(reasonCode);
    await peer.expectClose();
    expect(await reaches(client, 'failed')).toMatchObject({
      reason: { code: 'TOBYMQ_PROTOCOL_VIOLATION', reasonCode },
    });
    expect(errors).toEqual([]);
  });

  const connacks: [claim: string, bytes: Buffer][] = [
    ['[MQTT-3.2.2-1] reserved flags', packet.connack({ flags: 2 })],
    ['[MQTT-3.2.2-8] an unknown reason code', packet.connack({ reason: 0x77 })],
    ['[N11] Receive Maximum 0', packet.connack({ properties: [[property.receiveMaximum, 0]] })],
    ['[N11] Maximum Packet Size 0', packet.connack({ properties: [[property.maximumPacketSize, 0]] })],
    ['[N12] Maximum QoS 2', packet.connack({ properties: [[property.maximumQoS, 2]] })],
    ['[N12] Retain Available 2', packet.connack({ properties: [[property.retainAvailable, 2]] })],
    [
      '[N02] a property that CONNACK does not have',
      packet.connack({ properties: [[property.topicAlias, 2]] }),
    ],
    [
      '[MQTT-4.12.0-6] an authentication method nobody asked for',
      packet.connack({ properties: [[property.authenticationMethod, 'M']] }),
    ],
    ['[N04] bytes left over', frame(0x20, Buffer.from([0, 0, 0, 0]))],
  ];
  test.each(connacks)('CONNACK with %s', async (_, bytes) => {
    const server = await listen();
    const { client } = clientOf(server, { reconnect: false });
    const peer = await server.accept();
    await peer.expect(packetType.CONNECT);
    peer.send(bytes);
    await peer.expectClose();
    expect(client.state).toMatchObject({ state: 'failed', reason: { code: 'TOBYMQ_PROTOCOL_VIOLATION' } });
  });

  test('packets before the bad one in the same segment have taken effect', async () => {
    const { client, peer } = await scripted({ reconnect: false });
    const messages = client.messages();
    peer.send(packet.publish({ topic: 'good', payload: '1' }), Buffer.from('0000', 'hex'));
    expect((await messages.next()).value.topic).toBe('good');
    await peer.expectClose();
  });

  test('[MQTT-3.1.2-29] problem information although we asked for none', async () => {
    const { client, peer } = await scripted({ reconnect: false, requestProblemInformation: false });
    const subscription = client.subscribe('t');
    const { id } = decode.subscribe(await peer.expect(packetType.SUBSCRIBE), 5);
    peer.send(packet.suback({ id, codes: [0], properties: [[property.reasonString, 'why']] }));
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x82);
    await expect(subscription.next()).rejects.toMatchObject({ code: 'TOBYMQ_PROTOCOL_VIOLATION' });
  });
});

test('[MQTT-3.14.2-3] [MQTT-3.14.2-4] a DISCONNECT that would be too large for the server is not sent', async () => {
  const { client, peer } = await scripted({}, { properties: [[property.maximumPacketSize, 4]] });
  await client.close();
  expect(await peer.expectClose()).toEqual([]);
});
