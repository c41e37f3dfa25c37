// Packet identifiers that are in use: one set for PUBLISH, SUBSCRIBE and UNSUBSCRIBE together. They are given out in
// turn, so that a late acknowledgement does not meet a new exchange with the same number.

const last = 65_535;

export class PacketIds {
  /** One bit for each identifier. */
  readonly #used = new Uint8Array(8192);
  #next = 1;
  #count = 0;

  /** The next free identifier; 0 if all 65 535 are in use. */
  take(): number {
    if (this.#count === last) return 0;
    let id = this.#next;
    // [MQTT-2.2.1-3] Never 0 and never one that is in use.
    while (this.isUsed(id)) id = id === last ? 1 : id + 1;
    this.mark(id);
    this.#next = id === last ? 1 : id + 1;
    return id;
  }

  isUsed(id: number): boolean {
    return (this.#used[id >> 3]! & (1 << (id & 7))) !== 0;
  }

  /** Marks an identifier that an earlier process gave out. */
  mark(id: number): void {
    if (this.isUsed(id)) return;
    this.#used[id >> 3]! |= 1 << (id & 7);
    this.#count++;
  }

  free(id: number): void {
    if (!this.isUsed(id)) return;
    this.#used[id >> 3]! &= ~(1 << (id & 7));
    this.#count--;
  }
}
