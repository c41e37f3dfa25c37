import { CodecError, Decoder, encode, FrameReader, MAX_PACKET_SIZE, PacketType } from '@tobymq/codec';
import { expect, test } from 'vitest';
import { bytesOf, hexOf, vectors } from './vectors.ts';

function errorOf(run: () => unknown): CodecError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error as CodecError;
  }
  throw new Error('nothing was thrown');
}

/** A packet of the given remaining length. */
function packetOf(length: number): Uint8Array {
  const head: number[] = [0x30];
  for (let rest = length; ; rest >>>= 7) {
    head.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  const packet = new Uint8Array(head.length + length);
  packet.set(head);
  for (let index = head.length; index < packet.length; index++) packet[index] = index * 31;
  return packet;
}

test('packets that are complete in a chunk are shown in place', () => {
  const chunk = bytesOf('c000 d000 4002 0001');
  const frames = new FrameReader();
  frames.feed(chunk);
  const seen: unknown[] = [];
  while (frames.next()) {
    expect(frames.bytes).toBe(chunk);
    expect(frames.isAssembled).toBe(false);
    seen.push([frames.header, frames.start, frames.body, frames.end]);
  }
  expect(seen).toEqual([
    [0xc0, 0, 2, 2],
    [0xd0, 2, 4, 4],
    [0x40, 4, 6, 8],
  ]);
  expect(frames.buffered).toBe(0);
});

test.each([0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])(
  'MQTT-1.5.5-1: a remaining length of %i is read',
  (length) => {
    const packet = packetOf(length);
    const frames = new FrameReader();
    for (const split of [packet.length, 1, 2, 3, 4, 5].filter((at) => at <= packet.length)) {
      frames.feed(packet.subarray(0, split));
      if (split < packet.length) {
        expect(frames.next()).toBe(false);
        expect(frames.buffered).toBe(split);
        frames.feed(packet.subarray(split));
      }
      expect(frames.next()).toBe(true);
      expect(frames.end - frames.body).toBe(length);
      expect(Buffer.compare(frames.bytes.subarray(frames.start, frames.end), packet)).toBe(0);
      expect(frames.next()).toBe(false);
      expect(frames.buffered).toBe(0);
    }
  },
);

test('N27: a packet above the maximum size is refused as soon as its length is known', () => {
  // 0x65 is a remaining length of 101, so the packet has 103 bytes; ff 01 is one of 255.
  for (const chunks of [['3065'], ['30', '65'], ['30ff01'], ['30', 'ff', '01']]) {
    const frames = new FrameReader(102);
    const error = errorOf(() => {
      for (const chunk of chunks) {
        frames.feed(bytesOf(chunk));
        frames.next();
      }
    });
    expect(error).toMatchObject({ code: 'TOBYMQ_PACKET_TOO_LARGE', reasonCode: 0x95 });
    expect(error.message).toMatch(/^(103|258) bytes are more than the maximum of 102$/);
  }
  const frames = new FrameReader(102);
  frames.feed(packetOf(100));
  expect(frames.next()).toBe(true);
});

test('the maximum packet size may change between packets', () => {
  const frames = new FrameReader(10);
  frames.feed(Uint8Array.of(...packetOf(8), ...packetOf(20)));
  expect(frames.next()).toBe(true);
  frames.maxPacketSize = 30;
  expect(frames.next()).toBe(true);
});

test('bad lengths are refused wherever the chunks are split', () => {
  for (const hex of ['c08000', 'c0808000', 'c080808000', 'c08080808001', 'c0ffffffff7f']) {
    const bytes = bytesOf(hex);
    for (let at = 0; at <= bytes.length; at++) {
      const frames = new FrameReader();
      const error = errorOf(() => {
        frames.feed(bytes.subarray(0, at));
        frames.next();
        frames.feed(bytes.subarray(at));
        frames.next();
      });
      expect(error).toMatchObject({ code: 'TOBYMQ_PACKET_INVALID', reasonCode: 0x81 });
    }
  }
});

test('a declared length reserves no memory', () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 100 }, () => {
    const frames = new FrameReader(MAX_PACKET_SIZE);
    frames.feed(bytesOf('30 ffffff7f 0001'));
    expect(frames.next()).toBe(false);
    return frames;
  });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  expect(readers.every((frames) => frames.buffered === 7)).toBe(true);
});

test('a packet of the largest size arrives in chunks of 64 kB, and its memory is given back', () => {
  const total = MAX_PACKET_SIZE;
  const frames = new FrameReader();
  const chunk = new Uint8Array(65_536).fill(0x61);
  frames.feed(bytesOf('30 ffffff7f'));
  expect(frames.next()).toBe(false);
  let sent = 5;
  while (sent < total) {
    const size = Math.min(chunk.length, total - sent);
    frames.feed(chunk.subarray(0, size));
    sent += size;
    expect(frames.next()).toBe(sent === total);
  }
  expect(frames.end - frames.body).toBe(268_435_455);
  expect(frames.bytes.length).toBe(total);
  expect(frames.bytes[total - 1]).toBe(0x61);
  expect(frames.next()).toBe(false);
  expect(frames.bytes.length).toBe(0);
});

test('the chunk may be overwritten once next() has returned false', () => {
  const packet = packetOf(300);
  const frames = new FrameReader();
  const chunk = packet.slice(0, 150);
  frames.feed(chunk);
  expect(frames.next()).toBe(false);
  chunk.fill(0);
  frames.feed(packet.subarray(150));
  expect(frames.next()).toBe(true);
  expect(hexOf(frames.bytes.subarray(frames.start, frames.end))).toBe(hexOf(packet));
});

test('a reader that is stopped in the middle of a chunk keeps the rest', () => {
  const chunk = bytesOf('c000 4002 0001 d000');
  for (const isCopied of [false, true]) {
    const frames = new FrameReader();
    frames.feed(chunk.slice());
    expect(frames.next()).toBe(true);
    if (isCopied) frames.feed(frames.takeRest().slice());
    expect(frames.buffered).toBe(6);
    frames.feed(bytesOf('c000'));
    const headers: number[] = [];
    while (frames.next()) headers.push(frames.header);
    expect(headers).toEqual([0x40, 0xd0, 0xc0]);
  }
});

test('keepRest() lets the chunk be overwritten', () => {
  const chunk = bytesOf('c000 4002 0007 e0');
  const decoder = new Decoder({ role: 'server', version: 4 });
  decoder.feed(chunk);
  expect(decoder.next()).toMatchObject({ type: PacketType.Pingreq });
  decoder.keepRest();
  chunk.fill(0);
  expect(decoder.next()).toMatchObject({ type: PacketType.Puback, packetId: 7 });
  expect(decoder.next()).toBeUndefined();
  expect(decoder.buffered).toBe(1);
  expect(decoder.push(bytesOf('00'))).toMatchObject([{ type: PacketType.Disconnect }]);
});

test('the packets before bad bytes are given, and then the error again and again', () => {
  const decoder = new Decoder({ role: 'server', version: 4 });
  decoder.feed(bytesOf('c000 4002 0007 00 00 c000'));
  expect(decoder.next()).toMatchObject({ type: PacketType.Pingreq });
  expect(decoder.next()).toMatchObject({ type: PacketType.Puback });
  const error = errorOf(() => decoder.next());
  expect(errorOf(() => decoder.next())).toBe(error);
  decoder.feed(bytesOf('c000'));
  expect(errorOf(() => decoder.next())).toBe(error);
});

test('payloads of one chunk, of two chunks and of large packets stay as they are when memory is reused', () => {
  const memory = new Uint8Array(100_000);
  for (const size of [1, 100, 3000, 80_000]) {
    const payload = new Uint8Array(size).fill(0x5a);
    const bytes = encode({ type: PacketType.Publish, topic: 't', payload }, 4);
    const decoder = new Decoder({ role: 'client', version: 4 });
    for (const split of [0, 3, bytes.length >> 1, bytes.length - 1]) {
      const packets = [bytes.subarray(0, split), bytes.subarray(split)].flatMap((part) => {
        memory.set(part);
        const decoded = decoder.push(memory.subarray(0, part.length));
        memory.fill(0);
        return decoded;
      });
      // Another packet through the same decoder must not touch the first one's payload either.
      decoder.push(encode({ type: PacketType.Publish, topic: 't', payload: new Uint8Array(size) }, 4));
      expect(packets).toHaveLength(1);
      const [packet] = packets;
      expect(packet?.type === PacketType.Publish && Buffer.compare(packet.payload, payload)).toBe(0);
    }
  }
});

test('a decoder that owns its chunks gives views of them', () => {
  const bytes = encode({ type: PacketType.Publish, topic: 't', payload: new Uint8Array(10) }, 4).slice();
  const [packet] = new Decoder({ role: 'client', version: 4, ownsChunks: true }).push(bytes);
  expect(packet?.type === PacketType.Publish && packet.payload.buffer).toBe(bytes.buffer);
});

test('any number of packets in one chunk, from Node Buffers too, are decoded in order', () => {
  const mine = vectors.filter(({ to, version }) => to === 'server' && version === 5);
  const withoutConnect = mine.filter(({ packet }) => packet.type !== PacketType.Connect);
  const joined = Buffer.concat(withoutConnect.map(({ hex }) => bytesOf(hex)));
  const packets = new Decoder({ role: 'server', version: 5 }).push(joined);
  expect(packets.map(({ type }) => type)).toEqual(withoutConnect.map(({ packet }) => packet.type));
  for (const packet of packets) {
    if (packet.type === PacketType.Publish)
      expect(Object.getPrototypeOf(packet.payload)).toBe(Uint8Array.prototype);
  }
});
