// Walks the table of wire vectors: what is decoded, what is encoded, and that splits make no difference.

import { Decoder, encode, encodedSize, encodeInto, type Packet, PacketType } from '@tobymq/codec';
import { expect, test } from 'vitest';
import { completed } from './completed.ts';
import { bytesOf, hexOf, type Vector, vectors } from './vectors.ts';

function decodeAll(vector: Vector, chunks: readonly Uint8Array[]): Packet[] {
  const decoder = new Decoder({ role: vector.to, version: vector.version });
  return chunks.flatMap((chunk) => {
    const packets = decoder.push(chunk);
    chunk.fill(0xaa); // Whoever reads the network into the same memory again must not change packets.
    return packets;
  });
}

test.each(vectors)('decodes $name', (vector) => {
  expect(decodeAll(vector, [bytesOf(vector.hex)])).toEqual([completed(vector.packet, vector.version)]);
});

test.each(vectors.filter((vector) => !vector.isOtherForm))('encodes $name', ({ version, hex, packet }) => {
  const expected = hexOf(bytesOf(hex));
  expect(hexOf(encode(packet, version))).toBe(expected);
  expect(encodedSize(packet, version)).toBe(expected.length / 2);
  const target = new Uint8Array(expected.length / 2 + 4).fill(0xee);
  expect(encodeInto(packet, version, target, 2)).toBe(target.length - 2);
  expect(hexOf(target)).toBe(`eeee${expected}eeee`);
});

test.each(vectors)('decodes $name split at every place', (vector) => {
  const bytes = bytesOf(vector.hex);
  const expected = [completed(vector.packet, vector.version)];
  for (let at = 0; at <= bytes.length; at++) {
    expect(decodeAll(vector, [bytes.slice(0, at), bytes.slice(at)])).toEqual(expected);
  }
  expect(
    decodeAll(
      vector,
      Array.from(bytes, (byte) => Uint8Array.of(byte)),
    ),
  ).toEqual(expected);
});

test('a decoded packet has every field, in the same order for all packets of a type', () => {
  for (const vector of vectors) {
    const packet = decodeAll(vector, [bytesOf(vector.hex)])[0]!;
    const other = decodeAll(vectors.find(({ packet: { type } }) => type === packet.type)!, [
      bytesOf(vectors.find(({ packet: { type } }) => type === packet.type)!.hex),
    ])[0]!;
    expect(Object.keys(packet)).toEqual(Object.keys(other));
  }
});

test('every packet type of every version stands in the table', () => {
  const seen = new Set(vectors.map(({ packet, version }) => `${packet.type} of ${version}`));
  for (const version of [3, 4, 5]) {
    for (const type of Object.values(PacketType)) {
      if (type !== PacketType.Auth || version === 5) expect(seen).toContain(`${type} of ${version}`);
    }
  }
});
