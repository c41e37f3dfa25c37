// A message on its way to the server: what the application asked for, checked at once, and how far it has come.
//
// A publish that no valid packet exists for fails here, in the call, before it can be queued or stored: stored it would
// break every later connection.

import {
  CodecError,
  checkTopicName,
  encodedSize,
  type MessageProperties,
  PacketType,
  type QoS,
  type UserProperties,
} from '@tobymq/codec';
import type { Clock } from './clock.ts';
import { type Duration, milliseconds } from './duration.ts';
import { ClientError } from './errors.ts';

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

/** The fields of a PUBLISH that do not change on the way. */
export interface OutgoingFields {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  readonly expiresAt: number;
}

const encoder = new TextEncoder();
const longestExpirySeconds = 0xffff_ffff;

// Applications publish to the same few topics, so the check of the last one is remembered: scanning the topic of each
// message again took a fifth of the time of a small QoS 1 publish.
let lastValidTopic: string | undefined;

function checkTopic(topic: string): void {
  if (topic === lastValidTopic) return;
  const problem = typeof topic === 'string' ? checkTopicName(topic) : 'is not a string';
  // [MQTT-3.3.2-2], [MQTT-4.7.0-1]
  if (problem !== undefined) {
    throw new ClientError('TOBYMQ_TOPIC_INVALID', `the topic name ${String(topic)} ${problem}`, { topic });
  }
  lastValidTopic = topic;
}

/** Checks a publish and gives it the form in which it is sent. */
export function outgoingFields(
  topic: string,
  payload: Payload,
  options: PublishOptions | undefined,
  clock: Clock,
): OutgoingFields {
  checkTopic(topic);
  const bytes = typeof payload === 'string' ? encoder.encode(payload) : payload;
  if (!(bytes instanceof Uint8Array)) {
    throw new ClientError(
      'TOBYMQ_PUBLISH_INVALID',
      `the payload for ${topic} is neither a string nor a Uint8Array`,
      {
        topic,
      },
    );
  }
  let qos: QoS = 0;
  let retain = false;
  let expiresAt = Number.POSITIVE_INFINITY;
  let properties: MessageProperties | undefined;
  if (options !== undefined) {
    qos = options.qos ?? 0;
    retain = options.retain ?? false;
    let expirySeconds: number | undefined;
    if (options.expiry !== undefined) {
      const expiryMs = milliseconds(options.expiry, 'expiry');
      expirySeconds = Math.min(Math.ceil(expiryMs / 1000), longestExpirySeconds);
      expiresAt = clock.now() + expiryMs;
    }
    properties = propertiesOf(options, expirySeconds);
    if (qos !== 0 || properties !== undefined) checkEncodable(topic, qos, properties);
  }
  return { topic, payload: bytes, qos, retain, properties, expiresAt };
}

/** The codec refuses everything that has no valid bytes; the size is judged when the server's limit is known. */
function checkEncodable(topic: string, qos: QoS, properties: MessageProperties | undefined): void {
  if (properties === undefined && (qos === 1 || qos === 2)) return;
  try {
    encodedSize({ type: PacketType.Publish, topic, qos, packetId: qos === 0 ? 0 : 1, properties }, 5);
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause;
    throw new ClientError(
      'TOBYMQ_PUBLISH_INVALID',
      `the message for ${topic} cannot be sent: ${cause.message}`,
      {
        topic,
        cause,
      },
    );
  }
}

function propertiesOf(
  options: PublishOptions,
  messageExpiryInterval: number | undefined,
): MessageProperties | undefined {
  const { contentType, payloadFormat, responseTopic, correlationData, userProperties } = options;
  if (
    messageExpiryInterval === undefined &&
    contentType === undefined &&
    payloadFormat === undefined &&
    responseTopic === undefined &&
    correlationData === undefined &&
    userProperties === undefined
  ) {
    return undefined;
  }
  return {
    messageExpiryInterval,
    contentType,
    payloadFormatIndicator: payloadFormat === undefined ? undefined : payloadFormat === 'text' ? 1 : 0,
    responseTopic,
    correlationData,
    userProperties:
      userProperties === undefined || Array.isArray(userProperties)
        ? (userProperties as UserProperties | undefined)
        : Object.entries(userProperties as Readonly<Record<string, string>>),
  };
}

/** What nearly every publish comes to. */
export const success: PublishResult = { reasonCode: 0 };

/** A message between the call of `publish()` and the end of its exchange. */
export class OutgoingMessage {
  // The names of the codec's `PublishInput`, so that the message itself can be encoded.
  readonly type = PacketType.Publish;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  readonly expiresAt: number;
  /** Grows from message to message: the order in the store. */
  key: number;
  /** 0 while it waits. */
  packetId = 0;
  dup = false;
  /** It was sent, on whatever connection; a repeat has to say so. */
  isSent = false;
  /** It was sent on the present connection and takes one from the send quota. */
  isOnWire = false;
  /** QoS 2: PUBREC came, only PUBREL may follow. */
  isReleased = false;
  /** An earlier process published it. */
  isRestored = false;
  isSettled = false;
  /** Why it failed, if it did. */
  error: ClientError | undefined;
  /** Of the promise of whoever published it. */
  resolve: ((result: PublishResult) => void) | undefined;
  reject: ((error: ClientError) => void) | undefined;
  /** Takes back the timer and the signal of the call. */
  onSettled: (() => void) | undefined;

  constructor(fields: OutgoingFields, key: number) {
    this.topic = fields.topic;
    this.payload = fields.payload;
    this.qos = fields.qos;
    this.retain = fields.retain;
    this.properties = fields.properties;
    this.expiresAt = fields.expiresAt;
    this.key = key;
  }

  /** About how much memory it takes while it waits. */
  get size(): number {
    return this.payload.length + this.topic.length + 64;
  }

  /** Ends it, for whoever waits. Only the first end counts. */
  settle(error: ClientError | undefined, reasonCode = 0): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.error = error;
    this.onSettled?.();
    if (error !== undefined) this.reject?.(error);
    else this.resolve?.(reasonCode === 0 ? success : { reasonCode });
  }
}
