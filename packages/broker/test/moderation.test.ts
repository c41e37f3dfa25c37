// When the event loop rests between turns: traffic is played to it, with a clock that only moves when it is told to.

import { expect, test } from 'vitest';
import { type Loop, Moderation } from '../src/connection/moderation.ts';

const REST_MS = 0.3;

/** Plays turns; `perRead` says how many packets a read brings, after a rest or without one. */
class Traffic {
  rests = 0;
  turns = 0;
  #nowMs = 0;
  #hasRested = false;
  readonly moderation: Moderation;

  constructor(restMs = REST_MS) {
    const loop: Loop = {
      now: () => this.#nowMs,
      rest: (milliseconds) => {
        this.rests++;
        this.#hasRested = true;
        this.#nowMs += milliseconds;
      },
    };
    this.moderation = new Moderation(restMs, loop);
  }

  play(turns: number, reads: number, turnMs: number, perRead: (hasRested: boolean) => number): void {
    for (let turn = 0; turn < turns; turn++) {
      const hasRested = this.#hasRested;
      this.#hasRested = false;
      for (let read = 0; read < reads; read++) this.moderation.count(perRead(hasRested));
      this.#nowMs += turnMs;
      this.turns++;
      this.moderation.turnEnds();
    }
  }
}

const gains = (hasRested: boolean) => (hasRested ? 12 : 4);
const same = () => 5;

test('under load the loop rests after every turn as long as a read then brings more', () => {
  const traffic = new Traffic();
  traffic.play(1_000, 20, 0.2, gains);
  const before = traffic.rests;
  traffic.play(1_000, 20, 0.2, gains);
  expect(traffic.rests - before).toBe(1_000);
});

test('clients that wait for each answer are held up less and less often', () => {
  const traffic = new Traffic();
  traffic.play(100_000, 20, 0.2, same);
  expect(traffic.rests).toBeGreaterThan(0);
  expect(traffic.rests / traffic.turns).toBeLessThan(0.005);
});

test('a server that is not busy never rests', () => {
  const traffic = new Traffic();
  traffic.play(10_000, 1, 1, gains);
  expect(traffic.rests).toBe(0);
});

test('the rests end with the load', () => {
  const traffic = new Traffic();
  traffic.play(1_000, 20, 0.2, gains);
  const before = traffic.rests;
  traffic.play(1_000, 1, 1, gains);
  expect(traffic.rests - before).toBe(0);
});

test('the rests end when they gain nothing any more, and begin again when they do', () => {
  const traffic = new Traffic();
  traffic.play(1_000, 20, 0.2, gains);
  traffic.play(20_000, 20, 0.2, same);
  let before = traffic.rests;
  traffic.play(1_000, 20, 0.2, same);
  expect(traffic.rests - before).toBeLessThan(50);
  const others = (hasRested: boolean) => (hasRested ? 30 : 9);
  traffic.play(1_000, 20, 0.2, others);
  before = traffic.rests;
  traffic.play(1_000, 20, 0.2, others);
  expect(traffic.rests - before).toBe(1_000);
});

test('after a quiet while it is tried soon', () => {
  const traffic = new Traffic();
  traffic.play(100_000, 20, 0.2, same);
  traffic.play(10, 1, 500, same);
  traffic.play(1_000, 20, 0.2, gains);
  const before = traffic.rests;
  traffic.play(1_000, 20, 0.2, gains);
  expect(traffic.rests - before).toBe(1_000);
});

test('a rest of 0 switches it off', () => {
  const traffic = new Traffic(0);
  traffic.play(10_000, 20, 0.2, gains);
  expect(traffic.rests).toBe(0);
});
