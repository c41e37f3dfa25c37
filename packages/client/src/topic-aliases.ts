// Topic aliases towards the server. A topic gets one when it is used for the second time, so that topics which come
// once cost nothing; when all are taken the oldest makes room.

/** How the topic of one PUBLISH is to be written. */
export interface AliasUse {
  readonly alias: number;
  /** The server does not know the alias yet: the topic has to go along. */
  readonly isNew: boolean;
}

/** An alias in place of a shorter topic would save nothing: it takes three bytes itself. */
const shortestTopic = 5;

export class OutgoingAliases {
  readonly #maximum: number;
  /** Insertion order is the age. */
  readonly #known = new Map<string, AliasUse>();
  readonly #seenOnce = new Set<string>();

  /** The server's Topic Alias Maximum, or our own if it is smaller. */
  constructor(maximum: number) {
    this.#maximum = maximum; // [MQTT-3.2.2-17], [MQTT-3.2.2-18]
  }

  /** The alias to use for a topic now, if any. */
  use(topic: string): AliasUse | undefined {
    if (this.#maximum === 0 || topic.length < shortestTopic) return undefined;
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    if (!this.#seenOnce.delete(topic)) {
      if (this.#seenOnce.size >= this.#maximum * 4) this.#seenOnce.clear();
      this.#seenOnce.add(topic);
      return undefined;
    }
    let alias = this.#known.size + 1;
    if (alias > this.#maximum) {
      const [oldest, use] = this.#known.entries().next().value!;
      this.#known.delete(oldest);
      alias = use.alias;
    }
    this.#known.set(topic, { alias, isNew: false });
    return { alias, isNew: true };
  }
}
