// A map with string keys that is quick for keys that nobody has seen before, and grows without a pause.
//
// A JavaScript Map is neither. It makes every string that it is asked for known to the whole process first, which costs
// more than the rest of the search when the string has just come off the network and is not found or never asked for
// again. And it doubles by moving everything it holds at once: 100 to 200 ms at half a million keys, in which no client
// is served.
//
// This one hashes the key itself, about 1 ns per character, and keeps the hash beside it, so that a search compares
// strings only when it has found its key. It begins as one table and splits into 256 when it becomes large; each of
// those is small enough to double in a fraction of a millisecond.

const TABLES = 256;
const SPLIT_AT = 8192;

export class LargeMap<V> {
  /** One table, or 256. */
  #tables: Table<V>[] = [new Table()];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Who asks several maps for one key need not have it hashed each time. */
  get(key: string, hash: number = hashOfKey(key)): V | undefined {
    return this.#tableOf(hash).get(key, hash);
  }

  set(key: string, value: V, hash: number = hashOfKey(key)): void {
    if (!this.#tableOf(hash).set(key, hash, value)) return;
    this.#size++;
    if (this.#tables.length === 1 && this.#size > SPLIT_AT) this.#split();
  }

  delete(key: string, hash: number = hashOfKey(key)): boolean {
    const isDeleted = this.#tableOf(hash).delete(key, hash);
    if (isDeleted) this.#size--;
    return isDeleted;
  }

  /** All values, in no particular order; the map must not be changed meanwhile. */
  *values(): IterableIterator<V> {
    for (const table of this.#tables) yield* table.values();
  }

  #tableOf(hash: number): Table<V> {
    const tables = this.#tables;
    // The upper bits, because the lower ones choose the place within the table.
    return tables.length === 1 ? tables[0]! : tables[hash >>> 24]!;
  }

  #split(): void {
    const [all] = this.#tables as [Table<V>];
    this.#tables = Array.from({ length: TABLES }, () => new Table<V>());
    all.moveTo((hash) => this.#tableOf(hash));
  }
}

const SLOTS_MIN = 16;

/** A hash table in which a key that finds its slot taken goes into the next free one. */
class Table<V> {
  // Hash, key and value of each slot in turn, so that a search finds them side by side in memory. The hash of a free slot is
  // undefined. A power of two of slots, a quarter of which at least is free.
  #slots: Slots<V> = emptySlots(SLOTS_MIN);
  #mask = SLOTS_MIN - 1;
  #size = 0;

  get(key: string, hash: number): V | undefined {
    const at = this.#find(key, hash);
    return this.#slots[at] === undefined ? undefined : (this.#slots[at + 2] as V);
  }

  /** True if the key is new. */
  set(key: string, hash: number, value: V): boolean {
    const at = this.#find(key, hash);
    if (this.#slots[at] !== undefined) {
      this.#slots[at + 2] = value;
      return false;
    }
    this.#write(at, hash, key, value);
    this.#size++;
    if (4 * this.#size > 3 * this.#mask) this.#resize(2 * this.#mask + 1);
    return true;
  }

  delete(key: string, hash: number): boolean {
    const slots = this.#slots;
    const mask = this.#mask;
    let free = this.#find(key, hash) / 3;
    if (slots[3 * free] === undefined) return false;
    this.#size--;
    // Those behind it that had to pass this slot move up, so that a search may go on ending at the first free one.
    for (let slot = (free + 1) & mask; slots[3 * slot] !== undefined; slot = (slot + 1) & mask) {
      const wanted = (slots[3 * slot] as number) & mask;
      if (((slot - wanted) & mask) < ((slot - free) & mask)) continue;
      this.#write(
        3 * free,
        slots[3 * slot] as number,
        slots[3 * slot + 1] as string,
        slots[3 * slot + 2] as V,
      );
      free = slot;
    }
    this.#write(3 * free, undefined, undefined, undefined);
    if (8 * this.#size < mask && mask >= SLOTS_MIN) this.#resize(mask >>> 1);
    return true;
  }

  *values(): IterableIterator<V> {
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += 3) if (slots[at] !== undefined) yield slots[at + 2] as V;
  }

  moveTo(tableOf: (hash: number) => Table<V>): void {
    moveAll(this.#slots, tableOf);
  }

  /** Where the key is, or would be: the index of its hash. */
  #find(key: string, hash: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    let at = 3 * (hash & mask);
    for (let found = slots[at]; found !== undefined; found = slots[at]) {
      if (found === hash && slots[at + 1] === key) break;
      at = at === 3 * mask ? 0 : at + 3;
    }
    return at;
  }

  #write(at: number, hash: number | undefined, key: string | undefined, value: V | undefined): void {
    const slots = this.#slots;
    slots[at] = hash;
    slots[at + 1] = key;
    slots[at + 2] = value;
  }

  #resize(mask: number): void {
    const before = this.#slots;
    this.#mask = mask;
    this.#slots = emptySlots(mask + 1);
    this.#size = 0;
    moveAll(before, () => this);
  }
}

type Slots<V> = (number | string | V | undefined)[];

function emptySlots<V>(count: number): Slots<V> {
  return new Array<undefined>(3 * count).fill(undefined);
}

function moveAll<V>(slots: Slots<V>, tableOf: (hash: number) => Table<V>): void {
  for (let at = 0; at < slots.length; at += 3) {
    const hash = slots[at] as number | undefined;
    if (hash !== undefined) tableOf(hash).set(slots[at + 1] as string, hash, slots[at + 2] as V);
  }
}

// Clients choose the keys. Unknown to them, this keeps them from choosing ones that end up in the same place.
const seed = (Math.random() * 2 ** 32) | 0;

export function hashOfKey(key: string): number {
  let hash = seed ^ key.length;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  return hash;
}
