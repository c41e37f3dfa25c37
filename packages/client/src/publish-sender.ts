// Puts a PUBLISH into the outbox: as the message is, unless its expiry, a topic alias or an older protocol version makes
// another packet of it.

import { encodedSize, PacketType } from '@tobymq/codec';
import type { Clock } from './clock.ts';
import type { Connection } from './connection.ts';
import type { OutgoingFields } from './outgoing-message.ts';
import { tooLarge } from './server-limits.ts';
import { OutgoingAliases } from './topic-aliases.ts';

/** What the codec encodes, and when it expires. */
export type SendableMessage = OutgoingFields & {
  readonly type: typeof PacketType.Publish;
  readonly packetId: number;
  readonly dup: boolean;
};

/** The packet of a message that has no object of its own. */
export function sendable(fields: OutgoingFields, packetId: number, dup: boolean): SendableMessage {
  const { topic, payload, qos, retain, properties, expiresAt } = fields;
  return { type: PacketType.Publish, topic, payload, qos, retain, dup, packetId, properties, expiresAt };
}

export class PublishSender {
  readonly #clock: Clock;
  readonly #aliasesMax: number;
  #aliases = new OutgoingAliases(0);
  /** Messages that were sent, repeats included. */
  count = 0;

  constructor(clock: Clock, aliasesMax: number) {
    this.#clock = clock;
    this.#aliasesMax = aliasesMax;
  }

  /** Aliases belong to the connection. [MQTT-3.3.2-7] */
  begin(connection: Connection): void {
    this.#aliases = new OutgoingAliases(Math.min(connection.limits.topicAliasMaximum, this.#aliasesMax));
  }

  /** Throws for a message that is too large for the server. */
  write(connection: Connection, message: SendableMessage): void {
    const { topic } = message;
    const { version, limits } = connection;
    let packet = message;
    if (message.properties !== undefined && version < 5) {
      packet = { ...sendable(message, message.packetId, message.dup), properties: undefined };
    } else if (message.properties?.messageExpiryInterval !== undefined) {
      // What the server gets is the time that is left.
      const leftMs = Math.max(0, message.expiresAt - this.#clock.now());
      const properties = { ...message.properties, messageExpiryInterval: Math.ceil(leftMs / 1000) };
      packet = { ...sendable(message, message.packetId, message.dup), properties };
    }
    let size = encodedSize(packet, version);
    if (size > limits.maximumPacketSize) {
      throw tooLarge(`the message for ${topic}`, size, limits, topic);
    }
    const use = limits.topicAliasMaximum === 0 ? undefined : this.#aliases.use(topic);
    if (use !== undefined) {
      const aliased = {
        ...sendable(packet, message.packetId, message.dup),
        topic: use.isNew ? topic : '',
        properties: { ...packet.properties, topicAlias: use.alias },
      };
      const aliasedSize = encodedSize(aliased, version);
      // A new alias makes the packet three bytes longer, which may be three too many.
      if (aliasedSize <= limits.maximumPacketSize) {
        packet = aliased;
        size = aliasedSize;
      } else {
        this.#aliases = new OutgoingAliases(0);
      }
    }
    connection.send(packet, size);
    this.count++;
  }
}
