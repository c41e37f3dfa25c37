// What has to survive the end of the process so that QoS 1 and 2 keep their promise: our own unfinished messages, and
// the identifiers of received QoS 2 messages that the server has not released yet.
//
// The client writes first and sends afterwards: the operations of one turn of the event loop are given to the store
// together, and the packets that depend on them leave when the write has resolved.

import type { MessageProperties, QoS } from '@tobymq/codec';

/** One of our messages, as a store keeps it. */
export interface StoredMessage {
  /** Grows from message to message: it gives the order. */
  readonly key: number;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  /** Milliseconds since the epoch; `Infinity` if it does not expire. */
  readonly expiresAt: number;
}

/** A change to write. */
export type StoreOperation =
  /** A message was accepted from the application. */
  | { readonly op: 'publish'; readonly message: StoredMessage }
  /** It is about to be sent with this packet identifier. */
  | { readonly op: 'sent'; readonly key: number; readonly packetId: number }
  /** QoS 2: the server has it; it must not be sent again, only released. */
  | { readonly op: 'released'; readonly key: number }
  /** The server lost the session: the message waits again as if it had never been sent. */
  | { readonly op: 'unsent'; readonly key: number }
  /** The exchange is over, or the message was given up. */
  | { readonly op: 'done'; readonly key: number }
  /** A QoS 2 message with this identifier was handed to the application. */
  | { readonly op: 'received'; readonly packetId: number }
  /** The server released it: the identifier means a new message from now on. */
  | { readonly op: 'forgotten'; readonly packetId: number };

/** A message as it is found when a store is opened. */
export interface RestoredMessage {
  readonly message: StoredMessage;
  /** 0 if it was never sent. */
  readonly packetId: number;
  readonly isReleased: boolean;
}

/** What an earlier process left. */
export interface StoredSession {
  /** In the order of their keys. */
  readonly messages: readonly RestoredMessage[];
  readonly received: readonly number[];
}

/**
 * A place for session state. `write` resolves when the operations are durable, and all of one call become durable
 * together or not at all; calls do not overlap.
 *
 * @example
 * await connect(url, { clientId: 'gateway-7', session: { keep: '1 day', store: fileStore('./session') } });
 */
export interface SessionStore {
  open(clientId: string): Promise<StoredSession>;
  write(operations: readonly StoreOperation[]): Promise<void>;
  close(): Promise<void>;
}
