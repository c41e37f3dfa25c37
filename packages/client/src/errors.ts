// Every error of the client is a `ClientError` with a stable `code`. Programs test the code; people read the message,
// which names the thing and the value. Errors that stand for an answer of the server carry its reason code.

import { ReasonCode } from '@tobymq/codec';

/** Tells apart what went wrong. */
export type ClientErrorCode =
  /** An option of `connect()` or of a method that cannot be used. */
  | 'TOBYMQ_OPTION_INVALID'
  /** A topic name or topic filter that MQTT does not allow. */
  | 'TOBYMQ_TOPIC_INVALID'
  /** A publish that no valid packet exists for. */
  | 'TOBYMQ_PUBLISH_INVALID'
  /** A value that its codec cannot encode or decode. */
  | 'TOBYMQ_VALUE_INVALID'
  /** More than the server said it accepts; `reasonCode` says which limit. */
  | 'TOBYMQ_SERVER_LIMIT'
  /** The network could not be reached. */
  | 'TOBYMQ_TRANSPORT_FAILED'
  /** The function for the credentials or the enhanced authentication failed. */
  | 'TOBYMQ_AUTH_FAILED'
  /** No CONNACK in time. */
  | 'TOBYMQ_CONNECT_TIMEOUT'
  /** A CONNACK with a refusal. */
  | 'TOBYMQ_CONNECT_REFUSED'
  /** The connection ended without a DISCONNECT. */
  | 'TOBYMQ_CONNECTION_LOST'
  /** The server sent DISCONNECT. */
  | 'TOBYMQ_DISCONNECTED'
  /** Nothing came from the server although it was pinged. */
  | 'TOBYMQ_KEEP_ALIVE_TIMEOUT'
  /** The server sent something that the standard forbids. */
  | 'TOBYMQ_PROTOCOL_VIOLATION'
  /** PUBACK or PUBREC with a failure. */
  | 'TOBYMQ_PUBLISH_REFUSED'
  /** SUBACK with a failure for every filter. */
  | 'TOBYMQ_SUBSCRIBE_REFUSED'
  /** UNSUBACK with a failure. */
  | 'TOBYMQ_UNSUBSCRIBE_REFUSED'
  /** The message expired before it could be sent. */
  | 'TOBYMQ_EXPIRED'
  /** The queue has no room for another message. */
  | 'TOBYMQ_QUEUE_FULL'
  /** The message was dropped from a full queue to make room. */
  | 'TOBYMQ_EVICTED'
  /** The server lost the session in which a QoS 2 message was open, so its fate is unknown. */
  | 'TOBYMQ_SESSION_LOST'
  /** The `AbortSignal` of the call said stop. */
  | 'TOBYMQ_ABORTED'
  /** The timeout of the call passed. */
  | 'TOBYMQ_TIMEOUT'
  /** The client was closed. */
  | 'TOBYMQ_CLOSED'
  /** Nobody serves the topic of a request. */
  | 'TOBYMQ_NO_RESPONDER'
  /** The responder answered a request with an error. */
  | 'TOBYMQ_REQUEST_FAILED'
  /** A message handler threw or rejected. */
  | 'TOBYMQ_HANDLER_FAILED'
  /** The receive window is full of messages that nobody consumes. */
  | 'TOBYMQ_RECEIVE_STALLED'
  /** Messages of QoS 0 were dropped because their consumer is too slow. */
  | 'TOBYMQ_MESSAGE_DROPPED'
  /** The session store could not read or write. */
  | 'TOBYMQ_STORE_FAILED';

/** What some errors know beyond their message. */
export interface ClientErrorDetails {
  readonly cause?: unknown;
  /** The reason code of MQTT 5.0, or the CONNACK return code of 3.1 and 3.1.1. */
  readonly reasonCode?: number | undefined;
  /** The Server Reference of a CONNACK or DISCONNECT. */
  readonly serverReference?: string | undefined;
  /** The topic name or topic filter that the error is about. */
  readonly topic?: string | undefined;
}

/**
 * The one error class of the client.
 *
 * @example
 * try {
 *   await client.publish('a/b', 'x', { qos: 1, timeout: '2 s' });
 * } catch (error) {
 *   if (error instanceof ClientError && error.code === 'TOBYMQ_TIMEOUT') retryLater();
 * }
 */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly reasonCode: number | undefined;
  readonly serverReference: string | undefined;
  readonly topic: string | undefined;

  constructor(
    code: ClientErrorCode,
    message: string,
    { cause, reasonCode, serverReference, topic }: ClientErrorDetails = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.reasonCode = reasonCode;
    this.serverReference = serverReference;
    this.topic = topic;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An error of ours for one that came from somewhere else, as its cause. */
export function causedBy(cause: unknown, code: ClientErrorCode, what: string, topic?: string): ClientError {
  return new ClientError(code, `${what}: ${messageOf(cause)}`, { cause, topic });
}

/** The error of one of our messages. */
export function messageError(code: ClientErrorCode, topic: string, what: string): ClientError {
  return new ClientError(code, `the message for ${topic} ${what}`, { topic });
}

/** What was thrown, as an error of ours, which it may be already. */
export function asClientError(cause: unknown, code: ClientErrorCode): ClientError {
  return cause instanceof ClientError ? cause : new ClientError(code, messageOf(cause), { cause });
}

/** An option of `connect()` or of a method that cannot be used. */
export function invalidOption(what: string, topic?: string): ClientError {
  return new ClientError('TOBYMQ_OPTION_INVALID', what, { topic });
}

/** A topic name, filter or template that cannot be used. */
export function invalidTopic(topic: string, what: string): ClientError {
  return new ClientError('TOBYMQ_TOPIC_INVALID', what, { topic });
}

/** A reason code as people look it up: `0x87`. */
export function hex(reasonCode: number): string {
  return `0x${reasonCode.toString(16).padStart(2, '0')}`;
}

/** A protocol violation of the server, with the reason code for DISCONNECT. */
export function violation(reasonCode: number, what: string): ClientError {
  const message = `the server broke the protocol: ${what} (${hex(reasonCode)})`;
  return new ClientError('TOBYMQ_PROTOCOL_VIOLATION', message, { reasonCode });
}

/** The violation that has no reason code of its own. */
export function protocolError(what: string): ClientError {
  return violation(ReasonCode.ProtocolError, what);
}
