// What can be seen of a running broker: clients, sessions, subscriptions, retained messages.

import type { MessageProperties, ProtocolVersion, QoS } from '@tobymq/codec';
import { Connection } from './connection/connection.ts';
import type { Core } from './core.ts';
import { hasExpired, remainingExpiry } from './delivery/message-expiry.ts';
import { propertiesObject } from './delivery/raw-properties.ts';
import type { ClientInfo } from './extension.ts';
import { expiresAt } from './session/expiry.ts';
import type { Session } from './session/session.ts';
import type { StoredMessage, StoredSubscription } from './store/store.ts';

/** A client that is connected. */
export interface ConnectedClient extends ClientInfo {
  readonly keepAlive: number;
  readonly lastSeenAt: number;
  /** Bytes that wait to be read by the client. */
  readonly bufferedBytes: number;
  /** QoS 1 and 2 messages of the client that are not acknowledged. */
  readonly unacknowledged: number;
  /** The client does not read what it is sent. */
  readonly isBlocked: boolean;
}

/** A subscription of a session. */
export type SubscriptionInfo = StoredSubscription;

/** A session, connected or not. */
export interface SessionInfo {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly protocolVersion: ProtocolVersion;
  readonly isConnected: boolean;
  readonly createdAt: number;
  /** 0 while it is connected. */
  readonly disconnectedAt: number;
  /** Seconds; 0xFFFFFFFF means never. */
  readonly expiryInterval: number;
  /** When it ends if nobody connects; undefined while connected, or when it never does. */
  readonly expiresAt: number | undefined;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** Messages that were sent and are not acknowledged. */
  readonly inFlight: number;
  readonly hasWill: boolean;
  readonly subscriptions: readonly SubscriptionInfo[];
}

/** The connection that serves a session, which itself knows no more of it than that it can be sent to. */
export function connectionOf(session: Session | undefined): Connection | undefined {
  const link = session?.link;
  return link instanceof Connection ? link : undefined;
}

export function clientInfo(connection: Connection): ConnectedClient | undefined {
  const { client } = connection;
  if (client === undefined || connection.state !== 'connected') return undefined;
  return {
    ...client,
    keepAlive: connection.keepAlive,
    lastSeenAt: connection.lastSeenMs,
    bufferedBytes: connection.bufferedBytes,
    unacknowledged: connection.receiveCount,
    isBlocked: connection.isCongested,
  };
}

export function sessionInfo(session: Session): SessionInfo {
  const end = session.link === undefined ? expiresAt(session) : Number.POSITIVE_INFINITY;
  return {
    clientId: session.clientId,
    username: session.username,
    protocolVersion: session.protocolVersion,
    isConnected: session.link !== undefined,
    createdAt: session.createdAt,
    disconnectedAt: session.disconnectedAt,
    expiryInterval: session.expiryInterval,
    expiresAt: end === Number.POSITIVE_INFINITY ? undefined : end,
    queuedMessages: session.queuedMessages,
    queuedBytes: session.queuedBytes,
    inFlight: session.outbound?.inflight.size ?? 0,
    hasWill: session.will !== undefined,
    subscriptions: [...(session.subscriptions?.values() ?? [])].map((subscription) =>
      subscription.toStored(),
    ),
  };
}

/** A subscription that matches a topic, and whose it is. */
export interface TopicSubscription extends SubscriptionInfo {
  /** Empty for a subscription of the program itself. */
  readonly clientId: string;
}

export function subscriptionsOf(core: Core, topic: string): TopicSubscription[] {
  return core.router.subscriptionsOf(topic).map((subscription) => ({
    clientId: subscription.subscriber.clientId,
    ...subscription.toStored(),
  }));
}

/** Sums over all sessions. */
export interface BrokerTotals {
  readonly subscriptions: number;
  readonly sharedSubscriptions: number;
  /** Messages that wait in the queues of all sessions. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
}

export function totals(core: Core): BrokerTotals {
  let queuedMessages = 0;
  let queuedBytes = 0;
  for (const session of core.sessions.all()) {
    queuedMessages += session.queuedMessages;
    queuedBytes += session.queuedBytes;
  }
  const { subscriptionCount, sharedSubscriptionCount } = core.router;
  return {
    subscriptions: subscriptionCount - sharedSubscriptionCount,
    sharedSubscriptions: sharedSubscriptionCount,
    queuedMessages,
    queuedBytes,
  };
}

/** A retained message. */
export interface RetainedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly properties: MessageProperties | undefined;
  readonly publishedAt: number;
  readonly publisher: string;
}

/** Retained messages whose topics match a filter. */
export function* retainedMessages(core: Core, filter: string): IterableIterator<RetainedMessage> {
  const cursor = core.retained.tree.cursor(filter);
  const now = core.clock.now();
  for (let hasMore = true; hasMore; ) {
    const found: StoredMessage[] = [];
    hasMore = cursor.take(found, 64, 1_024);
    for (const kept of found) {
      if (hasExpired(kept, now)) continue;
      const { topic, payload, qos, publishedAt, publisher } = kept;
      const properties = propertiesObject(kept.properties, remainingExpiry(kept, now));
      yield { topic, payload, qos, properties, publishedAt, publisher };
    }
  }
}
