// One clock for a million deadlines: keep-alive, CONNECT time-out, session expiry, will delay.
//
// Time is cut into ticks. Six wheels of 64 slots each cover 64, 64², ... 64⁶ ticks; an entry hangs in the slot of the
// smallest wheel that reaches its deadline, and moves to a smaller wheel when the larger one turns to its slot:
//
//     wheel 0   |0|1|2| ... |63|    one tick each; due when the hand comes by
//     wheel 1   |0|1|2| ... |63|    64 ticks each; spread over wheel 0 when the hand comes by
//     wheel 2   ...
//
// Entries are linked into their slots by fields of their own, so scheduling and cancelling cost a few assignments and
// no memory, however many there are. The wheel has no timer: its owner calls `advance(now)`, as often as it likes. An
// entry is never called before its deadline, and a late `advance` makes nothing drift, because deadlines are points in
// time and not distances.

/** Something with a deadline. Extend it by what is to be done; one object has one deadline at a time. */
export abstract class WheelEntry {
  /** @internal */
  deadlineTick = 0;
  /** @internal */
  previous: WheelEntry | undefined = undefined;
  /** @internal */
  next: WheelEntry | undefined = undefined;

  /** Whether a deadline is set. */
  get isScheduled(): boolean {
    return this.next !== undefined;
  }

  /** Called once when the deadline has come; it may schedule this or any other entry. */
  abstract onDue(nowMs: number): void;
}

/** The head of a circular list; the list is empty when it points to itself. */
class Slot extends WheelEntry {
  constructor() {
    super();
    this.previous = this;
    this.next = this;
  }

  override onDue(): void {}
}

const SLOTS = 64;
const WHEELS = 6;
const TICKS_PER_SLOT: readonly number[] = Array.from({ length: WHEELS }, (_, wheel) => SLOTS ** wheel);
// 217 years at 100 ms; what is later than that is as good as never.
const TICK_MAX = SLOTS ** WHEELS - 1;

/** What a wheel is made of. */
export interface TimingWheelOptions {
  /** Now, in milliseconds of the clock that `schedule` and `advance` use. */
  readonly nowMs: number;
  /** Length of a tick, and so how much later than its deadline an entry may be called. Default: 100 ms. */
  readonly tickMs?: number | undefined;
}

/**
 * Deadlines in order, without a timer for each.
 *
 * @example
 * class Greeting extends WheelEntry {
 *   onDue(): void { console.log('hello'); }
 * }
 * const wheel = new TimingWheel({ nowMs: Date.now() });
 * wheel.schedule(new Greeting(), Date.now() + 5_000);
 * setInterval(() => wheel.advance(Date.now()), 100);
 */
export class TimingWheel {
  #startMs: number;
  readonly #tickMs: number;
  readonly #slots: readonly Slot[] = Array.from({ length: WHEELS * SLOTS }, () => new Slot());
  /** Entries per wheel, to pass over stretches of time in which nothing happens. */
  readonly #counts: number[] = new Array<number>(WHEELS).fill(0);
  #tick = 0;

  constructor(options: TimingWheelOptions) {
    this.#startMs = options.nowMs;
    this.#tickMs = options.tickMs ?? 100;
  }

  /** How many entries have a deadline. */
  get size(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** Sets an entry's deadline, or moves it. A deadline that has passed is due at the next tick. */
  schedule(entry: WheelEntry, deadlineMs: number): void {
    if (entry.next !== undefined) this.cancel(entry);
    // Up, so that nothing is called early; at least the next tick, because the present one was served.
    const tick = Math.ceil((deadlineMs - this.#startMs) / this.#tickMs);
    const next = this.#tick + 1;
    // A deadline that is no number, which an extension may give, is due at once too: it must not keep the search for its
    // slot going for ever.
    entry.deadlineTick = tick > next ? Math.min(tick, TICK_MAX) : next;
    this.#hang(entry);
  }

  /** Takes an entry's deadline away; it may have none. */
  cancel(entry: WheelEntry): void {
    if (entry.next === undefined) return;
    this.#counts[this.#wheelOf(entry)]!--;
    unlink(entry);
  }

  /** The clock was set: all deadlines move with it, so that each comes after the time that was left until it. */
  shift(jumpMs: number): void {
    this.#startMs += jumpMs;
  }

  /** Calls every entry whose deadline has come, in order of ticks. A clock that goes back does nothing. */
  advance(nowMs: number): void {
    // Something is left of the present tick only if a call of the last `advance` has thrown.
    this.#callDue(nowMs);
    const target = Math.floor((nowMs - this.#startMs) / this.#tickMs);
    while (this.#tick < target) {
      this.#tick = Math.min(this.#nextTickWithWork(), target);
      for (let wheel = WHEELS - 1; wheel > 0; wheel--) {
        if (this.#tick % TICKS_PER_SLOT[wheel]! === 0) this.#spread(wheel);
      }
      this.#callDue(nowMs);
    }
  }

  /** No entry is due before this tick. The smallest wheel in use decides, since its slots begin where larger ones do. */
  #nextTickWithWork(): number {
    for (let wheel = 0; wheel < WHEELS; wheel++) {
      const ticks = TICKS_PER_SLOT[wheel]!;
      if (this.#counts[wheel]! > 0) return (Math.floor(this.#tick / ticks) + 1) * ticks;
    }
    return Number.POSITIVE_INFINITY;
  }

  #callDue(nowMs: number): void {
    const slot = this.#slots[this.#tick % SLOTS]!;
    while (slot.next !== slot) {
      const entry = slot.next!;
      this.#counts[0]!--;
      unlink(entry);
      entry.onDue(nowMs);
    }
  }

  /** Moves the entries of the slot that a wheel has turned to into the smaller wheels. */
  #spread(wheel: number): void {
    const slot = this.#slotOf(wheel, this.#tick);
    while (slot.next !== slot) {
      const entry = slot.next!;
      this.#counts[wheel]!--;
      unlink(entry);
      this.#hang(entry);
    }
  }

  #hang(entry: WheelEntry): void {
    const wheel = this.#wheelOf(entry);
    const slot = this.#slotOf(wheel, entry.deadlineTick);
    const last = slot.previous!;
    entry.previous = last;
    entry.next = slot;
    last.next = entry;
    slot.previous = entry;
    this.#counts[wheel]!++;
  }

  /**
   * The smallest wheel that reaches an entry's deadline without turning full circle. It stays the same until that wheel
   * turns to the entry's slot, so no entry has to remember where it hangs.
   */
  #wheelOf(entry: WheelEntry): number {
    let wheel = 0;
    let deadline = Math.floor(entry.deadlineTick / SLOTS);
    let now = Math.floor(this.#tick / SLOTS);
    while (deadline !== now) {
      wheel++;
      deadline = Math.floor(deadline / SLOTS);
      now = Math.floor(now / SLOTS);
    }
    return wheel;
  }

  #slotOf(wheel: number, tick: number): Slot {
    return this.#slots[wheel * SLOTS + (Math.floor(tick / TICKS_PER_SLOT[wheel]!) % SLOTS)]!;
  }
}

function unlink(entry: WheelEntry): void {
  entry.previous!.next = entry.next;
  entry.next!.previous = entry.previous;
  entry.previous = undefined;
  entry.next = undefined;
}
