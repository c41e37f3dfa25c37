// The client as applications use it: publish, subscribe, and the life of the connection as data. The work is done by
// the parts behind `Core`; here are the names, the types and the checks of what the caller gave.

import type { ConnackProperties, ProtocolVersion } from '@tobymq/codec';
import { abortError, limitCall, onAbort } from './call-limits.ts';
import { Core } from './core.ts';
import { type Duration, milliseconds } from './duration.ts';
import { ClientError } from './errors.ts';
import { type AnySubscription, fullFilters } from './filters.ts';
import { defaultDrainMs } from './limits.ts';
import type { Message } from './message.ts';
import type { Settings } from './options.ts';
import {
  type MessageInput,
  outgoingMessage,
  type Payload,
  type PublishOptions,
  type PublishResult,
} from './outgoing-message.ts';
import {
  type RequestHandler,
  type RequestOptions,
  Requests,
  type Rpc,
  type RpcAddress,
  rpcAddress,
  type ServeOptions,
  serveRequests,
} from './request.ts';
import type { ConnectionState } from './states.ts';
import {
  type HandlerOptions,
  type MessageHandler,
  type SubscribeOptions,
  Subscription,
} from './subscription.ts';
import { TopicAddress, TopicPattern } from './topic.ts';
import { View, type ViewOptions } from './view.ts';

/** What the server said about this connection. */
export interface ServerInfo extends ConnackProperties {
  readonly sessionPresent: boolean;
}

/** Counters and gauges of a client. */
export interface ClientStats {
  readonly messagesSent: number;
  readonly messagesReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Connections that were accepted. */
  readonly connects: number;
  /** Waiting for the network. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** Sent with QoS 1 or 2 and not yet acknowledged. */
  readonly openOutgoing: number;
  /** Received with QoS 1 or 2 and not yet acknowledged by us. */
  readonly openIncoming: number;
  /** Received and matched by no subscription. */
  readonly unclaimed: number;
  readonly subscriptions: number;
  /** Our own messages that expired, did not fit or were too large. */
  readonly droppedOutgoing: number;
  /** Received messages of QoS 0 whose consumer was too slow. */
  readonly droppedIncoming: number;
}

/** How `close()` ends the client. */
export interface CloseOptions {
  /** Wait until all messages are acknowledged: up to ten seconds, or as long as is said here. */
  readonly drain?: boolean | Duration;
  /** Let the server publish the will although this end is intended. 5.0 only. */
  readonly sendWill?: boolean;
}

type Filters = string | readonly string[];
type PlainParams = Readonly<Record<string, string>>;
const withWill = 0x04;

/**
 * An MQTT client. `connect()` makes one.
 *
 * @example
 * await using client = await connect('mqtt://localhost');
 * await client.publish('hello', 'world', { qos: 1 });
 * for await (const message of client.subscribe('news/#')) console.log(message.topic, message.text);
 */
export class Client implements AsyncDisposable {
  readonly #core: Core;
  readonly #requests: Requests;

  /** Use `connect()` or `createClient()`. */
  constructor(settings: Settings) {
    this.#core = new Core(settings);
    this.#requests = new Requests(this, settings.clock);
    this.#core.listeners.add(this.#requests);
  }

  /** Where the client is in its life. */
  get state(): ConnectionState {
    return this.#core.supervisor.states.current;
  }

  get connected(): boolean {
    return this.state.state === 'connected';
  }

  /** The client identifier: given, made up, or assigned by the server. */
  get clientId(): string {
    return this.#core.clientId;
  }

  /** The version that is spoken on the present connection. */
  get protocolVersion(): ProtocolVersion | undefined {
    return this.#core.connection?.version;
  }

  /** What the server's last CONNACK said. */
  get server(): ServerInfo | undefined {
    const { connack } = this.#core;
    return connack && { ...connack.properties, sessionPresent: connack.sessionPresent };
  }

  /**
   * The life of the connection: the present state and each further one, until the client is closed or has failed.
   *
   * @example
   * for await (const s of client.states()) if (s.state === 'offline') console.warn(s.reason.message, s.retryInMs);
   */
  states(): AsyncIterableIterator<ConnectionState> {
    return this.#core.supervisor.states.listen();
  }

  /** Resolves at the first CONNACK; rejects if the client ends before. */
  whenConnected(): Promise<void> {
    return this.#core.supervisor.connected;
  }

  /** Does not wait for the end of the delay between two attempts to connect. */
  retryNow(): void {
    this.#core.supervisor.retryNow();
  }

  /**
   * Publishes a message. QoS 0: resolves when the transport takes the message. QoS 1 and 2: resolves when the server has
   * acknowledged it. Without a connection the promise stays pending until the message is sent, expires, is dropped or
   * is aborted. A message that no valid packet exists for, or that the server said it does not accept, rejects at once.
   *
   * The payload must not be changed before the promise has settled.
   *
   * @example
   * await client.publish('a/b', 'text', { qos: 1, retain: true });
   * await client.publish(reading.at({ site: 'york', id: 's1' }), { celsius: 20.5 }, { qos: 1, expiry: '1 h' });
   */
  publish(topic: string, payload?: Payload, options?: PublishOptions): Promise<PublishResult>;
  publish<V>(topic: TopicAddress<V>, value: V, options?: PublishOptions): Promise<PublishResult>;
  publish(message: MessageInput): Promise<PublishResult>;
  publish(
    target: string | TopicAddress<unknown> | MessageInput,
    value: unknown = '',
    options?: PublishOptions,
  ): Promise<PublishResult> {
    try {
      if (typeof target === 'string') return this.#publish(target, value as Payload, options);
      const message = target instanceof TopicAddress ? target.message(value, options) : target;
      return this.#publish(message.topic, message.payload ?? '', message);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #publish(topic: string, payload: Payload, options: PublishOptions | undefined): Promise<PublishResult> {
    const core = this.#core;
    return core.publish(outgoingMessage(topic, payload, options, core.settings.clock), options);
  }

  /**
   * Subscribes, and gives the messages to a loop. Each message is acknowledged when the loop asks for the next one.
   * Nothing waits for the server here; `subscription.ready` tells its answer, and the loop throws if it is a refusal.
   *
   * @example
   * for await (const m of client.subscribe(reading, { signal })) await save(m.params.site, m.value.celsius);
   */
  subscribe<V, P>(topic: TopicPattern<V, P>, options?: SubscribeOptions): Subscription<V, P>;
  subscribe(filters: Filters, options?: SubscribeOptions): Subscription<Uint8Array, PlainParams>;
  subscribe<V, P>(target: TopicPattern<V, P> | Filters, options: SubscribeOptions = {}): Subscription<V, P> {
    return this.#subscribe(target, undefined, options);
  }

  /**
   * Subscribes, and gives the messages to a handler. Each message is acknowledged when the handler's promise fulfils; if
   * it rejects, the message stays unacknowledged and the error is reported. Resolves when the server has answered,
   * rejects if it refused.
   *
   * @example
   * await using subscription = await client.on('jobs/+', (message) => work(message.text), { concurrency: 8 });
   */
  on<V, P>(
    topic: TopicPattern<V, P>,
    handler: MessageHandler<V, P>,
    options?: HandlerOptions,
  ): Promise<Subscription<V, P>>;
  on(
    filters: Filters,
    handler: MessageHandler<Uint8Array, PlainParams>,
    options?: HandlerOptions,
  ): Promise<Subscription<Uint8Array, PlainParams>>;
  async on<V, P>(
    target: TopicPattern<V, P> | Filters,
    handler: MessageHandler<V, P>,
    options: HandlerOptions = {},
  ): Promise<Subscription<V, P>> {
    const subscription = this.#subscribe(target, handler, options);
    await subscription.ready;
    return subscription;
  }

  #subscribe<V, P>(
    target: TopicPattern<V, P> | Filters,
    handler: MessageHandler<V, P> | undefined,
    options: HandlerOptions,
  ): Subscription<V, P> {
    const pattern = target instanceof TopicPattern ? target : undefined;
    const filters = target instanceof TopicPattern ? target.filter : target;
    return this.#start(
      new Subscription(this.#core, fullFilters([filters].flat(), options), pattern, handler, options),
      options,
    );
  }

  /** Puts a subscription into effect, until its signal says stop or the server has not answered in time. */
  #start<V, P>(subscription: Subscription<V, P>, options: SubscribeOptions): Subscription<V, P> {
    const core = this.#core;
    if (core.endReason !== undefined) throw core.endReason;
    core.subscriptions.add(subscription as AnySubscription, options);
    const { signal, timeout } = options;
    const onSignal = (): void => {
      subscription.giveUpReady(abortError(signal!));
      void subscription.return();
    };
    subscription.onEnd(onAbort(signal, onSignal));
    const what = `the server did not answer the subscription to ${subscription.filters.join(', ')}`;
    const forgetTimeout = limitCall(core.settings.clock, { timeout }, what, undefined, (error) => {
      core.subscriptions.remove(subscription as AnySubscription).catch(() => {});
      subscription.end(error);
      void subscription.unsubscribe();
    });
    subscription.ready.then(forgetTimeout, forgetTimeout);
    return subscription;
  }

  /**
   * The messages that no subscription of this client matches: those of a resumed session before its subscriptions are
   * there, and whatever the server sends on its own account. One consumer at a time.
   *
   * @example
   * for await (const message of client.messages()) console.log('unexpected', message.topic);
   */
  messages(
    options: Pick<SubscribeOptions, 'ack' | 'inHand' | 'signal'> = {},
  ): AsyncIterableIterator<Message> {
    return this.#start(new Subscription(this.#core, [], undefined, undefined, options), options);
  }

  /**
   * Asks whoever serves a topic, and resolves with the answer. Rejects when nobody serves it (as far as the server tells),
   * when the responder answers with an error, or after the timeout (10 s).
   *
   * @example
   * const nine = await client.request(scale, { value: 3, by: 3 }, { timeout: '2 s' });
   */
  request<Q, R>(
    target: Rpc<Q, R, unknown> | RpcAddress<Q, R>,
    value: Q,
    options?: RequestOptions,
  ): Promise<R>;
  request(topic: string, payload: Uint8Array, options?: RequestOptions): Promise<Uint8Array>;
  request<Q, R>(
    target: string | Rpc<Q, R, unknown> | RpcAddress<Q, R>,
    value: Q,
    options: RequestOptions = {},
  ): Promise<R> {
    return this.#requests.ask(rpcAddress(target), value, options);
  }

  /**
   * Answers requests. With `share`, those who serve under the same name divide the work.
   *
   * @example
   * await using service = await client.serve(scale, ({ value, by }) => value * by, { share: 'workers' });
   */
  async serve<Q, R, P>(
    service: Rpc<Q, R, P>,
    handler: RequestHandler<Q, R, P>,
    options: ServeOptions = {},
  ): Promise<AsyncDisposable> {
    const subscriptions = await serveRequests(this, service, handler, options);
    return {
      [Symbol.asyncDispose]: async () => {
        await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
      },
    };
  }

  /**
   * Opens retained topics as a live key-value map. Resolves when the map has what the server has.
   *
   * @example
   * await using config = await client.view(topic('config/{name}', json<{ seconds: number }>()));
   * console.log(config.get({ name: 'poll' })?.seconds);
   */
  view<V, P>(pattern: TopicPattern<V, P>, options: ViewOptions = {}): Promise<View<V, P>> {
    return View.open(this, this.#core, pattern, options);
  }

  /** Proves again who we are, with the option `auth`, on the open connection. Resolves when the server is satisfied. */
  async reauthenticate(): Promise<void> {
    const { connection } = this.#core;
    if (connection === undefined)
      throw new ClientError('TOBYMQ_CONNECTION_LOST', 'reauthenticate() needs a connection');
    await connection.authentication.renew();
  }

  /** Counters since the client was made, and what waits at the moment. */
  stats(): ClientStats {
    const { outgoing, incoming, subscriptions, traffic, receivedCount, droppedCount, supervisor } =
      this.#core;
    return {
      messagesSent: outgoing.sender.count,
      messagesReceived: receivedCount,
      bytesSent: traffic.sent,
      bytesReceived: traffic.received,
      connects: supervisor.connectCount,
      queuedMessages: outgoing.queue.length,
      queuedBytes: outgoing.queue.bytes,
      openOutgoing: outgoing.open.size,
      openIncoming: incoming.openCount,
      unclaimed: subscriptions.unclaimedCount,
      subscriptions: subscriptions.count,
      droppedOutgoing: outgoing.droppedCount,
      droppedIncoming: droppedCount + subscriptions.droppedCount,
    };
  }

  /**
   * Ends the client: DISCONNECT, and everything that is pending settles. With `drain` it first waits until all messages
   * are acknowledged, but never longer than the given time, whatever the network does.
   */
  close({ drain = false, sendWill }: CloseOptions = {}): Promise<void> {
    const longest = drain === true ? defaultDrainMs : drain || 0;
    return this.#core.close(milliseconds(longest, 'drain'), sendWill ? withWill : 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
