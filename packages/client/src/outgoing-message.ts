// A message on its way to the server: what the application asked for, checked at once, and how far it has come.
//
// A publish that no valid packet exists for fails here, in the call, before it can be queued or stored: stored it would
// break every later connection.

import {
  checkTopicName,
  encodedSize,
  type MessageProperties,
  PacketType,
  type QoS,
  type UserProperties,
} from '@tobymq/codec';
import type { Clock } from './clock.ts';
import { type Duration, milliseconds } from './duration.ts';
import { type ClientError, causedBy, invalidTopic } from './errors.ts';
import type { StoredMessage } from './store/session-store.ts';

/** What a message carries: text becomes UTF-8. */
export type Payload = string | Uint8Array;

/** How a message is published. */
export interface PublishOptions {
  readonly qos?: QoS;
  readonly retain?: boolean;
  /** The message is worthless after this time: it is not sent any more, and the server (5.0) drops it too. */
  readonly expiry?: Duration;
  /** 5.0 only, like all the following; before 5.0 they have no place in the packet and are left out. */
  readonly contentType?: string;
  readonly payloadFormat?: 'bytes' | 'text';
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  /** Pairs in order, names may repeat; or an object. */
  readonly userProperties?: UserProperties | Readonly<Record<string, string>>;
  /** The promise rejects after this time. A message that was sent already stays sent. */
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
}

/** A whole message as data: topic, payload and options. */
export interface MessageInput extends PublishOptions {
  readonly topic: string;
  readonly payload?: Payload;
}

/** What became of a publish. */
export interface PublishResult {
  /** 0, or 0x10 if the server knows that nobody is subscribed. */
  readonly reasonCode: number;
}

/**
 * A message between the call of `publish()` and the end of its exchange. It has the names of the codec's `PublishInput`,
 * so that it can be encoded as it is.
 */
export interface OutgoingMessage extends StoredMessage {
  readonly type: typeof PacketType.Publish;
  /** Grows from message to message: the order in the store. */
  key: number;
  /** 0 while it waits. */
  packetId: number;
  /** It was sent before, on whatever connection; a repetition says so. [MQTT-3.3.1-1] */
  dup: boolean;
  /** It was sent on the present connection and takes one from the send quota. */
  isOnWire: boolean;
  /** QoS 2: PUBREC came, only PUBREL may follow. */
  isReleased: boolean;
  /** An earlier process published it. */
  isRestored: boolean;
  /** It waits before all others, and needs no room among them: a birth or a farewell. */
  isFirst: boolean;
  /** Tells whoever published it; taken away by the first end. */
  onSettled: ((error: ClientError | undefined, reasonCode: number) => void) | undefined;
}

/** Ends a message for whoever waits. Only the first end counts. */
export function settle(message: OutgoingMessage, error: ClientError | undefined, reasonCode = 0): void {
  const { onSettled } = message;
  message.onSettled = undefined;
  onSettled?.(error, reasonCode);
}

/** A message at the beginning of its way. */
export function newMessage({
  topic,
  payload,
  qos,
  retain,
  properties,
  expiresAt,
}: Omit<StoredMessage, 'key'>): OutgoingMessage {
  return {
    type: PacketType.Publish,
    topic,
    payload,
    qos,
    retain,
    properties,
    expiresAt,
    key: 0,
    packetId: 0,
    dup: false,
    isOnWire: false,
    isReleased: false,
    isRestored: false,
    isFirst: false,
    onSettled: undefined,
  };
}

/** When a message expires that does not. */
export const never = Number.POSITIVE_INFINITY;

/** The Message Expiry Interval for a time, in seconds. */
export function expiryInterval(ms: number): number {
  return Math.min(Math.ceil(ms / 1000), 0xffff_ffff);
}

const encoder = new TextEncoder();

// Applications publish to the same few topics, so the check of the last one is remembered: scanning the topic of each
// message again took a fifth of the time of a small QoS 1 publish.
let lastValidTopic: string | undefined;

function checkTopic(topic: string): void {
  if (topic === lastValidTopic) return;
  // [MQTT-3.3.2-2], [MQTT-4.7.0-1]
  const problem = typeof topic === 'string' ? checkTopicName(topic) : 'is not a string';
  if (problem !== undefined) throw invalidTopic(topic, `the topic name ${String(topic)} ${problem}`);
  lastValidTopic = topic;
}

/** Text as UTF-8; bytes are taken as they are. */
export function bytesOf(payload: Payload): Uint8Array {
  return typeof payload === 'string' ? encoder.encode(payload) : payload;
}

/** Checks a publish and gives it the form in which it is sent. */
export function outgoingMessage(
  topic: string,
  payload: Payload,
  options: PublishOptions = {},
  clock: Clock,
): OutgoingMessage {
  checkTopic(topic);
  const bytes = bytesOf(payload);
  const { qos = 0, retain = false, expiry } = options;
  const expiryMs = expiry === undefined ? never : milliseconds(expiry, 'expiry');
  const expiresAt = expiryMs === never ? expiryMs : clock.now() + expiryMs;
  const properties = propertiesOf(options, expiryMs);
  const isPlain = properties === undefined && (qos === 0 || qos === 1 || qos === 2);
  try {
    if (!(bytes instanceof Uint8Array)) throw new Error('its payload is neither a string nor a Uint8Array');
    // The codec refuses everything that has no valid bytes; the size is judged when the server's limit is known.
    if (!isPlain) encodedSize({ type: PacketType.Publish, topic, qos, packetId: qos && 1, properties }, 5);
  } catch (cause) {
    throw causedBy(cause, 'TOBYMQ_PUBLISH_INVALID', `the message for ${topic} cannot be sent`, topic);
  }
  return newMessage({ topic, payload: bytes, qos, retain, properties, expiresAt });
}

function propertiesOf(options: PublishOptions, expiryMs: number): MessageProperties | undefined {
  const { contentType, payloadFormat, responseTopic, correlationData, userProperties } = options;
  const messageExpiryInterval = expiryMs === never ? undefined : expiryInterval(expiryMs);
  const first = messageExpiryInterval ?? contentType ?? payloadFormat ?? responseTopic;
  if ((first ?? correlationData ?? userProperties) === undefined) return undefined;
  return {
    messageExpiryInterval,
    contentType,
    payloadFormatIndicator: payloadFormat && (payloadFormat === 'text' ? 1 : 0),
    responseTopic,
    correlationData,
    userProperties: Array.isArray(userProperties)
      ? (userProperties as UserProperties)
      : userProperties && Object.entries(userProperties as Readonly<Record<string, string>>),
  };
}
