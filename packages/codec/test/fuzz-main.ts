// `npm run fuzz -w @tobymq/codec`: a million mutated inputs, with the memory watched.
// `npm run fuzz -w @tobymq/codec -- --runs 5000000 --seed 7` for another run.

import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
  },
});
const runs = Number(values.runs);
const seed = Number(values.seed);
const PARTS = 10;
/** What the memory may grow after the first part, which fills the caches. */
const GROWTH_MAX = 8_000_000;

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

console.log(`${runs} mutated inputs, seed ${seed}`);
const start = performance.now();
let first = 0;
for (let part = 0; part < PARTS; part++) {
  const result = fuzz(Math.ceil(runs / PARTS), seed + part);
  const used = memory();
  if (part === 0) first = used;
  const { packets, rejections, reencoded } = result;
  console.log(
    `part ${part + 1}: ${packets} packets, ${rejections} rejections, ${reencoded} encoded again, ${(used / 1e6).toFixed(1)} MB`,
  );
}
const growth = memory() - first;
console.log(
  `no other exception, ${((performance.now() - start) / 1000).toFixed(1)} s, memory grew by ${growth} bytes`,
);
if (globalThis.gc !== undefined && growth > GROWTH_MAX) {
  console.error(`the memory grew by more than ${GROWTH_MAX} bytes`);
  process.exitCode = 1;
}
