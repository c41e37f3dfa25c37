// Memory for packets that are too large for one read, used again as soon as the last receiver has been written to.
//
// New memory for each message of 1 MB is the most expensive part of it: the kernel has to empty it, the garbage collector
// has to find it, and what was freed stays with the process in pieces that are too small for the next one.

/** Smaller memory is cheaper to make than to keep. */
const SMALLEST = 65_536;
/** Larger memory is rare, and would be all that is kept. */
const LARGEST = 4 * 1024 * 1024;
/** What is kept for reuse, all together. */
const SPARE_BYTES_MAX = 16 * 1024 * 1024;
/** Sizes are rounded, so that messages of nearly the same size can have the same memory. */
const ROUNDED_TO = 65_536;

export class LargeMemory {
  #spare: Uint8Array[] = [];
  #spareBytes = 0;
  #isUsed = false;

  /**
   * Memory for a packet of which `needed` bytes of `size` have come, in exchange for the memory that it had before. A
   * declared size alone reserves nothing: it is only given what lies around anyway.
   */
  exchange(before: Uint8Array, needed: number, size: number): Uint8Array {
    const wanted = Math.min(needed * 2, size);
    const bytes =
      wanted < SMALLEST
        ? new Uint8Array(Math.min(needed * 2 + 256, size))
        : (this.#takeSpare(size) ?? this.#takeSpare(wanted) ?? allocate(wanted));
    this.giveBack(before);
    return bytes;
  }

  /** Lends memory that came from here and was filled; it comes back when nobody uses it any more. */
  lend(bytes: Uint8Array): Loan {
    return new Loan(this, bytes);
  }

  giveBack(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length < SMALLEST || length > LARGEST || this.#spareBytes + length > SPARE_BYTES_MAX) return;
    this.#spare.push(bytes);
    this.#spareBytes += length;
  }

  /** To be called now and then: lets go of what was of no use since the last time. */
  age(): void {
    if (!this.#isUsed) {
      this.#spare = [];
      this.#spareBytes = 0;
    }
    this.#isUsed = false;
  }

  /** The smallest that is large enough, if it is not far too large. */
  #takeSpare(size: number): Uint8Array | undefined {
    let best = -1;
    for (let i = 0; i < this.#spare.length; i++) {
      const { length } = this.#spare[i]!;
      if (length < size || length > size * 2) continue;
      if (best < 0 || length < this.#spare[best]!.length) best = i;
    }
    if (best < 0) return undefined;
    const [found] = this.#spare.splice(best, 1);
    this.#spareBytes -= found!.length;
    this.#isUsed = true;
    return found;
  }
}

/** Memory in use by several, who each release it once; whoever wants to keep it says so instead. */
export class Loan {
  readonly #owner: LargeMemory;
  readonly #bytes: Uint8Array;
  #users = 1;
  #isKept = false;

  constructor(owner: LargeMemory, bytes: Uint8Array) {
    this.#owner = owner;
    this.#bytes = bytes;
  }

  use(): void {
    this.#users++;
  }

  /** It is not to be used again; the garbage collector has it when nobody refers to it. */
  keep(): void {
    this.#isKept = true;
  }

  release(): void {
    if (--this.#users === 0 && !this.#isKept) this.#owner.giveBack(this.#bytes);
  }
}

function allocate(size: number): Uint8Array {
  return Buffer.allocUnsafeSlow(Math.ceil(size / ROUNDED_TO) * ROUNDED_TO);
}
