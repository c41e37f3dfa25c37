// A client for model tests: speaks MQTT packets through the broker's in-memory transport, keeps everything that it
// receives, and acknowledges as it is told.

import {
  type Connack,
  type ConnectInput,
  Decoder,
  encode,
  type Packet,
  type PacketInput,
  PacketType,
  type ProtocolVersion,
  type Publish,
  type PublishInput,
} from '@tobymq/codec';
import type { BytePipe } from '../../src/transports/memory.ts';

/** `all`: as it should be. `none`: nothing. `half`: PUBREC, but no PUBCOMP and no PUBACK. */
export type Acknowledging = 'all' | 'none' | 'half';

export class ModelClient {
  readonly version: ProtocolVersion;
  readonly acknowledging: Acknowledging;
  isOpen = true;
  /** The PUBLISH packets since they were last looked at. */
  received: Publish[] = [];
  /** The packet ids of PUBREL packets since they were last looked at. */
  releases: number[] = [];
  /** The reason code of a DISCONNECT. */
  disconnectCode: number | undefined = undefined;
  /** How many packets have come at all, pings excluded. */
  packetCount = 0;
  readonly #pipe: BytePipe;
  readonly #decoder: Decoder;
  readonly #receiveMaximum: number;
  readonly #aliases = new Map<number, string>();
  /** Packet ids of messages that are not acknowledged. */
  readonly #unacknowledged = new Set<number>();
  readonly #waiting = new Map<string, (packet: Packet) => void>();
  readonly #closed: Promise<void>;
  #packetId = 0;

  constructor(
    pipe: BytePipe,
    version: ProtocolVersion,
    acknowledging: Acknowledging,
    receiveMaximum: number,
  ) {
    this.version = version;
    this.acknowledging = acknowledging;
    this.#receiveMaximum = receiveMaximum;
    this.#pipe = pipe;
    this.#decoder = new Decoder({ role: 'client', version });
    pipe.onData = (chunk) => {
      for (const packet of this.#decoder.push(chunk)) this.#take(packet);
    };
    this.#closed = new Promise((resolve) => {
      pipe.onClose = () => {
        this.isOpen = false;
        resolve();
      };
    });
  }

  connect(packet: Omit<ConnectInput, 'type'>): Promise<Connack> {
    return this.#ask<Connack>({ ...packet, type: PacketType.Connect }, `${PacketType.Connack}`);
  }

  async ping(): Promise<void> {
    await this.#ask({ type: PacketType.Pingreq }, `${PacketType.Pingresp}`);
  }

  /** Sends a message and goes through its handshake; `isRepeated` sends QoS 2 twice. Returns the reason code. */
  async publish(message: Omit<PublishInput, 'type'>, isRepeated: boolean): Promise<number> {
    const { qos = 0 } = message;
    if (qos === 0) {
      this.#send({ ...message, type: PacketType.Publish });
      return 0;
    }
    const packetId = this.#nextPacketId();
    const packet: PacketInput = { ...message, type: PacketType.Publish, packetId };
    const answer = qos === 1 ? PacketType.Puback : PacketType.Pubrec;
    const { reasonCode } = await this.#ask<Packet & { reasonCode: number }>(packet, `${answer} ${packetId}`);
    if (qos === 2) {
      if (isRepeated) await this.#ask({ ...packet, dup: true }, `${answer} ${packetId}`);
      await this.#ask({ type: PacketType.Pubrel, packetId }, `${PacketType.Pubcomp} ${packetId}`);
    }
    return reasonCode;
  }

  async subscribe(
    subscription: Parameters<typeof subscribePacket>[1],
    subscriptionIdentifier: number | undefined,
  ): Promise<readonly number[]> {
    const packetId = this.#nextPacketId();
    const packet = subscribePacket(packetId, subscription, subscriptionIdentifier);
    const { reasonCodes } = await this.#ask<Packet & { reasonCodes: readonly number[] }>(
      packet,
      `${PacketType.Suback} ${packetId}`,
    );
    return reasonCodes;
  }

  async unsubscribe(filter: string): Promise<readonly number[]> {
    const packetId = this.#nextPacketId();
    const { reasonCodes } = await this.#ask<Packet & { reasonCodes: readonly number[] }>(
      { type: PacketType.Unsubscribe, packetId, filters: [filter] },
      `${PacketType.Unsuback} ${packetId}`,
    );
    return reasonCodes;
  }

  /** Ends the connection with DISCONNECT. */
  async disconnect(reasonCode: number, sessionExpiryInterval: number | undefined): Promise<void> {
    const properties = sessionExpiryInterval === undefined ? undefined : { sessionExpiryInterval };
    this.#send({ type: PacketType.Disconnect, reasonCode, properties });
    this.#pipe.close();
    await this.#closed;
  }

  /** Ends the connection without a word. */
  async cut(): Promise<void> {
    this.#pipe.close(new Error('cut'));
    await this.#closed;
  }

  closed(): Promise<void> {
    return this.#closed;
  }

  #nextPacketId(): number {
    this.#packetId = (this.#packetId % 65_535) + 1;
    return this.#packetId;
  }

  #ask<P extends Packet>(packet: PacketInput, answer: string): Promise<P> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(answer, resolve as (packet: Packet) => void);
      void this.#closed.then(() =>
        reject(new Error(`closed (${this.disconnectCode}) before ${answer} came`)),
      );
      this.#send(packet);
    });
  }

  #send(packet: PacketInput): void {
    this.#pipe.send(encode(packet, this.version));
  }

  #take(packet: Packet): void {
    if (packet.type !== PacketType.Pingresp) this.packetCount++;
    switch (packet.type) {
      case PacketType.Publish:
        this.#takePublish(packet);
        return;
      case PacketType.Pubrel: {
        const { packetId } = packet;
        this.releases.push(packetId);
        if (this.acknowledging !== 'all') return;
        this.#unacknowledged.delete(packetId);
        this.#send({ type: PacketType.Pubcomp, packetId });
        return;
      }
      case PacketType.Disconnect:
        this.disconnectCode = packet.reasonCode;
        return;
    }
    const answer = 'packetId' in packet ? `${packet.type} ${packet.packetId}` : `${packet.type}`;
    const resolve = this.#waiting.get(answer);
    if (resolve === undefined) throw new Error(`nobody waits for ${answer}`);
    this.#waiting.delete(answer);
    resolve(packet);
  }

  #takePublish(packet: Publish): void {
    const { packetId, qos } = packet;
    const topic = this.#resolveAlias(packet);
    this.received.push({ ...packet, topic });
    if (qos === 0) return;
    if (this.#unacknowledged.has(packetId)) throw new Error(`packet id ${packetId} is in use`); // [MQTT-2.2.1-4]
    this.#unacknowledged.add(packetId);
    if (this.#unacknowledged.size > this.#receiveMaximum) {
      throw new Error(`more than ${this.#receiveMaximum} messages are open`); // [MQTT-3.3.4-9]
    }
    if (qos === 1 && this.acknowledging === 'all') {
      this.#unacknowledged.delete(packetId);
      this.#send({ type: PacketType.Puback, packetId });
    }
    if (qos === 2 && this.acknowledging !== 'none') this.#send({ type: PacketType.Pubrec, packetId });
  }

  #resolveAlias({ topic, properties }: Publish): string {
    const alias = properties?.topicAlias;
    if (alias === undefined) return topic;
    if (topic !== '') this.#aliases.set(alias, topic);
    const known = this.#aliases.get(alias);
    if (known === undefined) throw new Error(`topic alias ${alias} was never set`);
    return known;
  }
}

function subscribePacket(
  packetId: number,
  subscription: {
    readonly filter: string;
    readonly qos: 0 | 1 | 2;
    readonly noLocal: boolean;
    readonly retainAsPublished: boolean;
    readonly retainHandling: 0 | 1 | 2;
  },
  subscriptionIdentifier: number | undefined,
): PacketInput {
  const properties = subscriptionIdentifier === undefined ? undefined : { subscriptionIdentifier };
  return { type: PacketType.Subscribe, packetId, subscriptions: [subscription], properties };
}
