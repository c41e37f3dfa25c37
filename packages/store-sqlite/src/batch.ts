// The writes that are not on their way to the disk yet, in the form that makes the fewest of them.
//
// Later writes replace earlier ones, and a message that is taken out of all its queues before the batch leaves was
// never written: with online subscribers that acknowledge at once, most messages never reach the disk. Deletions of
// anything else are always written, because a batch cannot know what lies on disk already; deleting nothing costs
// no disk either.

import type {
  QueueTarget,
  StoredDelivery,
  StoredMessage,
  StoredSession,
  StoredSubscription,
} from '@tobymq/broker';
import { Op } from './batch-format.ts';
import type { ByteWriter } from './binary.ts';
import { PendingMessage } from './pending-message.ts';
import {
  DELIVERY_FIXED_BITS,
  DELIVERY_STATE_BITS,
  deliveryBits,
  packetIdOf,
  queuedSize,
  RELEASED,
  RELEASED_BITS,
  SENT,
  stateOf,
  subscriptionOptions,
  writeMessage,
  writeSession,
} from './records.ts';
import { TwoLevelMap } from './two-level-map.ts';

// What happens to a message that an earlier batch put into a queue: it leaves, it is released, or (any other number)
// it gets these state and packet identifier bits.
const DEQUEUE = -1;
const RELEASE = -2;

interface RetainedChange {
  /** Undefined when the topic's retained message is deleted. */
  readonly message: StoredMessage | undefined;
  /** True if a deletion came first: it stays when the message is forgotten after a failed commit. */
  readonly deleted: boolean;
}

export class Batch {
  readonly #sessions = new Map<number, StoredSession>();
  readonly #deletedSessions = new Set<number>();
  readonly #filters = new TwoLevelMap<number, string, StoredSubscription | undefined>();
  readonly #inbound = new TwoLevelMap<number, number, boolean>();
  readonly #changes = new TwoLevelMap<number, number, number>();
  readonly #messages = new Map<number, PendingMessage>();
  readonly #retained = new Map<string, RetainedChange>();
  readonly #values = new TwoLevelMap<string, string, Uint8Array | undefined>();
  #retainedPuts = 0;

  get isEmpty(): boolean {
    return (
      this.#messages.size === 0 &&
      this.#changes.size === 0 &&
      this.#inbound.size === 0 &&
      this.#sessions.size === 0 &&
      this.#deletedSessions.size === 0 &&
      this.#filters.size === 0 &&
      this.#retained.size === 0 &&
      this.#values.size === 0
    );
  }

  /** True if it holds something that a failed commit forgets. */
  get hasMessages(): boolean {
    return this.#messages.size > 0 || this.#retainedPuts > 0;
  }

  putSession(session: StoredSession): void {
    this.#sessions.set(session.key, session);
  }

  deleteSession(sessionKey: number): void {
    this.#sessions.delete(sessionKey);
    this.#filters.deleteAll(sessionKey);
    this.#inbound.deleteAll(sessionKey);
    this.#changes.deleteAll(sessionKey);
    // Its pending messages are left out when the batch is written.
    this.#deletedSessions.add(sessionKey);
  }

  putSubscription(sessionKey: number, subscription: StoredSubscription): void {
    this.#filters.set(sessionKey, subscription.filter, subscription);
  }

  deleteSubscription(sessionKey: number, filter: string): void {
    this.#filters.set(sessionKey, filter, undefined);
  }

  enqueue(message: StoredMessage, targets: readonly QueueTarget[]): void {
    if (targets.length === 0) return;
    const pending = this.#pending(message);
    for (const target of targets) pending.add(target);
  }

  markSent(sessionKey: number, messageId: number, packetId: number): void {
    this.#setDelivery(sessionKey, messageId, deliveryBits(0, false, SENT, packetId));
  }

  markReleased(sessionKey: number, messageId: number): void {
    const target = this.#messages.get(messageId)?.find(sessionKey);
    if (target !== undefined) target.delivery = released(target.delivery);
    else this.#change(sessionKey, messageId, RELEASE);
  }

  dequeue(sessionKey: number, messageId: number): void {
    const pending = this.#messages.get(messageId);
    if (pending?.remove(sessionKey)) {
      if (pending.targetCount === 0) this.#messages.delete(messageId);
    } else this.#change(sessionKey, messageId, DEQUEUE);
  }

  putInbound(sessionKey: number, packetId: number): void {
    this.#inbound.set(sessionKey, packetId, true);
  }

  deleteInbound(sessionKey: number, packetId: number): void {
    this.#inbound.set(sessionKey, packetId, false);
  }

  putRetained(message: StoredMessage): void {
    this.#setRetained(message.topic, message, false);
  }

  deleteRetained(topic: string): void {
    this.#setRetained(topic, undefined, true);
  }

  putValue(space: string, key: string, value: Uint8Array): void {
    this.#values.set(space, key, value);
  }

  deleteValue(space: string, key: string): void {
    this.#values.set(space, key, undefined);
  }

  /** Forgets the messages, as the interface says for a commit that failed. Everything else stays. */
  forgetMessages(): void {
    this.#messages.clear();
    for (const [topic, { message, deleted }] of this.#retained) {
      if (message === undefined) continue;
      if (deleted) this.#retained.set(topic, { message: undefined, deleted });
      else this.#retained.delete(topic);
    }
    this.#retainedPuts = 0;
  }

  /**
   * Leaves packet identifiers that were received to a later batch. Those of refused messages are forgotten when that has
   * been told, and must not be on disk in between: what comes with them next would be taken for the same message.
   */
  moveInbound(later: Batch): void {
    for (const [key, packetId, present] of this.#inbound) {
      if (!present) continue;
      later.putInbound(key, packetId);
      this.deleteInbound(key, packetId);
    }
  }

  /** Adds the writes of a later batch. */
  absorb(later: Batch): void {
    for (const key of later.#deletedSessions) this.deleteSession(key);
    for (const session of later.#sessions.values()) this.putSession(session);
    for (const [key, filter, subscription] of later.#filters) this.#filters.set(key, filter, subscription);
    for (const [key, packetId, present] of later.#inbound) this.#inbound.set(key, packetId, present);
    for (const [key, id, change] of later.#changes) {
      if (change === DEQUEUE) this.dequeue(key, id);
      else if (change === RELEASE) this.markReleased(key, id);
      else this.#setDelivery(key, id, change);
    }
    for (const pending of later.#messages.values()) {
      const mine = this.#pending(pending.message);
      for (const target of pending.targets()) mine.put(target);
    }
    for (const [topic, { message, deleted }] of later.#retained) this.#setRetained(topic, message, deleted);
    for (const [space, key, value] of later.#values) this.#values.set(space, key, value);
  }

  /** Queued messages as they were read from the disk, with what this batch will do to them. */
  overlayQueue(sessionKey: number, deliveries: readonly StoredDelivery[]): readonly StoredDelivery[] {
    if (this.#deletedSessions.has(sessionKey)) return [];
    const changes = this.#changes.all(sessionKey);
    if (changes === undefined) return deliveries;
    return deliveries.flatMap((delivery) => {
      const change = changes.get(delivery.message.id);
      if (change === undefined) return [delivery];
      if (change === DEQUEUE) return [];
      if (change === RELEASE) return [{ ...delivery, state: RELEASED }];
      return [{ ...delivery, state: stateOf(change), packetId: packetIdOf(change) }];
    });
  }

  /** The values of a space that this batch will change; undefined ones are deleted. */
  valuesOf(space: string): ReadonlyMap<string, Uint8Array | undefined> | undefined {
    return this.#values.all(space);
  }

  /** Writes the batch in the form that `batch-format.ts` describes. */
  write(to: ByteWriter): void {
    this.#writeDeletions(to);
    for (const session of this.#sessions.values()) {
      to.u8(Op.PutSession);
      to.number(session.key);
      writeSession(to, session);
    }
    for (const [key, filter, subscription] of this.#filters) {
      if (subscription === undefined) continue;
      to.u8(Op.PutFilter);
      to.number(key);
      to.text(filter);
      to.u8(subscriptionOptions(subscription));
      to.number(subscription.subscriptionId);
    }
    for (const [key, packetId, present] of this.#inbound) {
      to.u8(present ? Op.PutInbound : Op.DeleteInbound);
      to.number(key);
      to.number(packetId);
    }
    for (const pending of this.#messages.values()) this.#writeMessage(to, pending);
    for (const [topic, { message }] of this.#retained) {
      if (message === undefined) continue;
      to.u8(Op.PutRetained);
      to.text(topic);
      to.number(message.id);
      to.number(message.expiresAt);
      writeMessage(to, message);
    }
    for (const [space, key, value] of this.#values) {
      to.u8(value === undefined ? Op.DeleteValue : Op.PutValue);
      to.text(space);
      to.text(key);
      if (value !== undefined) to.bytes(value);
    }
  }

  #writeDeletions(to: ByteWriter): void {
    for (const key of this.#deletedSessions) {
      to.u8(Op.DeleteSession);
      to.number(key);
    }
    for (const [key, filter, subscription] of this.#filters) {
      if (subscription !== undefined) continue;
      to.u8(Op.DeleteFilter);
      to.number(key);
      to.text(filter);
    }
    for (const [key, id, change] of this.#changes) {
      to.u8(change === DEQUEUE ? Op.Dequeue : change === RELEASE ? Op.Release : Op.SetDelivery);
      to.number(key);
      to.number(id);
      if (change >= 0) to.number(change);
    }
    for (const [topic, { message }] of this.#retained) {
      if (message !== undefined) continue;
      to.u8(Op.DeleteRetained);
      to.text(topic);
    }
  }

  #writeMessage(to: ByteWriter, pending: PendingMessage): void {
    let targets = pending.targets();
    let count = pending.targetCount;
    if (this.#deletedSessions.size > 0) {
      const left = [...targets].filter((target) => !this.#deletedSessions.has(target.sessionKey));
      if (left.length === 0) return;
      targets = left;
      count = left.length;
    }
    const { message } = pending;
    to.u8(Op.Enqueue);
    to.number(message.id);
    to.number(queuedSize(message));
    to.number(message.expiresAt);
    writeMessage(to, message);
    to.u32(count);
    for (const target of targets) {
      to.number(target.sessionKey);
      to.number(target.delivery);
      writeSubscriptionIds(to, target.subscriptionIds);
    }
  }

  #pending(message: StoredMessage): PendingMessage {
    let pending = this.#messages.get(message.id);
    if (pending === undefined) {
      pending = new PendingMessage(message);
      this.#messages.set(message.id, pending);
    }
    return pending;
  }

  #setDelivery(sessionKey: number, messageId: number, bits: number): void {
    const target = this.#messages.get(messageId)?.find(sessionKey);
    if (target !== undefined) target.delivery = (target.delivery & DELIVERY_FIXED_BITS) | bits;
    else this.#change(sessionKey, messageId, bits);
  }

  #change(sessionKey: number, messageId: number, change: number): void {
    const before = change === DEQUEUE ? undefined : this.#changes.get(sessionKey, messageId);
    if (before === DEQUEUE) return;
    // Sent and released in one batch: the packet identifier must not get lost.
    const merged = change === RELEASE && before !== undefined && before >= 0 ? released(before) : change;
    this.#changes.set(sessionKey, messageId, merged);
  }

  #setRetained(topic: string, message: StoredMessage | undefined, deleted: boolean): void {
    const before = this.#retained.get(topic);
    if (before?.message !== undefined) this.#retainedPuts -= 1;
    if (message !== undefined) this.#retainedPuts += 1;
    this.#retained.set(topic, { message, deleted: deleted || before?.deleted === true });
  }
}

function released(delivery: number): number {
  return (delivery & ~DELIVERY_STATE_BITS) | RELEASED_BITS;
}

function writeSubscriptionIds(to: ByteWriter, ids: readonly number[]): void {
  to.u8(ids.length === 0 ? 0 : 1);
  if (ids.length === 0) return;
  const start = to.length;
  to.u32(0);
  for (const id of ids) to.varint(id);
  to.setU32(start, to.length - start - 4);
}
