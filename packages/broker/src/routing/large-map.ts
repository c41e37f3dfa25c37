// A map with string keys that grows without a pause.
//
// A JavaScript Map doubles by moving everything it holds at once: 100 to 200 ms at half a million keys, in which no client is
// served. This map begins as one Map and splits into 256 when it becomes large; each of those is small enough to double
// in a fraction of a millisecond. The price is the hash of the key, about 1 ns per character, and only when it is large.

const SHARDS = 256;
const SPLIT_AT = 8192;

export class LargeMap<V> {
  /** One map, or 256. */
  #shards: Map<string, V>[] = [new Map()];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    return this.#shardOf(key).get(key);
  }

  set(key: string, value: V): void {
    const shard = this.#shardOf(key);
    const sizeBefore = shard.size;
    shard.set(key, value);
    if (shard.size === sizeBefore) return;
    this.#size++;
    if (this.#shards.length === 1 && this.#size > SPLIT_AT) this.#split();
  }

  delete(key: string): boolean {
    const isDeleted = this.#shardOf(key).delete(key);
    if (isDeleted) this.#size--;
    return isDeleted;
  }

  /** All values, in no particular order; the map must not be changed meanwhile. */
  *values(): IterableIterator<V> {
    for (const shard of this.#shards) yield* shard.values();
  }

  #shardOf(key: string): Map<string, V> {
    const shards = this.#shards;
    return shards.length === 1 ? shards[0]! : shards[hashOf(key) & (SHARDS - 1)]!;
  }

  #split(): void {
    const [all] = this.#shards as [Map<string, V>];
    this.#shards = Array.from({ length: SHARDS }, () => new Map());
    for (const [key, value] of all) this.#shardOf(key).set(key, value);
  }
}

/** FNV-1a over the UTF-16 code units. */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash;
}
