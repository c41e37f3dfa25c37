// What a broker has to do, as simply as it can be said: lists instead of trees, everything looked at each time, no
// packets. It answers every action with what each client must, or may, receive.

import { matches, type QoS } from '@tobymq/codec';

export interface ModelMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Client id; empty for the broker itself. */
  readonly publisher: string;
}

/** One PUBLISH packet as a client sees it. */
export interface Copy {
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  /** Sorted. */
  readonly ids: readonly number[];
}

/** A copy that a client is owed. */
export interface Owed {
  readonly copy: Copy;
  readonly message: ModelMessage;
  /** Copies with the same key arrive in this order. [MQTT-4.6.0-5] */
  readonly order: string;
  /** False where the standard leaves open whether it comes. */
  readonly isRequired: boolean;
  /** A packet id that it must have because it was sent with it before; 0 for any. */
  readonly packetId: number;
  /** The shared subscription that it came by; empty if it came by a plain one. */
  readonly group: string;
  /** Whether it came to this connection straight from its publisher. */
  readonly isLive: boolean;
}

/** A message to a shared subscription: exactly one of the candidates gets it. */
export interface Choice {
  readonly message: ModelMessage;
  readonly group: string;
  readonly candidates: Map<string, Copy>;
  /** Whether it must have arrived at the end of the action. */
  isDueNow: boolean;
  isRequired: boolean;
}

/** A QoS 1 or 2 copy that a client has got and not finished. */
export interface Open {
  readonly owed: Owed;
  readonly packetId: number;
  /** The client has sent PUBREC: what comes again is PUBREL. */
  readonly isReleased: boolean;
}

export interface ModelSubscription {
  readonly filter: string;
  readonly shareName: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  readonly id: number;
}

export interface ModelWill extends ModelMessage {
  /** Whether it waits for the end of the session. */
  readonly isDelayed: boolean;
}

export class ModelSession {
  readonly clientId: string;
  isOnline = true;
  isPersistent: boolean;
  will: ModelWill | undefined = undefined;
  readonly subscriptions = new Map<string, ModelSubscription>();
  /** What the client must receive next. */
  inbox: Owed[] = [];
  /** What waits for the client to come back. */
  queue: Owed[] = [];
  /** Sent and not acknowledged, in the order of sending. */
  open: Open[] = [];
  /** Packet ids for which PUBREL must come, in order. */
  releases: number[] = [];

  constructor(clientId: string, isPersistent: boolean) {
    this.clientId = clientId;
    this.isPersistent = isPersistent;
  }
}

export function fullFilter({ filter, shareName }: Pick<ModelSubscription, 'filter' | 'shareName'>): string {
  return shareName === '' ? filter : `$share/${shareName}/${filter}`;
}

export class Reference {
  readonly sessions = new Map<string, ModelSession>();
  readonly retained = new Map<string, ModelMessage>();
  choices: Choice[] = [];

  /** Returns whether a session is present. */
  connect(
    clientId: string,
    cleanStart: boolean,
    isPersistent: boolean,
    will: ModelWill | undefined,
  ): boolean {
    let session = this.sessions.get(clientId);
    if (session !== undefined) {
      const survives = session.isPersistent && !cleanStart; // [MQTT-3.1.2-4], [MQTT-3.1.2-5]
      if (session.isOnline)
        this.#leave(session, true, survives); // taken over [MQTT-3.1.4-3]
      else if (!survives) this.#end(session, false);
      if (survives)
        session.will = undefined; // [MQTT-3.1.3-9]
      else session = undefined;
    }
    const isPresent = session !== undefined;
    if (session === undefined) {
      session = new ModelSession(clientId, isPersistent);
      this.sessions.set(clientId, session);
    }
    session.isOnline = true;
    session.isPersistent = isPersistent;
    session.will = will;
    // [MQTT-4.6.0-1] First what was open, in the order of sending, then what waited. The order is asked for within a QoS:
    // a QoS 2 message may be overtaken by one of QoS 1 while its packet id is being stored.
    session.inbox = session.open
      .filter((open) => !open.isReleased)
      .map(({ owed, packetId }) => ({
        ...owed,
        copy: { ...owed.copy, dup: true },
        order: `again ${owed.copy.qos}`,
        packetId,
        isLive: false,
      }));
    session.releases = session.open.filter((open) => open.isReleased).map((open) => open.packetId);
    session.open = [];
    session.inbox.push(...session.queue);
    session.queue = [];
    return isPresent;
  }

  disconnect(clientId: string, isWillWanted: boolean, isSessionEnded: boolean): void {
    const session = this.sessions.get(clientId)!;
    if (isSessionEnded) session.isPersistent = false;
    if (!isWillWanted) session.will = undefined; // [MQTT-3.14.4-3]
    this.#leave(session, isWillWanted, session.isPersistent);
  }

  /** Everybody is disconnected at once, so nobody is left to get what others leave behind. */
  shutDown(): void {
    for (const session of [...this.sessions.values()]) {
      session.isOnline = false;
      if (!session.isPersistent) this.#end(session, false);
    }
    for (const choice of this.choices) choice.isDueNow = false;
  }

  #leave(session: ModelSession, isWillWanted: boolean, survives: boolean): void {
    session.isOnline = false;
    const { will } = session;
    if (will !== undefined && isWillWanted && (!will.isDelayed || !survives)) {
      session.will = undefined;
      this.#publishWill(session, will);
    }
    if (!survives) this.#end(session, !session.isPersistent);
  }

  /** `isDisconnecting`: it ends because its connection ends. */
  #end(session: ModelSession, isDisconnecting: boolean): void {
    this.sessions.delete(session.clientId);
    if (session.will !== undefined) this.#publishWill(session, session.will);
    // A message of a shared subscription that it leaves unacknowledged goes to another member, unless it was sent at
    // QoS 2 [MQTT-4.8.2-5]. What has been in the store may go with the session.
    const left = [
      ...session.queue,
      ...session.open.filter(({ owed }) => owed.copy.qos === 1).map(({ owed }) => owed),
      ...session.inbox,
    ].filter((owed) => owed.group !== '');
    for (const owed of left) this.#share(owed.message, owed.group, isDisconnecting && owed.isLive);
    for (const choice of this.choices) {
      if (!choice.candidates.delete(session.clientId)) continue;
      choice.isRequired = false;
      for (const [clientId, copy] of this.#candidates(choice.message, choice.group)) {
        choice.candidates.set(clientId, copy);
      }
    }
  }

  #publishWill(owner: ModelSession, { topic, payload, qos, retain, publisher }: ModelWill): void {
    this.publish({ topic, payload, qos, retain, publisher }, owner);
  }

  /** Returns how many copies there are. `leaving` is the session whose Will it is: what that one gets is left open. */
  publish(message: ModelMessage, leaving?: ModelSession): number {
    if (message.retain) {
      if (message.payload === '')
        this.retained.delete(message.topic); // [MQTT-3.3.1-6]
      else this.retained.set(message.topic, message); // [MQTT-3.3.1-5]
    }
    let copies = 0;
    const groups = new Set<string>();
    for (const session of this.sessions.values()) {
      const matching = [...session.subscriptions.values()].filter((each) =>
        matches(each.filter, message.topic),
      );
      for (const each of matching) if (each.shareName !== '') groups.add(fullFilter(each));
      const wanted = matching.filter(
        (each) => each.shareName === '' && !(each.noLocal && session.clientId === message.publisher), // [MQTT-3.8.3-3]
      );
      if (wanted.length === 0) continue;
      copies++;
      const copy = copyFor(message, wanted, message.retain && wanted.some((each) => each.retainAsPublished));
      const order = `${message.publisher}|${message.topic}|${copy.qos}`;
      const isRequired = session !== leaving || (copy.qos > 0 && session.isPersistent);
      this.#owe(session, { copy, message, order, isRequired, packetId: 0, group: '', isLive: false });
    }
    for (const group of groups) {
      copies++;
      const isOwnerMember = leaving?.subscriptions.has(group) ?? false;
      this.#share(message, group, !isOwnerMember);
    }
    return copies;
  }

  #share(message: ModelMessage, group: string, isRequired: boolean): void {
    const candidates = this.#candidates(message, group);
    if (candidates.size === 0) return;
    const isAnyOnline = [...candidates.keys()].some((clientId) => this.sessions.get(clientId)!.isOnline);
    // A QoS 0 copy for a member that is offline is dropped.
    const isKept = isAnyOnline || [...candidates.values()].every((copy) => copy.qos > 0);
    this.choices.push({
      message,
      group,
      candidates,
      isDueNow: isAnyOnline,
      isRequired: isRequired && isKept,
    });
  }

  /** The members that are online; all of them if nobody is. */
  #candidates(message: ModelMessage, group: string): Map<string, Copy> {
    const members = [...this.sessions.values()].filter((session) => session.subscriptions.has(group));
    const online = members.filter((session) => session.isOnline);
    const candidates = new Map<string, Copy>();
    for (const session of online.length > 0 ? online : members) {
      const subscription = session.subscriptions.get(group)!;
      const retain = message.retain && subscription.retainAsPublished;
      candidates.set(session.clientId, copyFor(message, [subscription], retain));
    }
    return candidates;
  }

  /** Returns whether the subscription is new. */
  subscribe(clientId: string, subscription: ModelSubscription): void {
    const session = this.sessions.get(clientId)!;
    const key = fullFilter(subscription);
    const isNew = !session.subscriptions.has(key);
    session.subscriptions.set(key, subscription); // [MQTT-3.8.4-3]
    if (subscription.shareName !== '') return; // no retained messages for shared subscriptions
    if (subscription.retainHandling === 2 || (subscription.retainHandling === 1 && !isNew)) return;
    for (const message of this.retained.values()) {
      if (!matches(subscription.filter, message.topic)) continue;
      if (subscription.noLocal && message.publisher === clientId) continue; // [MQTT-3.8.3-3]
      const copy = copyFor(message, [subscription], true);
      // Each topic has one retained message, so there is no order among them.
      const order = `retained ${message.payload}`;
      this.#owe(session, { copy, message, order, isRequired: true, packetId: 0, group: '', isLive: false });
    }
  }

  /** Returns whether there was such a subscription. */
  unsubscribe(clientId: string, filter: string): boolean {
    return this.sessions.get(clientId)!.subscriptions.delete(filter);
  }

  #owe(session: ModelSession, owed: Owed): void {
    if (session.isOnline) session.inbox.push(owed);
    else if (owed.copy.qos > 0 && session.isPersistent) session.queue.push(owed);
  }
}

function copyFor(message: ModelMessage, subscriptions: readonly ModelSubscription[], retain: boolean): Copy {
  const qosMax = Math.max(...subscriptions.map((each) => each.qos)); // [MQTT-3.3.4-2]
  return {
    topic: message.topic,
    payload: message.payload,
    qos: Math.min(message.qos, qosMax) as QoS, // [MQTT-3.8.4-8]
    retain,
    dup: false,
    ids: subscriptions
      .map((each) => each.id)
      .filter((id) => id > 0) // [MQTT-3.3.4-4]
      .sort((a, b) => a - b),
  };
}
