// Received messages on their way to the listeners of `message`: one event for each, acknowledged when the listeners are
// done, and not before there is one.

import type { Message } from '../message.ts';
import type { IClientOptions } from './options.ts';
import { type IPublishPacket, type ToBuffer, toProperties } from './packets.ts';

/** What the deliveries need of their client. */
export interface DeliveryHost {
  readonly options: IClientOptions;
  readonly toBuffer: ToBuffer;
  hasListener(): boolean;
  /** The program has a `handleMessage` of its own. */
  hasOwnHandler(): boolean;
  /** Calls the listeners; gives back what they returned. */
  callListeners(packet: IPublishPacket): readonly unknown[];
  handleMessage(packet: IPublishPacket, callback: (error?: Error) => void): void;
}

export class Deliveries {
  readonly #host: DeliveryHost;
  /** Payloads that were handed over: a message that several subscriptions match is one event. */
  readonly #seen = new WeakSet<Uint8Array>();
  /** Messages that wait for somebody who listens. */
  #waiting: (() => void)[] = [];
  #chain: Promise<unknown> = Promise.resolve();

  constructor(host: DeliveryHost) {
    this.#host = host;
  }

  /** The handler of every subscription. What it returns is waited for; what it throws leaves the message unacknowledged. */
  readonly handle = (message: Message): unknown => {
    if (this.#seen.has(message.payload)) {
      message.ack();
      return undefined;
    }
    this.#seen.add(message.payload);
    return this.#deliver(message);
  };

  /** Somebody listens now. */
  onListener(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #deliver(message: Message): unknown {
    if (this.#host.hasListener() || this.#host.hasOwnHandler()) return this.#dispatch(message);
    return new Promise<void>((resolve) => this.#waiting.push(resolve)).then(() => this.#deliver(message));
  }

  #dispatch(message: Message): unknown {
    const packet = this.#packetOf(message);
    const { customHandleAcks } = this.#host.options;
    if (this.#host.hasOwnHandler() || (customHandleAcks !== undefined && message.qos > 0)) {
      // One after the other, as MQTT.js does it.
      const turn = this.#chain.then(() => this.#dispatchInTurn(message, packet));
      this.#chain = turn.catch(() => {});
      return turn;
    }
    const pending = this.#host.callListeners(packet).filter(isThenable);
    if (pending.length > 0) return Promise.all(pending).then(() => message.ack());
    message.ack();
    return undefined;
  }

  async #dispatchInTurn(message: Message, packet: IPublishPacket): Promise<void> {
    const code = message.qos === 0 ? 0 : await this.#reasonCode(packet);
    if (code < 0x80) await Promise.all(this.#host.callListeners(packet));
    await new Promise<void>((resolve, reject) => {
      this.#host.handleMessage(packet, (error) => (error ? reject(error) : resolve()));
    });
    if (code < 0x80) message.ack();
    else message.reject(code);
  }

  /** What the program wants to answer. */
  #reasonCode(packet: IPublishPacket): Promise<number> {
    const { customHandleAcks } = this.#host.options;
    if (customHandleAcks === undefined) return Promise.resolve(0);
    return new Promise((resolve, reject) => {
      customHandleAcks(packet.topic, packet.payload, packet, (error, code = 0) => {
        if (error instanceof Error) reject(error);
        else resolve(typeof error === 'number' ? error : code);
      });
    });
  }

  #packetOf({ topic, payload, qos, retain, duplicate, properties }: Message): IPublishPacket {
    const { toBuffer } = this.#host;
    const bytes = toBuffer(payload);
    const packet: IPublishPacket = { cmd: 'publish', topic, payload: bytes, qos, retain, dup: duplicate };
    const known = toProperties(properties, toBuffer);
    if (known === undefined) return packet;
    // Aliases and identifiers are ours: the program did not ask for them.
    delete known.topicAlias;
    delete known.subscriptionIdentifier;
    return { ...packet, properties: known };
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value;
}
