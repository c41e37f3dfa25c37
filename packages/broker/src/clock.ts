// The only place that asks the machine for the time, so that tests can bring a clock of their own.
//
// There are two times. What is kept beyond the process (messages, sessions, credentials) ends at a point in time. How long
// a connection has been silent is a distance, and must not depend on the time of the machine: a device without a clock
// chip sets that by years when it finds the network, and all its clients would seem to have been silent for as long.

/** Where the broker gets the time from. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since some moment, however the time of the machine is set meanwhile. Default: `now()`. */
  elapsed?(): number;
}

/** The time of the machine. */
export const systemClock: Clock = { now: () => Date.now(), elapsed: () => performance.now() };

/** What is less than this is a clock that is a little too fast or too slow. */
const SET_MS_MIN = 1_000;

/** Notices that the time of the machine was set, at no cost for those who read it. */
export class ClockWatch {
  readonly #clock: Clock;
  #aheadMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#aheadMs = clock.now() - elapsedOf(clock);
  }

  /** By how much the time was set since the last call, mostly 0. */
  setByMs(): number {
    const aheadMs = this.#clock.now() - elapsedOf(this.#clock);
    const byMs = aheadMs - this.#aheadMs;
    if (Math.abs(byMs) < SET_MS_MIN) return 0;
    this.#aheadMs = aheadMs;
    return byMs;
  }
}

export function elapsedOf(clock: Clock): number {
  return clock.elapsed?.() ?? clock.now();
}
