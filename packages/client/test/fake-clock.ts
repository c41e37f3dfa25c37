// Time and chance under the control of a test.

import type { Clock } from '../src/node.ts';

interface FakeTimer {
  readonly dueAt: number;
  readonly order: number;
  readonly run: () => void;
}

/** mulberry32: small, and good enough to draw test cases from a seed. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export class FakeClock implements Clock {
  readonly random: () => number;
  readonly #timers = new Set<FakeTimer>();
  #now = 1_000_000;
  #order = 0;

  constructor(random: () => number = () => 0.5) {
    this.random = random;
  }

  now(): number {
    return this.#now;
  }

  /** Timers that have not run. */
  get pendingCount(): number {
    return this.#timers.size;
  }

  setTimeout(run: () => void, ms: number): unknown {
    const timer: FakeTimer = { dueAt: this.#now + ms, order: this.#order++, run };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as FakeTimer);
  }

  /** Time passes, and timers run when they are due. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = [...this.#timers]
        .filter(({ dueAt }) => dueAt <= until)
        .toSorted((a, b) => a.dueAt - b.dueAt || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.dueAt);
      next.run();
    }
    this.#now = Math.max(this.#now, until);
  }

  /** Time passes and no timer runs, as while a machine sleeps. */
  jump(ms: number): void {
    this.#now += ms;
  }
}
