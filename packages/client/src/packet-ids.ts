// Packet identifiers: one set for PUBLISH, SUBSCRIBE and UNSUBSCRIBE together. An identifier is in use as long as an
// exchange with it is open. They are given out in turn, so that a late acknowledgement does not meet a new exchange with
// the same number.
//
// The first one is drawn at random: a session that an earlier process began may hold its QoS 2 identifiers at the server,
// which would take a new message with one of them for a repetition, and acknowledge it without delivering it. Only a
// session store knows those identifiers.

const last = 65_535;

export class PacketIds {
  readonly #exchanges: Map<number, unknown>[] = [];
  #latest: number;

  /** With a number of at least 0 and below 1. */
  constructor(chance: number) {
    this.#latest = Math.floor(chance * last);
  }

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
