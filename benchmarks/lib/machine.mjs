// On what a measurement was made.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export function describeMachine() {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
  };
}

/** Two cores to keep the broker and the generator apart, where the system can pin them. */
export function coresToPin() {
  const canPin = existsSync('/usr/bin/taskset') && cpus().length >= 2;
  return canPin ? { broker: 0, generator: 1 } : { broker: undefined, generator: undefined };
}

export function nodeVersion(node) {
  return execFileSync(node, ['--version'], { encoding: 'utf8' }).trim().slice(1);
}
