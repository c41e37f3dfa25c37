// Level `commit`: flushes the write-ahead log every so often, off the worker's thread. A power loss then costs at most the
// interval; the log is checksummed, so it costs its end only.

import { closeSync, fdatasync, openSync } from 'node:fs';

export class LogFlusher {
  readonly #descriptor: number;
  readonly #timer: NodeJS.Timeout;
  #dirty = false;

  constructor(file: string, intervalMs: number) {
    this.#descriptor = openSync(file, 'a');
    this.#timer = setInterval(() => this.#flush(), intervalMs);
    this.#timer.unref();
  }

  written(): void {
    this.#dirty = true;
  }

  stop(): void {
    clearInterval(this.#timer);
    closeSync(this.#descriptor);
  }

  #flush(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    fdatasync(this.#descriptor, (error) => {
      // It is tried again with the next interval; a disk that refuses for good makes the commits fail.
      if (error !== null) this.#dirty = true;
    });
  }
}
