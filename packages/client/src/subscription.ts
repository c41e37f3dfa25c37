// One subscription of the application: messages that wait for it, and how they are handed over, either to a loop that
// asks for the next one or to a handler. A message counts as done when the loop asks again or the handler has fulfilled.

import type { QoS } from '@tobymq/codec';
import type { Duration } from './duration.ts';
import { ClientError, causedBy } from './errors.ts';
import { inHandBytesMax, inHandMax } from './limits.ts';
import { type Message, payloadSize } from './message.ts';
import { Queue } from './queue.ts';
import { serverError } from './reason-names.ts';
import type { TopicPattern } from './topic.ts';

/** How to subscribe. */
export interface SubscribeOptions {
  /** The highest QoS in which messages are delivered; 1 unless given. */
  readonly qos?: QoS;
  /** Join the shared subscription of this name: each message goes to one of its members. */
  readonly share?: string;
  /** Do not send me what I publish myself. 5.0 only. */
  readonly noLocal?: boolean;
  /** Keep the retain flag as it was published. 5.0 only. */
  readonly retainAsPublished?: boolean;
  /** Whether retained messages are sent at the beginning: `always` (the default), only for a `new` subscription, or `never`. 5.0 only. */
  readonly retained?: 'always' | 'new' | 'never';
  /** `manual`: call `message.ack()` yourself. */
  readonly ack?: 'auto' | 'manual';
  /** How many messages of QoS 0 wait for a slow consumer before further ones are dropped; never more than 64 MiB. */
  readonly inHand?: number;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
  /** How long `ready` waits for the server's answer. */
  readonly timeout?: Duration;
}

export interface HandlerOptions extends SubscribeOptions {
  /** How many messages are handled at the same time; 1 unless given, which keeps their order. */
  readonly concurrency?: number;
}

/** Handles one message. A promise is waited for. */
export type MessageHandler<V, P> = (message: Message<V, P>) => unknown;

/** The server's answer for one filter. */
export interface FilterResult {
  readonly filter: string;
  /** The granted QoS, or a failure of 0x80 and above. */
  readonly reasonCode: number;
  readonly isGranted: boolean;
  /** Why it was refused. */
  readonly error: ClientError | undefined;
}

/** What a subscription needs of the client. */
export interface SubscriptionOwner {
  readonly subscriptions: {
    /** Resolves when the server has confirmed. */
    remove(subscription: Subscription<unknown, unknown>): Promise<void>;
  };
  report(error: ClientError): void;
  /** Counts messages that found no room. */
  droppedCount: number;
}

/**
 * A subscription. Loop over it with `for await`; leaving the loop unsubscribes.
 *
 * @example
 * const subscription = client.subscribe('rooms/+/light');
 * for (const result of await subscription.ready) console.log(result.filter, result.reasonCode);
 * for await (const message of subscription) console.log(message.topic, message.text);
 */
export class Subscription<V = Uint8Array, P = Readonly<Record<string, string>>>
  implements AsyncIterableIterator<Message<V, P>>, AsyncDisposable
{
  /** The topic filters as the server knows them. */
  readonly filters: readonly string[];
  /**
   * The server's answer for each filter. Rejects if all were refused; if only some were, the others work and the
   * refused ones are found here.
   */
  readonly ready: Promise<readonly FilterResult[]>;
  readonly #owner: SubscriptionOwner;
  readonly #pattern: TopicPattern<V, P> | undefined;
  readonly #handler: MessageHandler<V, P> | undefined;
  readonly #concurrency: number;
  readonly #isManual: boolean;
  readonly #inHand: number;
  readonly #results = new Map<string, FilterResult>();
  #wasGranted = false;
  /** Filters whose refusal was reported. */
  readonly #reported = new Set<string>();
  #settleReady!: {
    resolve: (results: readonly FilterResult[]) => void;
    reject: (error: ClientError) => void;
  };
  readonly #queue = new Queue<Message<V, P>>(payloadSize);
  /** Calls of `next` that wait for a message. */
  readonly #waiters: {
    resolve: (result: IteratorResult<Message<V, P>>) => void;
    reject: (error: unknown) => void;
  }[] = [];
  #current: Message<V, P> | undefined;
  #runningCount = 0;
  #isEnded = false;
  #isDropping = false;
  #error: ClientError | undefined;
  #leaving: Promise<void> | undefined;
  #onEnd: ((error: ClientError | undefined) => void)[] = [];

  constructor(
    owner: SubscriptionOwner,
    filters: readonly string[],
    pattern: TopicPattern<V, P> | undefined,
    handler: MessageHandler<V, P> | undefined,
    options: HandlerOptions,
  ) {
    this.filters = filters;
    this.#owner = owner;
    this.#pattern = pattern;
    this.#handler = handler;
    this.#concurrency = options.concurrency ?? 1;
    this.#isManual = options.ack === 'manual';
    this.#inHand = options.inHand ?? inHandMax;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    // Whoever does not look at `ready` learns of a refusal from the loop, or by the error report.
    this.ready.catch(() => {});
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Messages that wait here. */
  get pendingCount(): number {
    return this.#queue.length;
  }

  /** Internal: takes a message from the network. */
  push(message: Message<V, P>): void {
    if (this.#isEnded) {
      message.ack();
    } else if (this.#queue.length === 0 && this.#hasTaker) {
      this.#take(message);
    } else if (message.qos === 0 && !this.#queue.fits(message, this.#inHand, inHandBytesMax)) {
      this.#drop(message);
    } else {
      this.#isDropping = false;
      this.#queue.push(message);
    }
  }

  /** Whether the handler or the loop is ready for a message. */
  get #hasTaker(): boolean {
    return this.#handler === undefined ? this.#waiters.length > 0 : this.#runningCount < this.#concurrency;
  }

  /** Hands over what waits, as far as somebody takes it; a loop that has had all of it learns of the end. */
  #serve(): void {
    while (this.#queue.length > 0 && this.#hasTaker) this.#take(this.#queue.shift()!);
    if (!this.#isEnded) return;
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#error === undefined) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(this.#error);
    }
  }

  #take(message: Message<V, P>): void {
    if (!this.#open(message)) return;
    if (this.#handler !== undefined) {
      this.#run(message, this.#handler);
    } else {
      // Whoever has asked for several at once is done with each when the next one comes.
      this.#finishCurrent();
      this.#current = message;
      this.#waiters.shift()!.resolve({ done: false, value: message });
    }
  }

  #drop(message: Message<V, P>): void {
    this.#owner.droppedCount++;
    if (this.#isDropping) return;
    this.#isDropping = true;
    const what = `the consumer of ${this.filters.join(', ')} is too slow: ${this.#queue.length} messages of ${this.#queue.bytes} bytes wait, further ones of QoS 0 are dropped`;
    this.#owner.report(new ClientError('TOBYMQ_MESSAGE_DROPPED', what, { topic: message.topic }));
  }

  /** Gives the message its value and parameters. A payload that is no such value is refused, reported and skipped. */
  #open(message: Message<V, P>): boolean {
    const pattern = this.#pattern;
    const { topic } = message;
    if (pattern === undefined) {
      (message as Message<unknown, unknown>).value = message.payload;
      (message as Message<unknown, unknown>).params = {};
      return true;
    }
    const params = pattern.match(topic);
    if (params === undefined) {
      message.ack();
      return false;
    }
    message.params = params;
    try {
      message.value = pattern.codec.decode(message.payload);
      return true;
    } catch (cause) {
      message.reject(0x99);
      const what = `a message on ${topic} cannot be decoded`;
      this.#owner.report(causedBy(cause, 'TOBYMQ_VALUE_INVALID', what, topic));
      return false;
    }
  }

  #run(message: Message<V, P>, handler: MessageHandler<V, P>): void {
    try {
      const outcome = handler(message);
      if (isThenable(outcome)) void this.#await(message, outcome);
      else this.#finish(message);
    } catch (cause) {
      this.#fail(message, cause);
    }
  }

  async #await(message: Message<V, P>, outcome: PromiseLike<unknown>): Promise<void> {
    this.#runningCount++;
    try {
      await outcome;
      this.#finish(message);
    } catch (cause) {
      this.#fail(message, cause);
    }
    this.#runningCount--;
    this.#serve();
  }

  #finish(message: Message<V, P> | undefined): void {
    if (!this.#isManual) message?.ack();
  }

  /** The message stays unacknowledged; the server sends it again when the session is next resumed. */
  #fail(message: Message<V, P>, cause: unknown): void {
    const { topic } = message;
    message.abandon();
    const what = `the handler of ${this.filters.join(', ')} failed for a message on ${topic}`;
    this.#owner.report(causedBy(cause, 'TOBYMQ_HANDLER_FAILED', what, topic));
  }

  /** The next message. Asking for it says that the one before is done. */
  next(): Promise<IteratorResult<Message<V, P>>> {
    this.#finishCurrent();
    // A loop that lags behind finds its next message here, for which this is a third faster.
    while (this.#queue.length > 0) {
      const message = this.#queue.shift()!;
      if (!this.#open(message)) continue;
      this.#current = message;
      return Promise.resolve({ done: false, value: message });
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#serve();
    });
  }

  #finishCurrent(): void {
    this.#finish(this.#current);
    this.#current = undefined;
  }

  /**
   * Leaving the loop unsubscribes. The message in hand and those that wait count as done, but their acknowledgement
   * leaves at the end of this turn: if the loop was left by an exception that ends the process, they were not
   * acknowledged and come again.
   */
  return(): Promise<IteratorResult<Message<V, P>>> {
    // The loop does not wait for the server, and a refusal is no exception of the loop.
    this.unsubscribe().catch((error: ClientError) => this.#owner.report(error));
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the subscription; resolves when the server has confirmed it, or at once while there is no connection. */
  unsubscribe(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  async #leave(): Promise<void> {
    const left = this.#isEnded
      ? undefined
      : this.#owner.subscriptions.remove(this as Subscription<unknown, unknown>);
    // Also when the server or a timeout has ended it: unacknowledged they would hold up those of all others.
    this.#finishCurrent();
    for (const message of this.#queue.items) message.ack();
    this.#queue.items = [];
    this.end(undefined);
    await left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unsubscribe();
  }

  /** Internal: runs when the subscription is over, for whatever reason; at once if it already is. */
  onEnd(callback: (error: ClientError | undefined) => void): void {
    if (this.#isEnded) callback(this.#error);
    else this.#onEnd.push(callback);
  }

  /** Internal: `ready` is not waited for any longer, while a loop just ends. */
  giveUpReady(error: ClientError): void {
    this.#settleReady.reject(error);
  }

  /** Internal: the end, by the application, by the server's refusal or by the end of the client. */
  end(error: ClientError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#settleReady.reject(
      error ?? new ClientError('TOBYMQ_CLOSED', 'the subscription was ended before the server answered'),
    );
    this.#serve();
    for (const callback of this.#onEnd.splice(0)) callback(error);
  }

  /** Internal: the server's answer for one filter, for the first time or after a reconnect. */
  onResult(filter: string, reasonCode: number, error: ClientError | undefined): void {
    const isGranted = reasonCode < 0x80;
    const what = `refused the subscription to ${filter}`;
    const refusal = isGranted
      ? undefined
      : (error ?? serverError('TOBYMQ_SUBSCRIBE_REFUSED', what, reasonCode, undefined, filter));
    this.#results.set(filter, { filter, reasonCode, isGranted, error: refusal });
    const results = this.filters.map((each) => this.#results.get(each));
    if (results.includes(undefined)) return;
    const known = results as FilterResult[];
    const isAlive = known.some((result) => result.isGranted);
    // Kept apart: those that were granted work, those that were refused are reported. If none is left, `ready` or the loop
    // says so; but a handler that was served until now has neither.
    if (isAlive || (this.#wasGranted && this.#handler !== undefined))
      for (const result of known) this.#reportRefusal(result);
    this.#wasGranted = isAlive;
    if (isAlive) this.#settleReady.resolve(known);
    else this.end(known[0]!.error);
  }

  #reportRefusal({ filter, error }: FilterResult): void {
    if (error === undefined || this.#reported.has(filter)) return;
    this.#reported.add(filter);
    this.#owner.report(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
