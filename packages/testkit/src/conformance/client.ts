// A well-behaved client made of a raw peer, for the parts of a scenario that are not under test: it subscribes,
// publishes and acknowledges correctly, and leaves every single packet visible.

import { type Ack, type Codes, type Connack, decode, type Message } from '../decode.ts';
import { describeFrame, packetType } from '../frames.ts';
import { type MqttVersion, packet, type RawProperties, type Text } from '../packet.ts';
import { property } from '../properties.ts';
import type { RawBytes, RawPeer, WaitOptions } from '../raw-peer.ts';
import { ConformanceFailure } from './check.ts';

export interface PublishOptions {
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  readonly id?: number;
  readonly properties?: RawProperties;
}

export interface ReceiveOptions extends WaitOptions {
  /** Acknowledge as the QoS demands, to the end; true unless said otherwise. */
  readonly ack?: boolean;
}

export class Client {
  readonly peer: RawPeer;
  readonly version: MqttVersion;
  readonly clientId: string;
  readonly connack: Connack;
  readonly #onRetained: (topic: string) => void;
  readonly #aliases = new Map<number, string>();
  #lastId = 0;

  constructor(
    peer: RawPeer,
    version: MqttVersion,
    clientId: string,
    connack: Connack,
    onRetained: (topic: string) => void,
  ) {
    this.peer = peer;
    this.version = version;
    this.clientId = clientId;
    this.connack = connack;
    this.#onRetained = onRetained;
  }

  /** A Packet Identifier that this client has not used yet. */
  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  send(...parts: readonly RawBytes[]): void {
    this.peer.send(...parts);
  }

  /** SUBSCRIBE with one filter, or with several; returns the SUBACK. */
  async subscribe(
    filters: Text | readonly (readonly [Text, number])[],
    options = 0,
    properties?: RawProperties,
  ): Promise<Codes> {
    const id = this.nextId();
    const list =
      typeof filters === 'string' || Buffer.isBuffer(filters) ? [[filters, options] as const] : filters;
    this.send(
      packet.subscribe({ version: this.version, id, filters: list, ...(properties && { properties }) }),
    );
    return this.codes(packetType.SUBACK, id);
  }

  /** UNSUBSCRIBE; returns the UNSUBACK. */
  async unsubscribe(...filters: readonly Text[]): Promise<Codes> {
    const id = this.nextId();
    this.send(packet.unsubscribe({ version: this.version, id, filters }));
    return this.codes(packetType.UNSUBACK, id);
  }

  /** SUBACK or UNSUBACK of this identifier. */
  async codes(type: number, id: number): Promise<Codes> {
    const codes = decode.codes(await this.peer.take(type), this.version);
    if (codes.id !== id) {
      throw new ConformanceFailure(`expected an acknowledgement of id ${id}, got id ${codes.id}`);
    }
    return codes;
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP of this identifier; other packets stay unread. */
  async ack(type: number, id: number, options: WaitOptions = {}): Promise<Ack> {
    const hasId = (body: Buffer): boolean => body.length >= 2 && body.readUInt16BE(0) === id;
    const what = `acknowledgement of type ${type} for id ${id}`;
    const frame = await this.peer.takeWhere(what, (f) => f.type === type && hasId(f.body), options);
    return decode.ack(frame, this.version);
  }

  /** PUBLISH bytes of this client's version. */
  publishBytes(topic: Text, payload: Text, options: PublishOptions = {}): Buffer {
    if (options.retain && (typeof topic === 'string' || topic.length > 0)) {
      this.#onRetained(topic.toString());
    }
    return packet.publish({ version: this.version, topic, payload, ...options });
  }

  /** Publishes and waits for the whole exchange; returns the reason code of PUBACK or PUBREC (0 at QoS 0). */
  async publish(topic: Text, payload: Text = 'x', options: PublishOptions = {}): Promise<number> {
    const id = options.id ?? this.nextId();
    this.send(this.publishBytes(topic, payload, { ...options, id }));
    if (options.qos === 1) {
      return (await this.ack(packetType.PUBACK, id)).reason;
    }
    if (options.qos === 2) {
      const { reason } = await this.ack(packetType.PUBREC, id);
      if (reason < 0x80) {
        this.send(packet.pubrel({ id }));
        await this.ack(packetType.PUBCOMP, id);
      }
      return reason;
    }
    return 0;
  }

  /** The next PUBLISH, its alias resolved, acknowledged to the end unless told otherwise. */
  async message(options: ReceiveOptions = {}): Promise<Message> {
    const message = this.#withTopic(
      decode.publish(await this.peer.take(packetType.PUBLISH, options), this.version),
    );
    if (options.ack ?? true) {
      await this.acknowledge(message);
    }
    return message;
  }

  #withTopic(message: Message): Message {
    const [alias] = message.properties.get(property.topicAlias) ?? [];
    if (typeof alias !== 'number') {
      return message;
    }
    const topic = message.topic || this.#aliases.get(alias);
    if (topic === undefined) {
      throw new ConformanceFailure(`Topic Alias ${alias} was used without a topic before it was set`);
    }
    this.#aliases.set(alias, topic);
    return { ...message, topic };
  }

  /** Acknowledges a PUBLISH as its QoS demands. */
  async acknowledge(message: Message): Promise<void> {
    const { id } = message;
    if (message.qos === 1) {
      this.send(packet.puback({ id }));
    }
    if (message.qos === 2) {
      this.send(packet.pubrec({ id }));
      await this.ack(packetType.PUBREL, id);
      this.send(packet.pubcomp({ id }));
    }
  }

  /** PINGREQ to PINGRESP, after which the server has read everything that this client sent. */
  async ping(): Promise<void> {
    await this.peer.ping();
  }

  /** Leaves in good order: DISCONNECT, and the server closes. */
  async disconnect(bytes: Buffer = packet.disconnect()): Promise<void> {
    this.send(bytes);
    this.peer.end();
    await this.peer.expectClose();
  }

  /** Cuts the connection, so that the server sees a network failure. */
  async cut(): Promise<void> {
    this.peer.end();
    await this.peer.expectClose().catch(() => {});
    this.peer.destroy();
  }

  /** Fails if anything is left unread. */
  expectQuiet(what: string): void {
    const [first] = this.peer.unread;
    if (first !== undefined) {
      throw new ConformanceFailure(`${what}: expected nothing more, got ${describeFrame(first)}`);
    }
  }
}
