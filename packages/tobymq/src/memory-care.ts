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
//   Newer versions of V8 keep the pages that a collection frees for later, and give them back only after a thorough
//   one: 178 → 114 MB after a storm of 20,000 connections on Node 26. It takes two to three times as long, so it comes
//   second, and only when little is in use.

import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How often it looks, and how soon again after a collection. */
const INTERVAL_MS = 5_000;
const AGAIN_MS = 1_000;
/** Quiet: less CPU time than this share of the interval. */
const QUIET_SHARE = 0.05;
/** How much the process has to have grown since its low point. */
const GROWTH = 1.3;
/** A collection that leaves more than this share was not worth it. */
const WORTHWHILE = 0.95;
/** With more than this in use a thorough collection would hold up the clients for too long: it takes 3.5 ms per MB. */
const THOROUGH_USED_MAX = 32 * 1024 * 1024;

/** What it needs of its surroundings; the tests bring their own. */
export interface MemoryCareParts {
  /** Resident memory in bytes. */
  readonly residentBytes: () => number;
  /** CPU time used so far, in milliseconds. */
  readonly cpuMs: () => number;
  /** What is in use of the memory that is collected. */
  readonly usedBytes: () => number;
  readonly collect: (isThorough: boolean) => void;
}

export class MemoryCare {
  readonly #parts: MemoryCareParts;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout;
  #lowBytes: number;
  #cpuMs: number;
  /** It has collected at the last look, and could do so thoroughly at the next one. */
  #hasBegun = false;

  constructor(parts: MemoryCareParts = processParts(), intervalMs = INTERVAL_MS) {
    this.#parts = parts;
    this.#lowBytes = parts.residentBytes();
    this.#cpuMs = parts.cpuMs();
    this.#intervalMs = intervalMs;
    this.#timer = this.#lookLater();
  }

  #lookLater(): NodeJS.Timeout {
    const delayMs = this.#hasBegun ? AGAIN_MS : this.#intervalMs;
    return setTimeout(() => {
      this.look(delayMs);
      this.#timer = this.#lookLater();
    }, delayMs).unref();
  }

  /** Looks once; `passedMs` is the time since the last look. */
  look(passedMs: number): void {
    const { residentBytes, cpuMs, usedBytes, collect } = this.#parts;
    const usedMs = cpuMs() - this.#cpuMs;
    this.#cpuMs += usedMs;
    const bytes = residentBytes();
    this.#lowBytes = Math.min(this.#lowBytes, bytes);
    if (usedMs > passedMs * QUIET_SHARE || bytes < this.#lowBytes * GROWTH) {
      this.#hasBegun = false;
      return;
    }
    collect(this.#hasBegun && usedBytes() <= THOROUGH_USED_MAX);
    const left = residentBytes();
    // The first collection may only prepare what the next one frees. If that has brought next to nothing either, what is
    // left is in use: it is the new low point, or the same would be tried again and again.
    if (this.#hasBegun && left > bytes * WORTHWHILE) this.#lowBytes = left;
    this.#hasBegun = true;
    this.#cpuMs = cpuMs();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Has to be called before the server starts. */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** What `--expose-gc` exposes, as far as it is used here. Options that a version does not know do nothing. */
type Collect = (options?: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

function processParts(): MemoryCareParts {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as Collect;
  return {
    residentBytes: () => process.memoryUsage.rss(),
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    usedBytes: () => getHeapStatistics().used_heap_size,
    collect: (isThorough) => {
      gc();
      if (isThorough) gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    },
  };
}
