// The fast path for PUBLISH: reading in place, and writing heads from bytes.

import {
  Decoder,
  encode,
  MAX_PACKET_SIZE,
  PacketType,
  PublishHead,
  type PublishInput,
  PublishReader,
  patchPacketId,
  readTopic,
  writeAck,
} from '@tobymq/codec';
import { expect, test } from 'vitest';
import { completed } from './completed.ts';
import { bytesOf, hexOf, vectors } from './vectors.ts';

const publishes = vectors.flatMap((vector) =>
  vector.packet.type === PacketType.Publish ? [{ ...vector, packet: vector.packet }] : [],
);

function read(bytes: Uint8Array, version: 3 | 4 | 5, fromClient: boolean): PublishReader {
  const publish = new PublishReader();
  publish.read(bytes, bytes[0]!, 2, bytes.length, version, fromClient);
  return publish;
}

test.each(publishes)('the reader finds the fields of $name', ({ hex, version, to, packet }) => {
  const bytes = bytesOf(hex);
  const publish = read(bytes, version, to === 'server');
  const topic =
    publish.topicStart === publish.topicEnd ? '' : readTopic(bytes, publish.topicStart, publish.topicEnd);
  expect({
    type: PacketType.Publish,
    topic,
    payload: bytes.slice(publish.payloadStart, publish.payloadEnd),
    qos: publish.qos,
    retain: publish.retain,
    dup: publish.dup,
    packetId: publish.packetId,
    properties: publish.decodeProperties(bytes),
  }).toEqual(completed(packet, version));
  const { properties } = packet;
  expect(publish.topicAlias).toBe(properties?.topicAlias ?? 0);
  expect(publish.messageExpiryInterval).toBe(properties?.messageExpiryInterval ?? -1);
});

test('nothing of an earlier packet is left in a reader', () => {
  const [full] = publishes.filter(({ name }) => name.includes('everything'));
  const reused = new PublishReader();
  const bytes = bytesOf(full!.hex);
  reused.read(bytes, bytes[0]!, 2, bytes.length, 5, true);
  for (const { hex, version, to } of publishes) {
    const next = bytesOf(hex);
    reused.read(next, next[0]!, 2, next.length, version, to === 'server');
    expect(reused).toEqual(read(next, version, to === 'server'));
  }
});

test.each(publishes)(
  'MQTT-3.3.2-4, -15, -16, -17, -18, -20: a forwarded $name is unchanged but for alias and identifiers',
  ({ hex, version, to, packet }) => {
    const bytes = bytesOf(hex);
    const publish = read(bytes, version, to === 'server');
    const properties = new Uint8Array(publish.forwardedPropertiesSize);
    expect(publish.copyForwardedProperties(bytes, properties, 0)).toBe(properties.length);
    if (publish.forwardedExpiryOffset >= 0) {
      new DataView(properties.buffer).setUint32(publish.forwardedExpiryOffset, 4_000_000_000);
    }

    const head = new PublishHead();
    head.version = version;
    head.qos = 1;
    head.topic = bytesOf('0061').subarray(1);
    head.properties = properties;
    head.payloadSize = 2;
    const sent = new Uint8Array(head.size() + 2);
    const payloadAt = head.write(sent, 0);
    expect(payloadAt).toBe(sent.length - 2);
    sent.set([0x21, 0x22], payloadAt);
    patchPacketId(sent, head.packetIdAt, 0xabcd);
    const { topicAlias, subscriptionIdentifiers, ...forwarded } = packet.properties ?? {};
    const expiry =
      forwarded.messageExpiryInterval === undefined ? {} : { messageExpiryInterval: 4_000_000_000 };
    const isLeft = Object.keys(forwarded).length > 0;
    const input: PublishInput = {
      type: PacketType.Publish,
      topic: 'a',
      qos: 1,
      packetId: 0xabcd,
      payload: bytesOf('2122'),
      properties: isLeft ? { ...forwarded, ...expiry } : undefined,
    };
    expect(new Decoder({ role: 'client', version }).push(sent)).toEqual([completed(input, version)]);
  },
);

test('dropped properties may stand anywhere, and the place of the expiry is right after them', () => {
  const section = '23 0005 26 0001 61 0001 31 02 00000009 0b 07 26 0001 62 0000 0b ffff7f';
  const kept = '26 0001 61 0001 31 02 00000009 26 0001 62 0000';
  const size = bytesOf(section).length;
  const bytes = bytesOf(`30 ${(4 + size).toString(16)} 0001 74 ${size.toString(16)} ${section}`);
  const publish = read(bytes, 5, false);
  const target = new Uint8Array(publish.forwardedPropertiesSize + 1);
  expect(publish.copyForwardedProperties(bytes, target, 1)).toBe(target.length);
  expect(hexOf(target.subarray(1))).toBe(hexOf(bytesOf(kept)));
  expect(publish.forwardedExpiryOffset).toBe(8);
});

test('a head is what encode() writes, for all versions, qualities and sizes', () => {
  const topic = new TextEncoder().encode('rooms/kitchen');
  for (const version of [3, 4, 5] as const) {
    for (const qos of [0, 1, 2] as const) {
      for (const size of [0, 1, 100, 120, 16_400]) {
        const payload = new Uint8Array(size).fill(1);
        const packetId = qos === 0 ? 0 : 77;
        const properties =
          version === 5 ? { properties: { topicAlias: 3, subscriptionIdentifiers: [1, 300] } } : undefined;
        const head = new PublishHead();
        Object.assign(head, { version, qos, packetId, topic, retain: true, payloadSize: size });
        if (version === 5) head.properties = bytesOf('23 0003 0b 01 0b ac02');
        const bytes = new Uint8Array(head.size() + size + 1);
        const payloadAt = head.write(bytes, 1);
        bytes.set(payload, payloadAt);
        expect(payloadAt - 1).toBe(head.size());
        const decoded = new Decoder({ role: 'client', version }).push(bytes.slice(1));
        const encoded = encode(
          {
            type: PacketType.Publish,
            topic: 'rooms/kitchen',
            qos,
            packetId,
            retain: true,
            payload,
            ...properties,
          },
          version,
        );
        expect(decoded).toEqual(new Decoder({ role: 'client', version }).push(encoded));
        expect(head.size() + size).toBe(encoded.length);
        expect(head.packetIdAt).toBe(qos === 0 ? -1 : bytes.indexOf(77, 16) - 1);
      }
    }
  }
});

test('MQTT-3.3.1-2: a head never has DUP with QoS 0', () => {
  const head = new PublishHead();
  Object.assign(head, { dup: true, qos: 0, topic: Uint8Array.of(0x74) });
  const bytes = new Uint8Array(head.size());
  head.write(bytes, 0);
  expect(bytes[0]).toBe(0x30);
  head.qos = 1;
  const repeated = new Uint8Array(head.size());
  head.write(repeated, 0);
  expect(repeated[0]).toBe(0x3a);
});

test('a head for more than the largest packet is refused', () => {
  const head = new PublishHead();
  head.topic = Uint8Array.of(0x74);
  head.payloadSize = MAX_PACKET_SIZE;
  expect(() => head.write(new Uint8Array(20), 0)).toThrow('more than 268,435,455');
});

test('writeAck() writes what encode() writes', () => {
  for (const type of [PacketType.Puback, PacketType.Pubrec, PacketType.Pubrel, PacketType.Pubcomp]) {
    const target = new Uint8Array(10);
    expect(writeAck(target, 1, type, 0x1234)).toBe(5);
    expect(hexOf(target.subarray(1, 5))).toBe(hexOf(encode({ type, packetId: 0x1234 }, 4)));
  }
  const target = new Uint8Array(5);
  expect(writeAck(target, 0, PacketType.Pubrel, 1, 0x92)).toBe(5);
  expect(hexOf(target)).toBe('6203000192');
});

test('topics that were read before are the same, and only they', () => {
  const read = (text: string): string => {
    const bytes = new TextEncoder().encode(`xx${text}yy`);
    return readTopic(bytes, 2, bytes.length - 2);
  };
  const texts = [
    'a',
    'b',
    'aa',
    'ab',
    'ba',
    'é',
    '\u00c3\u00a9',
    'x'.repeat(64),
    'x'.repeat(65),
    '\u{1f600}',
  ];
  for (let index = 0; index < 5000; index++) texts.push(`devices/${index}/state`);
  for (let round = 0; round < 2; round++) for (const text of texts) expect(read(text)).toBe(text);
  expect(() => read('')).toThrow('is empty');
  expect(() => read('a/#')).toThrow('wildcard');
  expect(() => read('a/#')).toThrow('wildcard');
});
