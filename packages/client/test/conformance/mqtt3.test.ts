// MQTT 3.1.1 and 3.1: what differs from 5.0 for a client, each by its number, and stepping down from version to version.

import { decode, packet, packetType } from '@tobymq/testkit';
import { describe, expect, test } from 'vitest';
import { type ConnectOptions, connect, createClient } from '../../src/node.ts';
import {
  answerSubscribe,
  clientOf,
  listen,
  outcome,
  quickly,
  reaches,
  type Scripted,
  scripted,
} from '../support.ts';

const v4 = (options: ConnectOptions = {}): Promise<Scripted> => scripted({ protocolVersion: 4, ...options });

describe('MQTT 3.1.1', () => {
  test('a server that was told of no receive maximum may have more messages open', async () => {
    const { client, peer } = await v4({ receiveMaximum: 2 });
    const subscription = client.subscribe('t');
    await answerSubscribe(peer, [1], 4);
    for (const id of [1, 2, 3]) peer.send(packet.publish({ version: 4, topic: 't', qos: 1, id }));
    for (let i = 0; i < 3; i++) await subscription.next();
    void subscription.return();
    for (const id of [1, 2, 3]) expect(decode.ack(await peer.take(packetType.PUBACK), 4).id).toBe(id);
  });

  test('[MQTT-3.1.3-1] a CONNECT with everything, byte by byte', async () => {
    const server = await listen();
    clientOf(server, {
      protocolVersion: 4,
      clientId: 'id',
      keepAlive: '10 s',
      credentials: { username: 'u', password: 'p' },
      will: { topic: 'w', payload: 'gone', qos: 1, retain: true, delay: '5 s', contentType: 'left out' },
    });
    const peer = await server.accept();
    const expected = packet.connect({
      version: 4,
      clientId: 'id',
      keepAlive: 10,
      username: 'u',
      password: 'p',
      will: { topic: 'w', payload: 'gone', qos: 1, retain: true },
    });
    expect((await peer.expect(packetType.CONNECT)).bytes.toString('hex')).toBe(expected.toString('hex'));
  });

  test('[MQTT-3.1.2-22] a password without a user name is refused locally', async () => {
    expect(() =>
      createClient('mqtt://127.0.0.1:1', { protocolVersion: 4, credentials: { password: 'p' } }),
    ).toThrow(expect.objectContaining({ code: 'TOBYMQ_OPTION_INVALID' }));
    const server = await listen();
    const error = await outcome(
      connect(`mqtt://127.0.0.1:${server.port}`, {
        protocolVersion: 4,
        credentials: () => ({ password: 'p' }),
      }),
    );
    expect(error).toMatchObject({ code: 'TOBYMQ_OPTION_INVALID' });
  });

  test('[MQTT-3.1.3-7] an empty client identifier goes with Clean Session; a kept session needs a name', async () => {
    const { connect: request } = await v4({ clientId: '' });
    expect([request.clientId, request.clean]).toEqual(['', true]);
    expect(() =>
      createClient('mqtt://127.0.0.1:1', { protocolVersion: 4, clientId: '', session: { keep: '1 h' } }),
    ).toThrow(expect.objectContaining({ code: 'TOBYMQ_OPTION_INVALID' }));
  });

  test('[MQTT-3.1.2-4] [MQTT-4.4.0-1] a kept session is resumed, its open messages are repeated', async () => {
    const { client, peer, connect: request, again } = await v4({ clientId: 'c', session: { keep: '1 h' } });
    expect(request.clean).toBe(false);
    const publishing = client.publish('a', 'x', { qos: 1 });
    const { id } = decode.publish(await peer.expect(packetType.PUBLISH), 4);
    peer.destroy();
    const second = await again({ version: 4, sessionPresent: true });
    expect(decode.publish(await second.expect(packetType.PUBLISH), 4)).toMatchObject({ id, dup: true });
    second.send(packet.puback({ id }));
    await publishing;
  });

  test('[M12] with Session Present 0 nothing is repeated under the old identifiers as if the session still existed', async () => {
    const { client, peer, again } = await v4();
    const publishing = client.publish('a', 'x', { qos: 1 });
    await peer.expect(packetType.PUBLISH);
    peer.destroy();
    const second = await again({ version: 4, sessionPresent: false });
    const message = decode.publish(await second.expect(packetType.PUBLISH), 4);
    expect(message.dup).toBe(false);
    second.send(packet.puback({ id: message.id }));
    await publishing;
  });

  test.each([
    [1, 0x84],
    [4, 0x86],
    [5, 0x87],
  ])(
    '[MQTT-3.2.2-6] return code %i ends the client with the reason code that means the same',
    async (reason, reasonCode) => {
      const server = await listen();
      const { client } = clientOf(server, { protocolVersion: 4 });
      await server.acceptClient({ reason });
      expect(await reaches(client, 'failed')).toMatchObject({
        reason: { code: 'TOBYMQ_CONNECT_REFUSED', reasonCode },
      });
    },
  );

  test('[MQTT-3.2.0-1] [M06] a packet before CONNACK, and reserved flags in it, end the connection without DISCONNECT', async () => {
    for (const bytes of [
      packet.publish({ version: 4, topic: 't' }),
      packet.connack({ version: 4, flags: 2 }),
    ]) {
      const server = await listen();
      const { client } = clientOf(server, { protocolVersion: 4, reconnect: false });
      const peer = await server.accept();
      await peer.expect(packetType.CONNECT);
      peer.send(bytes);
      expect(await peer.expectClose()).toEqual([]);
      expect(client.state).toMatchObject({ reason: { code: 'TOBYMQ_PROTOCOL_VIOLATION' } });
    }
  });

  const bad: [claim: string, bytes: Buffer][] = [
    ['[MQTT-1.5.3-1] bad UTF-8', packet.publish({ version: 4, topic: Buffer.from([0xc3, 0x28]) })],
    ['[MQTT-1.5.3-2] U+0000', packet.publish({ version: 4, topic: 'a\0' })],
    ['[MQTT-2.2.2-2] wrong flags of SUBACK', Buffer.from('9103000100', 'hex')],
    ['[MQTT-3.3.1-4] QoS 3', packet.publish({ version: 4, topic: 't', firstByte: 0x36 })],
    ['[MQTT-3.3.2-2] a wildcard topic', packet.publish({ version: 4, topic: 'a/#' })],
    ['[MQTT-4.8.0-1] [M03] CONNECT', packet.connect({ version: 4 })],
    ['[M03] DISCONNECT', packet.disconnect({ version: 4 })],
    ['[M03] AUTH', Buffer.from('f000', 'hex')],
  ];
  test.each(bad)('%s from the server closes the connection', async (_, bytes) => {
    const { client, peer } = await v4({ reconnect: false });
    peer.send(bytes);
    expect(await peer.expectClose()).toEqual([]);
    expect(client.state).toMatchObject({ state: 'failed', reason: { code: 'TOBYMQ_PROTOCOL_VIOLATION' } });
  });

  test('[MQTT-3.9.3-2] a SUBACK code that 3.1.1 does not have closes the connection, 0x80 refuses the filter', async () => {
    const { client, peer } = await v4();
    const refused = outcome(client.on('t', () => {}));
    await answerSubscribe(peer, [0x80], 4);
    expect(await refused).toMatchObject({ code: 'TOBYMQ_SUBSCRIBE_REFUSED', reasonCode: 0x80 });
    void outcome(client.on('t', () => {}));
    await answerSubscribe(peer, [3], 4);
    await peer.expectClose();
  });

  test('[MQTT-3.3.4-1] [MQTT-2.3.1-6] [MQTT-4.3.3-2] messages of each QoS, several filters in one SUBSCRIBE', async () => {
    const { client, peer } = await v4();
    const seen: string[] = [];
    const pending = client.on(['a', 'b/#'], (message) => void seen.push(`${message.topic} ${message.qos}`), {
      qos: 2,
    });
    const request = await answerSubscribe(peer, [2, 2], 4);
    expect(request.filters).toEqual([
      ['a', 2],
      ['b/#', 2],
    ]);
    await pending;
    peer.send(
      packet.publish({ version: 4, topic: 'a' }),
      packet.publish({ version: 4, topic: 'b', qos: 1, id: 0x1234 }),
    );
    peer.send(
      packet.publish({ version: 4, topic: 'b/c', qos: 2, id: 2 }),
      packet.publish({ version: 4, topic: 'b/c', qos: 2, id: 2, dup: true }),
    );
    expect((await peer.next()).bytes.toString('hex')).toBe('40021234');
    expect((await peer.next()).bytes.toString('hex')).toBe('50020002');
    expect((await peer.next()).bytes.toString('hex')).toBe('50020002');
    peer.send(packet.pubrel({ id: 2 }));
    expect((await peer.next()).bytes.toString('hex')).toBe('70020002');
    expect(seen).toEqual(['a 0', 'b 1', 'b/c 2']);
  });

  test('[MQTT-3.14.4-1] [MQTT-3.14.4-2] DISCONNECT is the last packet, without a body', async () => {
    const { client, peer } = await v4();
    await client.publish('a', 'x', { contentType: 'has no place before 5.0' });
    expect((await peer.expect(packetType.PUBLISH)).bytes.toString('hex')).toBe('300400016178');
    await client.close();
    expect((await peer.expect(packetType.DISCONNECT)).bytes.toString('hex')).toBe('e000');
    expect(await peer.expectClose()).toEqual([]);
  });

  test('UNSUBACK has no codes and completes', async () => {
    const { client, peer } = await v4();
    const pending = client.on('t', () => {});
    await answerSubscribe(peer, [0], 4);
    const leaving = (await pending).unsubscribe();
    const { id } = decode.unsubscribe(await peer.expect(packetType.UNSUBSCRIBE), 4);
    peer.send(packet.unsuback({ version: 4, id, codes: [] }));
    await leaving;
  });
});

describe('MQTT 3.1', () => {
  test('[V31-01] [V31-14] protocol name MQIsdp, level 3, and nothing before CONNACK', async () => {
    const server = await listen();
    const { client } = clientOf(server, { protocolVersion: 3 });
    const publishing = client.publish('a', 'x');
    const peer = await server.accept();
    const request = decode.connect(await peer.expect(packetType.CONNECT));
    expect([request.protocolName, request.level, request.clientId.length <= 23]).toEqual(['MQIsdp', 3, true]);
    expect(peer.unread).toEqual([]);
    peer.send(packet.connack({ version: 3 }));
    await peer.expect(packetType.PUBLISH);
    await publishing;
  });

  test('[V31-03] a client identifier of more than 23 characters is refused locally', () => {
    expect(() =>
      createClient('mqtt://127.0.0.1:1', { protocolVersion: 3, clientId: 'x'.repeat(24) }),
    ).toThrow(expect.objectContaining({ code: 'TOBYMQ_OPTION_INVALID' }));
  });

  test('[V31-22] a PUBREL with DUP is accepted', async () => {
    const { client, peer } = await scripted({ protocolVersion: 3, unclaimed: 'discard' });
    peer.send(packet.publish({ version: 3, topic: 't', qos: 2, id: 8 }));
    await peer.expect(packetType.PUBREC);
    peer.send(packet.pubrel({ id: 8, firstByte: 0x6a }));
    expect(decode.ack(await peer.expect(packetType.PUBCOMP), 3).id).toBe(8);
    expect(client.connected).toBe(true);
  });

  test('[V31-16] a server that does not answer a ping is left', async () => {
    const { client, peer } = await scripted({
      protocolVersion: 3,
      keepAlive: '1 s',
      pingTimeout: '20 ms',
      reconnect: false,
    });
    await peer.expect(packetType.PINGREQ);
    expect(await reaches(client, 'failed')).toMatchObject({ reason: { code: 'TOBYMQ_KEEP_ALIVE_TIMEOUT' } });
  });
});

describe('protocolVersion: auto', () => {
  test('steps down when the server refuses, without waiting, and stays there', async () => {
    const server = await listen();
    const { client } = clientOf(server, { protocolVersion: 'auto', reconnect: quickly });
    const levels = [];
    for (const reason of [1, 1, 0]) {
      const { connect: request, peer } = await server.acceptClient({ version: 4, reason });
      levels.push(request.level);
      if (reason === 0) peer.destroy();
    }
    levels.push((await server.acceptClient({ version: 3 })).connect.level);
    expect(levels).toEqual([5, 4, 3, 3]);
    await reaches(client, 'connected');
  });

  test('a refusal in the form of 5.0, and a silent close, mean the same', async () => {
    const server = await listen();
    const { client } = clientOf(server, { protocolVersion: 'auto' });
    expect((await server.acceptClient({ reason: 0x84 })).connect.level).toBe(5);
    const silent = await server.accept();
    expect(decode.connect(await silent.expect(packetType.CONNECT)).level).toBe(4);
    silent.end();
    expect((await server.acceptClient({ version: 3 })).connect.level).toBe(3);
    await client.whenConnected();
    expect(client.protocolVersion).toBe(3);
  });

  test('a version that has no place for the options is not tried, and does not end the client', async () => {
    const server = await listen();
    const credentials = { password: 'token' };
    const { client } = clientOf(server, { protocolVersion: 'auto', reconnect: quickly, credentials });
    (await server.accept()).end();
    expect(await reaches(client, 'offline')).toMatchObject({
      reason: { code: 'TOBYMQ_CONNECTION_LOST' },
    });
    expect((await server.acceptClient()).connect.level).toBe(5);
  });
});
