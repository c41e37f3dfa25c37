import { expect, test } from 'vitest';
import { RateLimit } from '../src/server/rate.ts';

test('so many in a period, and again when time has passed', () => {
  let now = 1_000_000;
  const rate = new RateLimit(60_000, () => now);
  expect([1, 2, 3].map(() => rate.take('lamp', 2))).toEqual([true, true, false]);
  now += 30_000;
  expect([1, 2].map(() => rate.take('lamp', 2))).toEqual([true, false]);
});

test('a clock that is set back takes nothing away', () => {
  let now = 10_000_000;
  const rate = new RateLimit(60_000, () => now);
  expect(rate.take('lamp', 2)).toBe(true);
  now -= 3_600_000;
  expect(rate.take('lamp', 2)).toBe(true);
  expect(rate.take('lamp', 2)).toBe(false);
});

test('very many keys at once cost no more than a few do', () => {
  const rate = new RateLimit(60_000, () => 1_000_000);
  const taken = Array.from({ length: 60_000 }, (_, i) => rate.take(`address ${i}`, 1));
  expect(taken).not.toContain(false);
}, 5_000);
