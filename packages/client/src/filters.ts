// Topic filters on their way to the server: the checks of what the application asks for, the SUBSCRIBE packets, and what
// this server does not offer.

import {
  checkTopicFilter,
  PacketType,
  parseSharedFilter,
  ReasonCode,
  type RetainHandling,
  type SubscribeInput,
  type SubscriptionRequest,
} from '@tobymq/codec';
import type { Connection } from './connection.ts';
import { invalidOption, invalidTopic } from './errors.ts';
import { checkSize, limitError, type ServerLimits } from './server-limits.ts';
import type { SubscribeOptions, Subscription } from './subscription.ts';

export type AnySubscription = Subscription<unknown, unknown>;

/** One filter that the server is to know. */
export interface FilterEntry {
  readonly filter: string;
  /** What topics are matched against: without `$share/name/`. */
  readonly matchFilter: string;
  readonly identifier: number;
  readonly subscriptions: Set<AnySubscription>;
  request: SubscriptionRequest;
  isGranted: boolean;
  /** The packet identifier of its last SUBSCRIBE, whose answer counts. */
  awaitedId: number;
}

const retainHandling: Readonly<Record<NonNullable<SubscribeOptions['retained']>, RetainHandling>> = {
  always: 0,
  new: 1,
  never: 2,
};

/** Checks filters and options, and gives the filters as the server is to see them. */
export function fullFilters(filters: readonly string[], options: SubscribeOptions): string[] {
  // [MQTT-3.8.3-2]
  if (filters.length === 0) throw invalidOption('subscribe() needs at least one topic filter');
  const { qos = 1, retained = 'always' } = options;
  if (![0, 1, 2].includes(qos) || !(retained in retainHandling))
    throw invalidOption(`qos is ${qos} and retained is ${retained}: see SubscribeOptions`);
  return [...new Set(filters)].map((plain) => {
    const filter = options.share === undefined ? plain : `$share/${options.share}/${plain}`;
    const problem = checkTopicFilter(filter); // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    if (problem !== undefined) throw invalidTopic(filter, `the topic filter ${filter} ${problem}`);
    // [MQTT-3.8.3-4]
    if (options.noLocal && parseSharedFilter(filter) !== undefined)
      throw invalidOption(`noLocal is not allowed for the shared subscription ${filter}`, filter);
    return filter;
  });
}

/** What topics are matched against: the filter without `$share/name/`. */
export function matchFilterOf(filter: string): string {
  return parseSharedFilter(filter)?.filter ?? filter;
}

/** The subscription options of one filter. */
export function subscriptionRequest(filter: string, options: SubscribeOptions): SubscriptionRequest {
  return {
    filter,
    qos: options.qos ?? 1,
    noLocal: options.noLocal ?? false,
    retainAsPublished: options.retainAsPublished ?? false,
    retainHandling: retainHandling[options.retained ?? 'always'],
  };
}

/** One SUBSCRIBE for these filters. */
export function subscribePacket(
  packetId: number,
  entries: readonly FilterEntry[],
  { version, limits }: Connection,
): SubscribeInput {
  return {
    type: PacketType.Subscribe,
    packetId,
    // Before 5.0 there is only the QoS.
    subscriptions: entries.map(({ filter, request }) =>
      version === 5 ? request : { filter, qos: request.qos },
    ),
    properties: limits.subscriptionIdentifierAvailable
      ? { subscriptionIdentifier: entries[0]!.identifier }
      : undefined,
  };
}

/** Servers refuse packets with very many filters, because they hold up others. */
export const filtersPerPacketMax = 1_000;

/** Divides the filters of a SUBSCRIBE or UNSUBSCRIBE into packets that the server accepts. */
export function inPackets<T>(
  items: readonly T[],
  sizeOf: (item: T) => number,
  { maximumPacketSize }: ServerLimits,
  countMax: number,
): T[][] {
  const packets: T[][] = [];
  let packet: T[] | undefined;
  let packetSize = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (packet === undefined || packet.length === countMax || packetSize + size > maximumPacketSize) {
      packet = [];
      packets.push(packet);
      packetSize = 0;
    }
    packet.push(item);
    packetSize += size;
  }
  return packets;
}

/** Throws for a filter that the server would not accept. */
export function checkFilter({ filter, matchFilter }: FilterEntry, limits: ServerLimits, size: number): void {
  if (filter !== matchFilter && !limits.sharedSubscriptionAvailable)
    throw limitError(ReasonCode.SharedSubscriptionsNotSupported, 'shared subscriptions', filter);
  if (/[+#]/.test(matchFilter) && !limits.wildcardSubscriptionAvailable)
    throw limitError(ReasonCode.WildcardSubscriptionsNotSupported, 'wildcards', filter);
  checkSize(size, limits, filter);
}
