// Decodes the pages that `read-pages.ts` writes in the worker.

import type { LoadedSession, StoredDelivery, StoredMessage, StoredSubscription } from '@tobymq/broker';
import { ByteReader } from './binary.ts';
import type { Columns, SessionPage } from './read-pages.ts';
import {
  packetIdOf,
  qosOf,
  readMessage,
  readSession,
  readSubscription,
  readSubscriptionIds,
  retainOf,
  stateOf,
} from './records.ts';

export function decodeSessions(page: SessionPage): LoadedSession[] {
  const keys = numbersOf(page.sessions.numbers);
  const records = new ByteReader(page.sessions.bytes);
  const filters = new FilterCursor(page.filters);
  const inbound = new NumberCursor(page.inbound, 2);
  const queues = new NumberCursor(page.queues, 3);
  const sessions: LoadedSession[] = [];
  for (let i = 0; i < keys.length; i += 2) {
    const key = keys[i]!;
    const end = records.position + keys[i + 1]!;
    const session = readSession(key, records);
    records.position = end;
    const inboundPacketIds: number[] = [];
    while (inbound.isAt(key)) inboundPacketIds.push(inbound.take(1));
    let queuedMessages = 0;
    let queuedBytes = 0;
    if (queues.isAt(key)) {
      queuedMessages = queues.look(1);
      queuedBytes = queues.take(2);
    }
    sessions.push({ session, subscriptions: filters.of(key), inboundPacketIds, queuedMessages, queuedBytes });
  }
  return sessions;
}

function numbersOf(list: string): readonly number[] {
  return JSON.parse(`[${list}]`) as number[];
}

/** Walks rows of numbers that are sorted by session key, which stands first in each. */
class NumberCursor {
  readonly #numbers: readonly number[];
  readonly #width: number;
  #at = 0;

  constructor(list: string, width: number) {
    this.#numbers = numbersOf(list);
    this.#width = width;
  }

  /** Whether the current row belongs to that session. Rows of sessions that are gone are passed over. */
  isAt(sessionKey: number): boolean {
    while (this.#at < this.#numbers.length && this.#numbers[this.#at]! < sessionKey) this.#at += this.#width;
    return this.#numbers[this.#at] === sessionKey;
  }

  look(column: number): number {
    return this.#numbers[this.#at + column]!;
  }

  /** A number of the current row, which is done with that. */
  take(column: number): number {
    const value = this.look(column);
    this.#at += this.#width;
    return value;
  }
}

class FilterCursor {
  readonly #numbers: readonly number[];
  readonly #bytes: ByteReader;
  #at = 0;

  constructor({ numbers, bytes }: Columns) {
    this.#numbers = numbersOf(numbers);
    this.#bytes = new ByteReader(bytes);
  }

  of(sessionKey: number): StoredSubscription[] {
    const found: StoredSubscription[] = [];
    const numbers = this.#numbers;
    for (; this.#at < numbers.length && numbers[this.#at]! <= sessionKey; this.#at += 4) {
      const filter = this.#bytes.fixedText(numbers[this.#at + 1]!);
      if (numbers[this.#at] !== sessionKey) continue;
      found.push(readSubscription(filter, numbers[this.#at + 2]!, numbers[this.#at + 3]!));
    }
    return found;
  }
}

export function decodeDeliveries(bytes: Uint8Array): StoredDelivery[] {
  const from = new ByteReader(bytes);
  const deliveries: StoredDelivery[] = [];
  while (!from.atEnd) {
    const id = from.number();
    const delivery = from.number();
    const subscriptionIds = readSubscriptionIds(from.bytes());
    deliveries.push({
      qos: qosOf(delivery),
      retain: retainOf(delivery),
      state: stateOf(delivery),
      packetId: packetIdOf(delivery),
      subscriptionIds,
      message: readMessage(id, from, from.varint()),
    });
  }
  return deliveries;
}

export function decodeRetained(bytes: Uint8Array): StoredMessage[] {
  const from = new ByteReader(bytes);
  const messages: StoredMessage[] = [];
  while (!from.atEnd) messages.push(readMessage(from.number(), from, from.varint()));
  return messages;
}

export function decodeValues(bytes: Uint8Array): (readonly [key: string, value: Uint8Array])[] {
  const from = new ByteReader(bytes);
  const values: (readonly [string, Uint8Array])[] = [];
  while (!from.atEnd) values.push([from.text(), from.bytes()]);
  return values;
}
