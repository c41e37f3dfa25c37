// Messages that wait for the network, in the order of their calls whatever their QoS. Bounded in messages and bytes;
// an array with a moving head, because `shift()` of a long array moves everything.

import type { OutgoingMessage } from './outgoing-message.ts';

export class MessageQueue {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  #messages: OutgoingMessage[] = [];
  #head = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#messages.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a message of this size still fits. */
  hasRoomFor(size: number): boolean {
    return this.length < this.#maxMessages && this.#bytes + size <= this.#maxBytes;
  }

  push(message: OutgoingMessage): void {
    this.#messages.push(message);
    this.#bytes += message.size;
  }

  /** Puts messages in front of all others: they are older. */
  unshift(messages: readonly OutgoingMessage[]): void {
    this.#messages = [...messages, ...this.#messages.slice(this.#head)];
    this.#head = 0;
    for (const message of messages) this.#bytes += message.size;
  }

  peek(): OutgoingMessage | undefined {
    return this.#messages[this.#head];
  }

  shift(): OutgoingMessage | undefined {
    const message = this.#messages[this.#head];
    if (message === undefined) return undefined;
    this.#head++;
    this.#bytes -= message.size;
    if (this.#head > 1024 && this.#head * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }

  /** Takes out all messages for which the predicate holds. */
  removeWhere(predicate: (message: OutgoingMessage) => boolean): OutgoingMessage[] {
    const removed: OutgoingMessage[] = [];
    const kept: OutgoingMessage[] = [];
    for (const message of this) (predicate(message) ? removed : kept).push(message);
    if (removed.length > 0) {
      this.#messages = kept;
      this.#head = 0;
      for (const message of removed) this.#bytes -= message.size;
    }
    return removed;
  }

  *[Symbol.iterator](): Generator<OutgoingMessage> {
    for (let i = this.#head; i < this.#messages.length; i++) yield this.#messages[i]!;
  }
}
