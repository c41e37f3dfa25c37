// From a topic to the sessions that get its messages.
//
// `route(topic)` answers with a `Route`: a plain array with one target per session, and the shared groups to choose a
// member from at delivery. Routes are kept, by this router for the topics in use, and by connections for the topic that
// they publish to again and again. A kept route is current if one comparison says so:
//
//     if (route.version !== router.version) router.refresh(route);
//
// Every change of subscriptions raises `version` and writes its filter into a short log; that is all that a change
// costs, however many routes are kept. A route that is behind looks through the changes it missed: if none of them
// matches its topic it is as good as new, otherwise it is built again. After too many missed changes building costs
// less than looking. So the worst that subscription churn can do is one tree match per message; it never empties a cache
// and never visits routes that nobody uses.
//
// Route objects stay the same for their topic, and their arrays are replaced, never changed: a delivery that is walking
// over one is not disturbed by a session that ends meanwhile.

import { matches } from '@tobymq/codec';
import { FilterTree } from './filter-tree.ts';
import { hashOfKey, LargeMap } from './large-map.ts';
import type { SharedGroup, SharedGroupContext, SharedStrategy } from './shared-group.ts';
import {
  collectSubscriptions,
  plainCount,
  plainSubscription,
  SubscriberSet,
  type Subscribers,
} from './subscriber-set.ts';
import { mergeTargets, type Subscription, type Target } from './subscription.ts';

/** Who gets the messages of one topic. */
export interface Route<S> {
  readonly topic: string;
  /** Equal to `router.version` while the route is current. */
  readonly version: number;
  /** One for each session with at least one matching subscription that is not shared. */
  readonly targets: readonly Target<S>[];
  /** One copy each, for the member that `group.pick()` chooses. */
  readonly groups: readonly SharedGroup<S>[];
}

/** What a router is made of. */
export interface RouterOptions<S> {
  /** Whether a subscriber can take messages now; shared subscriptions pass over those that cannot. */
  readonly isOnline: (subscriber: S) => boolean;
  /** How shared subscriptions choose. Default: `round-robin`. */
  readonly sharedStrategy?: SharedStrategy | undefined;
  /** Source of the strategy `random`: a number from 0 up to 1, 1 excluded. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Told when the first subscription to a filter comes (true) and when the last one goes (false), for the bus. */
  readonly onInterest?: ((filter: string, isWanted: boolean) => void) | undefined;
  /** How many topics' routes are kept. Default: 32,768, about 6 MB; 38 MB if all topics are as long as they may be. */
  readonly routesMax?: number | undefined;
}

class CachedRoute<S> implements Route<S> {
  readonly topic: string;
  version = -1;
  targets: readonly Target<S>[] = NOBODY;
  groups: readonly SharedGroup<S>[] = NOBODY;

  constructor(topic: string) {
    this.topic = topic;
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NOBODY: readonly never[] = Object.freeze([]);

// Looking at a missed change costs 20 to 60 ns, building a route 300 ns and more.
const LOGGED_CHANGES = 16;

const MATCHED_KEPT_MAX = 1024;

/** Of how many topics it is known that they were asked for once; a power of two. */
const ASKED_ONCE = 4096;

/**
 * What is remembered by topic is bounded in number, so topics above this length are not remembered: with 65,535 bytes
 * each, the routes alone would take 2 GB.
 */
export const REMEMBERED_TOPIC_MAX = 1_024;

/** Subscriptions of sessions `S`, and the way from a topic to them. */
export class Router<S> {
  readonly #tree = new FilterTree<Subscribers<S>>();
  readonly #groupContext: Mutable<SharedGroupContext<S>>;
  readonly #onInterest: ((filter: string, isWanted: boolean) => void) | undefined;
  readonly #changes: string[] = new Array<string>(LOGGED_CHANGES).fill('');
  readonly #routesMax: number;
  // Two generations: when the young one is half of `routesMax`, the old one goes and the young one becomes old. A route
  // that is asked for moves to the young one. This keeps what is used, without bookkeeping per use.
  #young = new LargeMap<CachedRoute<S>>();
  #old = new LargeMap<CachedRoute<S>>();
  // A route is kept when it is asked for a second time. Connections hold the routes of what they publish to, so that many a
  // topic never is, and keeping costs as much as finding.
  readonly #askedOnce = new Int32Array(ASKED_ONCE);
  #version = 0;
  #subscriptionCount = 0;
  #sharedSubscriptionCount = 0;
  /** The result of the last match, kept for the next one; never shortened, because V8 would give its memory back. */
  #matched: Subscribers<S>[] = [];

  constructor(options: RouterOptions<S>) {
    this.#groupContext = {
      strategy: options.sharedStrategy ?? 'round-robin',
      random: options.random ?? Math.random,
      isOnline: options.isOnline,
    };
    this.#onInterest = options.onInterest;
    this.#routesMax = options.routesMax ?? 32_768;
  }

  /** How shared subscriptions choose from now on. */
  set sharedStrategy(strategy: SharedStrategy) {
    this.#groupContext.strategy = strategy;
  }

  /** Changes with the subscriptions; a route with the same number is current. */
  get version(): number {
    return this.#version;
  }

  /** All subscriptions, the shared ones included. */
  get subscriptionCount(): number {
    return this.#subscriptionCount;
  }

  get sharedSubscriptionCount(): number {
    return this.#sharedSubscriptionCount;
  }

  /** How many different filters are subscribed to. */
  get filterCount(): number {
    return this.#tree.size;
  }

  /** How many routes are kept. */
  get routeCount(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * Adds a subscription. It replaces one of the same subscriber with the same filter and share name [MQTT-3.8.4-3] and
   * returns that; `undefined` means that the subscription is new.
   */
  subscribe(subscription: Subscription<S>): Subscription<S> | undefined {
    const { filter, shareName } = subscription;
    const present = this.#tree.get(filter);
    const earlier =
      shareName === '' ? this.#addPlain(present, subscription) : this.#addShared(present, subscription);
    if (earlier === undefined) {
      this.#subscriptionCount++;
      if (shareName !== '') this.#sharedSubscriptionCount++;
    }
    if (present === undefined) this.#onInterest?.(filter, true);
    return earlier;
  }

  /** Removes a subscription and returns it; `undefined` if there is none. */
  unsubscribe(subscriber: S, filter: string, shareName: string): Subscription<S> | undefined {
    const present = this.#tree.get(filter);
    const removed =
      shareName === ''
        ? this.#removePlain(present, subscriber)
        : this.#removeShared(present, subscriber, shareName);
    if (removed === undefined) return undefined;
    this.#subscriptionCount--;
    if (shareName !== '') this.#sharedSubscriptionCount--;
    if (!(present instanceof SubscriberSet) || present.isEmpty) {
      this.#tree.delete(filter);
      this.#onInterest?.(filter, false);
    }
    return removed;
  }

  /** The subscription of a subscriber to a filter. */
  find(subscriber: S, filter: string, shareName: string): Subscription<S> | undefined {
    if (shareName === '') return plainSubscription(this.#tree.get(filter), subscriber);
    return this.sharedGroup(shareName, filter)?.get(subscriber);
  }

  /** The group of a shared subscription, to choose another member when one dies with unacknowledged messages. */
  sharedGroup(shareName: string, filter: string): SharedGroup<S> | undefined {
    const present = this.#tree.get(filter);
    return present instanceof SubscriberSet ? present.group(shareName) : undefined;
  }

  /** Every filter that has subscribers. */
  *filters(): IterableIterator<string> {
    for (const subscribers of this.#tree.values()) yield subscribers.filter;
  }

  /** All subscriptions that match a topic, unmerged and with all members of shared groups: for people who look. */
  subscriptionsOf(topic: string): Subscription<S>[] {
    const matched: Subscribers<S>[] = [];
    matched.length = this.#tree.match(topic, matched);
    const subscriptions: Subscription<S>[] = [];
    const groups: SharedGroup<S>[] = [];
    for (const subscribers of matched) {
      collectSubscriptions(subscribers, subscriptions);
      if (subscribers instanceof SubscriberSet) subscribers.collectGroups(groups);
    }
    for (const group of groups) subscriptions.push(...group.members);
    return subscriptions;
  }

  /** The current route of a topic. The object may be kept; see above how to keep it current. */
  route(topic: string): Route<S> {
    const route = topic.length > REMEMBERED_TOPIC_MAX ? new CachedRoute<S>(topic) : this.#keptRoute(topic);
    if (route.version !== this.#version) this.refresh(route);
    return route;
  }

  /** Makes a kept route current again. */
  refresh(route: Route<S>): void {
    const cached = route as CachedRoute<S>;
    if (this.#isConcernedByChanges(cached)) this.#build(cached);
    cached.version = this.#version;
  }

  /**
   * Forgets the routes that were not asked for since the last call but one. The broker calls it now and then, so that
   * routes nobody uses do not keep sessions in memory that have ended.
   */
  age(): void {
    this.#old = this.#young;
    this.#young = new LargeMap();
  }

  #keptRoute(topic: string): CachedRoute<S> {
    const hash = hashOfKey(topic);
    const young = this.#young.get(topic, hash);
    if (young !== undefined) return young;
    const old = this.#old.get(topic, hash);
    if (old !== undefined) this.#old.delete(topic, hash);
    const route = old ?? new CachedRoute<S>(topic);
    if (old !== undefined || this.#wasAskedFor(hash)) this.#remember(route, hash);
    return route;
  }

  #remember(route: CachedRoute<S>, hash: number): void {
    if (this.#young.size * 2 >= this.#routesMax) this.age();
    this.#young.set(route.topic, route, hash);
  }

  /** Whether the topic was asked for lately, as far as the few hashes that are kept can tell. */
  #wasAskedFor(hash: number): boolean {
    const slot = hash & (ASKED_ONCE - 1);
    if (this.#askedOnce[slot] === hash) return true;
    this.#askedOnce[slot] = hash;
    return false;
  }

  #addPlain(present: Subscribers<S> | undefined, subscription: Subscription<S>): Subscription<S> | undefined {
    const earlier = plainSubscription(present, subscription.subscriber);
    // Clients subscribe again whenever they reconnect: what delivers as before stays, and no route has to change.
    if (earlier?.deliversLike(subscription)) return earlier;
    if (present instanceof SubscriberSet) present.set(subscription);
    else if (present === undefined || present === earlier) this.#tree.set(subscription);
    else this.#growSet(subscription.filter, present).set(subscription);
    this.#logChange(subscription.filter);
    return earlier;
  }

  #removePlain(present: Subscribers<S> | undefined, subscriber: S): Subscription<S> | undefined {
    const removed = plainSubscription(present, subscriber);
    if (removed === undefined) return undefined;
    if (present instanceof SubscriberSet) present.delete(subscriber);
    this.#logChange(removed.filter);
    return removed;
  }

  // Routes hold the group, not its members: only a group's coming and going concerns them.
  #addShared(
    present: Subscribers<S> | undefined,
    subscription: Subscription<S>,
  ): Subscription<S> | undefined {
    const { filter, shareName } = subscription;
    const set = present instanceof SubscriberSet ? present : this.#growSet(filter, present);
    let group = set.group(shareName);
    if (group === undefined) {
      group = set.addGroup(shareName, this.#groupContext);
      this.#logChange(filter);
    }
    return group.set(subscription);
  }

  #removeShared(
    present: Subscribers<S> | undefined,
    subscriber: S,
    shareName: string,
  ): Subscription<S> | undefined {
    if (!(present instanceof SubscriberSet)) return undefined;
    const group = present.group(shareName);
    const removed = group?.delete(subscriber);
    if (group?.members.length === 0) {
      present.deleteGroup(shareName);
      this.#logChange(present.filter);
    }
    return removed;
  }

  #growSet(filter: string, first: Subscription<S> | undefined): SubscriberSet<S> {
    const set = new SubscriberSet<S>(filter);
    if (first !== undefined) set.set(first);
    this.#tree.set(set);
    return set;
  }

  #logChange(filter: string): void {
    this.#changes[this.#version % LOGGED_CHANGES] = filter;
    this.#version++;
  }

  #isConcernedByChanges(route: CachedRoute<S>): boolean {
    if (route.version === -1 || this.#version - route.version > LOGGED_CHANGES) return true;
    for (let change = route.version; change < this.#version; change++) {
      if (matches(this.#changes[change % LOGGED_CHANGES]!, route.topic)) return true;
    }
    return false;
  }

  #build(route: CachedRoute<S>): void {
    const count = this.#tree.match(route.topic, this.#matched);
    route.targets = targetsOf(this.#matched, count);
    route.groups = groupsOf(this.#matched, count);
    // What the array still points to is little, but not after an unusually wide match.
    if (count > MATCHED_KEPT_MAX) this.#matched = [];
  }
}

/** One target for each subscriber that has a plain subscription in any of the filters. */
function targetsOf<S>(matched: readonly Subscribers<S>[], matchedCount: number): readonly Target<S>[] {
  // The usual case in a way that allocates no more than it needs.
  if (matchedCount === 1 && !(matched[0] instanceof SubscriberSet)) return [matched[0]!];
  let largest: Subscribers<S> | undefined;
  let largestCount = 0;
  let total = 0;
  for (let i = 0; i < matchedCount; i++) {
    const count = plainCount(matched[i]!);
    total += count;
    if (count <= largestCount) continue;
    largest = matched[i];
    largestCount = count;
  }
  if (largest === undefined) return NOBODY;
  const base: Subscription<S>[] = [];
  collectSubscriptions(largest, base);
  if (largestCount === total) return base;

  // Several filters. Who subscribes to the one with the most subscribers is found there, so only the others go into a map.
  const others: Subscription<S>[] = [];
  for (let i = 0; i < matchedCount; i++) {
    if (matched[i] !== largest) collectSubscriptions(matched[i]!, others);
  }
  const merged = new Map<S, Target<S>>();
  for (const subscription of others) {
    const { subscriber } = subscription;
    const earlier = merged.get(subscriber) ?? plainSubscription(largest, subscriber);
    merged.set(subscriber, earlier === undefined ? subscription : mergeTargets(earlier, subscription));
  }
  const targets: Target<S>[] = [];
  for (const subscription of base) if (!merged.has(subscription.subscriber)) targets.push(subscription);
  for (const target of merged.values()) targets.push(target);
  return targets;
}

function groupsOf<S>(matched: readonly Subscribers<S>[], matchedCount: number): readonly SharedGroup<S>[] {
  let groups: SharedGroup<S>[] | undefined;
  for (let i = 0; i < matchedCount; i++) {
    const subscribers = matched[i]!;
    if (!(subscribers instanceof SubscriberSet) || !subscribers.hasGroups) continue;
    groups ??= [];
    subscribers.collectGroups(groups);
  }
  return groups ?? NOBODY;
}
