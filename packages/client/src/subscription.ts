// One subscription of the application: messages that wait for it, and how they are handed over, either to a loop that
// asks for the next one or to a handler. A message counts as done when the loop asks again or the handler has fulfilled.

import type { QoS } from '@tobymq/codec';
import type { Duration } from './duration.ts';
import { ClientError, hex, messageOf } from './errors.ts';
import { inHandMax } from './limits.ts';
import type { Message } from './message.ts';
import { reasonName } from './reason-names.ts';
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
  /** How many messages of QoS 0 wait for a slow consumer before further ones are dropped. */
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
  /** Removes it; resolves when the server has confirmed. */
  leave(subscription: Subscription<unknown, unknown>): Promise<void>;
  report(error: ClientError): void;
  countDropped(): void;
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
  #settleReady!: {
    resolve: (results: readonly FilterResult[]) => void;
    reject: (error: ClientError) => void;
  };
  #queue: Message<V, P>[] = [];
  #head = 0;
  #waiters: { resolve: (result: IteratorResult<Message<V, P>>) => void; reject: (error: unknown) => void }[] =
    [];
  #current: Message<V, P> | undefined;
  #runningCount = 0;
  #isEnded = false;
  #isDropping = false;
  #error: ClientError | undefined;
  #leaving: Promise<void> | undefined;
  #onEnd: (() => void)[] = [];

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
    return this.#queue.length - this.#head;
  }

  /** Internal: takes a message from the network. */
  push(message: Message<V, P>): void {
    if (this.#isEnded) {
      message.ack();
      return;
    }
    if (this.#handler !== undefined) {
      if (this.#runningCount < this.#concurrency && this.#head === this.#queue.length) {
        this.#run(message);
        return;
      }
    } else if (this.#waiters.length > 0) {
      if (this.#open(message)) {
        this.#current = message;
        this.#waiters.shift()!.resolve({ done: false, value: message });
      }
      return;
    }
    if (message.qos === 0 && this.pendingCount >= this.#inHand) {
      this.#drop(message);
      return;
    }
    this.#isDropping = false;
    this.#queue.push(message);
  }

  #drop(message: Message<V, P>): void {
    this.#owner.countDropped();
    if (this.#isDropping) return;
    this.#isDropping = true;
    this.#owner.report(
      new ClientError(
        'TOBYMQ_MESSAGE_DROPPED',
        `the consumer of ${this.filters.join(', ')} is too slow: ${this.#inHand} messages wait, further ones of QoS 0 are dropped`,
        { topic: message.topic },
      ),
    );
  }

  #shift(): Message<V, P> | undefined {
    const message = this.#queue[this.#head];
    if (message === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    return message;
  }

  /** Gives the message its value and parameters. A payload that is no such value is refused, reported and skipped. */
  #open(message: Message<V, P>): boolean {
    const pattern = this.#pattern;
    if (pattern === undefined) {
      (message as Message<unknown, unknown>).value = message.payload;
      (message as Message<unknown, unknown>).params = {};
      return true;
    }
    const params = pattern.match(message.topic);
    if (params === undefined) {
      message.ack();
      return false;
    }
    try {
      message.value = pattern.codec.decode(message.payload);
    } catch (cause) {
      message.reject(0x99);
      this.#owner.report(
        new ClientError(
          'TOBYMQ_VALUE_INVALID',
          `a message on ${message.topic} cannot be decoded: ${messageOf(cause)}`,
          {
            topic: message.topic,
            cause,
          },
        ),
      );
      return false;
    }
    message.params = params;
    return true;
  }

  #run(message: Message<V, P>): void {
    if (!this.#open(message)) return;
    let outcome: unknown;
    try {
      outcome = this.#handler!(message);
    } catch (error) {
      this.#fail(message, error);
      return;
    }
    if (!isThenable(outcome)) {
      if (!this.#isManual) message.ack();
      return;
    }
    this.#runningCount++;
    outcome.then(
      () => {
        if (!this.#isManual) message.ack();
        this.#runNext();
      },
      (error: unknown) => {
        this.#fail(message, error);
        this.#runNext();
      },
    );
  }

  #runNext(): void {
    this.#runningCount--;
    while (this.#runningCount < this.#concurrency) {
      const message = this.#shift();
      if (message === undefined) return;
      this.#run(message);
    }
  }

  /** The message stays unacknowledged; the server sends it again when the session is next resumed. */
  #fail(message: Message<V, P>, cause: unknown): void {
    message.abandon();
    this.#owner.report(
      new ClientError(
        'TOBYMQ_HANDLER_FAILED',
        `the handler of ${this.filters.join(', ')} failed for a message on ${message.topic}: ${messageOf(cause)}`,
        {
          topic: message.topic,
          cause,
        },
      ),
    );
  }

  /** The next message. Asking for it says that the one before is done. */
  next(): Promise<IteratorResult<Message<V, P>>> {
    this.#finishCurrent();
    for (;;) {
      const message = this.#shift();
      if (message === undefined) break;
      if (this.#open(message)) {
        this.#current = message;
        return Promise.resolve({ done: false, value: message });
      }
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  #finishCurrent(): void {
    if (!this.#isManual) this.#current?.ack();
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
    if (this.#isEnded) return;
    const left = this.#owner.leave(this as Subscription<unknown, unknown>);
    this.#finishCurrent();
    for (let message = this.#shift(); message !== undefined; message = this.#shift()) message.ack();
    this.end(undefined);
    await left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unsubscribe();
  }

  /** Internal: runs when the subscription is over, for whatever reason. */
  onEnd(callback: () => void): void {
    this.#onEnd.push(callback);
  }

  /** Internal: the end, by the application, by the server's refusal or by the end of the client. */
  end(error: ClientError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#settleReady.reject(
      error ?? new ClientError('TOBYMQ_CLOSED', 'the subscription was ended before the server answered'),
    );
    for (const waiter of this.#waiters.splice(0)) {
      if (error === undefined) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(error);
    }
    for (const callback of this.#onEnd.splice(0)) callback();
  }

  /** Internal: the server's answer for one filter, for the first time or after a reconnect. */
  onResult(filter: string, reasonCode: number, error: ClientError | undefined): void {
    const refusal =
      reasonCode < 0x80
        ? undefined
        : (error ??
          new ClientError(
            'TOBYMQ_SUBSCRIBE_REFUSED',
            `the server refused the subscription to ${filter} with ${hex(reasonCode)} ${reasonName(reasonCode)}`,
            {
              reasonCode,
              topic: filter,
            },
          ));
    this.#results.set(filter, { filter, reasonCode, isGranted: refusal === undefined, error: refusal });
    const results = this.filters.map((each) => this.#results.get(each));
    if (results.includes(undefined)) return;
    const known = results as FilterResult[];
    if (known.some((result) => result.isGranted)) {
      // Kept apart: those that were granted work, those that were refused are reported.
      if (refusal !== undefined || known.some((result) => !result.isGranted)) this.#reportRefused(known);
      this.#settleReady.resolve(known);
    } else {
      this.end(known[0]!.error);
    }
  }

  readonly #reported = new Set<string>();

  #reportRefused(results: readonly FilterResult[]): void {
    for (const { filter, error } of results) {
      if (error === undefined || this.#reported.has(filter)) continue;
      this.#reported.add(filter);
      this.#owner.report(error);
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
