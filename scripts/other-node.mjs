// A second version of Node for the tests: the newest major that we promise to support, or the oldest when the
// newest is the one that runs already. It comes from npm as a plain package (one binary, no install script) and
// stays in .cache/.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './run.mjs';

export const newestMajor = 26;
const oldestMajor = 20;

/** The major version that the second run of the tests uses. */
export function otherMajor() {
  return Number(process.versions.node.split('.')[0]) >= newestMajor ? oldestMajor : newestMajor;
}

/** The path of a Node of that major version, installed when it is missing; undefined when that fails. */
export async function ensureNode(major) {
  if (Number(process.versions.node.split('.')[0]) === major) return process.execPath;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${platform}-${process.arch}`;
  const folder = join(root, '.cache', `node${major}`);
  const binary = join(
    folder,
    'node_modules',
    name,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (!existsSync(binary)) {
    console.log(`Fetching Node ${major} (npm package ${name}@${major}) …`);
    const args = ['install', '--prefix', folder, '--no-save', '--no-package-lock', '--ignore-scripts'];
    await run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error', `${name}@${major}`], {
      quiet: true,
    });
  }
  if (!existsSync(binary)) return undefined;
  return binary;
}

export function versionOf(node) {
  return execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
}
