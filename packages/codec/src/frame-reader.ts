// Cuts a byte stream into packets, without looking into them.
//
// Chunks come in with feed(); each next() that returns true has found one whole packet and says where it stands.
// Packets that are complete inside the fed chunk are shown in place: nothing is copied, nothing allocated. Only the
// beginning of a packet whose end is still to come is copied into a buffer of our own. That buffer is twice as large as
// what has arrived and at most as the packet, so a declared length reserves nothing, and 256 MB in small chunks are copied
// about twice in total.

import { CodecError } from './errors.ts';
import { NO_BYTES } from './memory.ts';
import { integer, readVariableByteInteger } from './variable-byte-integer.ts';

/** The largest packet that MQTT can express: first byte, four length bytes, 268,435,455 bytes. */
export const MAX_PACKET_SIZE = 268_435_460;

/** An assembled packet above this size gives its memory back at once instead of keeping the buffer for the next. */
const KEEP_BUFFER_MAX = 1_024;
const FIRST_BUFFER_SIZE = 256;

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
  declare maxPacketSize: number;
  /** Where the packet that next() found stands: `bytes[start..end)`, its body from `body` on. */
  declare bytes: Uint8Array;
  /** The packet's first byte: type and flags. */
  declare header: number;
  declare start: number;
  /** The offset after the remaining length. */
  declare body: number;
  declare end: number;

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
    this.#show(NO_BYTES, 0, 0, 0);
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
      const left = this.takeRest();
      const joined = new Uint8Array(left.length + chunk.length);
      joined.set(chunk, left.length);
      joined.set(left);
      chunk = joined;
    }
    this.#chunk = chunk;
    this.#position = 0;
    this.#limit = chunk.length;
  }

  /**
   * Takes away what is left of the chunk, for a caller that stops in the middle of it, keeps the rest somewhere else, and
   * feeds that first when it goes on.
   */
  takeRest(): Uint8Array {
    const rest = this.#chunk.subarray(this.#position, this.#limit);
    this.#release();
    return rest;
  }

  /**
   * Leaves the memory of an assembled packet to the caller, who may then keep views of it. Without this the memory is
   * used again for the next packet.
   */
  detach(): void {
    this.#partial = NO_BYTES;
    this.#isPartialShown = false;
  }

  /**
   * Moves to the next packet. Returns false when it is not complete yet; feed() more then. Throws a CodecError for a
   * bad remaining length (0x81) or a packet above the maximum size (0x95), as soon as its length is known.
   */
  next(): boolean {
    if (this.#isPartialShown) {
      this.#isPartialShown = false;
      if (this.#partial.length > KEEP_BUFFER_MAX) this.#partial = this.exchange(this.#partial, 0, 0);
      this.bytes = NO_BYTES;
    }
    if (this.#partialLength > 0) return this.#assemble();

    const chunk = this.#chunk;
    const start = this.#position;
    if (this.#limit - start < 2) return this.#assemble();
    // Nearly all packets are below 128 bytes or have a length of two bytes; the function is for all lengths above 127.
    let length = chunk[start + 1]!;
    let body = start + 2;
    if (length > 127) {
      body = readVariableByteInteger(chunk, start + 1, this.#limit);
      length = integer;
    }
    const end = body + length;
    // What cannot be shown in place is assembled, and what is too large is refused there.
    if (body === 0 || end > this.#limit || end - start > this.maxPacketSize) return this.#assemble();
    this.#position = end;
    return this.#show(chunk, start, body, end);
  }

  /** Moves a packet, or the beginning of one, from the chunk into the buffer. True when it is complete there. */
  #assemble(): boolean {
    // Length bytes one at a time, because what follows them may already belong to the next packet.
    while (this.#partialEnd === 0) {
      if (this.#position === this.#limit) return this.#release();
      this.#append(1);
      const body = readVariableByteInteger(this.#partial, 1, this.#partialLength);
      if (body === 0) continue;
      const size = body + integer;
      if (size > this.maxPacketSize) {
        throw new CodecError(
          'TOBYMQ_PACKET_TOO_LARGE',
          0x95,
          `${size} bytes are more than the maximum of ${this.maxPacketSize}`,
        );
      }
      this.#partialBody = body;
      this.#partialEnd = size;
    }
    const missing = this.#partialEnd - this.#partialLength;
    const available = this.#limit - this.#position;
    this.#append(Math.min(missing, available));
    if (missing > available) return this.#release();
    this.#show(this.#partial, 0, this.#partialBody, this.#partialEnd);
    this.#partialLength = 0;
    this.#partialEnd = 0;
    this.#isPartialShown = true;
    return true;
  }

  #show(bytes: Uint8Array, start: number, body: number, end: number): boolean {
    this.bytes = bytes;
    this.header = bytes[start] ?? 0;
    this.start = start;
    this.body = body;
    this.end = end;
    return true;
  }

  /** All is read: does not hold on to the caller's memory. */
  #release(): boolean {
    this.#chunk = NO_BYTES;
    this.#position = 0;
    this.#limit = 0;
    return false;
  }

  /**
   * Memory for the beginning of a packet, for at least the `needed` bytes that are there and at most the `size` of the
   * packet, in exchange for the memory before it, of which nothing is used any more once its bytes are copied. Who has
   * many connections with large packets can bring memory that is used again; memory that was detached does not come back.
   */
  protected exchange(_before: Uint8Array, needed: number, size: number): Uint8Array {
    return new Uint8Array(Math.min(needed * 2 + FIRST_BUFFER_SIZE, size));
  }

  /** Appends `count` bytes of the chunk to the partial packet, growing the buffer to at most that packet's size. */
  #append(count: number): void {
    const length = this.#partialLength + count;
    if (length > this.#partial.length) {
      const before = this.#partial.subarray(0, this.#partialLength);
      this.#partial = this.exchange(this.#partial, length, this.#partialEnd || FIRST_BUFFER_SIZE);
      this.#partial.set(before);
    }
    const from = this.#position;
    this.#partial.set(this.#chunk.subarray(from, from + count), this.#partialLength);
    this.#partialLength = length;
    this.#position = from + count;
  }
}
