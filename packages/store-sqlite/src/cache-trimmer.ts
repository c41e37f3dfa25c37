// Gives the memory of the page cache back when the store has had nothing to do for a while: SQLite keeps up to its bound
// (64 MiB unless set otherwise) for ever, also when everything in it was deleted. The file system still has the pages.

import type { Database } from './sqlite.ts';

const INTERVAL_MS = 2_000;

export class CacheTrimmer {
  readonly #timer: NodeJS.Timeout;
  #isUsed = false;
  #isTrimmed = true;

  constructor(database: Database) {
    this.#timer = setInterval(() => {
      if (!this.#isUsed && !this.#isTrimmed) {
        database.exec('PRAGMA shrink_memory');
        this.#isTrimmed = true;
      }
      this.#isUsed = false;
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  used(): void {
    this.#isUsed = true;
    this.#isTrimmed = false;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
