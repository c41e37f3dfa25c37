// SUBSCRIBE: filters are checked, rules asked, subscriptions entered, SUBACK sent when they are stored, and retained
// messages replayed. Each of the first three is done for all filters before the next begins, over several turns of the
// event loop if there are very many of them.

import {
  checkTopicFilter,
  hasDiscouragedCharacters,
  PacketType,
  type QoS,
  type Subscribe,
  type SubscriptionRequest,
} from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';
import { after, inTurns } from '../connection/in-turns.ts';
import type { MaybePromise } from '../extension.ts';
import { type Decision, isPromise } from '../hooks.ts';
import { countLevels } from '../routing/levels.ts';
import { Subscription } from '../routing/subscription.ts';
import { splitFilter } from '../session/filter.ts';
import type { Session } from '../session/session.ts';
import type { Subscriber } from '../session/subscriber.ts';
import { fault, protocolError } from './faults.ts';
import { fittingCode, tellable } from './reason-codes.ts';
import { tell } from './tell.ts';

/** One filter of the packet and what was decided about it. */
interface Item {
  readonly request: SubscriptionRequest;
  /** With the mount point. */
  readonly fullFilter: string;
  reasonCode: number;
  reason: string | undefined;
  /** What was entered for it, and what that has replaced. */
  subscription: Subscription<Subscriber> | undefined;
  replaced: Subscription<Subscriber> | undefined;
}

/** Subscriptions that could not be stored, with those that they had replaced, which may be lost as well. */
const lost = new WeakMap<Subscription<Subscriber>, Subscription<Subscriber> | undefined>();

export function handleSubscribe(connection: Connection, packet: Subscribe): Promise<void> | undefined {
  const { turn } = connection.core;
  const { subscriptions } = packet;
  const items: Item[] = [];
  const checked = inTurns(turn, subscriptions.length, (i) => {
    items.push(check(connection, packet, subscriptions[i]!));
    return undefined;
  });
  const ask = () => inTurns(turn, items.length, (i) => askRules(connection, items[i]!));
  const enterAll = () => subscribeAll(connection, packet, items);
  return after(after(checked, ask), enterAll);
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
    subscription: undefined,
    replaced: undefined,
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
  const { topicLevelsMax, topicBytesMax } = connection.core.limits;
  if (countLevels(filter) > topicLevelsMax)
    deny(item, 0x8f, `the filter has more than ${topicLevelsMax} levels`);
  if (Buffer.byteLength(filter) > topicBytesMax)
    deny(item, 0x8f, `the filter has more than ${topicBytesMax} bytes`);
  return item;
}

function deny(item: Item, reasonCode: number, reason: string | undefined): void {
  item.reasonCode = fittingCode('suback', reasonCode);
  item.reason = tellable(reason);
}

/** Asks the rules about a filter; a promise if they take their time. */
function askRules(connection: Connection, item: Item): Promise<void> | undefined {
  const { client } = connection;
  if (client === undefined || item.reasonCode >= 0x80) return undefined;
  const question = { filter: item.fullFilter, qos: item.request.qos };
  const decision: MaybePromise<Decision> = connection.listener.hooks.maySubscribe(client, question);
  if (isPromise(decision)) return decision.then((late) => apply(item, late));
  apply(item, decision);
  return undefined;
}

function apply(item: Item, decision: Decision): void {
  if (!decision.isAllowed) deny(item, decision.reasonCode, decision.reason);
  else if (decision.qosMax < item.reasonCode) item.reasonCode = decision.qosMax; // [N43]
}

/** What entering the filters of one packet has led to. */
interface Entered {
  /** Which subscriptions are sent the retained messages. */
  readonly replays: Subscription<Subscriber>[];
  /** The last batch of the store that holds some of them. */
  batch: number;
  /** Whether a batch that holds some of them could not be written. */
  isLost: boolean;
}

function subscribeAll(
  connection: Connection,
  packet: Subscribe,
  items: readonly Item[],
): Promise<void> | undefined {
  const { session, core } = connection;
  const entered: Entered = { replays: [], batch: 0, isLost: false };
  const subscriptionId = packet.properties?.subscriptionIdentifier ?? 0;
  const done = inTurns(core.turn, items.length, (i) => {
    // The connection may have ended since the last turn, and its session with it.
    if (connection.state === 'connected' && session !== undefined)
      subscribeOne(connection, session, items[i]!, subscriptionId, entered);
    return undefined;
  });
  return after(done, () => {
    answer(connection, packet, items, entered);
    return undefined;
  });
}

function subscribeOne(
  connection: Connection,
  session: Session,
  item: Item,
  subscriptionId: number,
  entered: Entered,
): void {
  const { core } = session;
  // Here and not before, because the packet's own filters count.
  if (item.reasonCode < 0x80 && !hasRoom(session, item.fullFilter)) {
    deny(item, 0x97, `the limit of ${core.limits.subscriptionsPerClientMax} subscriptions is reached`);
  }
  if (item.reasonCode >= 0x80) {
    core.metrics.subscribeRefused++;
    const { fullFilter: filter, reasonCode, reason } = item;
    const clientId = connection.client?.clientId;
    core.logger.log('warn', 'subscribe-refused', { clientId, filter, reasonCode, reason });
    return;
  }
  const subscription = subscriptionOf(session, item, subscriptionId);
  item.subscription = subscription;
  item.replaced = enter(session, subscription); // [MQTT-3.8.4-3], [N42]
  // SUBACK waits for the last batch only; those before it have been written by then, or have failed.
  if (session.isPersistent && entered.batch !== core.gate.batch) {
    entered.batch = core.gate.batch;
    core.gate.undoOnFailure(() => {
      entered.isLost = true;
    });
  }
  const { retainHandling, shareName } = subscription;
  // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]; none for shared subscriptions [N41].
  if (shareName === '' && (retainHandling === 0 || (retainHandling === 1 && item.replaced === undefined)))
    entered.replays.push(subscription);
}

/** Whether the session may have one subscription more, or has this one already. */
function hasRoom({ core, subscriptions }: Session, fullFilter: string): boolean {
  const { subscriptionsPerClientMax } = core.limits;
  if (subscriptionsPerClientMax === 0 || subscriptions === undefined) return true;
  return subscriptions.size < subscriptionsPerClientMax || subscriptions.get(fullFilter) !== undefined;
}

/** Sends SUBACK and what follows it, when everything is stored. */
function answer(connection: Connection, packet: Subscribe, items: readonly Item[], entered: Entered): void {
  const { session, core, client, sender } = connection;
  if (connection.state !== 'connected' || session === undefined || client === undefined) return;
  // 3.1 has no code for a refusal: the filter is granted and delivers nothing. [V31-24]
  const codes = items.map(({ reasonCode, request }) =>
    reasonCode < 0x80 || sender.isV5 ? reasonCode : sender.version === 3 ? request.qos : 0x80,
  );
  const reason = items.find((item) => item.reason !== undefined)?.reason;
  const send = (reasonCodes: readonly number[]) => {
    const properties = sender.givesReasons && reason !== undefined ? { reasonString: reason } : undefined;
    const { packetId } = packet;
    return tell(connection, 'SUBACK', { type: PacketType.Suback, packetId, reasonCodes, properties }); // [MQTT-3.8.4-1]
  };
  const finish = () => {
    if (!send(codes)) return;
    for (const item of items) {
      if (item.reasonCode < 0x80)
        connection.listener.hooks.subscribed(client, item.fullFilter, item.reasonCode as QoS);
    }
    for (const subscription of entered.replays) core.retained.replay(session, subscription);
  };
  const isWritten = session.isPersistent && items.some(({ reasonCode }) => reasonCode < 0x80);
  if (!connection.mustWait(isWritten)) {
    finish();
    return;
  }
  const refuse = () => {
    for (const item of items) takeBack(session, item);
    send(codes.map(() => (sender.isV5 ? 0x97 : sender.version === 3 ? 0 : 0x80)));
    return true;
  };
  const sendStored = () => {
    if (entered.isLost) refuse();
    else finish();
  };
  connection.gate({ batch: 0, bytes: 0, send: sendStored, refuse }, isWritten);
}

function subscriptionOf(session: Session, item: Item, subscriptionId: number): Subscription<Subscriber> {
  const { filter, shareName } = splitFilter(item.fullFilter);
  const { noLocal, retainAsPublished, retainHandling } = item.request;
  const qos = item.reasonCode as QoS;
  const options = { filter, shareName, qos, noLocal, retainAsPublished, retainHandling, subscriptionId };
  return new Subscription<Subscriber>(session, options);
}

/** Adds a subscription to a session, and answers with the one that it replaces. */
function enter(
  session: Session,
  subscription: Subscription<Subscriber>,
): Subscription<Subscriber> | undefined {
  const { core } = session;
  const replaced = core.router.subscribe(subscription);
  session.addSubscription(subscription);
  if (session.isPersistent) {
    core.store.putSubscription(session.key, subscription.toStored());
    core.gate.touch();
  }
  return replaced;
}

/** A subscription that could not be stored makes way for the one before it, which the client still has. */
function takeBack(session: Session, { subscription, replaced }: Item): void {
  if (subscription === undefined) return;
  lost.set(subscription, replaced);
  const { fullFilter } = subscription;
  if (session.subscriptions?.get(fullFilter) !== subscription) return;
  let kept = replaced;
  while (kept !== undefined && lost.has(kept)) kept = lost.get(kept);
  if (kept === undefined) withdraw(session, fullFilter);
  else enter(session, kept);
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
