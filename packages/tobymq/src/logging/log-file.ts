// A log file. Each line is written at once and in order, so that the last lines before a crash are there.
//
// When the disk is full or gone, the server goes on without its log: lines are counted and not kept, and only once a
// second one of them is tried, because each attempt holds up the clients. When lines can be written again, the first one
// tells how many are missing.

import { closeSync, openSync, writeSync } from 'node:fs';
import { ConfigError, fileFault } from '../config/errors.ts';
import type { Destination } from './destinations.ts';

const RETRY_MS = 1_000;

/** Lines that are missing in a file. */
export interface LostLines {
  readonly file: string;
  readonly count: number;
  readonly reason: string;
}

/** Told when the file can be written again. */
export type OnLinesLost = (lost: LostLines) => void;

/** Writes bytes at the end of a file and answers how many it took; the tests bring their own. */
type WriteBytes = (descriptor: number, bytes: Uint8Array) => number;

export class LogFile implements Destination {
  readonly #path: string;
  readonly #onLinesLost: OnLinesLost;
  readonly #writeBytes: WriteBytes;
  readonly #descriptor: number;
  /** The end of a line whose beginning is in the file: the disk became full in the middle of it. */
  #rest: Uint8Array | undefined;
  /** Until when nothing is tried; undefined while the file can be written. */
  #retryAt: number | undefined;
  #reason = '';
  #lostCount = 0;

  /** Throws {@link ConfigError} if the file cannot be opened. */
  constructor(path: string, onLinesLost: OnLinesLost, writeBytes: WriteBytes = writeSync) {
    this.#path = path;
    this.#onLinesLost = onLinesLost;
    this.#writeBytes = writeBytes;
    try {
      this.#descriptor = openSync(path, 'a');
    } catch (error) {
      throw ConfigError.of(`the log file cannot be written: ${fileFault(error)}`, { file: path });
    }
  }

  write(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    if (this.#retryAt === undefined ? this.#append(bytes) : this.#appendAgain(bytes)) return;
    this.#lostCount++;
  }

  close(): void {
    if (this.#rest !== undefined) this.#append(this.#rest);
    closeSync(this.#descriptor);
  }

  /** The file could not be written: tries it again if it is time, and tells what is missing before the line. */
  #appendAgain(line: Uint8Array): boolean {
    if (performance.now() < this.#retryAt!) return false;
    if (this.#rest !== undefined && !this.#append(this.#rest)) return false;
    const lost = { file: this.#path, count: this.#lostCount, reason: this.#reason };
    this.#retryAt = undefined;
    this.#lostCount = 0;
    if (lost.count > 0) this.#onLinesLost(lost);
    if (this.#retryAt === undefined) return this.#append(line);
    // The line that tells of the others is lost itself, unless its rest follows.
    this.#lostCount = this.#rest === undefined ? lost.count : 0;
    return false;
  }

  /** Writes bytes, or as many as there is space for; false if there is space for none. */
  #append(bytes: Uint8Array): boolean {
    let written = 0;
    try {
      while (written < bytes.length) written += this.#writeBytes(this.#descriptor, bytes.subarray(written));
      this.#rest = undefined;
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
      this.#retryAt = performance.now() + RETRY_MS;
      if (written > 0) this.#rest = bytes.subarray(written);
    }
    return written > 0;
  }
}
