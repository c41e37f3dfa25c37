// Writes out what all connections have appended in this turn of the event loop, and keeps the pool of chunks.
//
// setImmediate comes after the read events of a turn, so the packets that came in from many publishers for one
// subscriber go out in one write.

import type { Outbox } from './outbox.ts';

/** Chunks of the size of an outbox's first one that are kept for reuse: 4 MB. */
const POOL_MAX = 2_048;

export class Flusher {
  readonly #smallChunkBytes: number;
  #dirty: Outbox[] = [];
  #spare: Outbox[] = [];
  #isScheduled = false;
  readonly #pool: Buffer[] = [];
  /** Bytes that wait in outboxes whose peers do not read. */
  blockedBytes = 0;

  constructor(smallChunkBytes: number) {
    this.#smallChunkBytes = smallChunkBytes;
  }

  /** Notes an outbox that has something to write. */
  add(outbox: Outbox): void {
    this.#dirty.push(outbox);
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#flush);
    }
  }

  takeChunk(length: number): Buffer {
    if (length === this.#smallChunkBytes) {
      const chunk = this.#pool.pop();
      if (chunk !== undefined) return chunk;
    }
    return Buffer.allocUnsafeSlow(length);
  }

  recycle(chunk: Buffer): void {
    if (chunk.length === this.#smallChunkBytes && this.#pool.length < POOL_MAX) this.#pool.push(chunk);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    for (let i = 0; i < dirty.length; i++) {
      const outbox = dirty[i]!;
      outbox.isDirty = false;
      outbox.flush();
    }
    dirty.length = 0;
    this.#spare = dirty;
  };
}
