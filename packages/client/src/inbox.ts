// Values on their way to one loop: pushed in as they come, taken out by `for await`, until the end.

/** A queue with the loop's side of it. */
export class Inbox<T> implements AsyncIterableIterator<T> {
  readonly #onReturn: () => void;
  readonly #maximum: number;
  readonly #onFull: (waiting: T[], value: T) => void;
  readonly #values: T[] = [];
  /** Calls of `next` that wait for a value. */
  readonly #takers: ((result: IteratorResult<T>) => void)[] = [];
  #isEnded = false;

  /** Of more than `maximum` waiting values only the newest are kept, unless `onFull` finds another place for one more. */
  constructor(onReturn: () => void, maximum: number, onFull: (waiting: T[], value: T) => void = dropOldest) {
    this.#onReturn = onReturn;
    this.#maximum = maximum;
    this.#onFull = onFull;
  }

  push(value: T): void {
    if (this.#isEnded) return;
    if (this.#values.length < this.#maximum) this.#values.push(value);
    else this.#onFull(this.#values, value);
    this.#serve();
  }

  /** The loop ends after what has come. */
  end(): void {
    this.#isEnded = true;
    this.#serve();
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    this.end();
    this.#onReturn();
    return this.next();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #serve(): void {
    const values = this.#values;
    while (this.#takers.length > 0 && (values.length > 0 || this.#isEnded)) {
      const take = this.#takers.shift()!;
      if (values.length > 0) take({ done: false, value: values.shift()! });
      else take({ done: true, value: undefined });
    }
  }
}

function dropOldest<T>(waiting: T[], value: T): void {
  waiting.shift();
  waiting.push(value);
}
