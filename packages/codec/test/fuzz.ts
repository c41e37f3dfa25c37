// Decodes mutated packets. Whatever the bytes, the decoder gives packets or throws a CodecError; the PUBLISH reader
// judges like the decoder; and what was decoded, encoded again where possible, decodes to the same.

import {
  CodecError,
  Decoder,
  encode,
  FrameReader,
  type Packet,
  PacketType,
  type ProtocolVersion,
  PublishReader,
  type Role,
  readTopic,
} from '@tobymq/codec';
import { badVectors, hexFor } from './bad-vectors.ts';
import { bytesOf, hexOf, vectors } from './vectors.ts';

export interface FuzzResult {
  readonly runs: number;
  readonly packets: number;
  readonly rejections: number;
  readonly reencoded: number;
  readonly bytes: number;
}

/** Thrown when an input breaks a promise; it names the input. */
export class FuzzFailure extends Error {}

interface Seed {
  readonly bytes: Uint8Array;
  readonly version: ProtocolVersion;
  readonly to: Role;
}

const good: readonly Seed[] = vectors.map(({ hex, version, to }) => ({ bytes: bytesOf(hex), version, to }));
const bad: readonly Seed[] = badVectors.flatMap((vector) =>
  vector.versions.map((version) => ({ bytes: bytesOf(hexFor(vector, version)), version, to: vector.to })),
);

/** Runs `runs` mutated inputs. The same seed gives the same inputs. */
export function fuzz(runs: number, seed: number): FuzzResult {
  const random = randomFrom(seed);
  const counts = { packets: 0, rejections: 0, reencoded: 0, bytes: 0 };
  const publish = new PublishReader();
  for (let run = 0; run < runs; run++) {
    const seedPacket = pick(random, random(5) === 0 ? bad : good);
    const input = mutated(seedPacket.bytes, random);
    const isMatching = random(4) > 0;
    const version = isMatching ? seedPacket.version : pick(random, [3, 4, 5] as const);
    const to = isMatching ? seedPacket.to : pick(random, ['server', 'client'] as const);
    counts.bytes += input.length;
    try {
      const { packets, error } = decode(input, version, to, random(3) === 0 ? random(input.length + 1) : 0);
      counts.packets += packets.length;
      if (error !== undefined) counts.rejections++;
      counts.reencoded += checkReencoding(packets, version, to);
      checkPublishReader(publish, input, version, to);
    } catch (cause) {
      throw new FuzzFailure(`seed ${seed}, run ${run}, to the ${to}, version ${version}: ${hexOf(input)}`, {
        cause,
      });
    }
  }
  return { runs, ...counts };
}

/** The packets before the first bad one, and the CodecError. Other errors are passed on. */
function decode(
  input: Uint8Array,
  version: ProtocolVersion,
  role: Role,
  split: number,
): { packets: Packet[]; error: CodecError | undefined } {
  const packets: Packet[] = [];
  const decoder = new Decoder({ role, version, maxPacketSize: 1_000_000 });
  try {
    for (const chunk of [input.subarray(0, split), input.subarray(split)]) {
      decoder.feed(chunk);
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(packet);
    }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return { packets, error };
  }
  if (decoder.buffered > input.length) throw new Error('more bytes are buffered than came in');
  return { packets, error: undefined };
}

function checkReencoding(packets: readonly Packet[], version: ProtocolVersion, to: Role): number {
  let count = 0;
  for (const packet of packets) {
    let bytes: Uint8Array;
    try {
      bytes = encode(packet, packet.type === PacketType.Connect ? packet.protocolVersion : version);
    } catch (error) {
      // Bad topic filters and liberties of 3.1 are decoded but not encoded.
      if (!(error instanceof CodecError)) throw error;
      continue;
    }
    const again = new Decoder({ role: to, version }).push(bytes);
    if (again.length !== 1 || text(again[0]) !== text(packet)) throw new Error(`decodes to ${text(again)}`);
    count++;
  }
  return count;
}

function checkPublishReader(
  publish: PublishReader,
  input: Uint8Array,
  version: ProtocolVersion,
  to: Role,
): void {
  const frames = new FrameReader(1_000_000);
  frames.feed(input);
  try {
    if (!frames.next()) return;
  } catch {
    return; // The decoder met the same error.
  }
  if (frames.header >> 4 !== PacketType.Publish) return;
  const { bytes, header, body, end } = frames;
  const { packets, error } = decode(input.subarray(0, end), version, to, 0);
  let own: CodecError | undefined;
  try {
    publish.read(bytes, header, body, end, version, to === 'server');
    if (publish.topicEnd > publish.topicStart) readTopic(bytes, publish.topicStart, publish.topicEnd);
  } catch (caught) {
    if (!(caught instanceof CodecError)) throw caught;
    own = caught;
  }
  // With two faults in one packet they may name different ones.
  if ((own === undefined) !== (error === undefined)) {
    throw new Error(`the reader says ${own?.message}, the decoder ${error?.message}`);
  }
  const packet = packets[0];
  if (own !== undefined || packet?.type !== PacketType.Publish) return;
  const isSame =
    packet.payload.length === publish.payloadEnd - publish.payloadStart &&
    packet.packetId === publish.packetId &&
    text(packet.properties) === text(publish.decodeProperties(bytes));
  if (!isSame) throw new Error('the reader and the decoder disagree');
  const target = new Uint8Array(publish.forwardedPropertiesSize);
  if (publish.copyForwardedProperties(bytes, target, 0) !== target.length)
    throw new Error('wrong forwarded size');
}

/** A text that is the same for equal values, in whatever order their properties came. */
function text(value: unknown): string {
  const sorted = (_: string, part: unknown): unknown =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return JSON.stringify(value, sorted) ?? '';
}

/** A seed packet, or two, with up to four random changes. */
function mutated(seed: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes = random(4) === 0 ? joined(seed, pick(random, good).bytes) : seed.slice();
  for (let changes = random(4); changes >= 0; changes--) bytes = changed(bytes, random);
  // Half of the inputs get a fitting length back, or nearly all would end at it.
  if (random(2) === 0 && bytes.length >= 2 && bytes.length < 130) bytes[1] = bytes.length - 2;
  return bytes;
}

function changed(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const at = random(bytes.length);
  switch (random(7)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
      return bytes;
    case 1:
      bytes[at] = pick(random, [0, 1, 2, 4, 127, 128, 255]);
      return bytes;
    case 2:
      bytes[at] = random(256);
      return bytes;
    case 3:
      return bytes.slice(0, at);
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + random(4)));
    case 5:
      return joined(bytes.subarray(0, at), Uint8Array.of(random(256), random(256)), bytes.subarray(at));
    default: {
      const other = pick(random, good).bytes;
      const from = random(other.length);
      return joined(bytes.subarray(0, at), other.subarray(from, from + random(12)), bytes.subarray(at));
    }
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function pick<T>(random: (below: number) => number, from: readonly T[]): T {
  return from[random(from.length)]!;
}

/** Whole numbers below a bound, the same for the same seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return Math.floor((((value ^ (value >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}
