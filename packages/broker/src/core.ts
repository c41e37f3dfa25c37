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
import type { DropReason } from './extension.ts';
import type { Hooks } from './hooks.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { Router } from './routing/router.ts';
import { QueueSweeper } from './session/queue-sweeper.ts';
import { SessionRegistry } from './session/registry.ts';
import type { Session } from './session/session.ts';
import type { Subscriber } from './session/subscriber.ts';
import { publishWill } from './session/will.ts';
import { CommitGate } from './store/commit-gate.ts';
import type { Store, StoredMessage, StoreState } from './store/store.ts';
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
    this.gate = new CommitGate(this.store, this.metrics, this.logger);
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

  /** Routes a message of another broker. */
  routeStored(stored: StoredMessage): void {
    const message = this.borrowMessage();
    message.load(stored, this.clock.now());
    routeMessage(this, message, undefined);
    this.returnMessage(message);
  }
}
