// Property tests. fast-check prints the seed and the smallest counterexample when one fails.

import {
  Decoder,
  encode,
  encodedSize,
  type Packet,
  PacketType,
  type ProtocolVersion,
  type Role,
} from '@tobymq/codec';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyPacket, packetTo } from './arbitraries.ts';

test('decoding what was encoded gives the packet back, for all types, versions and properties', () => {
  fc.assert(
    fc.property(anyPacket, ({ version, to, packet }) => {
      const bytes = encode(packet, version);
      expect(encodedSize(packet, version)).toBe(bytes.length);
      expect(new Decoder({ role: to, version }).push(bytes)).toEqual([packet]);
    }),
    { numRuns: 2000 },
  );
});

test('any split of any sequence of packets gives the same packets as the whole', () => {
  const sequence = fc
    .tuple(fc.constantFrom<Role>('server', 'client'), fc.constantFrom<ProtocolVersion>(3, 4, 5))
    .chain(([to, version]) =>
      fc.record({
        to: fc.constant(to),
        version: fc.constant(version),
        packets: fc.array(
          packetTo(to, version).filter(({ type }) => type !== PacketType.Connect),
          { minLength: 1, maxLength: 6 },
        ),
        cuts: fc.array(fc.nat(), { maxLength: 12 }),
      }),
    );
  fc.assert(
    fc.property(sequence, ({ to, version, packets, cuts }) => {
      const stream = Buffer.concat(packets.map((packet) => encode(packet, version)));
      const at = cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b);
      const decoder = new Decoder({ role: to, version });
      const decoded: Packet[] = [];
      for (const [index, start] of [0, ...at].entries()) {
        // Each chunk comes in the same memory as the one before.
        const chunk = Uint8Array.from(stream.subarray(start, at[index] ?? stream.length));
        decoded.push(...decoder.push(chunk));
        chunk.fill(0);
      }
      expect(decoder.buffered).toBe(0);
      expect(decoded).toEqual(packets);
    }),
    { numRuns: 500 },
  );
});
