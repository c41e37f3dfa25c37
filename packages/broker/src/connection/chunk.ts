// Memory that an outbox fills with packets, and the pool that it comes from.

/**
 * The sizes of chunks. The first is small, because in a fan-out each of a thousand connections needs one at the same
 * time; a connection that has filled one in its last turn begins the next with a larger one.
 */
const SIZES = [2_048, 16_384, 65_536] as const;
/** Bytes that are kept for reuse in chunks of each size. */
const POOL_BYTES_MAX = 4 * 1024 * 1024;

export class Chunk {
  readonly bytes: Buffer;
  #filled: Buffer;

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafeSlow(length);
    this.#filled = this.bytes;
  }

  /** The first `length` bytes as a view; kept, because the next turn often fills the chunk as far again. */
  filled(length: number): Buffer {
    if (this.#filled.length !== length) this.#filled = this.bytes.subarray(0, length);
    return this.#filled;
  }
}

export class ChunkPool {
  readonly #pools: Chunk[][] = SIZES.map(() => []);

  /** A chunk of at least `size` bytes; larger than the largest size only if it has to be. */
  take(size: number): Chunk {
    const pool = this.#poolFor(size);
    if (pool < 0) return new Chunk(size);
    return this.#pools[pool]!.pop() ?? new Chunk(SIZES[pool]!);
  }

  giveBack(chunk: Chunk): void {
    const { length } = chunk.bytes;
    const pool = this.#poolFor(length);
    if (pool < 0) return;
    const chunks = this.#pools[pool]!;
    if (chunks.length * length < POOL_BYTES_MAX) chunks.push(chunk);
  }

  #poolFor(size: number): number {
    return size <= SIZES[0] ? 0 : size <= SIZES[1] ? 1 : size <= SIZES[2] ? 2 : -1;
  }
}
