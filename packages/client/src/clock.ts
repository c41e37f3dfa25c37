// Time and chance, injected so that tests can drive them. Nothing else in the package asks the system for either.

/** A running timer. */
export type Timer = unknown;

export interface Clock {
  /** Milliseconds since the epoch. It may jump when the machine slept; that is how a wake-up is noticed. */
  now(): number;
  setTimeout(callback: () => void, ms: number): Timer;
  clearTimeout(timer: Timer): void;
  /** 0 up to but not including 1. */
  random(): number;
}

/** Waits for the first of the promises, but no longer than this. */
export async function within(clock: Clock, ms: number, ...promises: Promise<unknown>[]): Promise<void> {
  let timer: Timer;
  const timeout = new Promise<void>((resolve) => {
    timer = clock.setTimeout(resolve, ms);
  });
  await Promise.race([...promises, timeout]);
  clock.clearTimeout(timer);
}

// Longer timers overflow to 1 ms in Node and in browsers.
const longestTimerMs = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, Math.min(ms, longestTimerMs)),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  random: () => Math.random(),
};
