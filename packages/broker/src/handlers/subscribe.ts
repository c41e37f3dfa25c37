// SUBSCRIBE: filters are checked, rules asked, subscriptions entered, SUBACK sent when they are stored, and retained
// messages replayed.

import {
  checkTopicFilter,
  hasDiscouragedCharacters,
  PacketType,
  type QoS,
  type Subscribe,
  type SubscriptionRequest,
} from '@tobymq/codec';
import { type Connection, tellable } from '../connection/connection.ts';
import type { MaybePromise } from '../extension.ts';
import { type Decision, isPromise } from '../hooks.ts';
import { Subscription } from '../routing/subscription.ts';
import { splitFilter } from '../session/filter.ts';
import type { Session } from '../session/session.ts';
import type { Subscriber } from '../session/subscriber.ts';
import { fault, protocolError } from './faults.ts';
import { fittingCode } from './reason-codes.ts';
import { countLevels } from './topic-rules.ts';

/** One filter of the packet and what was decided about it. */
interface Item {
  readonly request: SubscriptionRequest;
  /** With the mount point. */
  readonly fullFilter: string;
  reasonCode: number;
  reason: string | undefined;
}

export function handleSubscribe(connection: Connection, packet: Subscribe): Promise<void> | undefined {
  const items = packet.subscriptions.map((request) => check(connection, packet, request));
  const asked = askRules(connection, items, 0);
  if (asked !== undefined) return asked.then(() => subscribeAll(connection, packet, items));
  subscribeAll(connection, packet, items);
  return undefined;
}

/** What the packet itself says; a filter that is not well-formed ends the connection, as in Mosquitto. */
function check(connection: Connection, packet: Subscribe, request: SubscriptionRequest): Item {
  const { filter } = request;
  const { settings } = connection.listener;
  const problem = checkTopicFilter(filter); // [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.8.2-1], [MQTT-4.8.2-2]
  if (problem !== undefined) throw fault(0x81, `the topic filter of SUBSCRIBE ${problem}`);
  if (hasDiscouragedCharacters(filter)) {
    throw fault(0x81, 'the topic filter of SUBSCRIBE has control or non-characters'); // [N07]
  }
  const { shareName } = splitFilter(filter);
  if (shareName !== '' && request.noLocal) {
    throw protocolError('SUBSCRIBE asks for No Local on a shared subscription'); // [MQTT-3.8.3-4]
  }
  const isV5 = connection.sender.isV5;
  const item: Item = {
    request,
    fullFilter: mount(connection.sender.mountPoint, filter),
    reasonCode: Math.min(request.qos, settings.maximumQoS), // [MQTT-3.2.2-10]
    reason: undefined,
  };
  // [N39] Announced as not available: to ask all the same is a protocol error of 5.0.
  if (shareName !== '' && !settings.sharedSubscriptionAvailable) {
    if (isV5) throw fault(0x9e, 'shared subscriptions are not available');
    deny(item, 0x9e, 'shared subscriptions are not available');
  }
  if (packet.properties?.subscriptionIdentifier !== undefined && !settings.subscriptionIdentifierAvailable) {
    throw fault(0xa1, 'subscription identifiers are not available');
  }
  if (!settings.wildcardSubscriptionAvailable && /[+#]/.test(filter)) {
    if (isV5) throw fault(0xa2, 'wildcard subscriptions are not available');
    deny(item, 0xa2, 'wildcard subscriptions are not available');
  }
  const { topicLevelsMax, topicBytesMax, subscriptionsPerClientMax } = connection.core.limits;
  if (countLevels(filter) > topicLevelsMax)
    deny(item, 0x8f, `the filter has more than ${topicLevelsMax} levels`);
  if (filter.length > topicBytesMax) deny(item, 0x8f, `the filter has more than ${topicBytesMax} bytes`);
  const subscriptions = connection.session?.subscriptions;
  if (
    subscriptionsPerClientMax > 0 &&
    (subscriptions?.size ?? 0) >= subscriptionsPerClientMax &&
    subscriptions?.get(item.fullFilter) === undefined
  ) {
    deny(item, 0x97, `the limit of ${subscriptionsPerClientMax} subscriptions is reached`);
  }
  return item;
}

function deny(item: Item, reasonCode: number, reason: string | undefined): void {
  item.reasonCode = fittingCode('suback', reasonCode);
  item.reason = tellable(reason);
}

/** Asks the rules about each filter in turn; a promise if one of them takes its time. */
function askRules(connection: Connection, items: readonly Item[], from: number): Promise<void> | undefined {
  const { client } = connection;
  if (client === undefined) return undefined;
  for (let i = from; i < items.length; i++) {
    const item = items[i]!;
    if (item.reasonCode >= 0x80) continue;
    const question = { filter: item.fullFilter, qos: item.request.qos };
    const answer: MaybePromise<Decision> = connection.listener.hooks.maySubscribe(client, question);
    if (isPromise(answer)) {
      return answer.then((late) => {
        apply(item, late);
        return askRules(connection, items, i + 1);
      });
    }
    apply(item, answer);
  }
  return undefined;
}

function apply(item: Item, decision: Decision): void {
  if (!decision.isAllowed) deny(item, decision.reasonCode, decision.reason);
  else if (decision.qosMax < item.reasonCode) item.reasonCode = decision.qosMax; // [N43]
}

function subscribeAll(connection: Connection, packet: Subscribe, items: readonly Item[]): void {
  const { session, core, client, sender } = connection;
  if (connection.state !== 'connected' || session === undefined || client === undefined) return;
  const subscriptionId = packet.properties?.subscriptionIdentifier ?? 0;
  const replays: Subscription<Subscriber>[] = [];
  for (const item of items) {
    if (item.reasonCode >= 0x80) {
      core.metrics.subscribeRefused++;
      const { fullFilter: filter, reasonCode, reason } = item;
      core.logger.log('warn', 'subscribe-refused', { clientId: client.clientId, filter, reasonCode, reason });
      continue;
    }
    const { subscription, isNew } = enter(session, item, subscriptionId);
    const { retainHandling, shareName } = subscription;
    // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]; none for shared subscriptions [N41].
    if (shareName === '' && (retainHandling === 0 || (retainHandling === 1 && isNew)))
      replays.push(subscription);
  }
  // 3.1 has no code for a refusal: the filter is granted and delivers nothing. [V31-24]
  const codes = items.map(({ reasonCode, request }) =>
    reasonCode < 0x80 || sender.isV5 ? reasonCode : sender.version === 3 ? request.qos : 0x80,
  );
  const reason = items.find((item) => item.reason !== undefined)?.reason;
  const send = (reasonCodes: readonly number[]) => {
    const properties = sender.givesReasons && reason !== undefined ? { reasonString: reason } : undefined;
    sender.packet({ type: PacketType.Suback, packetId: packet.packetId, reasonCodes, properties }); // [MQTT-3.8.4-1]
  };
  const finish = () => {
    send(codes);
    for (const item of items) {
      if (item.reasonCode < 0x80)
        connection.listener.hooks.subscribed(client, item.fullFilter, item.reasonCode as QoS);
    }
    for (const subscription of replays) core.retained.replay(session, subscription);
  };
  const isWritten = session.isPersistent && items.some(({ reasonCode }) => reasonCode < 0x80);
  if (!connection.mustWait(isWritten)) {
    finish();
    return;
  }
  const refuse = () => {
    for (const item of items) if (item.reasonCode < 0x80) withdraw(session, item.fullFilter);
    send(codes.map(() => (sender.isV5 ? 0x97 : sender.version === 3 ? 0 : 0x80)));
    return true;
  };
  connection.gate({ batch: 0, bytes: 0, send: finish, refuse }, isWritten);
}

function enter(
  session: Session,
  item: Item,
  subscriptionId: number,
): { readonly subscription: Subscription<Subscriber>; readonly isNew: boolean } {
  const { core } = session;
  const { filter, shareName } = splitFilter(item.fullFilter);
  const { noLocal, retainAsPublished, retainHandling } = item.request;
  const qos = item.reasonCode as QoS;
  const options = { filter, shareName, qos, noLocal, retainAsPublished, retainHandling, subscriptionId };
  const subscription = new Subscription<Subscriber>(session, options);
  const replaced = core.router.subscribe(subscription); // [MQTT-3.8.4-3], [N42]
  session.addSubscription(subscription);
  if (session.isPersistent) {
    const stored = {
      filter: item.fullFilter,
      qos,
      noLocal,
      retainAsPublished,
      retainHandling,
      subscriptionId,
    };
    core.store.putSubscription(session.key, stored);
    core.gate.touch();
  }
  return { subscription, isNew: replaced === undefined };
}

/** Removes a subscription of a session; false if there was none. */
export function withdraw(session: Session, fullFilter: string): boolean {
  const subscription = session.subscriptions?.get(fullFilter);
  if (subscription === undefined) return false;
  session.removeSubscription(fullFilter);
  session.core.router.unsubscribe(session, subscription.filter, subscription.shareName);
  if (session.isPersistent) {
    session.core.store.deleteSubscription(session.key, fullFilter);
    session.core.gate.touch();
  }
  return true;
}

/** Puts a filter below the mount point of its listener; the prefix belongs behind `$share/name/`. */
export function mount(mountPoint: string, fullFilter: string): string {
  if (mountPoint === '') return fullFilter;
  const { filter, shareName } = splitFilter(fullFilter);
  return shareName === '' ? mountPoint + filter : `$share/${shareName}/${mountPoint}${filter}`;
}
