// The long form of the crash test: `npm run test:crash -w @tobymq/client -- --rounds 200 --seed 1`. It uses what
// `npm run build` has built. A failing run prints its seed.

import { parseArgs } from 'node:util';
import { runClientCrashTest } from '../test/crash/run.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});

console.log(`Crash test of the client: ${values.rounds} rounds, seed ${values.seed}`);
try {
  const result = await runClientCrashTest({
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    progress: (line) => console.log(`  ${line}`),
  });
  console.log(`Exactly once: ${JSON.stringify(result)}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
