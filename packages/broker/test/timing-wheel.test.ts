import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimingWheel, WheelEntry } from '../src/timing-wheel.ts';

const TICK_MS = 100;
const START_MS = 1_700_000_000_000;
const YEAR_MS = 365 * 24 * 3600 * 1000;

class Alarm extends WheelEntry {
  readonly name: number;
  readonly #calls: { name: number; at: number }[];

  constructor(name: number, calls: { name: number; at: number }[]) {
    super();
    this.name = name;
    this.#calls = calls;
  }

  override onDue(nowMs: number): void {
    this.#calls.push({ name: this.name, at: nowMs });
  }
}

class Callback extends WheelEntry {
  readonly #run: () => void;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  override onDue(): void {
    this.#run();
  }
}

function newWheel(): TimingWheel {
  return new TimingWheel({ nowMs: START_MS, tickMs: TICK_MS });
}

test('a wheel calls what a sorted list would call, never early and at most a tick late', () => {
  const distance = fc.oneof(
    fc.integer({ min: -1000, max: 30_000 }),
    fc.integer({ min: 0, max: 100_000_000 }),
    fc.integer({ min: 0, max: 20 }).map((years) => years * YEAR_MS),
  );
  const step = fc.record({
    kind: fc.constantFrom('schedule', 'schedule', 'cancel', 'advance'),
    name: fc.integer({ min: 0, max: 15 }),
    distance,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const wheel = newWheel();
      const calls: { name: number; at: number }[] = [];
      const alarms = Array.from({ length: 16 }, (_, name) => new Alarm(name, calls));
      const model = new Map<number, number>();
      let now = START_MS;
      for (const { kind, name, distance } of steps) {
        if (kind === 'schedule') {
          wheel.schedule(alarms[name]!, now + distance);
          // A deadline that has passed already is due at the next tick, as one that comes now.
          model.set(name, now + Math.max(0, distance));
        } else if (kind === 'cancel') {
          wheel.cancel(alarms[name]!);
          model.delete(name);
        } else {
          now += Math.max(0, distance);
          calls.length = 0;
          wheel.advance(now);
          for (const { name, at } of calls) {
            expect(at).toBe(now);
            expect(model.get(name)).toBeLessThanOrEqual(now);
            expect(model.delete(name)).toBe(true);
          }
          const latest = now - (now % TICK_MS) - TICK_MS;
          for (const deadline of model.values()) expect(deadline).toBeGreaterThan(latest);
        }
        expect(wheel.size).toBe(model.size);
        for (const alarm of alarms) expect(alarm.isScheduled).toBe(model.has(alarm.name));
      }
    }),
    { numRuns: 500 },
  );
});

test('deadlines are met in order when the clock jumps over many of them', () => {
  const wheel = newWheel();
  const calls: { name: number; at: number }[] = [];
  const distances = [5_000_000, 100, 70_000, 6_500, 6_400, 30_000_000, 200];
  for (const distance of distances) wheel.schedule(new Alarm(distance, calls), START_MS + distance);
  wheel.advance(START_MS + YEAR_MS);
  expect(calls.map((call) => call.name)).toEqual([...distances].sort((a, b) => a - b));
});

test('a session that expires in 136 years does so then', () => {
  const wheel = newWheel();
  const calls: { name: number; at: number }[] = [];
  const deadline = START_MS + 0xffff_fffe * 1000;
  wheel.schedule(new Alarm(1, calls), deadline);
  wheel.advance(deadline - TICK_MS);
  expect(calls).toEqual([]);
  wheel.advance(deadline);
  expect(calls.length).toBe(1);
});

test('an entry that schedules itself again is called again, without drift', () => {
  const wheel = newWheel();
  const calledAt: number[] = [];
  let deadline = START_MS + 1000;
  let now = START_MS;
  const entry = new Callback(() => {
    calledAt.push(now);
    deadline += 1000;
    wheel.schedule(entry, deadline);
  });
  wheel.schedule(entry, deadline);
  for (let i = 0; i < 1000; i++) {
    now += 37;
    wheel.advance(now);
  }
  expect(calledAt.length).toBe(37);
  for (const [i, at] of calledAt.entries()) {
    expect(at - (START_MS + (i + 1) * 1000)).toBeGreaterThanOrEqual(0);
    expect(at - (START_MS + (i + 1) * 1000)).toBeLessThan(TICK_MS + 37);
  }
});

test('an entry can cancel and move others that are due in the same tick', () => {
  const wheel = newWheel();
  const calls: { name: number; at: number }[] = [];
  const cancelled = new Alarm(1, calls);
  const moved = new Alarm(2, calls);
  wheel.schedule(
    new Callback(() => {
      wheel.cancel(cancelled);
      wheel.schedule(moved, START_MS + 5000);
    }),
    START_MS + 1000,
  );
  wheel.schedule(cancelled, START_MS + 1000);
  wheel.schedule(moved, START_MS + 1000);
  wheel.advance(START_MS + 1000);
  expect(calls).toEqual([]);
  wheel.advance(START_MS + 5000);
  expect(calls.map((call) => call.name)).toEqual([2]);
});

test('when a call throws, the others of its tick are called by the next advance', () => {
  const wheel = newWheel();
  const calls: { name: number; at: number }[] = [];
  wheel.schedule(
    new Callback(() => {
      throw new Error('boom');
    }),
    START_MS + 1000,
  );
  wheel.schedule(new Alarm(1, calls), START_MS + 1000);
  expect(() => wheel.advance(START_MS + 1000)).toThrow('boom');
  wheel.advance(START_MS + 1001);
  expect(calls.map((call) => call.name)).toEqual([1]);
});

test('a deadline that is no number is due at once', () => {
  const wheel = newWheel();
  const calls: { name: number; at: number }[] = [];
  wheel.schedule(new Alarm(1, calls), Number.NaN);
  wheel.advance(START_MS + 100);
  expect(calls.length).toBe(1);
});

test('a clock that goes back calls nothing and loses nothing', () => {
  const wheel = newWheel();
  const calls: { name: number; at: number }[] = [];
  wheel.schedule(new Alarm(1, calls), START_MS + 1000);
  wheel.advance(START_MS + 500);
  wheel.advance(START_MS - 100_000);
  expect(calls).toEqual([]);
  wheel.advance(START_MS + 1000);
  expect(calls.length).toBe(1);
});
