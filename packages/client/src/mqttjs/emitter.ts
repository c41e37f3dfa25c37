// The events of a client, with the methods of Node's EventEmitter that programs use. An emitter of our own, because
// browsers have none, and because two things differ: what a listener returns is seen, so that a promise can be waited
// for, and what it throws is reported instead of breaking the connection that the event came from.

type Listener = (...args: never[]) => unknown;

interface Entry {
  readonly listener: Listener;
  readonly isOnce: boolean;
}

/** Typed events: `E` maps each name to the function that listens. */
export class Emitter<E extends { readonly [K in keyof E]: Listener }> {
  readonly #listeners = new Map<keyof E, Entry[]>();
  #onThrown: (error: unknown, event: keyof E) => void = () => {};
  #onAdded: (event: keyof E) => void = () => {};

  /** Internal: who hears of what listeners throw, and of new listeners. */
  protected watch(
    onThrown: (error: unknown, event: keyof E) => void,
    onAdded: (event: keyof E) => void,
  ): void {
    this.#onThrown = onThrown;
    this.#onAdded = onAdded;
  }

  #add(event: keyof E, listener: Listener, isOnce: boolean, isFirst: boolean): this {
    const before = this.#listeners.get(event) ?? [];
    const added = { listener, isOnce };
    // A new array, because an event may be on its way through the old one.
    this.#listeners.set(event, isFirst ? [added, ...before] : [...before, added]);
    this.#onAdded(event);
    return this;
  }

  on<K extends keyof E>(event: K, listener: E[K]): this {
    return this.#add(event, listener, false, false);
  }

  addListener<K extends keyof E>(event: K, listener: E[K]): this {
    return this.on(event, listener);
  }

  once<K extends keyof E>(event: K, listener: E[K]): this {
    return this.#add(event, listener, true, false);
  }

  prependListener<K extends keyof E>(event: K, listener: E[K]): this {
    return this.#add(event, listener, false, true);
  }

  prependOnceListener<K extends keyof E>(event: K, listener: E[K]): this {
    return this.#add(event, listener, true, true);
  }

  off<K extends keyof E>(event: K, listener: E[K]): this {
    const entry = this.#listeners.get(event)?.findLast((each) => each.listener === listener);
    if (entry !== undefined) this.#remove(event, entry);
    return this;
  }

  #remove(event: keyof E, entry: Entry): void {
    const entries = this.#listeners.get(event) ?? [];
    this.#listeners.set(
      event,
      entries.filter((each) => each !== entry),
    );
  }

  removeListener<K extends keyof E>(event: K, listener: E[K]): this {
    return this.off(event, listener);
  }

  removeAllListeners(event?: keyof E): this {
    if (event === undefined) this.#listeners.clear();
    else this.#listeners.delete(event);
    return this;
  }

  /** Nothing warns of many listeners here; the method is for programs that set the limit. */
  setMaxListeners(_count: number): this {
    return this;
  }

  listeners<K extends keyof E>(event: K): E[K][] {
    return (this.#listeners.get(event) ?? []).map((entry) => entry.listener as E[K]);
  }

  listenerCount(event: keyof E): number {
    return this.#listeners.get(event)?.length ?? 0;
  }

  eventNames(): (keyof E)[] {
    return [...this.#listeners.keys()].filter((event) => this.listenerCount(event) > 0);
  }

  emit<K extends keyof E>(event: K, ...args: Parameters<E[K]>): boolean {
    for (const entry of this.#listeners.get(event) ?? []) {
      try {
        this.#call(event, entry, args);
      } catch (error) {
        this.#onThrown(error, event);
      }
    }
    return this.listenerCount(event) > 0;
  }

  /** Internal: emits, and gives back what the listeners returned. Throws what one of them throws. */
  protected collect<K extends keyof E>(event: K, args: Parameters<E[K]>): unknown[] {
    return (this.#listeners.get(event) ?? []).map((entry) => this.#call(event, entry, args));
  }

  #call<K extends keyof E>(event: K, entry: Entry, args: Parameters<E[K]>): unknown {
    if (entry.isOnce) this.#remove(event, entry);
    return Reflect.apply(entry.listener, this, args);
  }
}
