// The short form of `npm run test:crash -w @tobymq/client`.

import { expect, test } from 'vitest';
import { runClientCrashTest } from './run.mjs';

test('QoS 2 arrives exactly once and in order, QoS 1 at least once, through kills of client and server', async () => {
  const seed = Number(process.env.TOBYMQ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`client crash test: TOBYMQ_SEED=${seed}`);
  const result = await runClientCrashTest({ rounds: 5, seed });
  expect(result.acknowledged).toBeGreaterThan(0);
  expect(result.effects).toBeGreaterThan(0);
}, 60_000);
