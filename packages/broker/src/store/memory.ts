// The store that keeps nothing beyond the process: sessions, queues and retained messages in maps. It commits at once,
// so nothing ever waits for it.

import { keptBytes } from '../delivery/sizes.ts';
import { BrokerError } from '../errors.ts';
import {
  DeliveryState,
  type LoadedSession,
  type QueueTarget,
  type Store,
  type StoredDelivery,
  type StoredMessage,
  type StoredSession,
  type StoredSubscription,
  type StoreHealthListener,
  type StoreState,
} from './store.ts';

interface Entry {
  readonly message: StoredMessage;
  readonly target: QueueTarget;
  packetId: number;
  state: DeliveryState;
}

interface MemorySession {
  session: StoredSession | undefined;
  /** Each part exists only while it has something in it: there may be a million sleeping sessions. */
  subscriptions: Map<string, StoredSubscription> | undefined;
  /** By message id; ids ascend, so the order of insertion is the order of the queue. */
  queue: Map<number, Entry> | undefined;
  inbound: Set<number> | undefined;
}

const PAGE = 1_000;

/**
 * A `Store` in memory; what a broker uses if it is given none.
 *
 * @example
 * const broker = await Broker.start({ store: new MemoryStore() });
 */
export class MemoryStore implements Store {
  readonly durable: boolean = false;
  onHealth: StoreHealthListener | undefined = undefined;
  readonly #sessions = new Map<number, MemorySession>();
  readonly #retained = new Map<string, StoredMessage>();
  readonly #values = new Map<string, Map<string, Uint8Array>>();
  #lastSessionKey = 0;
  #lastMessageId = 0;

  open(): Promise<StoreState> {
    return Promise.resolve({ lastSessionKey: this.#lastSessionKey, lastMessageId: this.#lastMessageId });
  }

  async *loadSessions(): AsyncIterable<readonly LoadedSession[]> {
    let page: LoadedSession[] = [];
    for (const { session, subscriptions, queue, inbound } of this.#sessions.values()) {
      if (session === undefined) continue;
      const entries = [...(queue?.values() ?? [])];
      page.push({
        session,
        subscriptions: [...(subscriptions?.values() ?? [])],
        inboundPacketIds: [...(inbound ?? [])],
        queuedMessages: entries.length,
        queuedBytes: entries.reduce((sum, { message }) => sum + keptBytes(message), 0),
      });
      if (page.length === PAGE) {
        yield page;
        page = [];
      }
    }
    if (page.length > 0) yield page;
  }

  async *loadRetained(): AsyncIterable<readonly StoredMessage[]> {
    const messages = [...this.#retained.values()];
    for (let start = 0; start < messages.length; start += PAGE) yield messages.slice(start, start + PAGE);
  }

  readQueue(
    sessionKey: number,
    afterId: number,
    countMax: number,
    bytesMax: number,
  ): Promise<readonly StoredDelivery[]> {
    const found: StoredDelivery[] = [];
    let bytes = 0;
    for (const [id, { message, target, packetId, state }] of this.#sessions.get(sessionKey)?.queue ?? []) {
      if (id <= afterId) continue;
      bytes += keptBytes(message);
      if (found.length === countMax || (bytes > bytesMax && found.length > 0)) break;
      const { qos, retain, subscriptionIds } = target;
      found.push({ message, qos, retain, subscriptionIds, packetId, state });
    }
    return Promise.resolve(found);
  }

  putSession(session: StoredSession): void {
    this.#partsOf(session.key).session = session;
    if (session.key > this.#lastSessionKey) this.#lastSessionKey = session.key;
  }

  deleteSession(sessionKey: number): void {
    this.#sessions.delete(sessionKey);
  }

  putSubscription(sessionKey: number, subscription: StoredSubscription): void {
    const parts = this.#partsOf(sessionKey);
    parts.subscriptions ??= new Map();
    parts.subscriptions.set(subscription.filter, subscription);
  }

  deleteSubscription(sessionKey: number, filter: string): void {
    const parts = this.#sessions.get(sessionKey);
    parts?.subscriptions?.delete(filter);
    if (parts?.subscriptions?.size === 0) parts.subscriptions = undefined;
  }

  enqueue(message: StoredMessage, targets: readonly QueueTarget[]): void {
    if (message.id > this.#lastMessageId) this.#lastMessageId = message.id;
    for (const target of targets) {
      const parts = this.#partsOf(target.sessionKey);
      parts.queue ??= new Map();
      const state = target.packetId > 0 ? DeliveryState.Sent : DeliveryState.Queued;
      parts.queue.set(message.id, { message, target, packetId: target.packetId, state });
    }
  }

  markSent(sessionKey: number, messageId: number, packetId: number): void {
    const entry = this.#sessions.get(sessionKey)?.queue?.get(messageId);
    if (entry === undefined) return;
    entry.packetId = packetId;
    entry.state = DeliveryState.Sent;
  }

  markReleased(sessionKey: number, messageId: number): void {
    const entry = this.#sessions.get(sessionKey)?.queue?.get(messageId);
    if (entry !== undefined) entry.state = DeliveryState.Released;
  }

  dequeue(sessionKey: number, messageId: number): void {
    const parts = this.#sessions.get(sessionKey);
    parts?.queue?.delete(messageId);
    if (parts?.queue?.size === 0) parts.queue = undefined;
  }

  putInbound(sessionKey: number, packetId: number): void {
    const parts = this.#partsOf(sessionKey);
    parts.inbound ??= new Set();
    parts.inbound.add(packetId);
  }

  deleteInbound(sessionKey: number, packetId: number): void {
    const parts = this.#sessions.get(sessionKey);
    parts?.inbound?.delete(packetId);
    if (parts?.inbound?.size === 0) parts.inbound = undefined;
  }

  putRetained(message: StoredMessage): void {
    if (message.id > this.#lastMessageId) this.#lastMessageId = message.id;
    this.#retained.set(message.topic, message);
  }

  deleteRetained(topic: string): void {
    this.#retained.delete(topic);
  }

  /** Everything is committed as it is written. */
  get dirty(): boolean {
    return false;
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  getValue(space: string, key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#values.get(space)?.get(key));
  }

  async *listValues(
    space: string,
    prefix: string,
  ): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]> {
    const pairs = [...(this.#values.get(space) ?? [])].filter(([key]) => key.startsWith(prefix));
    pairs.sort(([a], [b]) => (a < b ? -1 : 1));
    for (let start = 0; start < pairs.length; start += PAGE) yield pairs.slice(start, start + PAGE);
  }

  putValue(space: string, key: string, value: Uint8Array): void {
    const values = this.#values.get(space) ?? new Map<string, Uint8Array>();
    values.set(key, value);
    this.#values.set(space, values);
  }

  deleteValue(space: string, key: string): void {
    this.#values.get(space)?.delete(key);
  }

  backup(): Promise<void> {
    const message = 'a store in memory cannot be backed up: use a durable store';
    return Promise.reject(new BrokerError('TOBYMQ_NOT_DURABLE', message));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #partsOf(sessionKey: number): MemorySession {
    let parts = this.#sessions.get(sessionKey);
    if (parts === undefined) {
      parts = { session: undefined, subscriptions: undefined, queue: undefined, inbound: undefined };
      this.#sessions.set(sessionKey, parts);
    }
    return parts;
  }
}
