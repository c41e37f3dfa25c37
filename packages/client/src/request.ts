// Request and response over two messages. In 5.0 the request carries a Response Topic and Correlation Data, as the
// standard provides. Before 5.0 messages have no properties, so by our convention the two travel in the topic:
//
//     request    <topic>/request/<who asks>/<number>
//     response   <topic>/response/<who asks>/<number>      the payload is the answer
//                <topic>/error/<who asks>/<number>         the payload says what went wrong
//
// `serve()` listens to both forms, so clients of all versions reach the same responders.

import { ReasonCode } from '@tobymq/codec';
import { limitCall } from './call-limits.ts';
import type { Client } from './client.ts';
import type { Clock } from './clock.ts';
import type { CoreListener } from './core.ts';
import type { Duration } from './duration.ts';
import { ClientError, type ClientErrorCode, causedBy, messageOf } from './errors.ts';
import type { Message } from './message.ts';
import { bytesOf, type Payload, type PublishOptions } from './outgoing-message.ts';
import type { Subscription } from './subscription.ts';
import { encodeValue, type TopicAddress, type TopicParams, TopicPattern, topic } from './topic.ts';
import { bytes, type ValueCodec } from './value-codecs.ts';

/** A topic that answers: what a request carries and what comes back. */
export class Rpc<Q, R, P> {
  readonly request: TopicPattern<Q, P>;
  readonly response: ValueCodec<R>;

  constructor(request: TopicPattern<Q, P>, response: ValueCodec<R>) {
    this.request = request;
    this.response = response;
  }

  /** The address to ask, for a topic with parameters. */
  at(...args: Parameters<TopicPattern<Q, P>['at']>): RpcAddress<Q, R> {
    return { address: this.request.at(...args), response: this.response };
  }
}

/** One place to ask. */
export interface RpcAddress<Q, R> {
  readonly address: TopicAddress<Q>;
  readonly response: ValueCodec<R>;
}

/**
 * Declares a topic that answers.
 *
 * @example
 * const scale = rpc('math/scale', json<{ value: number; by: number }>(), json<number>());
 */
export function rpc<const T extends string, Q, R>(
  template: T,
  request: ValueCodec<Q>,
  response: ValueCodec<R>,
): Rpc<Q, R, TopicParams<T>> {
  return new Rpc(topic(template, request), response);
}

export interface RequestOptions extends Pick<PublishOptions, 'qos' | 'signal'> {
  /** How long to wait for the answer; 10 s unless given. */
  readonly timeout?: Duration;
}

const defaultTimeout = '10 s';
const decoder = new TextDecoder();

interface Waiting {
  readonly topic: string;
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The asking side of one client: one subscription for all answers, and the questions that are open. */
export class Requests implements CoreListener {
  readonly #client: Client;
  readonly #clock: Clock;
  /** By the number of the question, which is its correlation data. */
  readonly #waiting = new Map<string, Waiting>();
  /** Names this asker in response topics; random, because client identifiers may be guessed. */
  readonly #name = crypto.getRandomValues(new Uint32Array(3)).join('-');
  readonly #replySubscriptions = new Map<string, Subscription | Promise<Subscription>>();
  #count = 0;
  /** The form of questions. It is that of the last connection, because a version that has worked stays. */
  #isV5 = false;

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async ask<Q, R>(target: RpcAddress<Q, R>, value: Q, options: RequestOptions): Promise<R> {
    const { address, response } = target;
    const { name } = address;
    const question = encodeValue(address.codec, value, name);
    const number = `${++this.#count}`;
    const answer = this.#wait(number, name, options);
    // An answer may come before the acknowledgement of the question, and a timeout before either.
    await Promise.race([this.#send(number, address, question, options.qos), answer]).catch((error) =>
      this.#waiting.get(number)?.reject(error),
    );
    const payload = await answer;
    try {
      return response.decode(payload);
    } catch (cause) {
      throw causedBy(cause, 'TOBYMQ_VALUE_INVALID', `the answer of ${name} cannot be decoded`, name);
    }
  }

  onConnected(): void {
    this.#isV5 = this.#client.protocolVersion === 5;
  }

  /** The client has ended, and with it every open question. */
  onEnd(error: ClientError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }

  /** The answer to a question, for as long as its timeout and signal allow. */
  #wait(number: string, topicName: string, options: RequestOptions): Promise<Uint8Array> {
    const limits = { signal: options.signal, timeout: options.timeout ?? defaultTimeout };
    let forgetLimits = (): void => {};
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting.set(number, { topic: topicName, resolve, reject });
      forgetLimits = limitCall(this.#clock, limits, `no answer from ${topicName}`, topicName, reject);
    });
    return answer.finally(() => {
      forgetLimits();
      this.#waiting.delete(number);
    });
  }

  /** Sends a question; rejects if it is known that nobody will answer. */
  async #send(
    number: string,
    { name, codec }: TopicAddress<unknown>,
    question: Payload,
    qos: PublishOptions['qos'] = 1,
  ): Promise<void> {
    // Before the first connection nobody knows which form the question takes.
    await this.#client.whenConnected();
    const isV5 = this.#isV5;
    // Subscribed before the question is sent, or a quick answer would find nobody.
    await this.#listen(name, isV5);
    if (!this.#waiting.has(number)) return;
    const { contentType } = codec;
    const { reasonCode } = await (isV5
      ? this.#client.publish(name, question, {
          qos,
          contentType,
          responseTopic: this.#replyTopic(),
          correlationData: bytesOf(number),
        })
      : this.#client.publish(`${name}/request/${this.#name}/${number}`, question, { qos }));
    if (reasonCode === ReasonCode.NoMatchingSubscribers)
      throw new ClientError('TOBYMQ_NO_RESPONDER', `nobody serves ${name}`, { topic: name, reasonCode });
  }

  #replyTopic(): string {
    // [MQTT-3.1.2-28] A server may tell where its clients should expect answers.
    return `${this.#client.server?.responseInformation ?? 'response'}/${this.#name}`;
  }

  /** Subscribes to the answers, once for each place where they come. */
  #listen(name: string, isV5: boolean): Subscription | Promise<Subscription> {
    const filters = isV5
      ? [this.#replyTopic()]
      : [`${name}/response/${this.#name}/+`, `${name}/error/${this.#name}/+`];
    const key = filters.join(' ');
    const known = this.#replySubscriptions.get(key);
    // One that the server has refused later, on another connection, has ended.
    if (known !== undefined && (known instanceof Promise || !known.isEnded)) return known;
    const subscribed = this.#client.on(filters, (message) => this.#onAnswer(message, name, isV5), { qos: 1 });
    this.#replySubscriptions.set(key, subscribed);
    subscribed.then(
      (subscription) => this.#replySubscriptions.set(key, subscription),
      () => this.#replySubscriptions.delete(key),
    );
    return subscribed;
  }

  #onAnswer(message: Message, name: string, isV5: boolean): void {
    const { topic: from, properties } = message;
    const number = isV5 ? decoder.decode(properties?.correlationData) : from.split('/').at(-1)!;
    const waiting = this.#waiting.get(number);
    // An answer that came too late, or to a question that was never asked.
    if (waiting === undefined) return;
    const isError = isV5
      ? properties?.userProperties?.some(([key, value]) => key === 'status' && value === 'error')
      : from.startsWith(`${name}/error/`);
    if (isError) {
      const what = `${waiting.topic} answered with an error: ${message.text}`;
      waiting.reject(new ClientError('TOBYMQ_REQUEST_FAILED', what, { topic: waiting.topic }));
    } else {
      waiting.resolve(message.payload);
    }
  }
}

export interface ServeOptions {
  /** Share the requests among all who serve under this name. */
  readonly share?: string;
  /** How many requests are worked on at the same time; 8 unless given. */
  readonly concurrency?: number;
  readonly qos?: 0 | 1 | 2;
  readonly signal?: AbortSignal;
}

/** Answers one request. What it throws goes back to the asker as an error with that message. */
export type RequestHandler<Q, R, P> = (value: Q, request: Message<Q, P>) => R | Promise<R>;

/** Serves requests until the returned subscriptions are ended. */
export async function serveRequests<Q, R, P>(
  client: Client,
  service: Rpc<Q, R, P>,
  handler: RequestHandler<Q, R, P>,
  options: ServeOptions,
): Promise<readonly Subscription<Q, P>[]> {
  const { qos = 1, concurrency = 8 } = options;
  const { request, response } = service;
  const subscribeOptions = { ...options, qos, concurrency };
  const suffixed = new TopicPattern<Q, P>(`${request.template}/request/{__asker}/{__number}`, request.codec);
  const answer = async (message: Message<Q, P>): Promise<void> => {
    const send = answerTo(client, message, qos, response.contentType);
    let payload: Payload;
    try {
      payload = response.encode(await handler(message.value, message));
    } catch (error) {
      await send(messageOf(error), true);
      return;
    }
    await send(payload, false);
  };
  const forms = [client.on(request, answer, subscribeOptions), client.on(suffixed, answer, subscribeOptions)];
  try {
    return await Promise.all(forms);
  } catch (error) {
    // Half a service would go on with nobody who could end it.
    for (const form of forms) form.then((subscription) => subscription.return()).catch(() => {});
    throw error;
  }
}

/** Why an answer cannot be published, now or later: who asks chooses its topic, and the handler its size. */
const answerRefusals: ReadonlySet<ClientErrorCode> = new Set([
  'TOBYMQ_PUBLISH_REFUSED',
  'TOBYMQ_PUBLISH_INVALID',
  'TOBYMQ_TOPIC_INVALID',
  'TOBYMQ_SERVER_LIMIT',
]);

/** How the answer to a request is sent. If nobody waits for one the work is done all the same. */
function answerTo(
  client: Client,
  message: Message<unknown, unknown>,
  qos: PublishOptions['qos'],
  contentType: string | undefined,
): (payload: Payload, isError: boolean) => Promise<unknown> {
  const { responseTopic, correlationData } = message.properties ?? {};
  const [, name, asker] = /^(.*)\/request\/([^/]+\/[^/]+)$/s.exec(message.topic) ?? [];
  return async (payload, isError) => {
    try {
      if (responseTopic !== undefined) {
        const kind = isError ? { userProperties: { status: 'error' } } : { contentType };
        await client.publish(responseTopic, payload, { qos, correlationData, ...kind });
      } else if (name !== undefined) {
        await client.publish(`${name}/${isError ? 'error' : 'response'}/${asker}`, payload, { qos });
      }
    } catch (error) {
      // Unacknowledged, such requests would fill the receive window, and nobody would be answered any more.
      if (error instanceof ClientError && answerRefusals.has(error.code)) message.ack();
      throw error;
    }
  };
}

/** What `client.request()` was given, as an address. */
export function rpcAddress<Q, R>(target: string | RpcAddress<Q, R> | Rpc<Q, R, unknown>): RpcAddress<Q, R> {
  if (typeof target === 'string') {
    const address = topic(target).at() as unknown as TopicAddress<Q>;
    return { address, response: bytes as unknown as ValueCodec<R> };
  }
  if (target instanceof Rpc) return { address: target.request.at(), response: target.response };
  return target;
}
