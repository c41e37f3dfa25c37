// The only place that asks the machine for the time, so that tests can bring a clock of their own.

/** Where the broker gets the time from. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** The time of the machine. */
export const systemClock: Clock = { now: () => Date.now() };
