// Memory that an outbox fills with packets, and the pool that it comes from.

/**
 * The sizes of chunks. The first is small, because in a fan-out each of a thousand connections needs one at the same
 * time; a connection that has filled one in its last turn begins the next with a larger one. The last holds all that one
 * read can bring.
 */
const SIZES = [2_048, 16_384, 65_536, 131_072];
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
    for (let i = 0; i < SIZES.length; i++) {
      if (size <= SIZES[i]!) return this.#pools[i]!.pop() ?? new Chunk(SIZES[i]!);
    }
    return new Chunk(size);
  }

  giveBack(chunk: Chunk): void {
    const { length } = chunk.bytes;
    const pool = this.#pools[SIZES.indexOf(length)];
    if (pool !== undefined && pool.length * length < POOL_BYTES_MAX) pool.push(chunk);
  }
}
