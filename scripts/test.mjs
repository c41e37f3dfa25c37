// `npm test`: everything that has to be true before a change is done, with one command on a fresh clone.
//
// Installs what the tests need, builds, checks types, lint and format, then runs all tests twice: on the Node that
// runs this, and on the newest (or oldest) supported one, except for what is the same on every Node. What leans on the
// insides of Node is tested on a major between, too. Nothing is skipped in silence: what cannot be done counts as a
// failure. The last line is the sum: `N passed, N failed`.
//
// Arguments are passed on to vitest: `npm test -- packages/codec`.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from './check.mjs';
import { ensureInstalled, requireNode } from './install.mjs';
import { ensureNode, otherMajor, versionOf } from './other-node.mjs';
import { commands, run, since } from './run.mjs';
import { ensureSystemPackages } from './system-packages.mjs';

const majorsBetween = [22];
// Each major has its own node:sqlite, and its own handles below the sockets; that of 22 is the most different one.
const leaningOnNode = [
  'packages/store-sqlite/test/contract.test.ts',
  'packages/broker/test/direct-stream.test.ts',
];
// Tested once, because no version of Node can change it: the house rules read the texts of the repository, and the
// examples in the documents are compiled by TypeScript, which is a program of its own.
const sameOnEveryNode = ['test/**'];

const selected = process.argv.slice(2);
const summary = [];
const total = { passed: 0, failed: 0, skipped: 0 };

requireNode();
await main();

async function main() {
  const begin = performance.now();
  if (!(await step('npm packages', ensureInstalled))) return finish(begin);
  await step('Debian packages', async () => (await ensureSystemPackages()).length === 0);
  await step('types, lint and format', async () => (await check()).length === 0);
  await tests(process.execPath, selected);
  await testsOn(otherMajor(), [...selected, ...testedAlready()]);
  if (selected.length === 0) for (const major of majorsBetween) await testsOn(major, leaningOnNode);
  finish(begin);
}

// What was selected may be nothing else.
function testedAlready() {
  return ['--passWithNoTests', ...sameOnEveryNode.map((files) => `--exclude=${files}`)];
}

async function testsOn(major, files) {
  const node = await ensureNode(major);
  if (node === undefined) await step(`fetch Node ${major}`, async () => false);
  else await tests(node, files);
}

// A step that fails counts as one failure, so that the closing line cannot look better than the truth.
async function step(name, work) {
  const started = performance.now();
  const passed = await work();
  if (!passed) total.failed += 1;
  summary.push(`${passed ? 'ok    ' : 'FAILED'}  ${name}  (${since(started)})`);
  return passed;
}

async function tests(node, files) {
  const started = performance.now();
  const name = `tests on Node ${versionOf(node).slice(1)}`;
  console.log(`\n${name}`);
  const folder = mkdtempSync(join(tmpdir(), 'tobymq-test-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await run(node, [commands.vitest, 'run', ...reporters, ...files]);
  const counts = countResults(report);
  rmSync(folder, { recursive: true, force: true });
  // vitest also fails for reasons that are no test, such as an error after the end; that is one failure more.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  for (const key of Object.keys(total)) total[key] += counts[key];
  summary.push(
    `${counts.failed === 0 ? 'ok    ' : 'FAILED'}  ${name}: ${sentence(counts)}  (${since(started)})`,
  );
}

function countResults(report) {
  let results;
  try {
    results = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  // A file that fails before its first test has no failed test, but it has failed.
  const broken = results.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(isFailed),
  );
  return {
    passed: results.numPassedTests,
    failed: results.numFailedTests + broken.length,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

function isFailed(result) {
  return result.status === 'failed';
}

function sentence({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

function finish(begin) {
  console.log(`\n${summary.join('\n')}\nTotal time ${since(begin)}`);
  console.log(sentence(total));
  process.exitCode = total.failed === 0 ? 0 : 1;
}
