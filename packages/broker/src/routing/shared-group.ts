// The members of one shared subscription ($share/name/filter), and the choice of the one that gets a message.
//
// Members are a dense array; the last one takes the place of one that leaves. With that, joining and leaving cost O(1),
// and jump consistent hashing moves only the keys that it has to. A member that is offline is chosen only when nobody is
// online: then the message waits in that member's queue.

import type { Subscription } from './subscription.ts';

/** How a shared subscription chooses the member that gets a message. */
export type SharedStrategy = (typeof sharedStrategies)[number];

export const sharedStrategies = [
  /** One after the other. */
  'round-robin',
  'random',
  /** Always the same one, until it goes offline or leaves. */
  'sticky',
  /** The same member for all messages of a publisher, as long as the members stay. */
  'hash-publisher',
  /** The same member for all messages of a topic, as long as the members stay. */
  'hash-topic',
] as const;

/** What a group needs from outside; one object for all groups. */
export interface SharedGroupContext<S> {
  readonly strategy: SharedStrategy;
  /** A number from 0 up to 1, 1 excluded. */
  readonly random: () => number;
  readonly isOnline: (subscriber: S) => boolean;
}

// Up to this many members are found by looking through the array; a Map for each of many small groups would cost more.
const SCANNED_MEMBERS_MAX = 8;

/** The members of one shared subscription. */
export class SharedGroup<S> {
  readonly shareName: string;
  readonly filter: string;
  readonly #context: SharedGroupContext<S>;
  #members: Subscription<S>[] = [];
  #positions: Map<S, number> | undefined;
  /** Round-robin: where the search for the next member starts. Sticky: the chosen member. */
  #next = 0;

  constructor(shareName: string, filter: string, context: SharedGroupContext<S>) {
    this.shareName = shareName;
    this.filter = filter;
    this.#context = context;
  }

  get members(): readonly Subscription<S>[] {
    return this.#members;
  }

  get(subscriber: S): Subscription<S> | undefined {
    return this.#members[this.#positionOf(subscriber)];
  }

  /** Adds a member or replaces the subscription of one; returns what was replaced. */
  set(subscription: Subscription<S>): Subscription<S> | undefined {
    const members = this.#members;
    const position = this.#positionOf(subscription.subscriber);
    if (position !== -1) {
      const replaced = members[position];
      members[position] = subscription;
      return replaced;
    }
    if (members.length < SCANNED_MEMBERS_MAX) {
      // A new array: one that grows by push() or spreading reserves 16 places more, and most groups stay small.
      this.#members = members.concat(subscription);
      return undefined;
    }
    members.push(subscription);
    this.#positions ??= positionsOf(members);
    this.#positions.set(subscription.subscriber, members.length - 1);
    return undefined;
  }

  delete(subscriber: S): Subscription<S> | undefined {
    const members = this.#members;
    const position = this.#positionOf(subscriber);
    if (position === -1) return undefined;
    const removed = members[position];
    const last = members.pop()!;
    this.#positions?.delete(subscriber);
    if (last !== removed) {
      members[position] = last;
      this.#positions?.set(last.subscriber, position);
    }
    return removed;
  }

  /**
   * Chooses the member that gets a message; `undefined` only if there is none. `except` is passed over: the member that
   * a message comes back from.
   */
  pick(publisherId: string, topic: string, except?: S): Subscription<S> | undefined {
    const count = this.#members.length;
    if (count === 0) return undefined;
    switch (this.#context.strategy) {
      case 'round-robin': {
        const position = this.#search(this.#next, except);
        this.#next = position + 1;
        return this.#members[position];
      }
      case 'sticky': {
        const position = this.#search(this.#next, except);
        if (position !== -1) this.#next = position;
        return this.#members[position];
      }
      case 'random':
        return this.#members[this.#search(Math.floor(this.#context.random() * count), except)];
      case 'hash-publisher':
        return this.#members[this.#searchByHash(scramble(hashOf(publisherId)), except)];
      case 'hash-topic':
        return this.#members[this.#searchByHash(scramble(hashOf(topic)), except)];
    }
  }

  /** The first online member at or after `start`, else the first one there that is offline; -1 if only `except` is left. */
  #search(start: number, except: S | undefined): number {
    const members = this.#members;
    const count = members.length;
    let offline = -1;
    for (let i = 0, position = start; i < count; i++, position++) {
      if (position >= count) position = 0;
      const subscriber = members[position]!.subscriber;
      if (subscriber === except) continue;
      if (this.#context.isOnline(subscriber)) return position;
      if (offline === -1) offline = position;
    }
    return offline;
  }

  /** While the key's own member is offline its messages go to another one, and not all to the same neighbour. */
  #searchByHash(hash: number, except: S | undefined): number {
    const count = this.#members.length;
    const own = jumpHash(hash, count);
    const subscriber = this.#members[own]!.subscriber;
    if (subscriber !== except && this.#context.isOnline(subscriber)) return own;
    const other = this.#search(jumpHash(scramble(hash + 1), count), except);
    const isOtherOnline = other !== -1 && this.#context.isOnline(this.#members[other]!.subscriber);
    return isOtherOnline || subscriber === except ? other : own;
  }

  #positionOf(subscriber: S): number {
    if (this.#positions) return this.#positions.get(subscriber) ?? -1;
    const members = this.#members;
    for (let i = 0; i < members.length; i++) if (members[i]!.subscriber === subscriber) return i;
    return -1;
  }
}

function positionsOf<S>(members: readonly Subscription<S>[]): Map<S, number> {
  const positions = new Map<S, number>();
  for (let i = 0; i < members.length; i++) positions.set(members[i]!.subscriber, i);
  return positions;
}

/** FNV-1a over the UTF-16 code units: the same in every process, so that a choice lasts through a restart. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash;
}

/** The finalizer of MurmurHash3, because FNV leaves the high bits of short keys poor: every bit of the input changes about half of the bits of the result. */
function scramble(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/**
 * Jump consistent hashing (Lamping and Veach): spreads keys evenly over `count` places, and when a place is added at the
 * end only the keys that belong there move. The random sequence per key is made of 32-bit numbers here.
 */
function jumpHash(hash: number, count: number): number {
  let place = 0;
  let candidate = 0;
  let state = hash;
  while (candidate < count) {
    place = candidate;
    state = scramble(state + 0x9e3779b9);
    candidate = Math.floor((place + 1) * (0x1_0000_0000 / (state + 1)));
  }
  return place;
}
