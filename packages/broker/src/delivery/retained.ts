// Retained messages: kept by topic, bounded, expired on time, and sent to new subscriptions in small steps, so that a
// subscriber of a million topics stalls nobody.

import type { QoS } from '@tobymq/codec';
import type { Core } from '../core.ts';
import { isSysTopic } from '../handlers/topic-rules.ts';
import { LargeMap } from '../routing/large-map.ts';
import { type RetainedCursor, RetainedTree } from '../routing/retained-tree.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { Session } from '../session/session.ts';
import type { SessionLink } from '../session/session-link.ts';
import type { Subscriber } from '../session/subscriber.ts';
import type { StoredMessage } from '../store/store.ts';
import { WheelEntry } from '../timing-wheel.ts';
import type { RoutedMessage } from './routed-message.ts';

/** How many messages of a replay go out before others get their turn, and how many places are looked at for them. */
const REPLAY_MESSAGES = 64;
const REPLAY_STEPS = 1_024;

class RetainedExpiry extends WheelEntry {
  readonly #owner: RetainedMessages;
  readonly #message: StoredMessage;

  constructor(owner: RetainedMessages, message: StoredMessage) {
    super();
    this.#owner = owner;
    this.#message = message;
  }

  override onDue(): void {
    this.#owner.expire(this.#message);
  }
}

export class RetainedMessages {
  readonly #core: Core;
  readonly tree = new RetainedTree<StoredMessage>();
  /** The deadline of each topic whose message has one: a message that is replaced must not stay in memory for it. */
  readonly #expiries = new LargeMap<RetainedExpiry>();
  /** Messages that could not be stored, with those that they had replaced, which may be lost as well. */
  readonly #lost = new WeakMap<StoredMessage, StoredMessage | undefined>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Takes over a message from the store at the start. */
  load(message: StoredMessage): void {
    this.#set(message);
  }

  /**
   * Handles a message with RETAIN set: keeps it, or removes the kept one if its payload is empty. Returns whether
   * something was written to the store.
   */
  retain(message: RoutedMessage): boolean {
    const core = this.#core;
    if (message.payloadSize === 0) return this.delete(message.topic); // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
    if (!this.#hasRoom(message)) {
      core.dropped('retained-limit', message.topic, message.publisherId);
      return false;
    }
    const stored = message.stored();
    const before = this.tree.get(message.topic);
    this.#set(stored); // [MQTT-3.3.1-5]
    // What the server says of itself is of no use after a restart.
    if (isSysTopic(stored.topic)) return false;
    core.store.putRetained(stored);
    core.gate.undoOnFailure(() => this.#restore(stored, before));
    return true;
  }

  get(topic: string): StoredMessage | undefined {
    return this.tree.get(topic);
  }

  delete(topic: string): boolean {
    if (this.tree.delete(topic) === undefined) return false;
    this.#cancelExpiry(topic);
    this.#core.store.deleteRetained(topic);
    this.#core.gate.touch();
    this.#count();
    return true;
  }

  expire(message: StoredMessage): void {
    if (this.tree.get(message.topic) !== message) return;
    this.delete(message.topic);
    this.#core.metrics.dropped.expired++;
  }

  /** Sends the retained messages that match a new subscription. */
  replay(session: Session, subscription: Subscription<Subscriber>): void {
    if (!this.tree.canMatch(subscription.filter)) return;
    new Replay(this.#core, session, subscription, this.tree.cursor(subscription.filter)).step();
  }

  /** A message that could not be stored makes way for the one before it. */
  #restore(failed: StoredMessage, before: StoredMessage | undefined): void {
    this.#lost.set(failed, before);
    if (this.tree.get(failed.topic) !== failed) return;
    let kept = before;
    while (kept !== undefined && this.#lost.has(kept)) kept = this.#lost.get(kept);
    if (kept !== undefined) {
      this.#set(kept);
      return;
    }
    this.tree.delete(failed.topic);
    this.#cancelExpiry(failed.topic);
    this.#count();
  }

  #set(message: StoredMessage): void {
    this.tree.set(message.topic, message, message.payload.length);
    this.#cancelExpiry(message.topic);
    if (message.expiresAt > 0) {
      const expiry = new RetainedExpiry(this, message);
      this.#expiries.set(message.topic, expiry);
      this.#core.wheel.schedule(expiry, message.expiresAt);
    }
    this.#count();
  }

  #cancelExpiry(topic: string): void {
    const expiry = this.#expiries.get(topic);
    if (expiry === undefined) return;
    this.#expiries.delete(topic);
    this.#core.wheel.cancel(expiry);
  }

  #count(): void {
    this.#core.metrics.retainedNow = this.tree.count;
    this.#core.metrics.retainedBytesNow = this.tree.bytes;
  }

  #hasRoom(message: RoutedMessage): boolean {
    const { retainedMessagesMax, retainedBytesMax } = this.#core.limits;
    const before = this.tree.get(message.topic);
    const count = this.tree.count + (before === undefined ? 1 : 0);
    const bytes = this.tree.bytes + message.payloadSize - (before?.payload.length ?? 0);
    return (
      (retainedMessagesMax === 0 || count <= retainedMessagesMax) &&
      (retainedBytesMax === 0 || bytes <= retainedBytesMax)
    );
  }
}

/** One subscriber being sent what is retained, step by step; it waits while the subscriber does not read. */
class Replay {
  readonly #core: Core;
  readonly #session: Session;
  readonly #subscription: Subscription<Subscriber>;
  readonly #cursor: RetainedCursor<StoredMessage>;

  constructor(
    core: Core,
    session: Session,
    subscription: Subscription<Subscriber>,
    cursor: RetainedCursor<StoredMessage>,
  ) {
    this.#core = core;
    this.#session = session;
    this.#subscription = subscription;
    this.#cursor = cursor;
  }

  readonly step = (): void => {
    // A client that left or unsubscribed meanwhile does not want the rest.
    if (!this.#isStillSubscribed()) return;
    // One by one, because a few large ones may be all that the client takes for now.
    for (let i = 0; i < REPLAY_MESSAGES; i++) {
      const { link } = this.#session;
      // A connection that takes over is served when the store has its CONNACK.
      if (link === undefined && this.#session.pending === undefined) return;
      if (link === undefined || this.#hasToWait(link)) {
        setTimeout(this.step, 5).unref();
        return;
      }
      const found: StoredMessage[] = [];
      const hasMore = this.#cursor.take(found, 1, REPLAY_STEPS / REPLAY_MESSAGES);
      for (const message of found) this.#send(message);
      if (!hasMore) return;
    }
    setImmediate(this.step);
  };

  /** Whether the client does not read, or its queue had better keep its room for live messages. */
  #hasToWait(link: SessionLink): boolean {
    const { outbound, queuedMessages, queuedBytes } = this.#session;
    const { queueMessagesMax, queueBytesMax } = this.#core.limits;
    if (link.isCongested || (outbound?.length ?? 0) > REPLAY_MESSAGES) return true;
    const isHalfFull = queuedMessages * 2 > queueMessagesMax || queuedBytes * 2 > queueBytesMax;
    return isHalfFull && this.#subscription.qos > 0;
  }

  #isStillSubscribed(): boolean {
    const { filter, shareName } = this.#subscription;
    return this.#core.router.find(this.#session, filter, shareName) !== undefined;
  }

  #send(kept: StoredMessage): void {
    const core = this.#core;
    const now = core.clock.now();
    if (kept.expiresAt > 0 && kept.expiresAt <= now) return; // [N31]
    const { qos: granted, subscriptionIds, noLocal } = this.#subscription;
    if (noLocal && kept.publisher === this.#session.clientId) return; // [MQTT-3.8.3-3]
    const qos: QoS = kept.qos < granted ? kept.qos : granted;
    const message = core.borrowMessage();
    // In a queue it is a message of its own: the same one may be retained for hours and wait there twice.
    message.load(qos === 0 ? kept : { ...kept, id: core.nextMessageId() }, now);
    // RETAIN is set on what is sent because of a new subscription, whatever Retain As Published says. [N30]
    if (qos === 0) this.#session.link?.sendPublish(message, 0, true, false, 0, subscriptionIds);
    else this.#session.enqueue(message, qos, true, subscriptionIds, undefined);
    message.store(core.store);
    core.returnMessage(message);
  }
}
