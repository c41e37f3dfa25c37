// Messages on their way to one `for await` loop: a queue with a bound, and the loop's side of it.

/** Values that are pushed in and taken out by one or more loops; each value goes to one loop. */
export class Feed<T> implements AsyncIterableIterator<T> {
  readonly #sizeMax: number;
  readonly #onOverflow: () => void;
  readonly #values: T[] = [];
  readonly #takers: ((result: IteratorResult<T> | Promise<IteratorResult<T>>) => void)[] = [];
  readonly #onReturn: (feed: Feed<T>) => void;
  #isClosed = false;
  #error: Error | undefined;

  constructor(sizeMax: number, onOverflow: () => void, onReturn: (feed: Feed<T>) => void) {
    this.#sizeMax = sizeMax;
    this.#onOverflow = onOverflow;
    this.#onReturn = onReturn;
  }

  push(value: T): void {
    if (this.#isClosed) return;
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker({ done: false, value });
      return;
    }
    if (this.#values.length >= this.#sizeMax) {
      this.#values.shift();
      this.#onOverflow();
    }
    this.#values.push(value);
  }

  /** Ends the loops after what has already come; with an error they throw it. */
  close(error?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#error = error;
    for (const taker of this.#takers.splice(0)) taker(this.#end());
  }

  next(): Promise<IteratorResult<T>> {
    const value = this.#values.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#isClosed) return this.#end();
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Called when a loop is left with `break`. */
  return(): Promise<IteratorResult<T>> {
    this.close();
    this.#values.length = 0;
    this.#onReturn(this);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** An error is thrown once; then the loop is at its end. */
  #end(): Promise<IteratorResult<T>> {
    const error = this.#error;
    this.#error = undefined;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
