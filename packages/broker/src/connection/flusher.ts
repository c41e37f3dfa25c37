// Writes out what connections have appended, and keeps the pool of chunks.
//
// There are two times to write. At the end of the turn (setImmediate comes after all read events of it) the packets that
// came in from many publishers for one subscriber go out in one write. At the end of each read a packet goes out sooner,
// and the turn costs no callback. Which one is better depends on the traffic, and the traffic is measured: if the reads of
// a turn are more than the connections they have written to, waiting saves writes. One turn in 32 waits in any case, to
// see whether that has changed. (Fan-in of 100 publishers needs a third of the writes; a single pair gains a tenth.)

import { LARGE_CHUNK, type Outbox, SMALL_CHUNK } from './outbox.ts';

/** Chunks that are kept for reuse: at most 4 MB of each size. */
const SMALL_POOL_MAX = 2_048;
const LARGE_POOL_MAX = 64;
/** How often a turn waits for its end just to see what that saves. */
const PROBE_TURNS = 32;

export class Flusher {
  #dirty: Outbox[] = [];
  #spare: Outbox[] = [];
  #isScheduled = false;
  /** Whether waiting for the end of the turn pays. */
  #waits = true;
  #reads = 0;
  #probe = 0;
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];
  /** Bytes that wait in outboxes whose peers do not read. */
  blockedBytes = 0;

  /** Notes an outbox that has something to write. */
  add(outbox: Outbox): void {
    this.#dirty.push(outbox);
    // Without a read, at the latest the end of the turn writes it.
    if (!this.#isScheduled && this.#reads === 0) this.#schedule();
  }

  /** A connection begins to handle what it has read. */
  readBegins(): void {
    this.#reads++;
  }

  /** It has handled it. */
  readEnds(): void {
    if (this.#dirty.length === 0) {
      if (!this.#isScheduled) this.#reads = 0;
      return;
    }
    if (this.#isScheduled) return;
    if (this.#waits || ++this.#probe % PROBE_TURNS === 0) {
      this.#schedule();
      return;
    }
    this.#reads = 0;
    this.#flushAll();
  }

  takeChunk(length: number): Buffer {
    const pool = length === SMALL_CHUNK ? this.#small : length === LARGE_CHUNK ? this.#large : undefined;
    return pool?.pop() ?? Buffer.allocUnsafeSlow(length);
  }

  recycle(chunk: Buffer): void {
    if (chunk.length === SMALL_CHUNK) {
      if (this.#small.length < SMALL_POOL_MAX) this.#small.push(chunk);
    } else if (chunk.length === LARGE_CHUNK && this.#large.length < LARGE_POOL_MAX) {
      this.#large.push(chunk);
    }
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#isScheduled = false;
    this.#waits = this.#reads > this.#dirty.length + 1;
    this.#reads = 0;
    this.#flushAll();
  };

  #flushAll(): void {
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    for (let i = 0; i < dirty.length; i++) {
      const outbox = dirty[i]!;
      outbox.isDirty = false;
      outbox.flush();
    }
    dirty.length = 0;
    this.#spare = dirty;
  }
}
