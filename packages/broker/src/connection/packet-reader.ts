// Cuts what a connection receives into packets, the large ones in memory that is used again.

import { FrameReader } from '@tobymq/codec';
import type { LargeMemory } from '../delivery/large-memory.ts';

export class PacketReader extends FrameReader {
  readonly #memory: LargeMemory;

  constructor(maxPacketSize: number, memory: LargeMemory) {
    super(maxPacketSize);
    this.#memory = memory;
  }

  protected override exchange(before: Uint8Array, needed: number, size: number): Uint8Array {
    return this.#memory.exchange(before, needed, size);
  }
}
