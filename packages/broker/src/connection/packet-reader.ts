// Cuts what a connection receives into packets, those that come in pieces in memory that is used again.

import { FrameReader } from '@tobymq/codec';
import type { PacketMemory } from '../delivery/packet-memory.ts';

const NO_BYTES = new Uint8Array(0);

export class PacketReader extends FrameReader {
  readonly #memory: PacketMemory;
  /** The memory of a chunk that could not be handled at once. */
  #kept: Uint8Array = NO_BYTES;

  constructor(maxPacketSize: number, memory: PacketMemory) {
    super(maxPacketSize);
    this.#memory = memory;
  }

  /** Copies what is left of the chunk, whose memory is about to be used for another. */
  keepRest(): void {
    const rest = this.takeRest();
    const { length } = rest;
    if (length === 0) return;
    this.#kept = this.#memory.exchange(this.#kept, length, length);
    this.#kept.set(rest);
    this.feed(this.#kept.subarray(0, length));
  }

  /** Everything kept was handled, and nothing refers to it any more. */
  forgetKept(): void {
    if (this.#kept === NO_BYTES) return;
    this.#memory.giveBack(this.#kept);
    this.#kept = NO_BYTES;
  }

  protected override exchange(before: Uint8Array, needed: number, size: number): Uint8Array {
    return this.#memory.exchange(before, needed, size);
  }
}
