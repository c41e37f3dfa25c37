// One subscription of one session, and what becomes of several of them when they match the same topic.
//
// A `Target` is what a delivery needs to know: who, at which QoS, with which subscription identifiers. A subscription
// is its own target, so the usual route (no overlap) is built without allocating anything per subscriber; only
// overlapping subscriptions of one session are merged into a `MergedTarget`.

import type { QoS, RetainHandling } from '@tobymq/codec';
import type { StoredSubscription } from '../store/store.ts';
import { countLevels } from './levels.ts';

/** Who gets one copy of a message, and in which form. */
export interface Target<S> {
  readonly subscriber: S;
  /** The highest QoS that the matching subscriptions grant; the copy goes out at the lower of this and the message's. */
  readonly qos: QoS;
  /** Whether the copy keeps the RETAIN flag that the publisher set. */
  readonly retainAsPublished: boolean;
  /** The identifiers of all matching subscriptions that have one. Lists of one small identifier are shared objects. */
  readonly subscriptionIds: readonly number[];
  /**
   * What the subscriber gets when it is the publisher itself: `undefined` if all its matching subscriptions are No Local,
   * otherwise a target made of those that are not. [MQTT-3.8.3-3]
   */
  readonly forOwnMessages: Target<S> | undefined;
}

/** What SUBSCRIBE says about one subscription, after `$share/name/` was split off the filter. */
export interface SubscriptionOptions {
  readonly filter: string;
  /** Empty for a subscription that is not shared. */
  readonly shareName: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
  /** 0 when the subscription has no identifier. */
  readonly subscriptionId: number;
}

const NO_IDS: readonly number[] = Object.freeze([]);

// Clients number their subscriptions from 1 on, so a fan-out sees the same few identifiers over and over. Sharing the
// lists saves 56 bytes per subscription and lets the encoder compare two of them by identity.
const SHARED_ID_LISTS: (readonly number[])[] = [NO_IDS];
const SHARED_ID_MAX = 255;

function subscriptionIdList(id: number): readonly number[] {
  if (id > SHARED_ID_MAX) return [id];
  SHARED_ID_LISTS[id] ??= Object.freeze([id]);
  return SHARED_ID_LISTS[id];
}

/** One subscription of one session. Immutable: a SUBSCRIBE to the same filter replaces it by a new one. */
export class Subscription<S> implements Target<S> {
  readonly subscriber: S;
  /** Without `$share/name/`. */
  readonly filter: string;
  /** How many levels the filter has; the filter tree asks for it. */
  readonly levelCount: number;
  readonly shareName: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
  readonly subscriptionIds: readonly number[];

  constructor(subscriber: S, options: SubscriptionOptions) {
    this.subscriber = subscriber;
    this.filter = options.filter;
    this.levelCount = countLevels(options.filter);
    this.shareName = options.shareName;
    this.qos = options.qos;
    this.noLocal = options.noLocal;
    this.retainAsPublished = options.retainAsPublished;
    this.retainHandling = options.retainHandling;
    this.subscriptionIds = subscriptionIdList(options.subscriptionId);
  }

  /** 0 when the subscription has no identifier. */
  get subscriptionId(): number {
    return this.subscriptionIds[0] ?? 0;
  }

  /** The filter as the client sent it, `$share/name/` included. */
  get fullFilter(): string {
    return this.shareName === '' ? this.filter : `$share/${this.shareName}/${this.filter}`;
  }

  get forOwnMessages(): Target<S> | undefined {
    return this.noLocal ? undefined : this;
  }

  /** What SUBSCRIBE said, as it is stored and told. */
  toStored(): StoredSubscription {
    return {
      filter: this.fullFilter,
      qos: this.qos,
      noLocal: this.noLocal,
      retainAsPublished: this.retainAsPublished,
      retainHandling: this.retainHandling,
      subscriptionId: this.subscriptionId,
    };
  }

  /** True if `other` would deliver in the same way, so that no route has to change when it takes this one's place. */
  deliversLike(other: Subscription<S>): boolean {
    return (
      this.qos === other.qos &&
      this.noLocal === other.noLocal &&
      this.retainAsPublished === other.retainAsPublished &&
      this.subscriptionId === other.subscriptionId
    );
  }
}

/**
 * Overlapping subscriptions of one session as one target: one copy with the highest QoS [MQTT-3.3.4-2], all identifiers
 * [MQTT-3.3.4-4], and the publisher's RETAIN flag if any of them asks for it. Nothing is merged into the copy that a
 * publisher gets of its own message from a subscription that is No Local.
 */
class MergedTarget<S> implements Target<S> {
  readonly subscriber: S;
  readonly qos: QoS;
  readonly retainAsPublished: boolean;
  readonly subscriptionIds: readonly number[];
  readonly forOwnMessages: Target<S> | undefined;

  constructor(first: Target<S>, second: Target<S>) {
    this.subscriber = first.subscriber;
    this.qos = first.qos > second.qos ? first.qos : second.qos;
    this.retainAsPublished = first.retainAsPublished || second.retainAsPublished;
    this.subscriptionIds = joinIds(first.subscriptionIds, second.subscriptionIds);
    const firstOwn = first.forOwnMessages;
    const secondOwn = second.forOwnMessages;
    if (firstOwn === first && secondOwn === second) this.forOwnMessages = this;
    else
      this.forOwnMessages =
        firstOwn && secondOwn ? mergeTargets(firstOwn, secondOwn) : (firstOwn ?? secondOwn);
  }
}

/** Makes one target of two of the same subscriber. */
export function mergeTargets<S>(first: Target<S>, second: Target<S>): Target<S> {
  return new MergedTarget(first, second);
}

// An identifier that two subscriptions share is sent twice. [MQTT-3.3.4-5]
function joinIds(first: readonly number[], second: readonly number[]): readonly number[] {
  if (first.length === 0) return second;
  return second.length === 0 ? first : [...first, ...second];
}
