// Values on their way to one loop: pushed in as they come, taken out by `for await`, until the end.

/** A queue with the loop's side of it. */
export class Inbox<T> implements AsyncIterableIterator<T> {
  readonly #onReturn: () => void;
  readonly #maximum: number;
  readonly #values: T[] = [];
  readonly #takers: {
    readonly resolve: (result: IteratorResult<T>) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  #isEnded = false;
  #error: unknown;

  /** Of more than `maximum` waiting values only the newest are kept. */
  constructor(onReturn: () => void, maximum = Number.POSITIVE_INFINITY) {
    this.#onReturn = onReturn;
    this.#maximum = maximum;
  }

  push(value: T): void {
    if (this.#isEnded) return;
    const taker = this.#takers.shift();
    if (taker === undefined) this.#values.push(value);
    else taker.resolve({ done: false, value });
    if (this.#values.length > this.#maximum) this.#values.shift();
  }

  /** The loop ends after what has come; with an error it throws that. */
  end(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    for (const taker of this.#takers.splice(0)) {
      if (error === undefined) taker.resolve({ done: true, value: undefined });
      else taker.reject(error);
    }
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#values.length > 0) return Promise.resolve({ done: false, value: this.#values.shift() as T });
    if (this.#isEnded) {
      return this.#error === undefined
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(this.#error);
    }
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    this.end(undefined);
    this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
