// What the broker asks of a store: sessions, subscriptions, queues, in-flight states, retained messages, and a small
// key-value space for extensions.
//
// Writes are synchronous calls that only add to the open batch. `commit()` closes the batch and answers when it is
// durable; the broker calls it once per turn of the event loop and lets acknowledgements wait for it. Whatever is put
// and deleted inside one batch need never reach the disk. Reads are asynchronous and see all earlier writes, also those
// that are not yet committed.
//
// When a commit fails (full disk, I/O error) the store forgets the *messages* of that batch (`enqueue`, `putRetained`),
// because the broker refuses them to their publishers, and keeps everything else to be written with the next batch that
// succeeds. If it could write everything else, its error says so.

import type { ProtocolVersion, QoS, RetainHandling } from '@tobymq/codec';

/** A message as it is stored: once, however many queues hold it. */
export interface StoredMessage {
  /** Given by the broker, ascending over the whole life of the store; it orders every queue. */
  readonly id: number;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  /** The RETAIN flag that the publisher set. */
  readonly retain: boolean;
  /** The MQTT 5 properties that are forwarded unchanged, as raw property bytes; without expiry, alias and identifiers. */
  readonly properties: Uint8Array | undefined;
  /** When it expires, in milliseconds since the epoch; 0 when it never does. */
  readonly expiresAt: number;
  /** When the broker took it over, in milliseconds since the epoch. */
  readonly publishedAt: number;
  /** Client id of the publisher; empty for messages of the broker itself. */
  readonly publisher: string;
}

/** One queue that a message is put into. */
export interface QueueTarget {
  readonly sessionKey: number;
  /** The lower of the message's and the subscription's QoS. */
  readonly qos: QoS;
  /** The RETAIN flag that the receiver will see. */
  readonly retain: boolean;
  readonly subscriptionIds: readonly number[];
  /** The packet identifier if it is sent in the same turn; 0 while it only waits. */
  readonly packetId: number;
}

/** How far the delivery of a queued message has come. */
export const DeliveryState = {
  /** Waiting for its turn. */
  Queued: 0,
  /** Sent with a packet identifier, not yet acknowledged by PUBACK or PUBREC. */
  Sent: 1,
  /** QoS 2: PUBREC received, PUBREL sent or to be sent, PUBCOMP outstanding. */
  Released: 2,
} as const;
export type DeliveryState = (typeof DeliveryState)[keyof typeof DeliveryState];

/** A queued message as it is read back. */
export interface StoredDelivery extends Omit<QueueTarget, 'sessionKey'> {
  readonly state: DeliveryState;
  readonly message: StoredMessage;
}

export interface StoredSubscription {
  /** As the client sent it, `$share/...` included. */
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
  /** 0 when the subscription has no identifier. */
  readonly subscriptionId: number;
}

/** A Will that is to be published when its connection ends. */
export interface StoredWill {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: Uint8Array | undefined;
  /** Message Expiry Interval in seconds, which starts when the Will is published; -1 when it has none. */
  readonly messageExpiryInterval: number;
  readonly delayInterval: number;
}

/** What is known of a session apart from its subscriptions and queue. */
export interface StoredSession {
  /** Given by the broker, ascending, never used again. */
  readonly key: number;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly protocolVersion: ProtocolVersion;
  /** Seconds; 0xFFFFFFFF means that it never expires. */
  readonly expiryInterval: number;
  readonly createdAt: number;
  /** When its connection ended, in milliseconds since the epoch; 0 while it is connected. */
  readonly disconnectedAt: number;
  readonly will: StoredWill | undefined;
}

/** A session as it is read at the start: everything but the queued messages themselves. */
export interface LoadedSession {
  readonly session: StoredSession;
  readonly subscriptions: readonly StoredSubscription[];
  /** Packet identifiers of QoS 2 messages that the client has sent and not yet released. */
  readonly inboundPacketIds: readonly number[];
  readonly queuedMessages: number;
  readonly queuedBytes: number;
}

/** What `open()` tells: the counters that the broker continues. */
export interface StoreState {
  readonly lastSessionKey: number;
  readonly lastMessageId: number;
}

/** Told when the store cannot write any more, and when it can again. */
export type StoreHealthListener = (healthy: boolean, error: Error | undefined) => void;

/** What `commit()` rejects with when everything in the batch is durable but its messages. */
export interface MessagesRefused extends Error {
  readonly isRestDurable: true;
}

export interface Store {
  /** True if what was committed survives the end of the process. */
  readonly durable: boolean;
  /** Set by the broker before `open()`. */
  onHealth: StoreHealthListener | undefined;

  /** Opens the store, or fails with an error that tells a person what is wrong and what to do. */
  open(): Promise<StoreState>;
  /** All sessions, in pages, so that a million of them need not be in flight at once. */
  loadSessions(): AsyncIterable<readonly LoadedSession[]>;
  /** All retained messages, in pages. */
  loadRetained(): AsyncIterable<readonly StoredMessage[]>;
  /**
   * Up to `countMax` queued messages of a session with ids above `afterId`, in order; it stops early when their payloads
   * exceed `bytesMax` (but gives at least one if there is one).
   */
  readQueue(
    sessionKey: number,
    afterId: number,
    countMax: number,
    bytesMax: number,
  ): Promise<readonly StoredDelivery[]>;

  putSession(session: StoredSession): void;
  /** Removes the session with its subscriptions, queue and packet identifiers. */
  deleteSession(sessionKey: number): void;
  putSubscription(sessionKey: number, subscription: StoredSubscription): void;
  deleteSubscription(sessionKey: number, filter: string): void;
  /** Puts one message into the queues of one or more sessions. */
  enqueue(message: StoredMessage, targets: readonly QueueTarget[]): void;
  markSent(sessionKey: number, messageId: number, packetId: number): void;
  markReleased(sessionKey: number, messageId: number): void;
  dequeue(sessionKey: number, messageId: number): void;
  putInbound(sessionKey: number, packetId: number): void;
  deleteInbound(sessionKey: number, packetId: number): void;
  /** Replaces the retained message of the message's topic. */
  putRetained(message: StoredMessage): void;
  deleteRetained(topic: string): void;

  /** True if anything was written since the last `commit()`. */
  readonly dirty: boolean;
  /** Closes the open batch and resolves when it is durable; rejects if it could not be written (see above). */
  commit(): Promise<void>;

  /** The key-value space of extensions; `space` is the extension's name. */
  getValue(space: string, key: string): Promise<Uint8Array | undefined>;
  listValues(
    space: string,
    prefix: string,
  ): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]>;
  putValue(space: string, key: string, value: Uint8Array): void;
  deleteValue(space: string, key: string): void;

  /** Writes a consistent copy to `path` while the store goes on working. */
  backup(path: string): Promise<void>;
  /** Commits what is open and closes. */
  close(): Promise<void>;
}
