// Memory for packets that do not come whole in one read, used again as soon as the last receiver has been written to.
//
// New memory for each message of 1 MB is the most expensive part of it: the kernel has to empty it, the garbage collector
// has to find it, and what was freed stays with the process in pieces that are too small for the next one. And if each
// connection kept its own for the next packet, a thousand of them would hold what one needs at a time.

/** Smaller memory is cheaper to make than to keep. */
const SMALLEST = 4_096;
/** Larger memory is rare, and would be all that is kept. */
const LARGEST = 4 * 1024 * 1024;
/** What is kept for reuse, all together; not too many, because they are looked through. */
const SPARE_BYTES_MAX = 16 * 1024 * 1024;
const SPARES_MAX = 64;

export class PacketMemory {
  #spare: Uint8Array[] = [];
  #spareBytes = 0;
  #isUsed = false;

  /**
   * Memory for a packet of which `needed` bytes of `size` have come, in exchange for the memory that it had before. A
   * declared size alone reserves nothing: it is only given what lies around anyway.
   */
  exchange(before: Uint8Array, needed: number, size: number): Uint8Array {
    const wanted = Math.min(needed * 2 + 256, size);
    const bytes = this.#takeSpare(size) ?? this.#takeSpare(wanted) ?? allocate(wanted);
    this.giveBack(before);
    return bytes;
  }

  /** Lends memory that came from here and was filled; it comes back when nobody uses it any more. */
  lend(bytes: Uint8Array): Loan {
    return new Loan(this, bytes);
  }

  giveBack(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length < SMALLEST || length > LARGEST) return;
    if (this.#spareBytes + length > SPARE_BYTES_MAX || this.#spare.length === SPARES_MAX) return;
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
    if (size < SMALLEST) return undefined;
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
  readonly #owner: PacketMemory;
  readonly #bytes: Uint8Array;
  #users = 1;
  #isKept = false;

  constructor(owner: PacketMemory, bytes: Uint8Array) {
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

/** Rounded, so that packets of nearly the same size can have the same memory. */
function allocate(size: number): Uint8Array {
  if (size < SMALLEST) return new Uint8Array(size);
  const step = size < 65_536 ? 4_096 : 65_536;
  return Buffer.allocUnsafeSlow(Math.ceil(size / step) * step);
}
