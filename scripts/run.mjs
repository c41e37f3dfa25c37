// Running other programs from the repository's scripts: output goes where ours goes, and a failure is a value.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The script behind a command of an installed package, so that it runs on a Node of our choice. */
export const commands = {
  tsc: join(root, 'node_modules/typescript/bin/tsc'),
  biome: join(root, 'node_modules/@biomejs/biome/bin/biome'),
  vitest: join(root, 'node_modules/vitest/vitest.mjs'),
};

/**
 * Runs a program in the root of the repository and answers with its exit code (128 + n after signal n).
 * `quiet` keeps its output back and shows it only when the program failed.
 */
export function run(command, args, { quiet = false, env = process.env } = {}) {
  return new Promise((resolve) => {
    const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    const child = spawn(command, args, { cwd: root, env, stdio, shell: needsShell(command) });
    const kept = [];
    child.stdout?.on('data', (data) => kept.push(data));
    child.stderr?.on('data', (data) => kept.push(data));
    child.on('error', (error) => {
      console.error(`${command} does not start: ${error.message}`);
      resolve(127);
    });
    child.on('close', (code, signal) => {
      const result = code ?? (signal ? 128 : 1);
      if (result !== 0 && kept.length > 0) process.stderr.write(Buffer.concat(kept));
      resolve(result);
    });
  });
}

// On Windows npm is a batch file, which only a shell can start.
function needsShell(command) {
  return process.platform === 'win32' && command === 'npm';
}

/** Seconds since `start` (of `performance.now()`), for people. */
export function since(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
