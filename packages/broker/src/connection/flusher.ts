// Writes out what connections have appended.
//
// There are two times to write. At the end of the turn (setImmediate comes after all read events of it) the packets that
// came in from many publishers for one subscriber go out in one write. At the end of each read a packet goes out sooner,
// and the turn costs no callback. Which one is better depends on the traffic, and the traffic is measured: if the reads of
// a turn are more than the connections they have written to, waiting saves writes; and if they are many, reading one after
// the other and then writing one after the other finds more in the processor's caches than doing both in turns. One read
// in 32 waits in any case, to see whether that has changed. (Fan-in of 100 publishers needs a third of the writes; 100
// pairs gain a twentieth by waiting, and a single pair gains a tenth by not waiting.)
//
// A message for thousands of subscribers is thousands of writes. They get as much of a turn as packets do (turn-budget.ts),
// and those that are left come first in the next one.

import type { Clock } from '../clock.ts';
import { ChunkPool } from './chunk.ts';
import { Moderation } from './moderation.ts';
import type { Outbox } from './outbox.ts';
import { BUDGET_MS } from './turn-budget.ts';

/** How often a read waits for the end of its turn just to see what that saves. */
const PROBE_READS = 32;
/** So many reads in a turn are many. */
const MANY_READS = 4;
/** Writes between two looks at the clock, a fraction of a millisecond. */
const WRITES_BETWEEN_LOOKS = 32;

export class Flusher {
  readonly chunks = new ChunkPool();
  readonly moderation: Moderation;
  readonly #clock: Clock;
  // The lists keep their length and are counted, because to empty an array and to fill it again costs an allocation. What
  // was served is taken out of its place, so that connections that have ended do not stay in memory for it.
  readonly #dirty: (Outbox | undefined)[] = [];
  #dirtyCount = 0;
  /** How many of them are served already; only while they are written. */
  #served = 0;
  /** Outboxes with a run of frames in the buffer that is being read. */
  readonly #running: (Outbox | undefined)[] = [];
  #runningCount = 0;
  #isScheduled = false;
  /** Whether waiting for the end of the turn pays. */
  #waits = true;
  #reads = 0;
  #probe = 0;
  /** Bytes that wait in outboxes whose peers do not read. */
  blockedBytes = 0;

  constructor(restMs: number, clock: Clock) {
    this.moderation = new Moderation(restMs);
    this.#clock = clock;
  }

  /** Notes an outbox that has something to write. */
  add(outbox: Outbox): void {
    this.#dirty[this.#dirtyCount++] = outbox;
    // Without a read, at the latest the end of the turn writes it.
    if (!this.#isScheduled && this.#reads === 0) this.#schedule();
  }

  /** Notes an outbox that has begun a run. */
  beginRun(outbox: Outbox): void {
    this.#running[this.#runningCount++] = outbox;
  }

  /** The buffer that is being read is about to change. */
  endRuns(): void {
    for (let i = 0; i < this.#runningCount; i++) {
      this.#running[i]!.endRun();
      this.#running[i] = undefined;
    }
    this.#runningCount = 0;
  }

  /** A connection begins to handle what it has read. */
  readBegins(): void {
    this.#reads++;
  }

  /** It has handled it; so many packets were in it. */
  readEnds(packets: number): void {
    this.moderation.count(packets);
    if (this.#dirtyCount === 0) {
      if (!this.#isScheduled) this.#reads = 0;
      return;
    }
    if (this.#isScheduled) return;
    if (this.#waits || this.moderation.isActive || ++this.#probe % PROBE_READS === 0) {
      this.#schedule();
      return;
    }
    this.#reads = 0;
    this.#flushDirty();
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#isScheduled = false;
    this.#waits = this.#reads > this.#dirtyCount + 1 || this.#reads >= MANY_READS;
    this.#reads = 0;
    this.#flushDirty();
    // While writes are left there is no rest, and what is read meanwhile belongs to this turn.
    if (this.#dirtyCount === 0) this.moderation.turnEnds();
  };

  /** Writes what is dirty now, as long as there is time; what becomes dirty meanwhile comes after it. */
  #flushDirty(): void {
    const dirty = this.#dirty;
    const count = this.#dirtyCount;
    const beganMs = count > WRITES_BETWEEN_LOOKS ? this.#clock.now() : 0;
    // Both numbers are looked at again after each write: a stream may hand over what it has read while it is written to,
    // and that may end up here once more.
    while (this.#served < Math.min(count, this.#dirtyCount)) {
      const outbox = dirty[this.#served]!;
      dirty[this.#served++] = undefined;
      outbox.isDirty = false;
      outbox.flush();
      if (this.#served % WRITES_BETWEEN_LOOKS === 0 && this.#clock.now() - beganMs >= BUDGET_MS) break;
    }
    const left = this.#dirtyCount - this.#served;
    if (left > 0) {
      dirty.copyWithin(0, this.#served, this.#dirtyCount).fill(undefined, left, this.#dirtyCount);
      if (!this.#isScheduled) this.#schedule();
    }
    this.#dirtyCount = left;
    this.#served = 0;
  }
}
