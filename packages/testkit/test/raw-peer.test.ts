// The tools have to be right before they may judge others: raw peer, scripted server, builders and decoders.

import { decode, FrameSplitter, packet, packetType, property, RawPeer, RawServer } from '@tobymq/testkit';
import { expect, test } from 'vitest';

async function withPair(run: (client: RawPeer, server: RawPeer) => Promise<void>): Promise<void> {
  const listener = await RawServer.listen();
  const client = await RawPeer.connect({ port: listener.port });
  try {
    await run(client, await listener.accept());
  } finally {
    client.destroy();
    await listener.close();
  }
}

test('a packet sent byte by byte arrives as one frame', async () => {
  await withPair(async (client, server) => {
    const bytes = packet.publish({ topic: 'a/b', payload: 'x'.repeat(200), qos: 1, id: 7, properties: [] });
    await client.sendByteByByte(bytes);
    const frame = await server.expect(packetType.PUBLISH);
    expect(frame.bytes.equals(bytes)).toBe(true);
    expect(decode.publish(frame, 5)).toMatchObject({
      topic: 'a/b',
      qos: 1,
      id: 7,
      retain: false,
      dup: false,
    });
  });
});

test('several packets in one write arrive in order', async () => {
  await withPair(async (client, server) => {
    client.send('c000', packet.publish({ version: 4, topic: 't', payload: '1' }), 'e0 00');
    expect((await server.next()).type).toBe(packetType.PINGREQ);
    expect(decode.publish(await server.next(), 4).payload.toString()).toBe('1');
    expect((await server.next()).bytes.toString('hex')).toBe('e000');
  });
});

test('take leaves the frames before it unread', async () => {
  await withPair(async (client, server) => {
    client.send(packet.publish({ topic: 't' }), packet.suback({ id: 1, codes: [0] }));
    expect(decode.codes(await server.take(packetType.SUBACK), 5)).toMatchObject({ id: 1, codes: [0] });
    expect(decode.publish(await server.next(), 5).topic).toBe('t');
  });
});

test('expectClose returns what came before the close', async () => {
  await withPair(async (client, server) => {
    server.send(packet.disconnect({ reason: 0x8b }));
    server.end();
    const frames = await client.expectClose();
    expect(frames.map((frame) => decode.reason(frame, 5).reason)).toEqual([0x8b]);
  });
});

test('a reset is a close', async () => {
  await withPair(async (client, server) => {
    server.reset();
    expect(await client.expectClose()).toEqual([]);
  });
});

test('waiting for a packet fails when the connection closes, and says what was received', async () => {
  await withPair(async (client, server) => {
    server.send(packet.pingresp());
    server.end();
    await expect(client.expect(packetType.CONNACK)).rejects.toThrow(/expected CONNACK, got PINGRESP d000/);
    await expect(client.next()).rejects.toThrow(
      /closed while waiting for a packet; received so far: PINGRESP d000/,
    );
  });
});

test('nothingUntil refuses a packet before the marker', async () => {
  await withPair(async (client, server) => {
    server.send(packet.publish({ topic: 'early' }), packet.publish({ topic: 'marker' }));
    const isMarker = (topic: string): boolean => topic === 'marker';
    await expect(client.nothingUntil((frame) => isMarker(decode.publish(frame, 5).topic))).rejects.toThrow(
      /nothing before/,
    );
    await client.nothingUntil((frame) => isMarker(decode.publish(frame, 5).topic));
  });
});

test('the scripted server answers CONNECT of all versions and shows every field of it', async () => {
  const listener = await RawServer.listen();
  for (const version of [3, 4, 5] as const) {
    const client = await RawPeer.connect({ port: listener.port });
    const will = { topic: 'w', payload: Buffer.from([0xff]), qos: 2, retain: true };
    client.send(
      packet.connect({
        version,
        clientId: 'c',
        will,
        username: 'u',
        password: 'p',
        keepAlive: 9,
        clean: false,
      }),
    );
    const accepted = await listener.acceptClient({ sessionPresent: version !== 3 });
    expect(accepted.version).toBe(version);
    expect(accepted.connect).toMatchObject({
      clientId: 'c',
      will,
      username: 'u',
      keepAlive: 9,
      clean: false,
    });
    const connack = decode.connack(await client.expect(packetType.CONNACK), version);
    expect(connack).toMatchObject({ reason: 0, sessionPresent: version !== 3 });
    client.destroy();
  }
  await listener.close();
});

test('properties are written in the given order and read back by identifier', () => {
  const bytes = packet.publish({
    topic: 't',
    properties: [
      [property.userProperty, ['a', '1']],
      [property.subscriptionIdentifier, 268_435_455],
      [property.messageExpiryInterval, 4_294_967_295],
      [property.userProperty, ['a', '2']],
      [property.correlationData, Buffer.from([0, 255])],
      [property.contentType, '\ufefftext'],
    ],
  });
  const [frame] = new FrameSplitter().feed(bytes);
  const { properties } = decode.publish(frame!, 5);
  expect(properties.get(property.userProperty)).toEqual([
    ['a', '1'],
    ['a', '2'],
  ]);
  expect(properties.get(property.subscriptionIdentifier)).toEqual([268_435_455]);
  expect(properties.get(property.messageExpiryInterval)).toEqual([4_294_967_295]);
  expect(properties.get(property.correlationData)).toEqual([Buffer.from([0, 255])]);
  expect(properties.get(property.contentType)).toEqual(['\ufefftext']);
});

test('the builders follow the tables of the standard, byte by byte', () => {
  const hex = (bytes: Buffer): string => bytes.toString('hex');
  expect(hex(packet.connect({ version: 5, clientId: 'a' }))).toBe('100e00044d5154540502003c00000161');
  expect(hex(packet.connect({ version: 4, clientId: 'a' }))).toBe('100d00044d5154540402003c000161');
  expect(hex(packet.connect({ version: 3, clientId: 'a' }))).toBe('100f00064d51497364700302003c000161');
  expect(hex(packet.puback({ id: 0x1234 }))).toBe('40021234');
  expect(hex(packet.pubrel({ id: 1, reason: 0x92, properties: [] }))).toBe('620400019200');
  expect(hex(packet.subscribe({ version: 4, id: 2, filters: [['a', 1]] }))).toBe('820600020001' + '6101');
  expect(hex(packet.unsubscribe({ version: 5, id: 2, filters: ['a'] }))).toBe('a20600020000' + '0161');
  expect(hex(packet.disconnect())).toBe('e000');
  expect(hex(packet.auth({ reason: 0x18, properties: [[property.authenticationMethod, 'M']] }))).toBe(
    'f006180415' + '00014d',
  );
});

test('a decoder refuses bytes that are left over', () => {
  const [frame] = new FrameSplitter().feed(Buffer.from('20030000' + '0041', 'hex').subarray(0, 5));
  expect(() => decode.connack(frame!, 4)).toThrow(/left over/);
});
