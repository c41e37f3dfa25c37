// All subscriptions of the client: which filters the server knows, the SUBSCRIBE and UNSUBSCRIBE that wait for an
// answer, and the messages that nobody claims yet.
//
// Each filter has one entry, however many `Subscription` objects want it, because the server keeps one subscription per
// filter. Each entry has a subscription identifier of its own: when filters overlap, a server may send one copy with
// all identifiers or one copy per subscription, and the identifiers tell which copy is for whom.

import { encodedSize, PacketType, type Publish, ReasonCode, type Suback, type Unsuback } from '@tobymq/codec';
import type { Connection } from './connection.ts';
import { ClientError, invalidOption, protocolError } from './errors.ts';
import {
  type AnySubscription,
  checkFilter,
  type FilterEntry,
  filtersPerPacketMax,
  inPackets,
  matchFilterOf,
  subscribePacket,
  subscriptionRequest,
} from './filters.ts';
import type { Receipt } from './incoming.ts';
import { inHandBytesMax, inHandMax } from './limits.ts';
import { Message, payloadSize } from './message.ts';
import type { Settings } from './options.ts';
import type { PacketIds } from './packet-ids.ts';
import { Queue } from './queue.ts';
import { serverError } from './reason-names.ts';
import type { SubscribeOptions } from './subscription.ts';
import { type RouteTarget, type TopicRoute, TopicRoutes } from './topic-routes.ts';

/** A SUBSCRIBE or UNSUBSCRIBE that waits for its answer. */
interface OpenRequest {
  readonly answerType: PacketType;
  onAnswer(reasonCodes: readonly number[]): void;
  /** The connection is gone. */
  onLost(): void;
}

export class Subscriptions {
  readonly #ids: PacketIds;
  readonly #settings: Settings;
  readonly #entries = new Map<string, FilterEntry>();
  /** Filters whose UNSUBSCRIBE is not confirmed: their messages are not wanted any more. */
  readonly #leaving = new Set<string>();
  readonly #requests: Map<number, OpenRequest>;
  readonly routes: TopicRoutes;
  readonly #unclaimed = new Queue<Message<unknown, unknown>>(payloadSize);
  #catchAll: AnySubscription | undefined;
  #connection: Connection | undefined;
  #nextIdentifier = 1;
  droppedCount = 0;

  constructor(ids: PacketIds, settings: Settings) {
    this.#ids = ids;
    this.#settings = settings;
    this.#requests = ids.exchanges();
    this.routes = new TopicRoutes(this.#entries, this.#leaving, settings.topicAliasMaximum);
  }

  get count(): number {
    return this.#entries.size;
  }

  get unclaimedCount(): number {
    return this.#unclaimed.length;
  }

  /**
   * Adds a subscription and tells the server, now or when there is a connection. One without filters gets what no other
   * one matches.
   */
  add(subscription: AnySubscription, options: SubscribeOptions): void {
    const { filters } = subscription;
    if (filters.length === 0) {
      if (this.#catchAll !== undefined)
        throw invalidOption('messages() is in use already: it has one consumer at a time');
      this.#catchAll = subscription;
    }
    const entries = filters.map((filter) => this.#enter(filter, subscription, options));
    this.routes.clear();
    this.#claim();
    this.#sendSubscribe(entries);
  }

  #enter(filter: string, subscription: AnySubscription, options: SubscribeOptions): FilterEntry {
    const request = subscriptionRequest(filter, options);
    const entry = this.#entries.get(filter) ?? {
      filter,
      matchFilter: matchFilterOf(filter),
      identifier: this.#nextIdentifier++,
      subscriptions: new Set(),
      request,
      isGranted: false,
      awaitedId: 0,
    };
    this.#leaving.delete(filter);
    this.#entries.set(filter, entry);
    // The newest options win, as they do at the server; but whoever tells retained messages apart needs the flag to stay.
    const { retainAsPublished = false } = entry.request;
    entry.request = { ...request, retainAsPublished: request.retainAsPublished || retainAsPublished };
    entry.isGranted = false;
    entry.subscriptions.add(subscription);
    return entry;
  }

  /**
   * Has the server send the retained messages of a filter again. A new session has just been asked for them, unless the
   * options of another subscription say `never`.
   */
  readAgain(filter: string, isResumed: boolean): void {
    const entry = this.#entries.get(filter);
    if (entry === undefined || !(isResumed || entry.request.retainHandling === 2)) return;
    entry.request = { ...entry.request, retainHandling: 0 };
    entry.isGranted = false;
    this.#sendSubscribe([entry]);
  }

  /** Removes a subscription; filters that nobody else wants are given up at the server. */
  remove(subscription: AnySubscription): Promise<void> {
    if (this.#catchAll === subscription) this.#catchAll = undefined;
    const leaving: string[] = [];
    for (const filter of subscription.filters) {
      const entry = this.#entries.get(filter);
      if (entry === undefined || !entry.subscriptions.delete(subscription) || entry.subscriptions.size > 0)
        continue;
      this.#entries.delete(filter);
      leaving.push(filter);
    }
    return this.giveUp(leaving);
  }

  /** Gives up filters at the server, also those that an earlier process subscribed to. */
  giveUp(filters: readonly string[]): Promise<void> {
    for (const filter of filters) this.#leaving.add(filter);
    this.routes.clear();
    return this.#sendUnsubscribe(filters);
  }

  begin(connection: Connection, isResumed: boolean): void {
    this.#connection = connection;
    this.routes.begin();
    // Whoever unsubscribed was told that it is done, so nobody but the error report is left to hear of a refusal.
    if (isResumed) this.#sendUnsubscribe([...this.#leaving]).catch(this.#settings.onError);
    else this.#leaving.clear();
    const missing: FilterEntry[] = [];
    for (const entry of this.#entries.values()) {
      if (!isResumed) entry.isGranted = false;
      if (!entry.isGranted) missing.push(entry);
    }
    this.#sendSubscribe(missing);
  }

  end(): void {
    this.#connection = undefined;
    // Nothing is lost: the filter is given up on the next connection, if the server still has it then.
    for (const request of this.#requests.values()) request.onLost();
    this.#requests.clear();
  }

  #sendSubscribe(entries: readonly FilterEntry[]): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const { limits, version } = connection;
    const sizeOf = (entry: FilterEntry): number =>
      encodedSize(subscribePacket(1, [entry], connection), version);
    const accepted = entries.filter((entry) => {
      try {
        checkFilter(entry, limits, sizeOf(entry));
        return true;
      } catch (refusal) {
        const error = refusal as ClientError;
        this.#onResult(entry, error.reasonCode!, error);
        return false;
      }
    });
    // A SUBSCRIBE has one identifier for all of its filters, so with identifiers each filter has its own packet.
    const countMax = limits.subscriptionIdentifierAvailable ? 1 : filtersPerPacketMax;
    for (const batch of inPackets(accepted, sizeOf, limits, countMax)) this.#sendBatch(connection, batch);
  }

  #sendBatch(connection: Connection, entries: readonly FilterEntry[]): void {
    const packetId = this.#ids.take();
    if (packetId === 0) {
      const error = new ClientError('TOBYMQ_SERVER_LIMIT', 'no packet identifier is free for a SUBSCRIBE');
      for (const entry of entries) this.#onResult(entry, ReasonCode.UnspecifiedError, error);
      return;
    }
    this.#requests.set(packetId, {
      answerType: PacketType.Suback,
      onAnswer: (reasonCodes) => {
        // [MQTT-3.8.4-6]
        if (reasonCodes.length !== entries.length)
          throw protocolError(`SUBACK has ${reasonCodes.length} codes for ${entries.length} filters`);
        // An earlier answer says nothing of what was asked for since.
        for (const [i, entry] of entries.entries())
          if (entry.awaitedId === packetId) this.#onResult(entry, reasonCodes[i]!);
      },
      onLost: () => {},
    });
    for (const entry of entries) entry.awaitedId = packetId;
    connection.send(subscribePacket(packetId, entries, connection));
  }

  /** Gives up filters, in as many packets as they need to be no larger than the server accepts. */
  async #sendUnsubscribe(filters: readonly string[]): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    const { version, limits } = connection;
    const sizeOf = (filter: string): number =>
      encodedSize({ type: PacketType.Unsubscribe, packetId: 1, filters: [filter] }, version);
    const packets = inPackets(filters, sizeOf, limits, filtersPerPacketMax);
    await Promise.all(packets.map((packet) => this.#sendLeaving(connection, packet)));
  }

  #sendLeaving(connection: Connection, filters: readonly string[]): Promise<void> {
    const packetId = this.#ids.take();
    if (packetId === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#requests.set(packetId, {
        answerType: PacketType.Unsuback,
        onAnswer: (reasonCodes) => {
          for (const [i, filter] of filters.entries()) {
            const reasonCode = reasonCodes[i] ?? 0;
            const what = `refused to end the subscription to ${filter}`;
            // What the server refuses to give up goes on coming, and goes on being unwanted.
            if (reasonCode < 0x80) this.#leaving.delete(filter);
            else reject(serverError('TOBYMQ_UNSUBSCRIBE_REFUSED', what, reasonCode, undefined, filter));
          }
          this.routes.clear();
          resolve();
        },
        onLost: resolve,
      });
      connection.send({ type: PacketType.Unsubscribe, packetId, filters });
    });
  }

  onPacket({ type, packetId, reasonCodes }: Suback | Unsuback): void {
    const request = this.#requests.get(packetId);
    if (request?.answerType !== type) return;
    this.#requests.delete(packetId);
    request.onAnswer(reasonCodes);
  }

  #onResult(entry: FilterEntry, reasonCode: number, error?: ClientError): void {
    entry.isGranted = reasonCode < 0x80;
    if (!entry.isGranted && this.#entries.get(entry.filter) === entry) {
      // The server does not have it, so it is not asked for again on the next connection.
      this.#entries.delete(entry.filter);
      this.routes.clear();
    }
    for (const subscription of entry.subscriptions) subscription.onResult(entry.filter, reasonCode, error);
  }

  /** Hands a message to everybody whose subscription it is for. */
  deliver(route: TopicRoute, publish: Publish, receipt: Receipt | undefined): void {
    const { targets } = route;
    const identifiers = publish.properties?.subscriptionIdentifiers;
    if (targets.length === 0) {
      this.#onUnclaimed(new Message(route.topic, publish, receipt), route.isUnwanted);
    } else if (route.identifiers.length === 1 || identifiers === undefined) {
      handOver(route, targets, publish, receipt);
    } else {
      const chosen = targets.filter(({ entry }) => identifiers.includes(entry.identifier));
      if (chosen.length > 0) {
        handOver(route, chosen, publish, receipt);
      } else if (identifiers.some((identifier) => route.identifiers.includes(identifier))) {
        // The copy for a second filter of a subscription that gets its message with the first.
        receipt?.done(0);
      } else {
        // Identifiers of an earlier process mean nothing to us: then the topic decides alone.
        handOver(route, targets, publish, receipt);
      }
    }
  }

  #onUnclaimed(message: Message<unknown, unknown>, isUnwanted: boolean): void {
    const { unclaimed, onError } = this.#settings;
    const { topic } = message;
    if (this.#catchAll !== undefined) {
      this.#catchAll.push(message);
    } else if (isUnwanted || unclaimed === 'discard') {
      message.ack();
    } else if (message.qos > 0 || this.#unclaimed.fits(message, inHandMax, inHandBytesMax)) {
      this.#unclaimed.push(message);
    } else if (++this.droppedCount === 1) {
      const what = `no subscription matches ${topic}, and ${this.#unclaimed.length} messages of ${this.#unclaimed.bytes} bytes wait already`;
      onError(new ClientError('TOBYMQ_MESSAGE_DROPPED', what, { topic }));
    }
  }

  /** Gives waiting messages to a subscription that has just come. */
  #claim(): void {
    const waiting = this.#unclaimed.items;
    this.#unclaimed.items = [];
    for (const message of waiting) {
      const [target] = this.routes.byName(message.topic).targets;
      const taker = target?.subscription ?? this.#catchAll;
      if (taker === undefined) this.#unclaimed.push(message);
      else taker.push(message);
    }
  }

  failAll(error: ClientError | undefined): void {
    this.end();
    for (const { subscriptions } of this.#entries.values())
      for (const subscription of subscriptions) subscription.end(error);
    this.#catchAll?.end(error);
    this.#entries.clear();
    this.routes.clear();
  }
}

function handOver(
  { topic }: TopicRoute,
  targets: readonly RouteTarget[],
  publish: Publish,
  receipt: Receipt | undefined,
): void {
  if (receipt !== undefined) receipt.holders = targets.length;
  for (const { subscription } of targets) subscription.push(new Message(topic, publish, receipt));
}
