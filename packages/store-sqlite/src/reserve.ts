// Space that is set aside for the day on which the disk is full.
//
// A deletion is written to the log before it makes any room, and the log cannot be copied into a database that has no
// room to grow. So a full disk would stay full, whatever clients take out of their queues. A file that holds nothing
// keeps the space for that: it is removed when the disk is full, and made again when there is room for it. Until then
// messages are refused, and everything else is written.

import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const chunkBytes = 1024 * 1024;
// Not at once, so that it does not delay the start; and again after a while where there was no room.
const firstDelayMs = 1000;
const laterMs = 60_000;
// The disk has to have this much for each byte of it: at the first time so that a small disk is not filled by it, and
// again so that some messages fit before it is needed anew.
const freeForFirst = 2;
const freeForNext = 1.25;

export class SpaceReserve {
  readonly bytes: number;
  readonly #file: string;
  #timer: NodeJS.Timeout | undefined;
  #isGivenUp = false;

  constructor(file: string, bytes: number) {
    this.#file = file;
    this.bytes = bytes;
    if (bytes > 0 && !existsSync(file)) this.#makeLater(firstDelayMs);
  }

  /** Whether it serves deletions at present. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** The disk is full: makes room. Answers false if there was nothing set aside. */
  giveUp(): boolean {
    if (!existsSync(this.#file)) return false;
    rmSync(this.#file, { force: true });
    this.#isGivenUp = true;
    return true;
  }

  /** Whether there is room to set it aside again. */
  get hasRoom(): boolean {
    return this.freeBytes >= this.bytes * freeForNext;
  }

  /** What the disk has left for this process. */
  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(dirname(this.#file));
    return bavail * bsize;
  }

  /** Sets it aside again; throws if there is no room after all, which a quota may say. */
  restore(): void {
    this.#make();
    this.#isGivenUp = false;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #makeLater(delayMs: number): void {
    this.#timer = setTimeout(() => {
      try {
        if (this.#isGivenUp) return;
        if (this.freeBytes >= this.bytes * freeForFirst) this.#make();
        else this.#makeLater(laterMs);
      } catch {
        this.#makeLater(laterMs);
      }
    }, delayMs);
    this.#timer.unref();
  }

  #make(): void {
    // What can be compressed takes no space on some file systems.
    const chunk = randomBytes(chunkBytes);
    const descriptor = openSync(this.#file, 'w', 0o600);
    try {
      for (let left = this.bytes; left > 0; )
        left -= writeSync(descriptor, chunk, 0, Math.min(left, chunkBytes));
    } catch (error) {
      rmSync(this.#file, { force: true });
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }
}
