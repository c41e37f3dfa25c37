// Topic aliases towards a client that allows them: given to topics in the order of their first use, and never taken
// away again, as in Mosquitto. From the second message on the alias stands for the topic.

export class AliasesOut {
  readonly #max: number;
  readonly #aliases = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** The alias of a topic, if it was announced before; 0 otherwise. */
  known(topic: string): number {
    return this.#aliases.get(topic) ?? 0;
  }

  /** A new alias for a topic; 0 when none is left. [MQTT-3.1.2-26], [MQTT-3.3.2-11] */
  give(topic: string): number {
    if (this.#aliases.size >= this.#max) return 0;
    const alias = this.#aliases.size + 1;
    this.#aliases.set(topic, alias);
    return alias;
  }
}
