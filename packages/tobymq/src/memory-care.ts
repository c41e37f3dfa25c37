// Keeps the memory of a server that runs for months close to what it needs.
//
// V8 grows its young generation to 16 MB and more under load, and gives old memory back only when it needs to collect
// anyway, which a server that has gone quiet may not do for hours. The hot path of the broker makes no garbage, so
// neither is of use here. Two measures:
//
// - The young generation stays small. Measured with 15,000 idle connections on Node 26: 7.0 → 4.6 kB each, with the
//   same CPU time per message.
// - When the server is quiet and has grown since memory was last low, it collects, until that brings nothing any more.
//   After the 15,000 connections have left that is 169 → 117 MB; a collection takes about a tenth of a second.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How often it looks. */
const INTERVAL_MS = 5_000;
/** Quiet: less CPU time than this share of the interval. */
const QUIET_SHARE = 0.05;
/** How much the process has to have grown since its low point. */
const GROWTH = 1.3;
/** A collection that leaves more than this share was not worth it. */
const WORTHWHILE = 0.95;

/** What it needs of its surroundings; the tests bring their own. */
export interface MemoryCareParts {
  /** Resident memory in bytes. */
  readonly residentBytes: () => number;
  /** CPU time used so far, in milliseconds. */
  readonly cpuMs: () => number;
  readonly collect: () => void;
}

export class MemoryCare {
  readonly #parts: MemoryCareParts;
  readonly #timer: NodeJS.Timeout;
  #lowBytes: number;
  #cpuMs: number;

  constructor(parts: MemoryCareParts = processParts(), intervalMs = INTERVAL_MS) {
    this.#parts = parts;
    this.#lowBytes = parts.residentBytes();
    this.#cpuMs = parts.cpuMs();
    this.#timer = setInterval(() => this.look(intervalMs), intervalMs);
    this.#timer.unref();
  }

  /** Looks once; `passedMs` is the time since the last look. */
  look(passedMs: number): void {
    const { residentBytes, cpuMs, collect } = this.#parts;
    const usedMs = cpuMs() - this.#cpuMs;
    this.#cpuMs += usedMs;
    const bytes = residentBytes();
    this.#lowBytes = Math.min(this.#lowBytes, bytes);
    if (usedMs > passedMs * QUIET_SHARE || bytes < this.#lowBytes * GROWTH) return;
    collect();
    // The first collection may only prepare what the next one frees. If it brought next to nothing, what is left is in
    // use: that is the new low point, or the same would be tried again and again.
    const left = residentBytes();
    if (left > bytes * WORTHWHILE) this.#lowBytes = left;
    this.#cpuMs = cpuMs();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Has to be called before the server starts. */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

function processParts(): MemoryCareParts {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return {
    residentBytes: () => process.memoryUsage.rss(),
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    collect,
  };
}
