// How long the packets of clients may hold one turn of the event loop.
//
// A turn reads from every socket that has something, and a read may bring a thousand packets, or one that goes to a
// thousand subscribers. Without a bound a flood of a few clients would hold up timers, acknowledgements and everybody
// else for hundreds of milliseconds. So when the time is spent, connections keep what they have not handled yet, stop
// reading, and go on in the next turn, in the order in which they were held up.
//
// The time is taken from the clock of the broker, whose milliseconds are exact enough in the sum. It is looked at once per
// read and then once for some tens of units of work, and a turn in which no time passed needs no callback at its end.

import type { Clock } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { Router } from '../routing/router.ts';
import type { Subscriber } from '../session/subscriber.ts';

/** The time for packets in one turn. Writing what they have led to comes on top. */
const BUDGET_MS = 8;
/** Work between two looks at the clock, a fraction of a millisecond. */
const WORK_BETWEEN_LOOKS = 32;

/** A connection that has more packets to handle. */
export interface HeldUp {
  goOn(): void;
}

export class TurnBudget {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #router: Router<Subscriber>;
  #spentMs = 0;
  #beganMs = 0;
  #workAtLook = 0;
  #isScheduled = false;
  /** Whether connections have to wait for the next turn. */
  isOver = false;
  #heldUp: HeldUp[] = [];

  constructor(clock: Clock, metrics: Metrics, router: Router<Subscriber>) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#router = router;
  }

  /** A connection begins to handle packets. */
  begin(): void {
    this.#beganMs = this.#clock.now();
    this.#workAtLook = this.#work();
  }

  /** Whether it has to stop; to be asked after each packet. */
  isSpent(): boolean {
    if (this.#work() - this.#workAtLook >= WORK_BETWEEN_LOOKS) this.#look();
    return this.isOver;
  }

  /** It has stopped, or has no more. */
  end(): void {
    this.#look();
    if (this.#spentMs > 0) this.#schedule();
  }

  /** Lets a connection go on in the next turn. */
  holdUp(connection: HeldUp): void {
    this.#heldUp.push(connection);
    this.#schedule();
  }

  #look(): void {
    const nowMs = this.#clock.now();
    // A clock that was set back has measured nothing.
    this.#spentMs += Math.max(0, nowMs - this.#beganMs);
    this.#beganMs = nowMs;
    this.#workAtLook = this.#work();
    if (this.#spentMs >= BUDGET_MS) this.isOver = true;
  }

  /** Packets received, copies sent, and subscriptions that came or went. */
  #work(): number {
    return this.#metrics.packetsReceived + this.#metrics.packetsSent + this.#router.version;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#isScheduled = false;
    this.#spentMs = 0;
    this.isOver = false;
    const waiting = this.#heldUp;
    if (waiting.length === 0) return;
    this.#heldUp = [];
    let next = 0;
    while (next < waiting.length && !this.isOver) waiting[next++]!.goOn();
    // Those that had no turn yet come before those that are held up again.
    if (next < waiting.length) this.#heldUp = waiting.slice(next).concat(this.#heldUp);
    if (this.#heldUp.length > 0) this.#schedule();
  };
}
