// `npm run check`: types of sources and tests, then lint and format. Changes nothing; `npm run format` repairs
// what can be repaired. Needs the packages to be installed.

import { pathToFileURL } from 'node:url';
import { commands, run, since } from './run.mjs';

const steps = [
  ['types', [commands.tsc, '-b']],
  ['lint and format', [commands.biome, 'check', '--error-on-warnings', '.']],
];

/** Runs every check, also after one has failed. Answers with the names of those that failed. */
export async function check() {
  const failed = [];
  for (const [name, args] of steps) {
    const started = performance.now();
    const code = await run(process.execPath, args);
    console.log(`${code === 0 ? 'ok' : 'FAILED'}: ${name} (${since(started)})`);
    if (code !== 0) failed.push(name);
  }
  return failed;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const failed = await check();
  process.exitCode = failed.length === 0 ? 0 : 1;
}
