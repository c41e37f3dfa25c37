// `npm run bench`: every benchmark of the repository by name, in a form that takes minutes, not hours.
//
//   npm run bench                      all suites, one after the other
//   npm run bench -- list              what there is
//   npm run bench -- codec             one suite
//   npm run bench -- broker --help     arguments behind the name go to the suite
//
// Each suite is a plain Node script on the built packages; build, install and Node version are taken care of here.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, requireNode } from './install.mjs';
import { commands, root, run, since } from './run.mjs';

const suites = [
  { name: 'codec', script: 'codec/bench.mjs', about: 'encode and decode, beside mqtt-packet' },
  { name: 'routing', script: 'routing/bench.mjs', about: 'matching, memory per subscription, churn' },
  {
    name: 'allocation',
    script: 'allocation/bench.mjs',
    about: 'bytes allocated per message on the hot path',
  },
  { name: 'client', script: 'client/bench.mjs', about: 'the client library, beside MQTT.js' },
  { name: 'durability', script: 'durability/bench.mjs', about: 'the store, at each level of durability' },
  { name: 'broker', script: 'side-by-side.mjs', about: 'the server, beside Mosquitto and Aedes' },
].filter(({ script }) => existsSync(join(root, 'benchmarks', script)));

const [name, ...args] = process.argv.slice(2);
if (name === 'list') list();
else process.exitCode = await main();

function list() {
  for (const suite of suites) console.log(`${suite.name.padEnd(12)} ${suite.about}`);
}

async function main() {
  const chosen = name === undefined ? suites : suites.filter((suite) => suite.name === name);
  if (chosen.length === 0) {
    console.error(`There is no suite ${name}. There are: ${suites.map((suite) => suite.name).join(', ')}`);
    return 2;
  }
  requireNode();
  if (!(await ensureInstalled())) return 1;
  const buildCode = await run(process.execPath, [commands.tsc, '-b', 'packages/tobymq']);
  if (buildCode !== 0) return buildCode;
  let failed = 0;
  for (const suite of chosen) {
    console.log(`\n== ${suite.name}: ${suite.about}`);
    const started = performance.now();
    const code = await run(process.execPath, [join(root, 'benchmarks', suite.script), ...args]);
    console.log(
      `== ${suite.name} ${code === 0 ? 'took' : `FAILED with exit code ${code} after`} ${since(started)}`,
    );
    if (code !== 0) failed += 1;
  }
  return failed === 0 ? 0 : 1;
}
