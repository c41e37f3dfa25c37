// Makes sure that the npm packages of the lock file are installed, and installs nothing when they are.
//
// npm writes node_modules/.package-lock.json at the end of an installation. A package-lock.json newer than that
// means that somebody pulled a change of dependencies.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, since } from './run.mjs';

const oldestNode = [20, 19];

/** Ends the process with a clear message when this Node is too old for TobyMQ. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  console.error(`TobyMQ needs Node ${oldestNode.join('.')} or newer; this is Node ${process.versions.node}.`);
  process.exit(1);
}

/** Installs what is missing. Answers whether everything is there now. */
export async function ensureInstalled() {
  const lock = join(root, 'package-lock.json');
  const done = join(root, 'node_modules/.package-lock.json');
  if (existsSync(done) && statSync(done).mtimeMs >= statSync(lock).mtimeMs) return true;
  const started = performance.now();
  console.error(
    `Installing the npm packages of package-lock.json (${existsSync(done) ? 'it changed' : 'first start'}) …`,
  );
  const code = await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { quiet: true });
  if (code !== 0) {
    console.error(`npm ci failed with exit code ${code}.`);
    return false;
  }
  console.error(`Installed in ${since(started)}.`);
  return true;
}
