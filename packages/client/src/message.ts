// A received message as the application sees it.

import type { MessageProperties, Publish, QoS } from '@tobymq/codec';
import type { Receipt } from './incoming.ts';

const decoder = new TextDecoder();

/** How much a message counts where messages wait. */
export function payloadSize({ payload }: { readonly payload: Uint8Array }): number {
  return payload.length;
}

/**
 * A received message. `value` is what the topic's codec made of the payload (the payload itself for a plain filter),
 * `params` are the levels that the braces of a declared topic stand for.
 *
 * @example
 * for await (const m of client.subscribe(topic('site/{site}/temp', json<number>()))) {
 *   console.log(m.params.site, m.value, m.qos);
 * }
 */
export class Message<V = Uint8Array, P = Readonly<Record<string, string>>> {
  readonly topic: string;
  /** A view into the received bytes. Copy it with `slice()` if you keep it for long: it holds its network chunk in memory. */
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** The server may have sent it before. */
  readonly duplicate: boolean;
  /** 5.0 only. */
  readonly properties: MessageProperties | undefined;
  value!: V;
  params!: P;
  #receipt: Receipt | undefined;

  /** `topic` is the name, also where the packet has an alias of it. */
  constructor(topic: string, publish: Publish, receipt: Receipt | undefined) {
    this.topic = topic;
    this.payload = publish.payload;
    this.qos = publish.qos;
    this.retain = publish.retain;
    this.duplicate = publish.dup;
    this.properties = publish.properties;
    this.#receipt = receipt;
  }

  /** The payload as text. */
  get text(): string {
    return decoder.decode(this.payload);
  }

  /** Acknowledges the message. Needed only with `ack: 'manual'`; again, or for QoS 0, it does nothing. */
  ack(): void {
    this.#receipt?.done(0);
    this.#receipt = undefined;
  }

  /** Tells the server that the message is refused (5.0). It counts as acknowledged and is not sent again. */
  reject(reasonCode = 0x80): void {
    this.#receipt?.done(reasonCode);
    this.#receipt = undefined;
  }

  /** Leaves the message unacknowledged: the server sends it again when the session is next resumed. */
  abandon(): void {
    this.#receipt?.abandon();
    this.#receipt = undefined;
  }
}
