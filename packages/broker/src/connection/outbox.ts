// The bytes that are to go out on one connection: packets are appended here, and once per turn of the event loop all of
// it is handed to the network in one write. A system call costs more than everything else that happens to a small
// message.
//
//     packets ──append──▶ chunk ─┐
//     frames ──run──copy──▶ chunk ┼─▶ pieces ──flush──▶ stream.write / stream.writev
//     large payloads ─reference──┘
//
// Packets that are passed on as they came stand one behind the other in the buffer that was read. Such a run is copied at
// once, when the read is over or something else is appended, and not packet by packet.
//
// Chunks come from a pool and go back to it when the network took them at once, which is nearly always. So an idle
// connection holds no buffer at all. A connection whose peer does not read is `isBlocked`: its bytes stay here, counted,
// until the stream drains.

import { copyBytesAgain } from '../copy-bytes.ts';
import type { Loan } from '../delivery/packet-memory.ts';
import type { ByteStream } from '../transports/byte-stream.ts';
import type { Chunk } from './chunk.ts';
import type { Flusher } from './flusher.ts';

/** What waits in one turn beyond this is written at once. */
const FLUSH_BYTES = 262_144;
/** If one chunk is not enough for a turn, the next ones are of this size. */
const SECOND_CHUNK = 65_536;

export class Outbox {
  readonly #stream: ByteStream;
  readonly #flusher: Flusher;
  #chunk: Chunk | undefined = undefined;
  /** The chunk's memory, which `reserve` and its callers write to. */
  bytes: Buffer = NO_BYTES;
  #from = 0;
  #used = 0;
  #pieces: Uint8Array[] | undefined = undefined;
  /** The chunks before this one that the pieces refer to. */
  #full: Chunk[] | undefined = undefined;
  #piecesBytes = 0;
  /** Memory that is lent for the pieces, and for those that were handed to the stream when it blocked. */
  #loans: Loan[] | undefined = undefined;
  #lent: Loan[] | undefined = undefined;
  /** Frames that are not copied yet: `#run[#runStart..#runEnd)`. */
  #run: Uint8Array = NO_BYTES;
  #runStart = 0;
  #runEnd = 0;
  /** How much of its chunk the last turn needed. */
  #lastUsed = 0;
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
    return this.#piecesBytes + this.#used - this.#from + this.#runEnd - this.#runStart;
  }

  /** Makes room for `size` bytes; the caller fills `bytes` from the returned offset on. */
  reserve(size: number): number {
    this.#announce(size);
    this.endRun();
    return this.#room(size);
  }

  /** Appends a copy of `bytes[start..end)`; returns its offset in `this.bytes`. */
  append(bytes: Uint8Array, start: number, end: number): number {
    const offset = this.reserve(end - start);
    copyBytesAgain(this.bytes, offset, bytes, start, end);
    return offset;
  }

  /** Appends `bytes[start..end)`, which stay as they are until the flusher's `endRuns()`. */
  appendFrame(bytes: Uint8Array, start: number, end: number): void {
    this.#announce(end - start);
    if (bytes === this.#run && start === this.#runEnd) {
      this.#runEnd = end;
      return;
    }
    this.endRun();
    this.#run = bytes;
    this.#runStart = start;
    this.#runEnd = end;
    this.#flusher.beginRun(this);
  }

  /** Copies the frames that stand in a buffer of somebody else. */
  endRun(): void {
    const run = this.#run;
    if (run === NO_BYTES) return;
    const start = this.#runStart;
    const end = this.#runEnd;
    this.#forgetRun();
    const offset = this.#room(end - start);
    copyBytesAgain(this.bytes, offset, run, start, end);
  }

  /** Appends bytes by reference. They must not change before the loan is released, and never if there is none. */
  appendReference(bytes: Uint8Array, loan?: Loan): void {
    this.#announce(bytes.length);
    this.endRun();
    this.#cut();
    this.#pieces ??= [];
    this.#pieces.push(bytes);
    this.#piecesBytes += bytes.length;
    if (loan === undefined) return;
    loan.use();
    this.#loans ??= [];
    this.#loans.push(loan);
  }

  /** Writes early what is too much to wait for the end of the turn. */
  flushIfLarge(): void {
    if (!this.isBlocked && this.pendingBytes > FLUSH_BYTES) this.flush();
  }

  /** Hands everything to the stream. */
  flush(): void {
    if (this.isBlocked) return;
    this.endRun();
    const stream = this.#stream;
    const pieces = this.#pieces;
    const chunk = this.#chunk;
    let goesOn: boolean;
    if (pieces === undefined) {
      if (chunk === undefined || this.#used === this.#from) return;
      goesOn = stream.write(chunk.filled(this.#used));
    } else {
      this.#cut();
      this.#pieces = undefined;
      this.#piecesBytes = 0;
      goesOn = pieces.length === 1 ? stream.write(pieces[0]!) : stream.writev(pieces);
    }
    this.isBlocked = !goesOn;
    // What the network took at once is not referenced any more, so the chunks can serve the next connection.
    if (goesOn && stream.bufferedBytes === 0) {
      const { chunks } = this.#flusher;
      if (chunk !== undefined) chunks.giveBack(chunk);
      if (this.#full !== undefined) for (const full of this.#full) chunks.giveBack(full);
      release(this.#loans);
    } else if (!goesOn && stream.keepsBytes !== true) {
      this.#lent = this.#loans;
    }
    // A stream that goes on and has not written all does not say when it has; what is not released is not used again.
    this.#loans = undefined;
    this.#full = undefined;
    this.#lastUsed = this.#used;
    this.#dropChunk();
  }

  /** The stream took everything. */
  drained(): void {
    if (!this.isBlocked) return;
    this.isBlocked = false;
    this.#flusher.blockedBytes -= this.pendingBytes;
    release(this.#lent);
    this.#lent = undefined;
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
    this.#loans = undefined;
    this.#lent = undefined;
    this.#forgetRun();
    this.#dropChunk();
  }

  /** Counts bytes that are about to be appended, and asks to be flushed. */
  #announce(size: number): void {
    if (!this.isDirty) {
      this.isDirty = true;
      this.#flusher.add(this);
    }
    if (this.isBlocked) this.#flusher.blockedBytes += size;
  }

  #forgetRun(): void {
    this.#run = NO_BYTES;
    this.#runStart = 0;
    this.#runEnd = 0;
  }

  #dropChunk(): void {
    this.#chunk = undefined;
    this.bytes = NO_BYTES;
    this.#from = 0;
    this.#used = 0;
  }

  /** Takes `size` bytes of the chunk, or of a new one if it has not as many. */
  #room(size: number): number {
    if (this.#used + size > this.bytes.length) this.#nextChunk(size);
    const offset = this.#used;
    this.#used = offset + size;
    return offset;
  }

  #nextChunk(size: number): void {
    let wanted = Math.max(size, this.#lastUsed);
    if (this.#chunk !== undefined) {
      this.#cut();
      this.#full ??= [];
      this.#full.push(this.#chunk);
      wanted = Math.max(size, SECOND_CHUNK);
    }
    const chunk = this.#flusher.chunks.take(wanted);
    this.#chunk = chunk;
    this.bytes = chunk.bytes;
    this.#from = 0;
    this.#used = 0;
  }

  /** Moves what was written to the chunk to the pieces, in order. */
  #cut(): void {
    if (this.#used === this.#from) return;
    this.#pieces ??= [];
    this.#pieces.push(this.bytes.subarray(this.#from, this.#used));
    this.#piecesBytes += this.#used - this.#from;
    this.#from = this.#used;
  }
}

const NO_BYTES = Buffer.alloc(0);

function release(loans: readonly Loan[] | undefined): void {
  if (loans !== undefined) for (const loan of loans) loan.release();
}
