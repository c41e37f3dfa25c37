// `npm run test:crash -- --rounds 200 --seed 1 --durability fsync`: kills a working server again and again and checks
// that nothing that it acknowledged was lost. Builds first. A failing run prints its seed, which repeats it.

import { parseArgs } from 'node:util';
import { commands, root, run, since } from './run.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    durability: { type: 'string', default: 'fsync' },
  },
});

const built = await run(process.execPath, [commands.tsc, '-b', 'packages/tobymq']);
if (built !== 0) process.exit(built);

const { runCrashTest } = await import(new URL('../packages/tobymq/test/crash/run.mjs', import.meta.url).href);
const started = performance.now();
console.log(
  `Crash test in ${root}: ${values.rounds} rounds, seed ${values.seed}, level ${values.durability}`,
);
try {
  const result = await runCrashTest({
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    durability: values.durability,
    progress: (line) => console.log(`  ${line}`),
  });
  console.log(
    `Nothing lost: ${result.rounds} kills, ${result.messages} messages, ${result.deliveriesRequired} deliveries ` +
      `that had to arrive, ${result.retainedChecks} checks of all retained messages (${since(started)})`,
  );
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
