// Retained messages on their way to new subscriptions.
//
// One SUBSCRIBE can ask for all retained messages some ten thousand times, and a client need not read any of them. So a
// session is served one subscription after the other, all sessions together keep to the budget of a turn of the event
// loop, and those whose clients do not read are looked at by one timer, a bounded number at a time.

import type { QoS } from '@tobymq/codec';
import type { HeldUp } from '../connection/turn-budget.ts';
import type { Core } from '../core.ts';
import type { RetainedCursor, RetainedTree } from '../routing/retained-tree.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { Session } from '../session/session.ts';
import type { SessionLink } from '../session/session-link.ts';
import type { Subscriber } from '../session/subscriber.ts';
import type { StoredMessage } from '../store/store.ts';
import { hasExpired } from './message-expiry.ts';

/** How many messages of a session go out before others get their turn. */
const REPLAY_MESSAGES = 64;
/** How many places are looked at for one message before the clock may be asked. */
const STEPS_PER_MESSAGE = 16;
/** How often sessions whose clients do not read are looked at, and how many of them. */
const STALLED_MS = 5;
const STALLED_PER_LOOK = 256;

/** A subscription that is to be sent what was retained when it came. */
interface Request {
  readonly subscription: Subscription<Subscriber>;
  /** The change of the tree at which it came. */
  readonly change: number;
}

export class Replays {
  readonly #core: Core;
  readonly #tree: RetainedTree<StoredMessage>;
  readonly #bySession = new Map<Session, SessionReplay>();
  #stalled: SessionReplay[] = [];

  constructor(core: Core, tree: RetainedTree<StoredMessage>) {
    this.#core = core;
    this.#tree = tree;
  }

  /** Sends a new subscription what is retained now; what fits in this turn goes out at once. */
  add(session: Session, subscription: Subscription<Subscriber>): void {
    const request = { subscription, change: this.#tree.change };
    const running = this.#bySession.get(session);
    if (running !== undefined) {
      running.add(request);
      return;
    }
    const replay = new SessionReplay(this.#core, this, this.#tree, session);
    this.#bySession.set(session, replay);
    replay.add(request);
    replay.goOn();
  }

  ended(session: Session): void {
    this.#bySession.delete(session);
  }

  /** Looks at a session again after a while. */
  stall(replay: SessionReplay): void {
    if (this.#stalled.length === 0) setTimeout(this.#look, STALLED_MS).unref();
    this.#stalled.push(replay);
  }

  readonly #look = (): void => {
    const { turn } = this.#core;
    for (const replay of this.#stalled.splice(0, STALLED_PER_LOOK)) turn.holdUp(replay);
    if (this.#stalled.length > 0) setTimeout(this.#look, STALLED_MS).unref();
  };
}

/** What one session is still to be sent. */
class SessionReplay implements HeldUp {
  readonly #core: Core;
  readonly #owner: Replays;
  readonly #tree: RetainedTree<StoredMessage>;
  readonly #session: Session;
  /** Not begun yet, by filter: who subscribes again before its turn has come is served once, and takes no more memory. */
  readonly #requests = new Map<string, Request>();
  /** One iterator for all of them: a new one would pass over all places whose requests are gone, again and again. */
  readonly #upcoming = this.#requests.entries();
  #subscription: Subscription<Subscriber> | undefined = undefined;
  #cursor: RetainedCursor<StoredMessage> | undefined = undefined;

  constructor(core: Core, owner: Replays, tree: RetainedTree<StoredMessage>, session: Session) {
    this.#core = core;
    this.#owner = owner;
    this.#tree = tree;
    this.#session = session;
  }

  add(request: Request): void {
    this.#requests.set(request.subscription.filter, request);
  }

  goOn(): void {
    const { turn } = this.#core;
    const found: StoredMessage[] = [];
    // Whether it is still wanted is looked up once in a turn.
    let subscription = this.#current();
    // One by one, because a few large ones may be all that the client takes for now.
    for (let i = 0; i < REPLAY_MESSAGES; i++) {
      if (subscription === undefined) break;
      const { link, pending } = this.#session;
      // A connection that takes over is served when the store has its CONNACK.
      if (link === undefined && pending !== undefined) {
        this.#owner.stall(this);
        return;
      }
      if (link === undefined) {
        this.#owner.ended(this.#session);
        return;
      }
      if (this.#hasToWait(link, subscription)) {
        this.#owner.stall(this);
        return;
      }
      found.length = 0;
      const hasMore = this.#cursor?.take(found, 1, STEPS_PER_MESSAGE);
      for (const message of found) this.#send(message, subscription);
      if (hasMore !== true) {
        this.#cursor = undefined;
        subscription = this.#current();
      }
      turn.count();
      if (turn.isSpent()) break;
    }
    // Not in the next turn: `#upcoming` is at its end and would pass over what comes until then.
    if (subscription === undefined) this.#owner.ended(this.#session);
    else turn.holdUp(this);
  }

  /** The subscription whose turn it is; a client that left or unsubscribed meanwhile does not want the rest. */
  #current(): Subscription<Subscriber> | undefined {
    if (this.#cursor !== undefined && this.#subscription !== undefined && this.#isActive(this.#subscription))
      return this.#subscription;
    for (let next = this.#upcoming.next(); !next.done; next = this.#upcoming.next()) {
      const [filter, { subscription, change }] = next.value;
      this.#requests.delete(filter);
      if (!this.#isActive(subscription)) continue;
      this.#subscription = subscription;
      this.#cursor = this.#tree.cursor(filter, change);
      return subscription;
    }
    return undefined;
  }

  #isActive({ filter, shareName }: Subscription<Subscriber>): boolean {
    return this.#core.router.find(this.#session, filter, shareName) !== undefined;
  }

  /** Whether the client does not read, or its queue had better keep its room for live messages. */
  #hasToWait(link: SessionLink, { qos }: Subscription<Subscriber>): boolean {
    const { outbound, queuedMessages, queuedBytes } = this.#session;
    const { queueMessagesMax, queueBytesMax } = this.#core.limits;
    if (link.isCongested || (outbound?.length ?? 0) > REPLAY_MESSAGES) return true;
    const isHalfFull = queuedMessages * 2 > queueMessagesMax || queuedBytes * 2 > queueBytesMax;
    return isHalfFull && qos > 0;
  }

  #send(kept: StoredMessage, { qos: granted, subscriptionIds, noLocal }: Subscription<Subscriber>): void {
    const core = this.#core;
    const now = core.clock.now();
    if (hasExpired(kept, now)) return; // [N31]
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
