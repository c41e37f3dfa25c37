// Retained messages: kept by topic, bounded, expired on time. How they are sent to new subscriptions is in
// retained-replay.ts.

import type { Core } from '../core.ts';
import { LargeMap } from '../routing/large-map.ts';
import { isSysTopic } from '../routing/levels.ts';
import { RetainedTree } from '../routing/retained-tree.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { Session } from '../session/session.ts';
import type { Subscriber } from '../session/subscriber.ts';
import type { StoredMessage } from '../store/store.ts';
import { WheelEntry } from '../timing-wheel.ts';
import { Replays } from './retained-replay.ts';
import type { RoutedMessage } from './routed-message.ts';
import { keptBytes } from './sizes.ts';

class RetainedExpiry extends WheelEntry {
  readonly #owner: RetainedMessages;
  readonly message: StoredMessage;

  constructor(owner: RetainedMessages, message: StoredMessage) {
    super();
    this.#owner = owner;
    this.message = message;
  }

  override onDue(): void {
    this.#owner.expire(this.message);
  }
}

export class RetainedMessages {
  readonly #core: Core;
  readonly tree = new RetainedTree<StoredMessage>();
  readonly #replays: Replays;
  /** The deadline of each topic whose message has one: a message that is replaced must not stay in memory for it. */
  readonly #expiries = new LargeMap<RetainedExpiry>();
  /** Messages that could not be stored, with those that they had replaced, which may be lost as well. */
  readonly #lost = new WeakMap<StoredMessage, StoredMessage | undefined>();

  constructor(core: Core) {
    this.#core = core;
    this.#replays = new Replays(core, this.tree);
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
    if (this.tree.canMatch(subscription.filter)) this.#replays.add(session, subscription);
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
    this.tree.set(message.topic, message, keptBytes(message));
    this.#cancelExpiry(message.topic);
    if (message.expiresAt > 0) {
      const expiry = new RetainedExpiry(this, message);
      this.#expiries.set(message.topic, expiry);
      this.#core.wheel.schedule(expiry, message.expiresAt);
    }
    this.#count();
  }

  /** The clock was set: messages expire when they say. */
  clockWasSet(): void {
    for (const expiry of this.#expiries.values()) this.#core.wheel.schedule(expiry, expiry.message.expiresAt);
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
    const bytes = this.tree.bytes + message.keptBytes - (before === undefined ? 0 : keptBytes(before));
    return (
      (retainedMessagesMax === 0 || count <= retainedMessagesMax) &&
      (retainedBytesMax === 0 || bytes <= retainedBytesMax)
    );
  }
}
