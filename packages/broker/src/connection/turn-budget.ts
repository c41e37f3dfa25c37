// How long the packets of clients may hold one turn of the event loop.
//
// A turn reads from every socket that has something, and a read may bring a thousand packets, or one that goes to a
// thousand subscribers. Without a bound a flood of a few clients would hold up timers, acknowledgements and everybody
// else for hundreds of milliseconds. So when the time is spent, connections keep what they have not handled yet, stop
// reading, and go on in the next turn, in the order in which they were held up.
//
// Looking at the clock for every packet would cost more than some packets do. So work is counted, the clock is looked at
// once for some tens of units, and the time of a turn runs from the first look in it. A turn with less work than that is
// not long, and costs nothing.

import type { Clock } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { Router } from '../routing/router.ts';
import type { Subscriber } from '../session/subscriber.ts';

/** The time for packets in one turn, and as much again for writing what they have led to. */
export const BUDGET_MS = 4;
/** Work between two looks at the clock, a fraction of a millisecond. */
const WORK_BETWEEN_LOOKS = 32;
/** Of a large packet, so many bytes are as much work as a small packet. */
const BYTES_PER_UNIT = 4_096;

/** A connection that has more packets to handle, or more parts of one. */
export interface HeldUp {
  goOn(): void;
}

export class TurnBudget {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #router: Router<Subscriber>;
  #workAtLook = 0;
  /** Parts of packets that were worked on, for which no other counter goes up. */
  #parts = 0;
  /** When the first look of this turn was; the end of the turn is scheduled then. */
  #beganMs = 0;
  #isScheduled = false;
  /** Whether connections have to wait for the next turn. */
  isOver = false;
  #heldUp: HeldUp[] = [];

  constructor(clock: Clock, metrics: Metrics, router: Router<Subscriber>) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#router = router;
  }

  /** Whether packets have to wait for the next turn; to be asked after each packet, and after each read. */
  isSpent(): boolean {
    const work = this.#work();
    if (work - this.#workAtLook >= WORK_BETWEEN_LOOKS) {
      this.#workAtLook = work;
      this.#look();
    }
    return this.isOver;
  }

  /** A part of a packet took about as much work as a small packet. */
  count(): void {
    this.#parts++;
  }

  /** Lets a connection go on in the next turn. */
  holdUp(connection: HeldUp): void {
    this.#heldUp.push(connection);
    this.#schedule();
  }

  #look(): void {
    const nowMs = this.#clock.now();
    if (!this.#isScheduled) {
      this.#beganMs = nowMs;
      this.#schedule();
    } else if (nowMs - this.#beganMs >= BUDGET_MS) {
      this.isOver = true;
    }
  }

  /** Packets, parts of packets and bytes received, copies sent, and subscriptions that came or went. */
  #work(): number {
    const { packetsReceived, packetsSent, bytesReceived } = this.#metrics;
    const received = packetsReceived + this.#parts + bytesReceived / BYTES_PER_UNIT;
    return received + packetsSent + this.#router.version;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#isScheduled = false;
    this.isOver = false;
    const waiting = this.#heldUp;
    if (waiting.length === 0) return;
    this.#heldUp = [];
    this.#workAtLook = this.#work();
    this.#look();
    let next = 0;
    while (next < waiting.length && !this.isOver) waiting[next++]!.goOn();
    // Those that had no turn yet come before those that are held up again.
    if (next < waiting.length) this.#heldUp = waiting.slice(next).concat(this.#heldUp);
  };
}
