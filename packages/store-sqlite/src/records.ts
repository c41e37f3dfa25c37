// The records inside the database's BLOB columns: messages, sessions, subscription identifiers.
//
// They are written and read on the main thread only. The worker, which is the narrow place of a busy store, moves them
// between the batch and the database without looking inside, and the main thread needs no work to hand them over.
// Points in time take six bytes and lengths mostly one, so that a small message costs ten bytes beside its own.

import type {
  DeliveryState,
  StoredMessage,
  StoredSession,
  StoredSubscription,
  StoredWill,
} from '@tobymq/broker';
import { ByteReader, type ByteWriter } from './binary.ts';

type QoS = StoredMessage['qos'];
type ProtocolVersion = StoredSession['protocolVersion'];

const RETAIN = 0x04;
const HAS_EXPIRY = 0x08;
const HAS_PROPERTIES = 0x10;

/** Appends everything of a message but its id, with its length before it. */
export function writeMessage(to: ByteWriter, message: StoredMessage): void {
  const start = to.length;
  to.u32(0);
  const { properties, expiresAt } = message;
  let flags: number = message.qos;
  if (message.retain) flags |= RETAIN;
  if (expiresAt > 0) flags |= HAS_EXPIRY;
  if (properties !== undefined) flags |= HAS_PROPERTIES;
  to.u8(flags);
  to.time(message.publishedAt);
  if (expiresAt > 0) to.time(expiresAt);
  to.text(message.topic);
  to.text(message.publisher);
  if (properties !== undefined) to.bytes(properties);
  to.raw(message.payload);
  to.setU32(start, to.length - start - 4);
}

/** Reads a message whose body is the next `length` bytes. */
export function readMessage(id: number, from: ByteReader, length: number): StoredMessage {
  const end = from.position + length;
  const flags = from.u8();
  const publishedAt = from.time();
  const expiresAt = (flags & HAS_EXPIRY) !== 0 ? from.time() : 0;
  const topic = from.text();
  const publisher = from.text();
  const properties = (flags & HAS_PROPERTIES) !== 0 ? from.bytes() : undefined;
  return {
    id,
    topic,
    payload: from.raw(end - from.position),
    qos: (flags & 3) as QoS,
    retain: (flags & RETAIN) !== 0,
    properties,
    expiresAt,
    publishedAt,
    publisher,
  };
}

const HAS_USERNAME = 0x08;
const HAS_WILL = 0x10;

/** Appends everything of a session but its key, with its length before it. */
export function writeSession(to: ByteWriter, session: StoredSession): void {
  const start = to.length;
  to.u32(0);
  const { username, will } = session;
  let flags: number = session.protocolVersion;
  if (username !== undefined) flags |= HAS_USERNAME;
  if (will !== undefined) flags |= HAS_WILL;
  to.u8(flags);
  to.text(session.clientId);
  to.u32(session.expiryInterval);
  to.time(session.createdAt);
  to.time(session.disconnectedAt);
  if (username !== undefined) to.text(username);
  if (will !== undefined) writeWill(to, will);
  to.setU32(start, to.length - start - 4);
}

export function readSession(key: number, from: ByteReader): StoredSession {
  const flags = from.u8();
  return {
    key,
    clientId: from.text(),
    protocolVersion: (flags & 7) as ProtocolVersion,
    expiryInterval: from.u32(),
    createdAt: from.time(),
    disconnectedAt: from.time(),
    username: (flags & HAS_USERNAME) !== 0 ? from.text() : undefined,
    will: (flags & HAS_WILL) !== 0 ? readWill(from) : undefined,
  };
}

function writeWill(to: ByteWriter, will: StoredWill): void {
  let flags: number = will.qos;
  if (will.retain) flags |= RETAIN;
  if (will.properties !== undefined) flags |= HAS_PROPERTIES;
  to.u8(flags);
  to.text(will.topic);
  to.bytes(will.payload);
  to.number(will.messageExpiryInterval);
  to.number(will.delayInterval);
  if (will.properties !== undefined) to.bytes(will.properties);
}

function readWill(from: ByteReader): StoredWill {
  const flags = from.u8();
  return {
    topic: from.text(),
    payload: from.bytes(),
    qos: (flags & 3) as QoS,
    retain: (flags & RETAIN) !== 0,
    messageExpiryInterval: from.number(),
    delayInterval: from.number(),
    properties: (flags & HAS_PROPERTIES) !== 0 ? from.bytes() : undefined,
  };
}

/** The options of a subscription in one number: its options byte as SUBSCRIBE carries it. */
export function subscriptionOptions(subscription: StoredSubscription): number {
  return (
    subscription.qos |
    (subscription.noLocal ? 0x04 : 0) |
    (subscription.retainAsPublished ? 0x08 : 0) |
    (subscription.retainHandling << 4)
  );
}

export function readSubscription(
  filter: string,
  options: number,
  subscriptionId: number,
): StoredSubscription {
  return {
    filter,
    qos: (options & 3) as QoS,
    noLocal: (options & 0x04) !== 0,
    retainAsPublished: (options & 0x08) !== 0,
    retainHandling: ((options >> 4) & 3) as 0 | 1 | 2,
    subscriptionId,
  };
}

// One queued delivery's QoS, RETAIN flag, state and packet identifier share one number, so that a queue's row has one
// column for them and SENT or RELEASED changes one small integer.
//
//   bits 0-1 QoS   bit 2 RETAIN   bits 3-4 state   bits 5-20 packet identifier

export const DELIVERY_FIXED_BITS = 0x07;
export const DELIVERY_STATE_BITS = 0x18;

// The values of the broker's DeliveryState. They are part of the file format, and with them here this package needs
// nothing of the broker but its types.
export const SENT = 1 satisfies DeliveryState;
export const RELEASED = 2 satisfies DeliveryState;
export const RELEASED_BITS = RELEASED << 3;

export function deliveryBits(qos: QoS, retain: boolean, state: number, packetId: number): number {
  return qos | (retain ? RETAIN : 0) | (state << 3) | (packetId << 5);
}

export const qosOf = (delivery: number): QoS => (delivery & 3) as QoS;
export const retainOf = (delivery: number): boolean => (delivery & RETAIN) !== 0;
export const stateOf = (delivery: number): DeliveryState => ((delivery >> 3) & 3) as DeliveryState;
export const packetIdOf = (delivery: number): number => delivery >> 5;

/** What a message counts for in `queuedBytes`: topic, payload and properties, as the broker's limit on a queue counts it. */
export function queuedSize(message: StoredMessage): number {
  return message.topic.length + message.payload.length + (message.properties?.length ?? 0);
}

/** Subscription identifiers as they lie in a queue's row: varints one after the other. */
export function readSubscriptionIds(bytes: Uint8Array): number[] {
  const from = new ByteReader(bytes);
  const ids: number[] = [];
  while (!from.atEnd) ids.push(from.varint());
  return ids;
}
