// All sessions of this broker by client id: how one begins, is taken over, and ends.

import type { ProtocolVersion } from '@tobymq/codec';
import { type CloseReason, SESSION_TAKEN_OVER } from '../connection/close.ts';
import { inTurns } from '../connection/in-turns.ts';
import type { Core } from '../core.ts';
import { hasExpired } from '../delivery/message-expiry.ts';
import type { ClientInfo, SessionEndReason } from '../extension.ts';
import { Subscription } from '../routing/subscription.ts';
import type { LoadedSession } from '../store/store.ts';
import { expiresAt, scheduleSession, unscheduleSession } from './expiry.ts';
import { splitFilter } from './filter.ts';
import { Session } from './session.ts';
import type { Subscriber } from './subscriber.ts';

/** How many subscriptions of a session are removed in the turn in which it ends; more would take longer than 2 ms. */
const UNSUBSCRIBED_AT_ONCE = 1_000;

/** What a new session is made for. */
export interface SessionRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly protocolVersion: ProtocolVersion;
  readonly cleanStart: boolean;
  readonly expiryInterval: number;
}

/** The session that a client gets. */
export interface SessionClaim {
  readonly session: Session;
  readonly isPresent: boolean;
  /** Another one was ended for it, and that has to be written. */
  readonly hasEndedStored: boolean;
}

export class SessionRegistry {
  readonly #core: Core;
  readonly #sessions = new Map<string, Session>();

  constructor(core: Core) {
    this.#core = core;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  all(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /**
   * The session for a client that connects: the one that is there, or a new one. Whoever served it before is
   * disconnected. [MQTT-3.1.4-3]
   */
  claim(request: SessionRequest): SessionClaim {
    const present = this.#sessions.get(request.clientId);
    const link = present?.link ?? present?.pending;
    if (link !== undefined) this.#core.metrics.takeovers++;
    // The new connection decides about the session. If it keeps it, a Will that has a delay is not sent.
    if (request.cleanStart)
      this.disconnectAndEnd(present, SESSION_TAKEN_OVER, 'clean-start'); // [MQTT-3.1.2-4]
    else link?.close(SESSION_TAKEN_OVER);
    // Closing has ended a session without expiry.
    const kept = this.#sessions.get(request.clientId);
    if (kept !== undefined) {
      unscheduleSession(kept); // [MQTT-3.1.3-9]
      kept.will = undefined;
      kept.willOwner = undefined;
      kept.username = request.username;
      kept.protocolVersion = request.protocolVersion;
      kept.expiryInterval = request.expiryInterval;
      return { session: kept, isPresent: true, hasEndedStored: false };
    }
    return {
      session: this.#create(request),
      isPresent: false,
      hasEndedStored: present?.isPersistent === true,
    };
  }

  #create(request: SessionRequest): Session {
    const core = this.#core;
    const { clientId, username, protocolVersion, expiryInterval } = request;
    const createdAt = core.clock.now();
    const key = core.nextSessionKey();
    const identity = { key, clientId, username, protocolVersion, expiryInterval, createdAt };
    const session = new Session(core, identity, expiryInterval > 0);
    this.#sessions.set(session.clientId, session);
    core.metrics.sessionsNow = this.#sessions.size;
    return session;
  }

  /** Takes over a session from the store at the start. */
  load(loaded: LoadedSession): void {
    const core = this.#core;
    const now = core.clock.now();
    const session = new Session(core, loaded.session, true);
    session.isStored = true;
    // One that was connected when the process was killed is disconnected since now, and its Will is due.
    const wasConnected = loaded.session.disconnectedAt === 0;
    session.disconnectedAt = wasConnected ? now : loaded.session.disconnectedAt;
    session.will = loaded.session.will;
    if (session.will !== undefined) session.willOwner = { client: unknownOwner(loaded), listener: undefined };
    session.queuedMessages = loaded.queuedMessages;
    session.queuedBytes = loaded.queuedBytes;
    if (loaded.inboundPacketIds.length > 0) {
      session.inbound = new Map(loaded.inboundPacketIds.map((packetId) => [packetId, 0]));
    }
    this.#sessions.set(session.clientId, session);
    for (const stored of loaded.subscriptions) {
      const subscription = new Subscription<Subscriber>(session, {
        ...stored,
        ...splitFilter(stored.filter),
      });
      session.addSubscription(subscription);
      core.router.subscribe(subscription);
    }
    core.metrics.sessionsNow = this.#sessions.size;
    if (wasConnected) core.store.putSession(session.toStored());
    if (session.will !== undefined) {
      const delay = Math.min(session.will.delayInterval, session.expiryInterval) * 1000;
      session.willDueAt = Math.max(session.disconnectedAt + delay, 1);
    }
    if (expiresAt(session) <= now && session.will === undefined) this.end(session, 'expired');
    else scheduleSession(session);
  }

  /** Ends a session, if there is one, together with its connection. */
  disconnectAndEnd(session: Session | undefined, close: CloseReason, reason: SessionEndReason): void {
    if (session === undefined) return;
    // What came by a shared subscription has to be known when the session ends.
    const { outbound } = session;
    const link = session.link ?? session.pending;
    link?.close(close);
    if (session.hasEnded) return;
    session.outbound = outbound;
    this.end(session, reason);
  }

  /** Ends a session: nothing of it remains but the retained messages that its client published. [N50] */
  end(session: Session, reason: SessionEndReason): void {
    if (session.hasEnded) return;
    const core = this.#core;
    if (session.link === undefined && session.will !== undefined) {
      core.publishWill(session); // The end of the session is the latest time for it. [MQTT-3.1.2-8]
    }
    session.hasEnded = true;
    unscheduleSession(session);
    core.sweeper.forget(session);
    if (this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId);
    core.metrics.sessionsNow = this.#sessions.size;
    this.#unsubscribe(session);
    if (session.isPersistent) {
      core.store.deleteSession(session.key);
      core.gate.touch();
    }
    const lost = session.queuedMessages - this.#passOnShared(session);
    if (lost > 0) core.dropped('session-ended', '', session.clientId, lost);
    session.outbound = undefined;
    session.inbound = undefined;
    if (reason === 'expired') core.metrics.sessionsExpired++;
    core.bus?.release(session.clientId);
    core.hooks.sessionEnded(session.clientId, reason);
    core.logger.log('debug', 'session-ended', { clientId: session.clientId, reason });
  }

  /**
   * Takes a session that has ended out of the routes. If it had very many subscriptions, over several turns of the event
   * loop: what is sent to the rest of them meanwhile is dropped by the session.
   */
  #unsubscribe(session: Session): void {
    const { subscriptions } = session;
    if (subscriptions === undefined) return;
    session.subscriptions = undefined;
    const { router, turn } = this.#core;
    const remaining = subscriptions.values()[Symbol.iterator]();
    const unsubscribeNext = () => {
      const next = remaining.next();
      if (!next.done) router.unsubscribe(session, next.value.filter, next.value.shareName);
      return undefined;
    };
    const atOnce = Math.min(subscriptions.size, UNSUBSCRIBED_AT_ONCE);
    for (let i = 0; i < atOnce; i++) unsubscribeNext();
    void inTurns(turn, subscriptions.size - atOnce, unsubscribeNext);
  }

  /**
   * What came by a shared subscription and was not acknowledged goes to another member [N55], unless its time is over
   * [MQTT-3.3.2-5]. Returns how many messages that were.
   */
  #passOnShared(session: Session): number {
    const outbound = session.outbound;
    if (outbound === undefined) return 0;
    const core = this.#core;
    const now = core.clock.now();
    const open = [...outbound.inflight.values(), ...outbound.waiting()];
    let count = 0;
    for (const { group, message: kept, qos, packetId } of open) {
      // A QoS 2 message that was sent stays with its client. [MQTT-4.8.2-5]
      if (group === undefined || (qos === 2 && packetId > 0)) continue;
      const next = group.pick(kept.publisher, kept.topic, session);
      if (next === undefined) continue;
      count++;
      if (hasExpired(kept, now)) {
        session.drop('expired', kept.topic);
        continue;
      }
      const message = core.borrowMessage();
      message.load(kept, now);
      next.subscriber.deliver(message, next, group);
      message.store(core.store);
      core.returnMessage(message);
    }
    return count;
  }
}

/** Of the owner of a Will that was loaded, only the names are known; rules are asked about them. */
function unknownOwner({ session }: LoadedSession): ClientInfo {
  const { clientId, username, protocolVersion } = session;
  return {
    clientId,
    username,
    protocolVersion,
    remoteAddress: '',
    remotePort: 0,
    listener: '',
    peer: { transport: '' },
    identity: undefined,
    connectedAt: 0,
  };
}
