// Packet identifiers: one set for PUBLISH, SUBSCRIBE and UNSUBSCRIBE together. An identifier is in use as long as an
// exchange with it is open. They are given out in turn, so that a late acknowledgement does not meet a new exchange with
// the same number.

const last = 65_535;

export class PacketIds {
  readonly #exchanges: Map<number, unknown>[] = [];
  #latest = 0;

  /** A map for the open exchanges of one kind by packet identifier. */
  exchanges<T>(): Map<number, T> {
    const exchanges = new Map<number, T>();
    this.#exchanges.push(exchanges);
    return exchanges;
  }

  /** An identifier that no exchange has; 0 if all 65 535 are in use. [MQTT-2.2.1-3] */
  take(): number {
    for (let tries = last; tries > 0; tries--) {
      const id = (this.#latest % last) + 1;
      this.#latest = id;
      if (!this.#exchanges.some((exchanges) => exchanges.has(id))) return id;
    }
    return 0;
  }
}
