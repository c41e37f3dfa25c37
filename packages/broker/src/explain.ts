// Answers the question that everybody has sooner or later: who gets a message to this topic, who does not, and why?

import { checkTopicName, matches, type QoS } from '@tobymq/codec';
import type { Core } from './core.ts';
import { topicInvalid } from './errors.ts';
import { connectionOf } from './inspect.ts';
import { isSysTopic } from './routing/levels.ts';
import { Session } from './session/session.ts';

/** What `broker.explain` is asked about. */
export interface ExplainOptions {
  /** Only about this receiver. */
  readonly clientId?: string | undefined;
  /** The client that would publish; its rules are asked. */
  readonly publisher?: string | undefined;
  /** Of the message. Default: 1. */
  readonly qos?: QoS | undefined;
}

/** What would become of one copy. */
export interface ReceiverExplanation {
  /** Empty for a subscription of the program itself. */
  readonly clientId: string;
  readonly filters: readonly string[];
  readonly qos: QoS;
  readonly outcome: 'delivered' | 'queued' | 'dropped' | 'one-of-group' | 'not-subscribed';
  readonly reason: string;
}

/** What would become of a message to a topic. */
export interface Explanation {
  readonly topic: string;
  /** Whether the publisher may publish, if one was named. */
  readonly publisher:
    | { readonly clientId: string; readonly isAllowed: boolean; readonly reason: string }
    | undefined;
  readonly receivers: readonly ReceiverExplanation[];
  readonly hasRetained: boolean;
}

export async function explain(core: Core, topic: string, options: ExplainOptions): Promise<Explanation> {
  const problem = checkTopicName(topic);
  if (problem !== undefined) throw topicInvalid('topic', topic, problem);
  const qos = options.qos ?? 1;
  const bySubscriber = new Map<string, ReceiverExplanation>();
  for (const subscription of core.router.subscriptionsOf(topic)) {
    const { subscriber } = subscription;
    const effective = qos < subscription.qos ? qos : subscription.qos;
    const before = bySubscriber.get(subscriber.clientId);
    const outcome = outcomeFor(
      core,
      subscriber instanceof Session ? subscriber : undefined,
      topic,
      effective,
      {
        isOwn: subscription.noLocal && options.publisher === subscriber.clientId,
        shareName: subscription.shareName,
      },
    );
    bySubscriber.set(subscriber.clientId, {
      clientId: subscriber.clientId,
      filters: [...(before?.filters ?? []), subscription.fullFilter],
      qos: before !== undefined && before.qos > effective ? before.qos : effective,
      ...(before === undefined || before.outcome === 'one-of-group' ? outcome : before),
    });
  }
  if (options.clientId !== undefined && !bySubscriber.has(options.clientId)) {
    bySubscriber.set(options.clientId, notSubscribed(core, options.clientId, topic));
  }
  const receivers = [...bySubscriber.values()].filter(
    ({ clientId }) => options.clientId === undefined || clientId === options.clientId,
  );
  const publisher =
    options.publisher === undefined ? undefined : await explainPublisher(core, options.publisher, topic, qos);
  return { topic, publisher, receivers, hasRetained: core.retained.get(topic) !== undefined };
}

type Outcome = Pick<ReceiverExplanation, 'outcome' | 'reason'>;

function outcomeFor(
  core: Core,
  session: Session | undefined,
  topic: string,
  qos: QoS,
  { isOwn, shareName }: { readonly isOwn: boolean; readonly shareName: string },
): Outcome {
  if (session === undefined) return { outcome: 'delivered', reason: 'a subscription inside the server' };
  if (isOwn) return { outcome: 'dropped', reason: 'it is the publisher, and its subscription is No Local' };
  const connection = connectionOf(session);
  if (connection?.client !== undefined && connection.listener.hooks.hasDeliveryRules) {
    const { isAllowed, reason } = connection.listener.hooks.mayReceive(connection.client, topic);
    if (!isAllowed) return { outcome: 'dropped', reason: reason ?? 'a rule does not let it read this topic' };
  }
  if (shareName !== '') {
    return {
      outcome: 'one-of-group',
      reason: `a member of the shared subscription "${shareName}": one of them gets it`,
    };
  }
  const { queueMessagesMax, queueBytesMax, queueQoS0 } = core.limits;
  const isFull = session.queuedMessages >= queueMessagesMax || session.queuedBytes >= queueBytesMax;
  if (connection !== undefined) {
    if (!connection.isCongested) return { outcome: 'delivered', reason: 'connected' };
    if (qos === 0) return { outcome: 'dropped', reason: 'connected, but it does not read what it is sent' };
    return isFull
      ? { outcome: 'dropped', reason: 'connected, but it does not read and its queue is full' }
      : { outcome: 'queued', reason: 'connected, but it does not read what it is sent' };
  }
  if (qos === 0 && !queueQoS0) return { outcome: 'dropped', reason: 'offline, and QoS 0 is not queued' };
  if (isFull)
    return {
      outcome: 'dropped',
      reason: `offline, and its queue of ${session.queuedMessages} messages is full`,
    };
  return { outcome: 'queued', reason: 'offline; it gets the message when it connects' };
}

/** Looks for the subscription that was probably meant. */
function notSubscribed(core: Core, clientId: string, topic: string): ReceiverExplanation {
  const session = core.sessions.get(clientId);
  const filters = [...(session?.subscriptions?.values() ?? [])].map(({ fullFilter }) => fullFilter);
  const other = filters.find((filter) => matches(filter.toLowerCase(), topic.toLowerCase()));
  const reason =
    session === undefined
      ? 'there is no session with this client id'
      : other !== undefined
        ? `its filter "${other}" differs in upper and lower case`
        : `none of its ${filters.length} filters matches`;
  return { clientId, filters, qos: 0, outcome: 'not-subscribed', reason };
}

async function explainPublisher(
  core: Core,
  clientId: string,
  topic: string,
  qos: QoS,
): Promise<NonNullable<Explanation['publisher']>> {
  if (isSysTopic(topic))
    return { clientId, isAllowed: false, reason: 'topics below $SYS are written by the server only' };
  const connection = connectionOf(core.sessions.get(clientId));
  if (connection?.client === undefined) {
    return { clientId, isAllowed: false, reason: 'the client is not connected, so its rules are not known' };
  }
  const request = { topic, payload: new Uint8Array(0), qos, retain: false, properties: undefined };
  const decision = await connection.listener.hooks.mayPublish(connection.client, request);
  const reason = decision.reason ?? (decision.isAllowed ? 'no rule forbids it' : 'a rule forbids it');
  return { clientId, isAllowed: decision.isAllowed, reason };
}
