// The acknowledgements of one connection, in order. One that has to wait for the store holds back those behind it; when
// nothing waits, they go out at once.

import type { Core } from '../core.ts';
import type { BatchWaiter } from '../store/commit-gate.ts';

/** Something to be sent when a batch of the store is durable. */
export interface Gated {
  /** The batch that it waits for; 0 if only for what stands before it. */
  batch: number;
  /** What the messages count for that are held back with it. */
  readonly bytes: number;
  /** The batch is durable: send it. */
  send(): void;
  /**
   * The batch could not be written: refuse. False means that it waits for the next batch; or, if it has set its batch
   * to 0, only for what stands before it.
   */
  refuse(): boolean;
}

export class Acknowledgements implements BatchWaiter {
  readonly #core: Core;
  readonly #onEased: () => void;
  readonly #onFault: (error: unknown) => void;
  #waiting: Gated[] = [];
  #bytes = 0;
  #registeredBatch = 0;
  #isClosed = false;

  /** `onFault` has to close the connection: what cannot be sent concerns nobody else who waits for the store. */
  constructor(core: Core, onEased: () => void, onFault: (error: unknown) => void) {
    this.#core = core;
    this.#onEased = onEased;
    this.#onFault = onFault;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** What the messages count for that wait to be stored. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds one; `isWritten` says whether something was written that it has to wait for. */
  add(gated: Gated, isWritten: boolean): void {
    this.#waiting.push(gated);
    this.#bytes += gated.bytes;
    this.#core.metrics.gatedAcknowledgements++;
    if (isWritten) this.#register(gated);
  }

  /** The connection is gone; nobody waits any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#bytes = 0;
  }

  committed(batch: number): void {
    let done = 0;
    const waiting = this.#waiting;
    while (done < waiting.length && waiting[done]!.batch <= batch) {
      const gated = waiting[done++]!;
      this.#bytes -= gated.bytes;
      try {
        gated.send();
      } catch (error) {
        this.#onFault(error);
      }
      if (this.#isClosed) return;
    }
    if (done > 0) this.#waiting = waiting.slice(done);
    this.#onEased();
  }

  failed(batch: number, _error: unknown, isRestDurable: boolean): void {
    const remaining: Gated[] = [];
    for (const gated of this.#waiting) {
      if (gated.batch === batch && gated.refuse()) {
        this.#bytes -= gated.bytes;
        continue;
      }
      if (gated.batch === batch) {
        if (isRestDurable) gated.batch = 0;
        else this.#register(gated);
      }
      remaining.push(gated);
    }
    if (this.#isClosed) return;
    this.#waiting = remaining;
    // What waited only for the order goes out now.
    this.committed(0);
  }

  #register(gated: Gated): void {
    const { gate } = this.#core;
    gated.batch = gate.batch;
    if (this.#registeredBatch === gated.batch) return;
    this.#registeredBatch = gated.batch;
    gate.wait(this);
  }
}
