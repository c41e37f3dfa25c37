// Everybody who subscribes to one topic filter: the plain subscriptions, and the groups of the shared ones.
//
// Nearly all filters of a large server have one subscriber, so one subscription (and one group) is held as itself; a Map
// comes with the second.

import { SharedGroup, type SharedGroupContext } from './shared-group.ts';
import type { Subscription } from './subscription.ts';

/** All subscriptions to one filter. */
export class FilterEntry<S> {
  readonly filter: string;
  #subscriptions: undefined | Subscription<S> | Map<S, Subscription<S>> = undefined;
  #groups: undefined | SharedGroup<S> | Map<string, SharedGroup<S>> = undefined;

  constructor(filter: string) {
    this.filter = filter;
  }

  get isEmpty(): boolean {
    return this.#subscriptions === undefined && this.#groups === undefined;
  }

  /** How many plain subscriptions there are. */
  get size(): number {
    if (this.#subscriptions === undefined) return 0;
    return this.#subscriptions instanceof Map ? this.#subscriptions.size : 1;
  }

  /** The plain subscription of a subscriber. */
  get(subscriber: S): Subscription<S> | undefined {
    const held = this.#subscriptions;
    if (held === undefined) return undefined;
    if (held instanceof Map) return held.get(subscriber);
    return held.subscriber === subscriber ? held : undefined;
  }

  /** Adds a plain subscription, or replaces the one of the same subscriber and returns that. */
  set(subscription: Subscription<S>): Subscription<S> | undefined {
    const held = this.#subscriptions;
    const subscriber = subscription.subscriber;
    if (held instanceof Map) {
      const replaced = held.get(subscriber);
      held.set(subscriber, subscription);
      return replaced;
    }
    if (held === undefined || held.subscriber === subscriber) {
      this.#subscriptions = subscription;
      return held;
    }
    this.#subscriptions = new Map([
      [held.subscriber, held],
      [subscriber, subscription],
    ]);
    return undefined;
  }

  delete(subscriber: S): Subscription<S> | undefined {
    const removed = this.get(subscriber);
    if (removed === undefined) return undefined;
    const held = this.#subscriptions;
    if (held instanceof Map && held.size > 1) held.delete(subscriber);
    else this.#subscriptions = undefined;
    return removed;
  }

  /** Appends the plain subscriptions to `into`. */
  collect(into: Subscription<S>[]): void {
    const held = this.#subscriptions;
    if (held instanceof Map) for (const subscription of held.values()) into.push(subscription);
    else if (held !== undefined) into.push(held);
  }

  group(shareName: string): SharedGroup<S> | undefined {
    const held = this.#groups;
    if (held instanceof Map) return held.get(shareName);
    return held?.shareName === shareName ? held : undefined;
  }

  addGroup(shareName: string, context: SharedGroupContext<S>): SharedGroup<S> {
    const group = new SharedGroup(shareName, this.filter, context);
    const held = this.#groups;
    if (held instanceof Map) held.set(shareName, group);
    else if (held === undefined) this.#groups = group;
    else {
      this.#groups = new Map([
        [held.shareName, held],
        [shareName, group],
      ]);
    }
    return group;
  }

  deleteGroup(shareName: string): void {
    const held = this.#groups;
    if (held instanceof Map && held.size > 1) held.delete(shareName);
    else this.#groups = undefined;
  }

  /** Appends the shared groups to `into`. */
  collectGroups(into: SharedGroup<S>[]): void {
    const held = this.#groups;
    if (held instanceof Map) for (const group of held.values()) into.push(group);
    else if (held !== undefined) into.push(held);
  }
}
