// A Map of Maps without empty inner ones: what belongs to a session, or to the values of one space, goes together.

export class TwoLevelMap<A, B, V> {
  readonly #outer = new Map<A, Map<B, V>>();

  get size(): number {
    return this.#outer.size;
  }

  get(a: A, b: B): V | undefined {
    return this.#outer.get(a)?.get(b);
  }

  all(a: A): ReadonlyMap<B, V> | undefined {
    return this.#outer.get(a);
  }

  set(a: A, b: B, value: V): void {
    const inner = this.#outer.get(a);
    if (inner === undefined) this.#outer.set(a, new Map([[b, value]]));
    else inner.set(b, value);
  }

  deleteAll(a: A): void {
    this.#outer.delete(a);
  }

  *[Symbol.iterator](): Iterator<readonly [A, B, V]> {
    for (const [a, inner] of this.#outer) for (const [b, value] of inner) yield [a, b, value];
  }
}
