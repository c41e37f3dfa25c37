// The only place that asks the machine for the time, so that tests can bring a clock of their own.

/** Where the broker gets the time from. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Milliseconds since any moment, which go on evenly when `now()` is set. Without it, all that `now()` does counts as
   * time that has passed.
   */
  monotonic?(): number;
}

/** The time of the machine. */
export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
