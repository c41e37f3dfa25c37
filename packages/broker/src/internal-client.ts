// Publishing and subscribing from inside the process, without a connection: what extensions and embedding programs use.

import { checkTopicFilter, checkTopicName, type MessageProperties, type QoS } from '@tobymq/codec';
import type { Core } from './core.ts';
import { hasExpired, remainingExpiry } from './delivery/message-expiry.ts';
import { publishRequest } from './delivery/publish-request.ts';
import { propertiesObject, rawProperties } from './delivery/raw-properties.ts';
import type { RoutedMessage } from './delivery/routed-message.ts';
import { BrokerError, brokerHasStopped, topicInvalid } from './errors.ts';
import type { ClientInfo } from './extension.ts';
import { reportLate } from './hooks.ts';
import { Subscription } from './routing/subscription.ts';
import { splitFilter } from './session/filter.ts';
import { Subscriber, type SubscriberTarget } from './session/subscriber.ts';
import type { StoredMessage } from './store/store.ts';

/** A message to be published by the program itself. */
export interface PublishMessage {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  readonly qos?: QoS | undefined;
  readonly retain?: boolean | undefined;
  readonly properties?: MessageProperties | undefined;
}

/** A message as a subscription of the program itself gets it. */
export interface ReceivedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  /** Whether it was sent because of the subscription, or live. */
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  /** Client id of the publisher; empty for messages of the broker itself. */
  readonly publisher: string;
}

export interface SubscribeOptions {
  readonly qos?: QoS | undefined;
  /** Whether retained messages are handed over first. Default: true. */
  readonly retained?: boolean | undefined;
}

/** A subscription of the program itself. */
export interface InternalSubscription {
  readonly filter: string;
  close(): void;
}

/** Publishes; resolves when the message is where it belongs, in the store too. */
export async function publishInternally(
  core: Core,
  message: PublishMessage,
  from: ClientInfo | undefined,
): Promise<{ readonly matched: number }> {
  if (core.isStopping) throw brokerHasStopped();
  const problem = checkTopicName(message.topic);
  if (problem !== undefined) throw topicInvalid('topic', message.topic, problem);
  const payload = typeof message.payload === 'string' ? Buffer.from(message.payload) : message.payload;
  const raw = {
    topic: message.topic,
    payload,
    qos: message.qos ?? 0,
    retain: message.retain ?? false,
    properties: rawProperties(message.properties),
    expirySeconds: message.properties?.messageExpiryInterval ?? -1,
  } as const;
  const outcome = await publishRequest(core, raw, from && core.sessions.get(from.clientId), from);
  if (outcome.isWritten) {
    await core.gate.stored().catch((cause: unknown) => {
      throw new BrokerError('TOBYMQ_NOT_STORED', `the message to "${message.topic}" was not stored`, {
        cause,
      });
    });
  }
  await outcome.forwarded;
  return { matched: outcome.matched };
}

/** Calls `handler` for every message that matches. */
export function subscribeInternally(
  core: Core,
  fullFilter: string,
  handler: (message: ReceivedMessage) => void,
  options: SubscribeOptions = {},
): InternalSubscription {
  const problem = checkTopicFilter(fullFilter);
  if (problem !== undefined) throw topicInvalid('topic filter', fullFilter, problem);
  const { filter, shareName } = splitFilter(fullFilter);
  const subscriber = new InternalSubscriber(core, handler);
  core.router.subscribe(
    new Subscription<Subscriber>(subscriber, {
      filter,
      shareName,
      qos: options.qos ?? 2,
      noLocal: false,
      retainAsPublished: true,
      retainHandling: 0,
      subscriptionId: 0,
    }),
  );
  if (options.retained !== false && shareName === '') replayRetained(core, filter, subscriber);
  return {
    filter: fullFilter,
    close: () => {
      subscriber.isOpen = false;
      core.router.unsubscribe(subscriber, filter, shareName);
    },
  };
}

function replayRetained(core: Core, filter: string, subscriber: InternalSubscriber): void {
  const cursor = core.retained.tree.cursor(filter);
  const step = (): void => {
    if (!subscriber.isOpen) return;
    const found: StoredMessage[] = [];
    const hasMore = cursor.take(found, 64, 1_024);
    for (const message of found) subscriber.receiveRetained(message);
    if (hasMore) setImmediate(step);
  };
  setImmediate(step);
}

class InternalSubscriber extends Subscriber {
  override readonly clientId = '';
  override readonly isOnline = true;
  isOpen = true;
  readonly #core: Core;
  readonly #handler: (message: ReceivedMessage) => void;

  constructor(core: Core, handler: (message: ReceivedMessage) => void) {
    super();
    this.#core = core;
    this.#handler = handler;
  }

  override deliver(message: RoutedMessage, target: SubscriberTarget): void {
    const properties =
      message.propertiesEnd > message.propertiesStart
        ? message.propertiesBytes.subarray(message.propertiesStart, message.propertiesEnd)
        : undefined;
    this.#call({
      topic: message.topic,
      // The message's own bytes are overwritten by the next one.
      payload: message.ownedPayload(),
      qos: message.qos < target.qos ? message.qos : target.qos,
      retain: false,
      properties: propertiesObject(properties, message.expiryInterval),
      publisher: message.publisherId,
    });
  }

  receiveRetained(kept: StoredMessage): void {
    const now = this.#core.clock.now();
    if (hasExpired(kept, now)) return;
    this.#call({
      topic: kept.topic,
      payload: kept.payload,
      qos: kept.qos,
      retain: true,
      properties: propertiesObject(kept.properties, remainingExpiry(kept, now)),
      publisher: kept.publisher,
    });
  }

  /** In a turn of its own: a handler may do anything, and routing is in the middle of its work. */
  #call(message: ReceivedMessage): void {
    queueMicrotask(() => {
      if (!this.isOpen) return;
      const report = (error: unknown) => this.#report(message.topic, error);
      try {
        const answer: unknown = this.#handler(message);
        reportLate(answer, report);
      } catch (error) {
        report(error);
      }
    });
  }

  #report(topic: string, error: unknown): void {
    this.#core.metrics.extensionFailures++;
    this.#core.logger.log('error', 'extension-failed', { hook: 'subscribe', topic, error });
  }
}
