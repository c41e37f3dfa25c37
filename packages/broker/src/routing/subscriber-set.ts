// Who subscribes to one topic filter.
//
// Nearly all filters of a large server have one subscriber, so for those the subscription stands for itself in the filter
// tree. A `SubscriberSet` takes its place when a second one comes, or a shared one: it has the plain subscriptions by
// subscriber, and the groups of the shared ones. The functions below treat both alike.

import { countLevels } from './levels.ts';
import { SharedGroup, type SharedGroupContext } from './shared-group.ts';
import type { Subscription } from './subscription.ts';

/** What a filter tree holds: one plain subscription, or a set. */
export type Subscribers<S> = Subscription<S> | SubscriberSet<S>;

/** All subscriptions to one filter. */
export class SubscriberSet<S> {
  readonly filter: string;
  readonly levelCount: number;
  /** Without the shared ones. */
  #plain: Map<S, Subscription<S>> | undefined = undefined;
  // Several groups on one filter are rare, and a Map of one group takes more memory than the group.
  #groups: undefined | SharedGroup<S> | Map<string, SharedGroup<S>> = undefined;

  constructor(filter: string) {
    this.filter = filter;
    this.levelCount = countLevels(filter);
  }

  get isEmpty(): boolean {
    return this.#plain === undefined && this.#groups === undefined;
  }

  get hasGroups(): boolean {
    return this.#groups !== undefined;
  }

  /** How many plain subscriptions there are. */
  get plainCount(): number {
    return this.#plain === undefined ? 0 : this.#plain.size;
  }

  get(subscriber: S): Subscription<S> | undefined {
    return this.#plain?.get(subscriber);
  }

  /** Adds a plain subscription, or replaces the one of the same subscriber. */
  set(subscription: Subscription<S>): void {
    this.#plain ??= new Map();
    this.#plain.set(subscription.subscriber, subscription);
  }

  delete(subscriber: S): void {
    this.#plain?.delete(subscriber);
    if (this.#plain?.size === 0) this.#plain = undefined;
  }

  collectPlain(into: Subscription<S>[]): void {
    if (this.#plain !== undefined) for (const subscription of this.#plain.values()) into.push(subscription);
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

  /** Removes a group that is there. */
  deleteGroup(shareName: string): void {
    const held = this.#groups;
    if (held instanceof Map && held.size > 1) held.delete(shareName);
    else this.#groups = undefined;
  }

  collectGroups(into: SharedGroup<S>[]): void {
    const held = this.#groups;
    if (held instanceof Map) for (const group of held.values()) into.push(group);
    else if (held !== undefined) into.push(held);
  }
}

/** How many plain subscriptions there are. */
export function plainCount<S>(subscribers: Subscribers<S>): number {
  return subscribers instanceof SubscriberSet ? subscribers.plainCount : 1;
}

/** The plain subscription of one subscriber. */
export function plainSubscription<S>(
  subscribers: Subscribers<S> | undefined,
  subscriber: S,
): Subscription<S> | undefined {
  if (subscribers instanceof SubscriberSet) return subscribers.get(subscriber);
  return subscribers?.subscriber === subscriber ? subscribers : undefined;
}

/** Appends the plain subscriptions to `into`. */
export function collectSubscriptions<S>(subscribers: Subscribers<S>, into: Subscription<S>[]): void {
  if (subscribers instanceof SubscriberSet) subscribers.collectPlain(into);
  else into.push(subscribers);
}
