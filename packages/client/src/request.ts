// Request and response over two messages. In 5.0 the request carries a Response Topic and Correlation Data, as the
// standard provides. Before 5.0 messages have no properties, so by our convention the two travel in the topic:
//
//     request    <topic>/request/<who asks>/<number>
//     response   <topic>/response/<who asks>/<number>      the payload is the answer
//                <topic>/error/<who asks>/<number>         the payload says what went wrong
//
// `serve()` listens to both forms, so clients of all versions reach the same responders.

import { ReasonCode } from '@tobymq/codec';
import type { Client } from './client.ts';
import { type Duration, milliseconds } from './duration.ts';
import { ClientError, messageOf } from './errors.ts';
import type { Message } from './message.ts';
import type { PublishOptions } from './outgoing-message.ts';
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

const DEFAULT_TIMEOUT_MS = 10_000;
const CORRELATION_BYTES = 8;

interface Waiting {
  readonly topic: string;
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The asking side of one client: one subscription for all answers, and the questions that are open. */
export class Requests {
  readonly #client: Client;
  readonly #waiting = new Map<string, Waiting>();
  /** Names this asker in response topics; random, because client identifiers may be guessed. */
  readonly #name = randomHex(12);
  readonly #replySubscriptions = new Map<string, Promise<unknown>>();
  #count = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  async ask<Q, R>(target: RpcAddress<Q, R>, value: Q, options: RequestOptions): Promise<R> {
    const { address, response } = target;
    const payload = await this.#ask(address, value, options);
    try {
      return response.decode(payload);
    } catch (cause) {
      const what = `the answer of ${address.name} cannot be decoded: ${messageOf(cause)}`;
      throw new ClientError('TOBYMQ_VALUE_INVALID', what, { topic: address.name, cause });
    }
  }

  /** Ends every open question. */
  failAll(error: ClientError): void {
    for (const { reject } of [...this.#waiting.values()]) reject(error);
  }

  async #ask<Q>(address: TopicAddress<Q>, value: Q, options: RequestOptions): Promise<Uint8Array> {
    const { name } = address;
    const { signal, qos = 1 } = options;
    const timeoutMs = milliseconds(options.timeout ?? DEFAULT_TIMEOUT_MS, 'timeout');
    const payload = encodeValue(address.codec, value, name);
    const correlation = this.#nextCorrelation();
    const answer = this.#wait(correlation, name, timeoutMs, signal);
    try {
      const isV5 = this.#client.protocolVersion === 5;
      // Subscribed before the question is sent, or a quick answer would find nobody.
      await Promise.race([this.#listen(name, isV5), answer]);
      const published = isV5
        ? this.#client.publish(name, payload, {
            qos,
            responseTopic: this.#replyTopic(),
            correlationData: fromHex(correlation),
            ...(address.codec.contentType === undefined ? {} : { contentType: address.codec.contentType }),
          })
        : this.#client.publish(`${name}/request/${this.#name}/${correlation}`, payload, { qos });
      published.then(
        ({ reasonCode }) => {
          if (reasonCode === ReasonCode.NoMatchingSubscribers) this.#fail(correlation, noResponder(name));
        },
        (error) => this.#fail(correlation, error),
      );
    } catch (error) {
      this.#fail(correlation, error);
    }
    return answer;
  }

  #nextCorrelation(): string {
    this.#count++;
    return this.#count.toString(16).padStart(CORRELATION_BYTES * 2, '0');
  }

  #wait(
    correlation: string,
    topicName: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#fail(
          correlation,
          new ClientError('TOBYMQ_ABORTED', `the request to ${topicName} was aborted`, {
            topic: topicName,
            cause: signal?.reason,
          }),
        );
      };
      const timer = setTimeout(() => {
        const what = `no answer from ${topicName} within ${timeoutMs} ms`;
        this.#fail(correlation, new ClientError('TOBYMQ_TIMEOUT', what, { topic: topicName }));
      }, timeoutMs);
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waiting.delete(correlation);
      };
      this.#waiting.set(correlation, {
        topic: topicName,
        resolve: (payload) => {
          finish();
          resolve(payload);
        },
        reject: (error) => {
          finish();
          reject(error);
        },
      });
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted === true) onAbort();
    });
  }

  #fail(correlation: string, error: unknown): void {
    this.#waiting.get(correlation)?.reject(error);
  }

  #replyTopic(): string {
    // [MQTT-3.1.2-28] A server may tell where its clients should expect answers.
    const prefix = this.#client.server?.responseInformation;
    return prefix === undefined ? `response/${this.#name}` : `${prefix}/${this.#name}`;
  }

  /** Subscribes to the answers, once for each place where they come. */
  #listen(name: string, isV5: boolean): Promise<unknown> {
    const filters = isV5
      ? [this.#replyTopic()]
      : [`${name}/response/${this.#name}/+`, `${name}/error/${this.#name}/+`];
    const key = filters.join(' ');
    const known = this.#replySubscriptions.get(key);
    if (known !== undefined) return known;
    const subscribed = this.#client.on(filters, (message) => this.#onAnswer(message, name, isV5), { qos: 1 });
    this.#replySubscriptions.set(key, subscribed);
    subscribed.catch(() => this.#replySubscriptions.delete(key));
    return subscribed;
  }

  #onAnswer(message: Message, name: string, isV5: boolean): void {
    const { correlationData, userProperties } = message.properties ?? {};
    const levels = message.topic.split('/');
    const correlation = isV5 ? toHex(correlationData) : (levels.at(-1) ?? '');
    const waiting = this.#waiting.get(correlation);
    // An answer that came too late, or to a question that was never asked.
    if (waiting === undefined) return;
    const isError = isV5
      ? userProperties?.some(([key, value]) => key === 'status' && value === 'error') === true
      : message.topic.startsWith(`${name}/error/`);
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
    const target = answerTarget(message);
    // Nobody waits for an answer: do the work all the same.
    let payload: string | Uint8Array;
    try {
      payload = response.encode(await handler(message.value, message));
    } catch (error) {
      await target?.sendError(client, messageOf(error), qos);
      return;
    }
    await target?.send(client, payload, response.contentType, qos);
  };
  return Promise.all([
    client.on(request, answer, subscribeOptions),
    client.on(suffixed, answer, subscribeOptions),
  ]);
}

interface AnswerTarget {
  send(
    client: Client,
    payload: string | Uint8Array,
    contentType: string | undefined,
    qos: 0 | 1 | 2,
  ): Promise<unknown>;
  sendError(client: Client, reason: string, qos: 0 | 1 | 2): Promise<unknown>;
}

function answerTarget(message: Message<unknown, unknown>): AnswerTarget | undefined {
  const { responseTopic, correlationData } = message.properties ?? {};
  if (responseTopic !== undefined) {
    const correlation = correlationData === undefined ? {} : { correlationData: correlationData.slice() };
    return {
      send: (client, payload, contentType, qos) =>
        client.publish(responseTopic, payload, {
          qos,
          ...correlation,
          ...(contentType === undefined ? {} : { contentType }),
        }),
      sendError: (client, reason, qos) =>
        client.publish(responseTopic, reason, { qos, ...correlation, userProperties: [['status', 'error']] }),
    };
  }
  const suffix = /^(.*)\/request\/([^/]+\/[^/]+)$/s.exec(message.topic);
  if (suffix === null) return undefined;
  const [, name, address] = suffix;
  return {
    send: (client, payload, _contentType, qos) =>
      client.publish(`${name}/response/${address}`, payload, { qos }),
    sendError: (client, reason, qos) => client.publish(`${name}/error/${address}`, reason, { qos }),
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

function noResponder(name: string): ClientError {
  return new ClientError('TOBYMQ_NO_RESPONDER', `nobody serves ${name}`, {
    topic: name,
    reasonCode: ReasonCode.NoMatchingSubscribers,
  });
}

function randomHex(length: number): string {
  return toHex(crypto.getRandomValues(new Uint8Array(length)));
}

function toHex(data: Uint8Array | undefined): string {
  return Array.from(data ?? [], (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
