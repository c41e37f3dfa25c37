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

/** Checks a publish and gives it the form in which it is sent. */
export function outgoingFields(
  topic: string,
  payload: Payload,
  options: PublishOptions | undefined,
  now: number,
): OutgoingFields {
  const problem = typeof topic === 'string' ? checkTopicName(topic) : 'is not a string';
  // [MQTT-3.3.2-2], [MQTT-4.7.0-1]
  if (problem !== undefined)
    throw new ClientError('TOBYMQ_TOPIC_INVALID', `the topic name ${String(topic)} ${problem}`, { topic });
  const bytes = typeof payload === 'string' ? encoder.encode(payload) : payload;
  if (!(bytes instanceof Uint8Array)) {
    throw new ClientError(
      'TOBYMQ_PUBLISH_INVALID',
      `the payload for ${topic} is neither a string nor a Uint8Array`,
      { topic },
    );
  }
  if (options === undefined) {
    return {
      topic,
      payload: bytes,
      qos: 0,
      retain: false,
      properties: undefined,
      expiresAt: Number.POSITIVE_INFINITY,
    };
  }
  const qos = options.qos ?? 0;
  let expiresAt = Number.POSITIVE_INFINITY;
  let expirySeconds: number | undefined;
  if (options.expiry !== undefined) {
    const expiryMs = milliseconds(options.expiry, 'expiry');
    expirySeconds = Math.min(Math.ceil(expiryMs / 1000), longestExpirySeconds);
    expiresAt = now + expiryMs;
  }
  const fields = {
    topic,
    payload: bytes,
    qos,
    retain: options.retain ?? false,
    properties: propertiesOf(options, expirySeconds),
    expiresAt,
  };
  try {
    // The codec refuses everything that has no valid bytes; the size itself is judged when the server's limit is known.
    encodedSize({ ...fields, type: PacketType.Publish, packetId: qos === 0 ? 0 : 1 }, 5);
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause;
    throw new ClientError(
      'TOBYMQ_PUBLISH_INVALID',
      `the message for ${topic} cannot be sent: ${cause.message}`,
      { topic, cause },
    );
  }
  return fields;
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
  readonly key: number;
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
  onSettled: ((error: ClientError | undefined, reasonCode: number) => void) | undefined;

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
    this.onSettled?.(error, reasonCode);
  }
}
