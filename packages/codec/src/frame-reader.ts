// Cuts a byte stream into packets, without looking into them.
//
// Chunks come in with feed(); each next() that returns true has found one whole packet and says where it stands.
// Packets that are complete inside the fed chunk are shown in place: nothing is copied, nothing allocated. Only the
// beginning of a packet whose end is still to come is copied into a buffer of our own. That buffer doubles as bytes
// arrive and ends at exactly the packet's size, so a declared length reserves nothing, and 256 MB in small chunks are
// copied about twice in total.

import { CodecError, malformed } from './errors.ts';

/** The largest packet that MQTT can express: first byte, four length bytes, 268,435,455 bytes. */
export const MAX_PACKET_SIZE = 268_435_460;

/** An assembled packet above this size gives its memory back at once instead of keeping the buffer for the next. */
const KEEP_BUFFER_MAX = 65_536;
const FIRST_BUFFER_SIZE = 256;
const NO_BYTES = new Uint8Array(0);

/**
 * Finds whole packets in a stream of chunks.
 *
 * @example
 * const reader = new FrameReader(1_048_576);
 * reader.feed(chunk);
 * while (reader.next()) {
 *   const packet = decodePacket(reader.bytes, reader.header, reader.body, reader.end, 5, 'server');
 * }
 * // The chunk's memory may be reused from here on.
 */
export class FrameReader {
  /** The largest packet accepted, counting all its bytes. May be changed between packets. */
  maxPacketSize: number;
  /** Where the packet that next() found stands: `bytes[start..end)`, its body from `body` on. */
  bytes: Uint8Array = NO_BYTES;
  /** The packet's first byte: type and flags. */
  header = 0;
  start = 0;
  /** The offset after the remaining length. */
  body = 0;
  end = 0;

  // The chunk being read and how far it is read.
  #chunk: Uint8Array = NO_BYTES;
  #position = 0;
  #limit = 0;

  // The packet being assembled: `#partialLength` bytes are there, 0 if there is none. `#partialBody` and `#partialEnd`
  // are known (not 0) once its length bytes are there.
  #partial: Uint8Array = NO_BYTES;
  #partialLength = 0;
  #partialBody = 0;
  #partialEnd = 0;
  #isPartialShown = false;

  constructor(maxPacketSize: number = MAX_PACKET_SIZE) {
    this.maxPacketSize = maxPacketSize;
  }

  /** How many received bytes wait here because their packet is not complete or was not asked for. */
  get buffered(): number {
    return this.#partialLength + this.#limit - this.#position;
  }

  /** True when the packet found last stands in this reader's own memory instead of in the fed chunk. */
  get isAssembled(): boolean {
    return this.#isPartialShown;
  }

  /** Takes the next bytes of the stream. Call next() until it returns false before the chunk's memory is reused. */
  feed(chunk: Uint8Array): void {
    if (this.#position < this.#limit) {
      // The caller stopped in the middle of the chunk before; what it left comes first.
      const rest = this.#chunk.subarray(this.#position, this.#limit);
      const joined = new Uint8Array(rest.length + chunk.length);
      joined.set(rest);
      joined.set(chunk, rest.length);
      chunk = joined;
    }
    this.#chunk = chunk;
    this.#position = 0;
    this.#limit = chunk.length;
  }

  /** Copies what is left of the chunk, for a caller that stops in the middle of it and reuses its memory. */
  keepRest(): void {
    this.#chunk = copyOf(this.#chunk, this.#position, this.#limit);
    this.#limit -= this.#position;
    this.#position = 0;
  }

  /**
   * Leaves the memory of an assembled packet to the caller, who may then keep views of it. Without this the memory is
   * used again for the next packet.
   */
  detach(): void {
    if (this.#isPartialShown) {
      this.#partial = NO_BYTES;
      this.#isPartialShown = false;
    }
  }

  /**
   * Moves to the next packet. Returns false when it is not complete yet; feed() more then. Throws a CodecError for a
   * bad remaining length (0x81) or a packet above the maximum size (0x95), as soon as its length is known.
   */
  next(): boolean {
    if (this.#isPartialShown) {
      this.#isPartialShown = false;
      if (this.#partial.length > KEEP_BUFFER_MAX) this.#partial = NO_BYTES;
      this.bytes = NO_BYTES;
    }
    if (this.#partialLength > 0) return this.#fillPartial();

    const chunk = this.#chunk;
    const start = this.#position;
    const available = this.#limit - start;
    if (available < 2) {
      if (available === 1) this.#keepPartial();
      else this.#chunk = NO_BYTES; // All is read: do not hold on to the caller's memory.
      return false;
    }
    // Nearly all packets are below 128 bytes or have a length of two bytes; the loop is for all lengths above 127.
    let length = chunk[start + 1]!;
    let body = start + 2;
    if (length > 127) {
      const lengthBytes = readRemainingLength(chunk, start + 1, this.#limit);
      if (lengthBytes === 0) {
        this.#keepPartial();
        return false;
      }
      length = remainingLength;
      body = start + 1 + lengthBytes;
    }
    const end = body + length;
    if (end - start > this.maxPacketSize) throw tooLarge(end - start, this.maxPacketSize);
    if (end > this.#limit) {
      this.#keepPartial();
      return false;
    }
    this.bytes = chunk;
    this.header = chunk[start]!;
    this.start = start;
    this.body = body;
    this.end = end;
    this.#position = end;
    return true;
  }

  /** Moves the unread rest of the chunk, the beginning of a packet, into the buffer. */
  #keepPartial(): void {
    this.#append(this.#limit - this.#position, MAX_PACKET_SIZE);
    this.#readPartialLength();
    this.#chunk = NO_BYTES;
    this.#position = 0;
    this.#limit = 0;
  }

  /** Goes on assembling a packet from the chunk. True when that packet is complete. */
  #fillPartial(): boolean {
    // Length bytes one at a time, because what follows them may already belong to the next packet.
    while (this.#partialEnd === 0) {
      if (this.#position === this.#limit) return false;
      this.#append(1, MAX_PACKET_SIZE);
      this.#readPartialLength();
    }
    const missing = this.#partialEnd - this.#partialLength;
    const available = this.#limit - this.#position;
    this.#append(missing < available ? missing : available, this.#partialEnd);
    if (missing > available) {
      this.#chunk = NO_BYTES;
      this.#position = 0;
      this.#limit = 0;
      return false;
    }
    this.bytes = this.#partial;
    this.header = this.#partial[0]!;
    this.start = 0;
    this.body = this.#partialBody;
    this.end = this.#partialEnd;
    this.#partialLength = 0;
    this.#partialBody = 0;
    this.#partialEnd = 0;
    this.#isPartialShown = true;
    return true;
  }

  #readPartialLength(): void {
    const lengthBytes = readRemainingLength(this.#partial, 1, this.#partialLength);
    if (lengthBytes === 0) return;
    const size = 1 + lengthBytes + remainingLength;
    if (size > this.maxPacketSize) throw tooLarge(size, this.maxPacketSize);
    this.#partialBody = 1 + lengthBytes;
    this.#partialEnd = size;
  }

  /** Appends `count` bytes of the chunk to the partial packet, growing the buffer to at most `sizeMax`. */
  #append(count: number, sizeMax: number): void {
    const length = this.#partialLength + count;
    if (length > this.#partial.length) {
      const doubled = Math.max(FIRST_BUFFER_SIZE, this.#partial.length * 2, length);
      const grown = new Uint8Array(doubled < sizeMax ? doubled : sizeMax);
      grown.set(this.#partial.subarray(0, this.#partialLength));
      this.#partial = grown;
    }
    const from = this.#position;
    this.#partial.set(this.#chunk.subarray(from, from + count), this.#partialLength);
    this.#partialLength = length;
    this.#position = from + count;
  }
}

/** The value that readRemainingLength() read. A variable instead of an object, because this runs for every packet. */
let remainingLength = 0;

/** Reads the remaining length at `offset` into `remainingLength`; returns its number of bytes, 0 if it is cut short. */
function readRemainingLength(bytes: Uint8Array, offset: number, limit: number): number {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    if (offset + index >= limit) return 0;
    const byte = bytes[offset + index]!;
    value |= (byte & 127) << (7 * index);
    if (byte < 128) {
      // [MQTT-1.5.5-1] binds the sender to the shortest form, so a longer one is a broken or a hostile sender.
      if (byte === 0 && index > 0) throw malformed('the remaining length is not in its shortest form');
      remainingLength = value;
      return index + 1;
    }
  }
  throw malformed('the remaining length has more than 4 bytes');
}

function tooLarge(size: number, maxPacketSize: number): CodecError {
  return new CodecError(
    'TOBYMQ_PACKET_TOO_LARGE',
    0x95,
    `a packet of ${size} bytes is larger than the maximum packet size of ${maxPacketSize} bytes`,
  );
}

/** A copy that is not a view. Uint8Array's own slice() would share memory if the chunk is a Node Buffer. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}
