// Resident memory of another process.

import { readFileSync } from 'node:fs';

/** In megabytes; undefined when the process cannot be seen. */
export function processMemoryMb(pid) {
  if (pid === undefined) return undefined;
  try {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}
