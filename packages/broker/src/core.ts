// What all parts of one broker share: its tables, limits, counters and clocks, and the few things that parts ask of each
// other. Broker.start() makes it; nothing here listens, reads or writes a socket.

import type { Bus } from './bus/bus.ts';
import type { Clock } from './clock.ts';
import { Flusher } from './connection/flusher.ts';
import { TurnBudget } from './connection/turn-budget.ts';
import { PacketMemory } from './delivery/packet-memory.ts';
import { RetainedMessages } from './delivery/retained.ts';
import { routeMessage } from './delivery/route-message.ts';
import { RoutedMessage } from './delivery/routed-message.ts';
import { keptBytes } from './delivery/sizes.ts';
import type { DropReason } from './extension.ts';
import type { Hooks } from './hooks.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { Router } from './routing/router.ts';
import type { Delivery } from './session/delivery.ts';
import { QueueSweeper } from './session/queue-sweeper.ts';
import { SessionRegistry } from './session/registry.ts';
import type { Session } from './session/session.ts';
import type { SessionLink } from './session/session-link.ts';
import type { Subscriber } from './session/subscriber.ts';
import { publishWill } from './session/will.ts';
import { CommitGate } from './store/commit-gate.ts';
import { DeliveryState, type Store, type StoredMessage, type StoreState } from './store/store.ts';
import { TimingWheel } from './timing-wheel.ts';

/** What a core is made of. */
export interface CoreParts {
  readonly store: Store;
  readonly state: StoreState;
  readonly bus: Bus | undefined;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly hooks: Hooks;
}

/** How much of a full queue is read at once to make room. */
const TRIM_MESSAGES = 100;
const TRIM_BYTES = 1024 * 1024;

export class Core {
  readonly store: Store;
  readonly bus: Bus | undefined;
  limits: Limits;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The extensions of the broker, without those of single listeners. */
  hooks: Hooks;
  readonly wheel: TimingWheel;
  readonly router: Router<Subscriber>;
  readonly retained: RetainedMessages;
  readonly sessions: SessionRegistry;
  readonly sweeper = new QueueSweeper(this);
  readonly gate: CommitGate;
  readonly flusher: Flusher;
  readonly packetMemory = new PacketMemory();
  readonly turn: TurnBudget;
  /** Raised when rules or hooks change: answers that connections keep are asked again. */
  rulesVersion = 1;
  isStopping = false;
  #lastMessageId: number;
  #lastSessionKey: number;
  #spareMessage: RoutedMessage | undefined;
  readonly #wills = new Set<Promise<void>>();

  constructor(parts: CoreParts) {
    this.store = parts.store;
    this.bus = parts.bus;
    this.limits = parts.limits;
    this.metrics = parts.metrics;
    this.logger = parts.logger;
    this.clock = parts.clock;
    this.flusher = new Flusher(parts.limits.moderationMs, this.clock);
    this.hooks = parts.hooks;
    this.#lastMessageId = parts.state.lastMessageId;
    this.#lastSessionKey = parts.state.lastSessionKey;
    this.wheel = new TimingWheel({ nowMs: this.clock.now() });
    this.router = new Router<Subscriber>({
      isOnline: (subscriber) => subscriber.isOnline,
      sharedStrategy: parts.limits.sharedStrategy,
      onInterest: (filter, isWanted) => {
        if (isWanted) this.bus?.addInterest(filter);
        else this.bus?.removeInterest(filter);
      },
    });
    this.turn = new TurnBudget(this.clock, this.metrics, this.router);
    this.retained = new RetainedMessages(this);
    this.sessions = new SessionRegistry(this);
    this.gate = new CommitGate(this.store, this.metrics, this.logger, (session, delivery, link) =>
      this.#sendStored(session, delivery, link),
    );
    this.#spareMessage = new RoutedMessage(this.nextMessageId);
  }

  readonly nextMessageId = (): number => ++this.#lastMessageId;

  nextSessionKey(): number {
    return ++this.#lastSessionKey;
  }

  /**
   * A message object to route with; give it back afterwards. There is one, and another only while that is in use: when
   * something that is told of a message publishes one itself.
   */
  borrowMessage(): RoutedMessage {
    const message = this.#spareMessage;
    if (message === undefined) return new RoutedMessage(this.nextMessageId);
    this.#spareMessage = undefined;
    return message;
  }

  returnMessage(message: RoutedMessage): void {
    this.#spareMessage = message;
  }

  /** Counts messages that are not delivered, one mostly, and tells whoever wants to know. */
  dropped(reason: DropReason, topic: string, clientId: string, count = 1): void {
    this.metrics.dropped[reason] += count;
    this.hooks.dropped({ reason, topic, clientId, count });
    this.logger.log('debug', 'message-dropped', { reason, topic, clientId, count });
  }

  publishWill(session: Session): void {
    if (session.will === undefined) return;
    const published = publishWill(this, session)
      .catch((error: unknown) => {
        this.logger.log('error', 'internal-error', { clientId: session.clientId, error });
      })
      .finally(() => this.#wills.delete(published));
    this.#wills.add(published);
  }

  /** Resolves when the rules and hooks have answered for all Wills that are due, and these are published. */
  async willsPublished(): Promise<void> {
    await Promise.all(this.#wills);
  }

  /** The queue of a session is full and its policy is to end it. */
  endOverflowing(session: Session): void {
    const close = { reasonCode: 0x97, reason: 'queue full', initiator: 'server' } as const;
    this.sessions.disconnectAndEnd(session, close, 'removed');
  }

  /**
   * Takes the oldest messages out of the queue of a session that is not connected, whose messages are only in the store.
   * What overflows while the store is read is taken out in the next round, so that nothing is counted twice.
   */
  trimStoredQueue(session: Session): void {
    if (session.isTrimming) return;
    session.isTrimming = true;
    void this.#trim(session).finally(() => {
      session.isTrimming = false;
    });
  }

  async #trim(session: Session): Promise<void> {
    const { queueMessagesMax, queueBytesMax } = this.limits;
    let lastId = 0;
    await Promise.resolve(); // The message that needs the room is about to be counted.
    try {
      while (
        !session.hasEnded &&
        (session.queuedMessages > queueMessagesMax || session.queuedBytes > queueBytesMax)
      ) {
        const oldest = await this.store.readQueue(session.key, lastId, TRIM_MESSAGES, TRIM_BYTES);
        // A client that has come meanwhile gets what there is.
        if (oldest.length === 0 || session.hasEnded || session.outbound !== undefined) return;
        for (const { message, state } of oldest) {
          if (session.queuedMessages <= queueMessagesMax && session.queuedBytes <= queueBytesMax) break;
          lastId = message.id;
          // What is on its way is sent again, and a released packet id stays with its message. [MQTT-4.4.0-1]
          if (state !== DeliveryState.Queued) continue;
          session.queuedMessages--;
          session.queuedBytes -= keptBytes(message);
          this.store.dequeue(session.key, message.id);
          this.dropped('queue-full', message.topic, session.clientId);
        }
        this.gate.touch();
      }
    } catch (error) {
      this.logger.log('error', 'store-failed', { clientId: session.clientId, operation: 'readQueue', error });
    }
  }

  /** Routes a message that is kept already, such as one from another broker. */
  routeStored(stored: StoredMessage): number {
    const message = this.borrowMessage();
    message.load(stored, this.clock.now());
    const matched = routeMessage(this, message, undefined);
    this.returnMessage(message);
    return matched;
  }

  /** A QoS 2 message whose packet id is durable now goes out, if its connection is still the one. */
  #sendStored(session: Session, delivery: Delivery, link: SessionLink): void {
    if (session.link !== link || session.outbound?.inflight.get(delivery.packetId) !== delivery) return;
    const message = this.borrowMessage();
    message.load(delivery.message, this.clock.now());
    const { qos, retain, packetId, subscriptionIds } = delivery;
    const wasSent = link.sendPublish(message, qos, retain, false, packetId, subscriptionIds);
    this.returnMessage(message);
    // A message that the client cannot take counts as delivered. [MQTT-3.1.2-25]
    if (!wasSent) session.receive(packetId, 0x80);
  }
}
