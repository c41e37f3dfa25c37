// Decodes the pages that `read-pages.ts` writes in the worker.

import type { LoadedSession, StoredDelivery, StoredMessage, StoredSubscription } from '@tobymq/broker';
import { ByteReader } from './binary.ts';
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

export function decodeSessions(bytes: Uint8Array): LoadedSession[] {
  const from = new ByteReader(bytes);
  const sessions: LoadedSession[] = [];
  while (!from.atEnd) {
    const session = readSession(from.number(), from.bytes());
    const subscriptions: StoredSubscription[] = [];
    for (let left = from.u32(); left > 0; left--) {
      subscriptions.push(readSubscription(from.text(), from.u8(), from.number()));
    }
    const inboundPacketIds: number[] = [];
    for (let left = from.u32(); left > 0; left--) inboundPacketIds.push(from.number());
    const queuedMessages = from.number();
    const queuedBytes = from.number();
    sessions.push({ session, subscriptions, inboundPacketIds, queuedMessages, queuedBytes });
  }
  return sessions;
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
      message: readMessage(id, from.bytes()),
    });
  }
  return deliveries;
}

export function decodeRetained(bytes: Uint8Array): StoredMessage[] {
  const from = new ByteReader(bytes);
  const messages: StoredMessage[] = [];
  while (!from.atEnd) messages.push(readMessage(from.number(), from.bytes()));
  return messages;
}

export function decodeValues(bytes: Uint8Array): (readonly [key: string, value: Uint8Array])[] {
  const from = new ByteReader(bytes);
  const values: (readonly [string, Uint8Array])[] = [];
  while (!from.atEnd) values.push([from.text(), from.bytes()]);
  return values;
}
