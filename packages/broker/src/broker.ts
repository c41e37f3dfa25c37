// The broker: puts the parts together, starts and stops them in a stated order, and is what programs and extensions
// hold in their hands.
//
//     start   store opens → sessions and retained messages load → bus → extensions, in order → the clock runs
//     stop    listeners close → clients get DISCONNECT 0x8B, Wills are published → extensions, in reverse → bus → store

import { systemClock } from './clock.ts';
import { ClockWatch } from './clock-watch.ts';
import { type CloseReason, SESSION_TAKEN_OVER, SHUTTING_DOWN } from './connection/close.ts';
import { beginRateLimit } from './connection/rate-limit.ts';
import { Core } from './core.ts';
import { BrokerError } from './errors.ts';
import { type ExplainOptions, type Explanation, explain } from './explain.ts';
import type { ClientInfo, Extension } from './extension.ts';
import { Hooks } from './hooks.ts';
import {
  type BrokerTotals,
  type ConnectedClient,
  clientInfo,
  connectionOf,
  type RetainedMessage,
  retainedMessages,
  type SessionInfo,
  sessionInfo,
  subscriptionsOf,
  type TopicSubscription,
  totals,
} from './inspect.ts';
import {
  type InternalSubscription,
  type PublishMessage,
  publishInternally,
  type ReceivedMessage,
  type SubscribeOptions,
  subscribeInternally,
} from './internal-client.ts';
import { defaultLimits, type Limits, resolveLimits } from './limits.ts';
import { Listeners } from './listeners.ts';
import { noLogger } from './logger.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import {
  type BrokerOptions,
  defaultListenerSettings,
  type ListenerSettings,
  type ListenOptions,
  resolveListenerSettings,
} from './options.ts';
import { MemoryStore } from './store/memory.ts';
import { SysTopics } from './sys-topics.ts';
import type { ByteStream } from './transports/byte-stream.ts';
import { type BytePipe, MemoryConnection } from './transports/memory.ts';
import type { Listener } from './transports/tcp.ts';
import { type ValueSpace, valueSpace } from './values.ts';

/** How often deadlines are looked at. */
const TICK_MS = 100;
/** How often routes that nobody uses are forgotten, in ticks. */
const AGE_TICKS = 600;

/** How a client is disconnected by `broker.kick`. */
export interface KickOptions {
  /** Default: 0x98, administrative action. */
  readonly reasonCode?: number | undefined;
  /** In words, for the log and for 5.0 clients. Default: `disconnected by the administrator`. */
  readonly reason?: string | undefined;
  /** Where to go instead; with 0x9C and 0x9D. */
  readonly serverReference?: string | undefined;
  /** Whether the session ends as well. Default: false. */
  readonly endSession?: boolean | undefined;
}

/**
 * An MQTT server as a library.
 *
 * @example
 * const broker = await Broker.start();
 * const listener = await broker.listen({ port: 1883 });
 * broker.subscribe('rooms/#', ({ topic, payload }) => console.log(topic, payload.length));
 * await broker.publish({ topic: 'rooms/kitchen/light', payload: 'on', retain: true });
 * await broker.stop();
 */
export class Broker {
  /** All counters, as plain numbers that may be read at any time. */
  readonly metrics: Metrics;
  readonly #core: Core;
  readonly #options: BrokerOptions;
  #extensions: readonly Extension[];
  readonly #started: Extension[] = [];
  readonly #listeners: Listeners;
  #timer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(core: Core, options: BrokerOptions, listenerDefaults: ListenerSettings) {
    this.#core = core;
    this.metrics = core.metrics;
    this.#options = options;
    this.#extensions = options.extensions ?? [];
    this.#listeners = new Listeners(core, listenerDefaults, this.#report);
  }

  /** Starts a broker; it serves nobody until it listens. */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const limits = resolveLimits(defaultLimits, options.limits ?? {});
    const listenerDefaults = resolveListenerSettings(defaultListenerSettings, options.listenerDefaults ?? {});
    const clock = options.clock ?? systemClock;
    const logger = options.logger ?? noLogger;
    const metrics = createMetrics(clock.now());
    const store = options.store ?? new MemoryStore();
    store.onHealth = (isHealthy, error) => {
      if (isHealthy) logger.log('info', 'store-recovered', {});
      else logger.log('error', 'store-unavailable', { error });
    };
    const state = await store.open();
    const hooks = new Hooks([], () => {});
    const core = new Core({ store, state, bus: options.bus, limits, metrics, logger, clock, hooks });
    const broker = new Broker(core, options, listenerDefaults);
    try {
      await broker.#begin();
    } catch (error) {
      await broker.stop();
      throw error;
    }
    return broker;
  }

  async #begin(): Promise<void> {
    const core = this.#core;
    this.#rebuildHooks();
    for await (const page of core.store.loadRetained())
      for (const message of page) core.retained.load(message);
    for await (const page of core.store.loadSessions()) for (const loaded of page) core.sessions.load(loaded);
    await core.bus?.start({
      deliver: (message) => core.routeStored(message),
      evict: async (clientId) => {
        const session = core.sessions.get(clientId);
        const link = session?.link ?? session?.pending;
        link?.close(SESSION_TAKEN_OVER);
        await core.gate.settled();
      },
    });
    for (const extension of this.#extensions)
      if (this.#extensions.includes(extension)) await this.#startExtension(extension);
    const sysOptions = this.#options.sys ?? {};
    const sys = sysOptions.enabled === false ? undefined : new SysTopics(core, sysOptions);
    let ticks = 0;
    const watch = new ClockWatch(core, () => this.#listeners.connections(), sys);
    this.#timer = setInterval(() => {
      watch.tick();
      sys?.tick();
      if (++ticks % AGE_TICKS !== 0) return;
      core.router.age();
      core.packetMemory.age();
    }, TICK_MS);
    this.#timer.unref();
  }

  /**
   * Opens a TCP listener.
   *
   * @example
   * const { port } = await broker.listen({ port: 0, host: '127.0.0.1', maximumQoS: 1 });
   */
  listen(options: ListenOptions = {}): Promise<Listener> {
    return this.#listeners.listen(options);
  }

  /**
   * Serves MQTT on a byte stream that somebody else has accepted: TLS, WebSocket, a Unix socket, anything. The settings
   * of a listener count for its first stream and change by `configure()`; a function is asked for them only then.
   *
   * @example
   * server.on('secureConnection', (socket) => broker.attach(new NodeStream(socket, origin), { maximumQoS: 1 }));
   */
  attach(
    stream: ByteStream,
    settings: Partial<ListenerSettings> | (() => Partial<ListenerSettings>) = {},
  ): void {
    this.#listeners.attach(stream, settings);
  }

  /**
   * A connection to this broker without a socket. It has the shape of the transports of `@tobymq/client`.
   *
   * @example
   * const client = await connect({ transport: () => broker.connect() });
   */
  connect(settings: Partial<ListenerSettings> = {}): BytePipe {
    const connection = new MemoryConnection('memory');
    this.attach(connection, settings);
    return connection.pipe;
  }

  /**
   * Publishes a message. Resolves when it was handed to all subscribers and, where it has to be, stored. `from` names
   * the client on whose behalf it is published; then the rules for that client are asked.
   */
  publish(
    message: PublishMessage,
    options: { readonly from?: ClientInfo | undefined } = {},
  ): Promise<{ readonly matched: number }> {
    return publishInternally(this.#core, message, options.from);
  }

  /**
   * Calls `handler` for every message that matches the filter, until `close()`.
   *
   * @example
   * const subscription = broker.subscribe('alarms/#', ({ topic }) => console.log(topic));
   * subscription.close();
   */
  subscribe(
    filter: string,
    handler: (message: ReceivedMessage) => void,
    options?: SubscribeOptions,
  ): InternalSubscription {
    return subscribeInternally(this.#core, filter, handler, options);
  }

  /**
   * Disconnects a client; false if it is not connected and no session was ended.
   *
   * @example
   * broker.kick('pump-7', { reason: 'maintenance', endSession: true });
   */
  kick(clientId: string, options: KickOptions = {}): boolean {
    const session = this.#core.sessions.get(clientId);
    if (session === undefined) return false;
    const { reasonCode = 0x98, reason = 'disconnected by the administrator', serverReference } = options;
    const close: CloseReason = { reasonCode, reason, serverReference, initiator: 'server' };
    const link = session.link ?? session.pending;
    if (options.endSession === true) this.#core.sessions.disconnectAndEnd(session, close, 'removed');
    else link?.close(close);
    return link !== undefined || options.endSession === true;
  }

  /** All connected clients. */
  *clients(): IterableIterator<ConnectedClient> {
    for (const connection of this.#listeners.connections()) {
      const info = clientInfo(connection);
      if (info !== undefined) yield info;
    }
  }

  /** One connected client; undefined if nobody with this client id is connected. */
  client(clientId: string): ConnectedClient | undefined {
    const connection = connectionOf(this.#core.sessions.get(clientId));
    return connection && clientInfo(connection);
  }

  /** All sessions, connected or not. */
  *sessions(): IterableIterator<SessionInfo> {
    for (const session of this.#core.sessions.all()) yield sessionInfo(session);
  }

  /** One session, connected or not; undefined if there is none. */
  session(clientId: string): SessionInfo | undefined {
    const session = this.#core.sessions.get(clientId);
    return session && sessionInfo(session);
  }

  /** Sums over all sessions, for metrics. */
  totals(): BrokerTotals {
    return totals(this.#core);
  }

  /** All subscriptions that match a topic. */
  subscriptionsOf(topic: string): readonly TopicSubscription[] {
    return subscriptionsOf(this.#core, topic);
  }

  /**
   * Retained messages whose topics match a filter.
   *
   * @example
   * for (const { topic, payload } of broker.retained('rooms/+/light')) console.log(topic, payload);
   */
  retained(filter = '#'): IterableIterator<RetainedMessage> {
    return retainedMessages(this.#core, filter);
  }

  /** Removes the retained message of a topic; false if there is none. */
  deleteRetained(topic: string): boolean {
    return this.#core.retained.delete(topic);
  }

  /**
   * Says who would get a message to a topic and who would not, and why.
   *
   * @example
   * const { receivers, publisher } = await broker.explain('rooms/kitchen/light', { publisher: 'switch-1' });
   */
  explain(topic: string, options: ExplainOptions = {}): Promise<Explanation> {
    return explain(this.#core, topic, options);
  }

  /**
   * A durable key-value space; extensions use their own name for it.
   *
   * @example
   * const counters = broker.values('counters');
   * await counters.put('restarts', Buffer.from('1'));
   */
  values(space: string): ValueSpace {
    return valueSpace(this.#core, space);
  }

  /** Adds an extension at the end and starts it. */
  async addExtension(extension: Extension): Promise<void> {
    await this.#startExtension(extension);
    this.#extensions = [...this.#extensions, extension];
    this.#rebuildHooks();
  }

  /** Removes an extension and stops it. */
  async removeExtension(extension: Extension): Promise<void> {
    if (!this.#extensions.includes(extension)) return;
    this.#extensions = this.#extensions.filter((other) => other !== extension);
    this.#rebuildHooks();
    const position = this.#started.indexOf(extension);
    if (position === -1) return; // Another extension has removed it at the start, before its turn came.
    this.#started.splice(position, 1);
    await extension.stop?.();
  }

  /** Rules have changed: forgets all answers that connections keep. */
  invalidateAuthorization(): void {
    this.#core.rulesVersion++;
  }

  /**
   * Changes limits, and the settings of listeners that are given by name, while the broker runs.
   *
   * @example
   * broker.configure({ limits: { publishRateMax: 100 }, listeners: { 'tcp:1883': { maximumQoS: 1 } } });
   */
  configure(change: {
    readonly limits?: Partial<Limits> | undefined;
    readonly listenerDefaults?: Partial<ListenerSettings> | undefined;
    readonly listeners?: Readonly<Record<string, Partial<ListenerSettings>>> | undefined;
  }): void {
    const core = this.#core;
    core.limits = resolveLimits(core.limits, change.limits ?? {});
    core.flusher.moderation.restMs = core.limits.moderationMs;
    core.router.sharedStrategy = core.limits.sharedStrategy;
    for (const connection of this.#listeners.connections()) beginRateLimit(connection);
    this.#listeners.configure(change.listenerDefaults ?? {}, change.listeners ?? {});
    this.#rebuildHooks();
  }

  /** Resolves when everything that was written until now is durable; rejects while the store cannot write. */
  flush(): Promise<void> {
    return this.#core.gate.flushed();
  }

  /** Stops: no new clients, DISCONNECT 0x8B to those that are there, and everything stored. */
  stop(options: { readonly deadlineMs?: number | undefined } = {}): Promise<void> {
    this.#stopping ??= this.#stop(options.deadlineMs ?? 5_000);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const core = this.#core;
    core.isStopping = true;
    await this.#listeners.close();
    for (const connection of this.#listeners.connections()) connection.close(SHUTTING_DOWN);
    // Neither a store that cannot write nor a rule that does not answer must keep the process from ending.
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, deadlineMs).unref());
    await Promise.race([core.willsPublished(), timeout]);
    for (const extension of [...this.#started].reverse()) {
      try {
        await extension.stop?.();
      } catch (error) {
        this.#report(extension.name, 'stop', error);
      }
    }
    const deadline = core.clock.now() + Math.min(deadlineMs, core.limits.lingerMs + 100);
    while (core.metrics.socketsNow > 0 && core.clock.now() < deadline) {
      await new Promise<void>((resolve) => setTimeout(resolve, 5));
    }
    for (const connection of this.#listeners.connections()) connection.stream.destroy();
    clearInterval(this.#timer);
    await Promise.race([core.gate.settled(), timeout]);
    core.gate.stop();
    await core.bus?.stop();
    await core.store.close();
  }

  async #startExtension(extension: Extension): Promise<void> {
    try {
      await extension.start?.(this);
    } catch (cause) {
      const message = `the extension "${extension.name}" did not start: ${String(cause)}`;
      throw new BrokerError('TOBYMQ_EXTENSION_FAILED', message, { cause });
    }
    this.#started.push(extension);
  }

  #rebuildHooks(): void {
    this.#core.hooks = new Hooks(this.#extensions, this.#report);
    this.#listeners.takeExtensions(this.#extensions);
  }

  readonly #report = (extension: string, hook: string, error: unknown): void => {
    this.#core.metrics.extensionFailures++;
    this.#core.logger.log('error', 'extension-failed', { extension, hook, error });
  };
}
