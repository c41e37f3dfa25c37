// The file with the process id, by which an init system finds the server: written when the server is up, and removed when
// it has stopped.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from './config/errors.ts';

/** Writes the process id; a {@link ConfigError} says why that cannot be done. */
export function writePidFile(path: string): void {
  try {
    // Folders below /run are gone after each boot.
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    throw ConfigError.of(
      `the pid file cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      { file: path },
    );
  }
}

export function removePidFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The account that the server runs as now may not write to the folder; a stale file harms nobody.
  }
}
