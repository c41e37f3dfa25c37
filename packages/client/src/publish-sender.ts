// Puts a PUBLISH into the outbox: as the message is, unless its expiry, a topic alias or an older protocol version makes
// another packet of it.

import { encodedSize, type PublishInput } from '@tobymq/codec';
import type { Connection } from './connection.ts';
import type { Settings } from './options.ts';
import { expiryInterval, type OutgoingMessage } from './outgoing-message.ts';
import { checkSize } from './server-limits.ts';
import { OutgoingAliases } from './topic-aliases.ts';

/** How many bytes an alias may add: three itself, and one in each of two lengths. */
const aliasBytes = 5;

export class PublishSender {
  readonly #settings: Settings;
  #aliases = new OutgoingAliases(0);
  /** Messages that were sent, repetitions included. */
  count = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Aliases belong to the connection. [MQTT-3.3.2-7] */
  begin({ limits }: Connection): void {
    const { outgoingTopicAliases } = this.#settings;
    this.#aliases = new OutgoingAliases(Math.min(limits.topicAliasMaximum, outgoingTopicAliases));
  }

  /** Throws for a message that is too large for the server. */
  write(connection: Connection, message: OutgoingMessage): void {
    const { version, limits } = connection;
    const { topic, expiresAt } = message;
    let { properties } = message;
    if (version < 5) {
      properties = undefined;
    } else if (properties?.messageExpiryInterval !== undefined) {
      // What the server gets is the time that is left.
      const leftMs = Math.max(0, expiresAt - this.#settings.clock.now());
      properties = { ...properties, messageExpiryInterval: expiryInterval(leftMs) };
    }
    let packet: PublishInput = properties === message.properties ? message : { ...message, properties };
    let size = encodedSize(packet, version);
    checkSize(size, limits, topic);
    const isTight = size + aliasBytes > limits.maximumPacketSize;
    const use = isTight ? undefined : this.#aliases.use(topic);
    if (use !== undefined) {
      const topicAlias = use.alias;
      packet = { ...packet, topic: use.isNew ? topic : '', properties: { ...properties, topicAlias } };
      size = encodedSize(packet, version);
    }
    connection.send(packet, size);
    this.count++;
  }
}
