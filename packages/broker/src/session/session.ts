// A session: who a client is across connections. Its subscriptions, its queue and deliveries in flight, the packet ids
// it has open towards us, its Will, and when it ends.
//
// A session whose Session Expiry Interval is above 0 is persistent: everything is written to the store as well, and
// while nobody is connected the queue is only there. A sleeping session is this object and little more, because there
// may be a million of them; what it does not need does not exist.

import type { ProtocolVersion, QoS } from '@tobymq/codec';
import { QUEUE_FULL } from '../connection/close.ts';
import type { Core } from '../core.ts';
import type { RoutedMessage } from '../delivery/routed-message.ts';
import { keptBytes } from '../delivery/sizes.ts';
import type { DropReason } from '../extension.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { StoredMessage, StoredSession, StoredWill } from '../store/store.ts';
import { Delivery, RELEASED_QOS2, SENT_QOS1, SENT_QOS2 } from './delivery.ts';
import type { SessionTimer } from './expiry.ts';
import { Outbound } from './outbound.ts';
import { beginLoading, pump } from './queue.ts';
import { trimStoredQueue } from './queue-trimmer.ts';
import type { SessionLink } from './session-link.ts';
import { Subscriber, type SubscriberGroup, type SubscriberTarget } from './subscriber.ts';
import { SubscriptionList } from './subscription-list.ts';
import type { WillOwner } from './will.ts';

export const NEVER_EXPIRES = 0xffff_ffff;

/** A queue that is filled by more than this share is looked through for expired messages. */
const CROWDED_SHARE = 0.875;

/** What a session is from its beginning. */
export type SessionIdentity = Pick<
  StoredSession,
  'key' | 'clientId' | 'username' | 'protocolVersion' | 'expiryInterval' | 'createdAt'
>;

export class Session extends Subscriber {
  readonly core: Core;
  readonly key: number;
  override readonly clientId: string;
  username: string | undefined;
  protocolVersion: ProtocolVersion;
  /** Seconds; 0 means that the session ends with its connection. */
  expiryInterval: number;
  readonly createdAt: number;
  /**
   * Whether it is kept in the store: all sessions that began with an expiry interval above 0. One that is resumed with 0
   * stays there until its connection ends.
   */
  readonly isPersistent: boolean;
  /** Milliseconds since the epoch; 0 while it is connected. */
  disconnectedAt = 0;
  /** The connection that serves it. */
  link: SessionLink | undefined = undefined;
  /** A connection whose CONNACK waits for the store; until then the session is served by nobody. */
  pending: SessionLink | undefined = undefined;
  /** By filter as the client sent it. */
  subscriptions: SubscriptionList | undefined = undefined;
  outbound: Outbound | undefined = undefined;
  /** Packet ids of QoS 2 messages from the client that wait for PUBREL, with the number of the connection they came by. */
  inbound: Map<number, number> | undefined = undefined;
  will: StoredWill | undefined = undefined;
  willOwner: WillOwner | undefined = undefined;
  /** When the Will is due; 0 when none waits. */
  willDueAt = 0;
  timer: SessionTimer | undefined = undefined;
  /** Messages, and the bytes of their topics, payloads and properties, that are kept for it, in flight or waiting. */
  queuedMessages = 0;
  queuedBytes = 0;
  /** The store has had it; what is still to be written of it are changes. */
  isStored = false;
  hasEnded = false;
  /** A queue that is full is logged once until it has room again. */
  hasOverflowed = false;
  /** Room is being made in the part of its queue that is in the store. */
  isTrimming = false;
  #lastMessageId = 0;

  constructor(core: Core, identity: SessionIdentity, isPersistent: boolean) {
    super();
    this.core = core;
    this.key = identity.key;
    this.clientId = identity.clientId;
    this.username = identity.username;
    this.protocolVersion = identity.protocolVersion;
    this.expiryInterval = identity.expiryInterval;
    this.createdAt = identity.createdAt;
    this.isPersistent = isPersistent;
  }

  override get isOnline(): boolean {
    return this.link !== undefined;
  }

  /** How many queued messages wait in the store only. */
  get behind(): number {
    const outbound = this.outbound;
    if (!this.isPersistent) return 0;
    return outbound === undefined
      ? this.queuedMessages
      : this.queuedMessages - outbound.inflight.size - outbound.length;
  }

  toStored(): StoredSession {
    return {
      key: this.key,
      clientId: this.clientId,
      username: this.username,
      protocolVersion: this.protocolVersion,
      expiryInterval: this.expiryInterval,
      createdAt: this.createdAt,
      disconnectedAt: this.disconnectedAt,
      will: this.will,
    };
  }

  /** Enters a subscription, or replaces the one with the same filter. */
  addSubscription(subscription: Subscription<Subscriber>): void {
    if (this.subscriptions === undefined) this.subscriptions = new SubscriptionList(subscription);
    else this.subscriptions.set(subscription);
  }

  removeSubscription(fullFilter: string): void {
    this.subscriptions?.delete(fullFilter);
    if (this.subscriptions?.size === 0) this.subscriptions = undefined;
  }

  override deliver(
    message: RoutedMessage,
    target: SubscriberTarget,
    group: SubscriberGroup | undefined,
  ): void {
    const keepsLower = message.qos < target.qos && !this.core.limits.upgradeQoS;
    const qos = keepsLower ? message.qos : target.qos; // [MQTT-3.8.4-8]
    const retain = target.retainAsPublished && message.retain; // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
    const link = this.link;
    if (qos === 0) {
      if (link !== undefined && (this.outbound === undefined || !this.#mayHoldQoS0(this.outbound))) {
        link.sendPublish(message, 0, retain, false, 0, target.subscriptionIds);
        return;
      }
      if (!this.core.limits.queueQoS0 || !this.isPersistent) {
        this.drop('qos0-offline', message.topic);
        return;
      }
    }
    this.enqueue(message, qos, retain, target.subscriptionIds, group);
  }

  /** Whether there may be messages of QoS 0 in its queue, which another one must not overtake. [MQTT-4.6.0-5] */
  #mayHoldQoS0(outbound: Outbound): boolean {
    return this.core.limits.queueQoS0 && this.isPersistent && (outbound.length > 0 || this.behind > 0);
  }

  /** Sends a message of QoS 1 or 2 at once if the window allows it, and queues it otherwise. */
  enqueue(
    message: RoutedMessage,
    qos: QoS,
    retain: boolean,
    ids: readonly number[],
    group: SubscriberGroup | undefined,
  ): void {
    const link = this.link;
    if (link !== undefined && qos > 0) {
      this.outbound ??= new Outbound();
      const outbound = this.outbound;
      if (
        outbound.hasPlace(link.window) &&
        outbound.length === 0 &&
        outbound.resend.length === 0 &&
        !outbound.isLoading &&
        !link.isCongested &&
        this.behind <= 0
      ) {
        this.#sendNow(link, outbound, message, qos, retain, ids, group);
        return;
      }
    }
    this.#queue(message, qos, retain, ids, group);
  }

  #sendNow(
    link: SessionLink,
    outbound: Outbound,
    message: RoutedMessage,
    qos: QoS,
    retain: boolean,
    ids: readonly number[],
    group: SubscriberGroup | undefined,
  ): void {
    const packetId = outbound.takePacketId();
    if (!this.isPersistent && group === undefined) {
      if (!link.sendPublish(message, qos, retain, false, packetId, ids)) return;
      outbound.inflight.set(packetId, qos === 1 ? SENT_QOS1 : SENT_QOS2);
      outbound.openCount++;
      return;
    }
    // A QoS 2 message to a persistent session goes out when message and packet id are durable, so that it is delivered
    // exactly once even if this process is killed between the two.
    const waits = qos === 2 && this.isPersistent && this.core.store.durable;
    if (!waits && !link.sendPublish(message, qos, retain, false, packetId, ids)) return;
    const delivery = this.#keep(message, qos, retain, ids, group, packetId);
    delivery.packetId = packetId;
    delivery.isOpen = true;
    outbound.inflight.set(packetId, delivery);
    outbound.openCount++;
    outbound.lastId = delivery.message.id;
    if (waits) this.core.gate.sendWhenStored(this, delivery, link);
  }

  #queue(
    message: RoutedMessage,
    qos: QoS,
    retain: boolean,
    ids: readonly number[],
    group: SubscriberGroup | undefined,
  ): void {
    // It was among the receivers when the message began its way, and was ended by something that heard of it.
    if (this.hasEnded) {
      this.drop('session-ended', message.topic);
      return;
    }
    if (!this.#makeRoom(message)) {
      this.#watchQueue(0);
      return;
    }
    const outbound = this.outbound;
    const limits = this.core.limits;
    const waitsInMemory =
      !this.isPersistent ||
      (outbound !== undefined &&
        this.link !== undefined &&
        !outbound.isLoading &&
        this.behind <= 0 &&
        outbound.length < limits.queueWindowMessages &&
        outbound.queueBytes < limits.queueWindowBytes);
    const delivery = this.#keep(message, qos, retain, ids, group, 0);
    if (waitsInMemory && outbound !== undefined) {
      outbound.push(delivery);
      outbound.lastId = delivery.message.id;
    }
    if (this.isCrowded) this.#watchQueue(delivery.message.expiresAt);
  }

  /** What has expired in the queue of a session that sleeps is to make room for others, not to keep them out. */
  #watchQueue(expiresAt: number): void {
    if (this.link !== undefined || !this.isPersistent || this.hasEnded) return;
    // Where the oldest make room, the expired are mostly among them.
    if (this.core.limits.queueOverflow !== 'drop-oldest') this.core.sweeper.watch(this, expiresAt);
  }

  /** Counts a message as kept for this session and, if the session is persistent, writes it to the store. */
  #keep(
    message: RoutedMessage,
    qos: QoS,
    retain: boolean,
    ids: readonly number[],
    group: SubscriberGroup | undefined,
    packetId: number,
  ): Delivery {
    let stored = message.stored();
    const target = { sessionKey: this.key, qos, retain, subscriptionIds: ids, packetId };
    // The same message can come twice, by an ordinary and by a shared subscription. A queue holds an id only once.
    const isSecondCopy = stored.id <= this.#lastMessageId;
    if (isSecondCopy) stored = { ...stored, id: this.core.nextMessageId() };
    this.#lastMessageId = stored.id;
    const delivery = new Delivery(stored, qos, retain, ids, group);
    this.queuedMessages++;
    this.queuedBytes += keptBytes(stored);
    if (this.isPersistent) {
      if (isSecondCopy) {
        message.store(this.core.store); // Queues are ordered as they were written to.
        this.core.store.enqueue(stored, [target]);
      } else {
        message.storeTargets.push(target);
      }
      message.isWritten = true;
      this.core.gate.track(this, delivery);
    }
    return delivery;
  }

  /** Applies the limits of the queue; false if the message is not to be queued. */
  #makeRoom(message: RoutedMessage): boolean {
    if (this.#hasRoom(message.keptBytes)) return true;
    const limits = this.core.limits;
    if (!this.hasOverflowed) {
      this.hasOverflowed = true;
      this.core.logger.log('warn', 'queue-full', {
        clientId: this.clientId,
        messages: this.queuedMessages,
        bytes: this.queuedBytes,
        policy: limits.queueOverflow,
      });
    }
    if (limits.queueOverflow === 'disconnect') {
      this.core.metrics.dropped['queue-full']++;
      this.core.sessions.disconnectAndEnd(this, QUEUE_FULL, 'removed');
      return false;
    }
    // What is larger than a whole queue is not worth what waits in it.
    const isWorthIt = limits.queueOverflow === 'drop-oldest' && message.keptBytes <= limits.queueBytesMax;
    if (isWorthIt && this.#dropOldest(message.keptBytes)) return true;
    this.drop('queue-full', message.topic);
    return false;
  }

  /** Few more messages fit into its queue. */
  get isCrowded(): boolean {
    const { queueMessagesMax, queueBytesMax } = this.core.limits;
    return (
      this.queuedMessages >= queueMessagesMax * CROWDED_SHARE ||
      this.queuedBytes >= queueBytesMax * CROWDED_SHARE
    );
  }

  #hasRoom(bytes: number): boolean {
    const { queueMessagesMax, queueBytesMax } = this.core.limits;
    return this.queuedMessages < queueMessagesMax && this.queuedBytes + bytes <= queueBytesMax;
  }

  /** Makes room for a message by what has waited longest; false if that is not enough. */
  #dropOldest(bytes: number): boolean {
    if (this.isPersistent && this.link === undefined) {
      trimStoredQueue(this);
      return true;
    }
    while (!this.#hasRoom(bytes)) {
      const oldest = this.outbound?.shift();
      if (oldest === undefined) return false;
      this.release(oldest);
      this.drop('queue-full', oldest.message.topic);
    }
    this.hasOverflowed = true; // The room was made and not found.
    return true;
  }

  /** PUBACK: the delivery is done, whatever the reason code says. [MQTT-4.4.0-2] */
  acknowledge(packetId: number): boolean {
    const delivery = this.outbound?.inflight.get(packetId);
    if (delivery === undefined || delivery.qos !== 1) return false;
    this.#finish(packetId, delivery);
    return true;
  }

  /** PUBREC: from now on PUBREL is what is sent. [MQTT-4.3.3-4] */
  receive(packetId: number, reasonCode: number): boolean {
    const delivery = this.outbound?.inflight.get(packetId);
    const link = this.link;
    if (delivery === undefined || delivery.qos !== 2 || link === undefined) return false;
    if (reasonCode >= 0x80) {
      if (!delivery.isReleased) this.#finish(packetId, delivery);
      return true;
    }
    if (delivery === SENT_QOS2) {
      this.outbound?.inflight.set(packetId, RELEASED_QOS2);
    } else if (!delivery.isReleased) {
      delivery.isReleased = true;
      if (this.isPersistent) {
        this.core.store.markReleased(this.key, delivery.message.id);
        this.core.gate.touch();
        link.sendPubrelWhenStored(packetId);
        return true;
      }
    }
    link.sendPubrel(packetId);
    return true;
  }

  /** PUBCOMP: the delivery is done. */
  complete(packetId: number): boolean {
    const delivery = this.outbound?.inflight.get(packetId);
    if (delivery === undefined || !delivery.isReleased) return false;
    this.#finish(packetId, delivery);
    return true;
  }

  #finish(packetId: number, delivery: Delivery): void {
    const outbound = this.outbound!;
    outbound.inflight.delete(packetId);
    // What was released on an earlier connection took no place in this one's window. [N58]
    if (delivery.isOpen) outbound.openCount--;
    if (!delivery.isMarker) this.release(delivery);
    if (outbound.length > 0 || outbound.resend.length > 0 || this.behind > 0) pump(this);
  }

  /** A kept message is done with: it leaves the counters and the store. */
  release(delivery: Delivery): void {
    delivery.isDone = true;
    this.queuedMessages--;
    this.queuedBytes -= keptBytes(delivery.message);
    this.hasOverflowed = false;
    if (this.isPersistent) {
      this.core.store.dequeue(this.key, delivery.message.id);
      this.core.gate.touch();
    }
  }

  /** A message of the queue that is only in the store leaves it without being delivered. */
  dropStored(reason: DropReason, message: StoredMessage): void {
    this.queuedMessages--;
    this.queuedBytes -= keptBytes(message);
    this.core.store.dequeue(this.key, message.id);
    this.core.gate.touch();
    this.drop(reason, message.topic);
  }

  /** A connection serves this session from now on; what is stored for it is sent. */
  attach(link: SessionLink): void {
    this.link = link;
    this.pending = undefined;
    this.disconnectedAt = 0;
    this.core.sweeper.forget(this);
    if (this.queuedMessages > 0 && this.isPersistent) beginLoading(this);
  }

  /** The connection is gone. What the store holds leaves the memory, and what it does not hold is lost. */
  detach(): void {
    for (const delivery of this.outbound?.inflight.values() ?? []) {
      if (delivery.isUnstored) this.release(delivery);
    }
    this.link = undefined;
    this.pending = undefined;
    this.outbound = undefined;
    this.disconnectedAt = this.core.clock.now();
  }

  drop(reason: DropReason, topic: string): void {
    this.core.dropped(reason, topic, this.clientId);
  }
}
