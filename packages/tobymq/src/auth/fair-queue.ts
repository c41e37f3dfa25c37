// Work that takes long, such as checking a password or asking a web service, in an order that is fair between addresses.
//
// Anybody may ask for it, and a thousand guesses that come at once take half a minute, also those of clients that have
// hung up meanwhile. In one line everybody else would wait behind them until their time for CONNECT is over. So each
// address has a line of its own, and the lines take turns.

/** As many at once as there are threads that check passwords. */
const threads = Number(process.env.UV_THREADPOOL_SIZE) || 4;

export class FairQueue {
  readonly #runningMax: number;
  #running = 0;
  /** The lines by address; the one whose turn is next comes first. */
  readonly #lines = new Map<string, (() => void)[]>();

  constructor(runningMax: number = threads) {
    this.#runningMax = runningMax;
  }

  async run<T>(address: string, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#runningMax) this.#running++;
    else await new Promise<void>((begin) => this.#wait(address, begin));
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #wait(address: string, begin: () => void): void {
    const line = this.#lines.get(address);
    if (line === undefined) this.#lines.set(address, [begin]);
    else line.push(begin);
  }

  /** Gives the place of work that is done to the next line. */
  #next(): void {
    const [next] = this.#lines;
    if (next === undefined) {
      this.#running--;
      return;
    }
    const [address, line] = next;
    this.#lines.delete(address);
    const begin = line.shift();
    if (line.length > 0) this.#lines.set(address, line);
    begin?.();
  }
}
