// First come, first served: an array with a moving head, because `shift()` of a long array moves everything.

export class Queue<T> {
  readonly #sizeOf: (item: T) => number;
  #items: T[] = [];
  #head = 0;
  /** The sizes of what waits, added up. */
  bytes = 0;

  constructor(sizeOf: (item: T) => number = () => 0) {
    this.#sizeOf = sizeOf;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The oldest one. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** All that wait, the oldest first. */
  get items(): readonly T[] {
    return this.#items.slice(this.#head);
  }

  set items(items: readonly T[]) {
    this.#items = [];
    this.#head = 0;
    this.bytes = 0;
    for (const item of items) this.push(item);
  }

  /** Whether one more keeps to both bounds; an empty queue has room for any. */
  fits(item: T, maxItems: number, maxBytes: number): boolean {
    return this.length < maxItems && (this.length === 0 || this.bytes + this.#sizeOf(item) <= maxBytes);
  }

  push(item: T): void {
    this.#items.push(item);
    this.bytes += this.#sizeOf(item);
  }

  shift(): T | undefined {
    const item = this.first;
    if (item === undefined) return undefined;
    this.bytes -= this.#sizeOf(item);
    this.#head++;
    // Moves no more items than were taken out since the last time.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes out one, wherever it stands; what ends in the order of its coming stands at the head. */
  remove(item: T): void {
    if (item === this.first) this.shift();
    else this.items = this.items.filter((other) => other !== item);
  }
}
