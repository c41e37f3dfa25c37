// The short form of `npm run test:crash`.

import { expect, test } from 'vitest';
import { runCrashTest } from './run.mjs';

test.each([['fsync'], ['commit']] as const)(
  'nothing acknowledged is lost when the server is killed again and again (%s)',
  async (durability) => {
    const seed = Number(process.env.TOBYMQ_SEED ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`crash test: TOBYMQ_SEED=${seed}`);
    const result = await runCrashTest({ rounds: 4, seed, durability });
    expect(result.deliveriesRequired).toBeGreaterThan(0);
  },
  120_000,
);
