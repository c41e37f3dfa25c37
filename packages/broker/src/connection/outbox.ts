// The bytes that are to go out on one connection: packets are appended here, and once per turn of the event loop all of
// it is handed to the network in one write. A system call costs more than everything else that happens to a small
// message.
//
//     packets ──append──▶ chunk ─┐
//     large payloads ─reference──┴─▶ pieces ──flush──▶ stream.write / stream.writev
//
// Chunks come from a pool and go back to it when the network took them at once, which is nearly always. So an idle
// connection holds no buffer at all. A connection whose peer does not read is `isBlocked`: its bytes stay here, counted,
// until the stream drains.

import type { ByteStream } from '../transports/byte-stream.ts';
import type { Flusher } from './flusher.ts';

/** A first chunk is small, because in a fan-out each of a thousand connections needs one at the same time. */
export const SMALL_CHUNK = 2_048;
export const LARGE_CHUNK = 65_536;
/** What waits in one turn beyond this is written at once. */
const FLUSH_BYTES = 262_144;

export class Outbox {
  readonly #stream: ByteStream;
  readonly #flusher: Flusher;
  /** Where the next bytes go; written to directly by `reserve` and its callers. */
  chunk: Buffer = NO_CHUNK;
  #from = 0;
  #used = 0;
  #pieces: Uint8Array[] | undefined = undefined;
  /** The chunks before this one that the pieces refer to. */
  #full: Buffer[] | undefined = undefined;
  #piecesBytes = 0;
  /** The last turn needed more than a small chunk, so the next one begins with a large one. */
  #isBusy = false;
  /** Whether it stands in the flusher's list. */
  isDirty = false;
  /** The stream asked to wait for `onDrain`. */
  isBlocked = false;

  constructor(stream: ByteStream, flusher: Flusher) {
    this.#stream = stream;
    this.#flusher = flusher;
  }

  /** Bytes that wait here and were not handed to the stream. */
  get pendingBytes(): number {
    return this.#piecesBytes + this.#used - this.#from;
  }

  /** Makes room for `size` bytes; the caller fills `chunk` from the returned offset on. */
  reserve(size: number): number {
    if (this.#used + size > this.chunk.length) this.#nextChunk(size);
    const offset = this.#used;
    this.#used = offset + size;
    if (!this.isDirty) {
      this.isDirty = true;
      this.#flusher.add(this);
    }
    if (this.isBlocked) this.#flusher.blockedBytes += size;
    return offset;
  }

  /** Appends a copy of `bytes[start..end)`; returns its offset in `chunk`. */
  append(bytes: Uint8Array, start: number, end: number): number {
    const size = end - start;
    const offset = this.reserve(size);
    const chunk = this.chunk;
    // Below about a hundred bytes a loop is cheaper than the view that set() needs.
    if (size <= 96) {
      for (let i = 0; i < size; i++) chunk[offset + i] = bytes[start + i]!;
    } else {
      chunk.set(bytes.subarray(start, end), offset);
    }
    return offset;
  }

  /** Appends bytes by reference; they must not change any more. */
  appendReference(bytes: Uint8Array): void {
    this.#cut();
    this.#pieces ??= [];
    this.#pieces.push(bytes);
    this.#piecesBytes += bytes.length;
    if (this.isBlocked) this.#flusher.blockedBytes += bytes.length;
    if (!this.isDirty) {
      this.isDirty = true;
      this.#flusher.add(this);
    }
  }

  /** Writes early what is too much to wait for the end of the turn. */
  flushIfLarge(): void {
    if (!this.isBlocked && this.pendingBytes > FLUSH_BYTES) this.flush();
  }

  /** Hands everything to the stream. */
  flush(): void {
    if (this.isBlocked) return;
    const stream = this.#stream;
    const pieces = this.#pieces;
    let goesOn: boolean;
    if (pieces === undefined) {
      if (this.#used === this.#from) return;
      goesOn = stream.write(this.chunk.subarray(this.#from, this.#used));
      this.#from = this.#used;
    } else {
      this.#cut();
      this.#pieces = undefined;
      this.#piecesBytes = 0;
      goesOn = pieces.length === 1 ? stream.write(pieces[0]!) : stream.writev(pieces);
    }
    this.isBlocked = !goesOn;
    // What the network took at once is not referenced any more, so the chunks can serve the next connection.
    if (goesOn && stream.bufferedBytes === 0) {
      this.#flusher.recycle(this.chunk);
      if (this.#full !== undefined) for (const chunk of this.#full) this.#flusher.recycle(chunk);
    }
    this.#full = undefined;
    this.#isBusy = this.#used > SMALL_CHUNK || pieces !== undefined;
    this.#dropChunk();
  }

  /** The stream took everything. */
  drained(): void {
    if (!this.isBlocked) return;
    this.isBlocked = false;
    this.#flusher.blockedBytes -= this.pendingBytes;
    this.flush();
  }

  /** Forgets everything: the connection is gone. */
  clear(): void {
    if (this.isBlocked) this.#flusher.blockedBytes -= this.pendingBytes;
    // Until its destruction nothing may be written any more; a blocked outbox writes nothing.
    this.isBlocked = false;
    this.#pieces = undefined;
    this.#full = undefined;
    this.#piecesBytes = 0;
    this.#dropChunk();
  }

  #dropChunk(): void {
    this.chunk = NO_CHUNK;
    this.#from = 0;
    this.#used = 0;
  }

  #nextChunk(size: number): void {
    const isSmall = this.chunk === NO_CHUNK && size <= SMALL_CHUNK && !this.#isBusy;
    this.#cut();
    if (this.chunk !== NO_CHUNK) {
      this.#full ??= [];
      this.#full.push(this.chunk);
    }
    const length = Math.max(size, isSmall ? SMALL_CHUNK : LARGE_CHUNK);
    this.chunk = this.#flusher.takeChunk(length);
    this.#from = 0;
    this.#used = 0;
  }

  /** Moves what was written to the chunk to the pieces, in order. */
  #cut(): void {
    if (this.#used === this.#from) return;
    this.#pieces ??= [];
    this.#pieces.push(this.chunk.subarray(this.#from, this.#used));
    this.#piecesBytes += this.#used - this.#from;
    this.#from = this.#used;
  }
}

const NO_CHUNK = Buffer.alloc(0);
