// The client of MQTT.js on top of ours: its methods, events and fields, for programs that were written for it. The
// names are those of MQTT.js; what happens is what our client does, so its messages are not lost between connecting and
// listening, its publishes settle, and its reconnecting cannot come to a stop without a word.
//
// One `Core` is one life from `connect()` to `end()`; `reconnect()` begins another with the same subscriptions.

import type { EnhancedAuth } from '../auth.ts';
import { Core } from '../core.ts';
import { ClientError, messageOf } from '../errors.ts';
import { defaultDrainMs } from '../limits.ts';
import { type Settings, settingsOf } from '../options.ts';
import { outgoingMessage } from '../outgoing-message.ts';
import type { ConnectionState } from '../states.ts';
import type { Platform } from '../transports/transport.ts';
import { Deliveries } from './deliveries.ts';
import { Emitter } from './emitter.ts';
import { toMqttjsError } from './errors.ts';
import type {
  ClientSubscribeCallback,
  DoneCallback,
  ISubscriptionGrant,
  ISubscriptionMap,
  MqttClientEventCallbacks,
  PacketCallback,
} from './events.ts';
import {
  type IClientOptions,
  type IClientPublishOptions,
  type IClientSubscribeOptions,
  publishOptions,
  toConnectOptions,
} from './options.ts';
import {
  type IConnackPacket,
  type IDisconnectPacket,
  type IPublishPacket,
  type Packet,
  type ToBuffer,
  toPacket,
  toProperties,
} from './packets.ts';
import { Topics } from './topics.ts';

/** What differs between Node and browsers. */
export interface MqttjsPlatform extends Platform {
  readonly toBuffer: ToBuffer;
}

/** The client. `connect()` makes one. */
export class MqttClient extends Emitter<MqttClientEventCallbacks> {
  /** The options as they were given; `username` and `password` may be changed between two attempts. */
  readonly options: IClientOptions;
  connected = false;
  reconnecting = false;
  disconnecting = false;
  disconnected = false;
  readonly #platform: MqttjsPlatform;
  #core: Core | undefined;
  /** Calls that wait for `connect()`, with `manualConnect`. */
  #waiting: { readonly call: () => void; readonly fail: (error: Error) => void }[] = [];
  readonly #topics: Topics;
  readonly #deliveries: Deliveries;
  #openCount = 0;
  #ending: Promise<void> | undefined;
  /** `reconnect()` was called, and the client has to end first. */
  #isToReconnect = false;

  /** Use `connect()` or `connectAsync()`. */
  constructor(platform: MqttjsPlatform, options: IClientOptions) {
    super();
    this.#platform = platform;
    this.options = options;
    this.watch(
      (error, event) => this.#report(error, event),
      (event) => {
        if (event === 'message') this.#deliveries.onListener();
      },
    );
    this.#deliveries = new Deliveries({
      options,
      toBuffer: platform.toBuffer,
      hasListener: () => this.listenerCount('message') > 0,
      hasOwnHandler: () => this.handleMessage !== MqttClient.prototype.handleMessage,
      callListeners: (packet) => this.collect('message', [packet.topic, packet.payload, packet]),
      handleMessage: (packet, callback) => this.handleMessage(packet, callback),
    });
    this.#topics = new Topics(this.#deliveries.handle);
    // Found now, in the call, and not when the client is started.
    this.#settings();
    if (!options.manualConnect) this.connect();
  }

  #settings(): Settings {
    const options = toConnectOptions(this.options, this.#platform, this);
    const auth = this.#auth();
    return settingsOf(
      {
        ...options,
        ...(auth === undefined ? {} : { auth }),
        onError: (error) => this.#emitError(error),
        trace: ({ direction, packet }) => {
          const event = direction === 'sent' ? 'packetsend' : 'packetreceive';
          if (this.listenerCount(event) === 0) return;
          this.emit(event, toPacket(packet, this.options.protocolVersion ?? 4, this.#platform.toBuffer));
        },
      },
      this.#platform,
    );
  }

  #auth(): EnhancedAuth | undefined {
    const { authenticationMethod, authenticationData } = this.options.properties ?? {};
    if (authenticationMethod === undefined) return undefined;
    return {
      method: authenticationMethod,
      start: () => authenticationData,
      respond: (data) =>
        new Promise((resolve, reject) => {
          const properties = { authenticationMethod, authenticationData: data };
          const packet: Packet = {
            cmd: 'auth',
            reasonCode: 0x18,
            properties: toProperties(properties, this.#platform.toBuffer)!,
          };
          this.handleAuth(packet, (error, answer) => {
            if (error) reject(error);
            else resolve(answer?.properties?.authenticationData);
          });
        }),
    };
  }

  /** Starts connecting. Needed only with `manualConnect`. */
  connect(): this {
    if (this.#core !== undefined) return this;
    this.disconnecting = false;
    this.disconnected = false;
    this.#ending = undefined;
    this.#isToReconnect = false;
    const settings = this.#settings();
    // A trace makes each packet an object, so it is there only for those who look when a connection begins.
    const isWatched = (): boolean =>
      this.listenerCount('packetsend') + this.listenerCount('packetreceive') > 0;
    const { trace } = settings;
    const core = new Core(
      Object.defineProperty({ ...settings }, 'trace', { get: () => (isWatched() ? trace : undefined) }),
    );
    this.#core = core;
    core.listeners.add({ onConnected: () => this.#onConnected(core) });
    this.#topics.begin(core);
    for (const { call } of this.#waiting.splice(0)) call();
    void this.#follow(core);
    return this;
  }

  /**
   * Connects again: after `end()`, after the client gave up, or in place of a connection, which is ended first. Otherwise
   * it does not wait for the next attempt.
   */
  reconnect(): this {
    if (this.connected) void this.endAsync();
    if (this.#ending !== undefined && !this.disconnected) {
      this.#isToReconnect = true;
      return this;
    }
    if (this.#core !== undefined && this.#core.endReason === undefined) {
      this.#core.supervisor.retryNow();
      return this;
    }
    this.#core = undefined;
    this.emit('reconnect');
    return this.connect();
  }

  #onConnected(core: Core): void {
    this.connected = true;
    this.reconnecting = false;
    const connack = core.connack!;
    const packet = toPacket(connack, core.connection?.version ?? 4, this.#platform.toBuffer);
    this.emit('connect', packet as IConnackPacket);
  }

  /** Tells the states of a life as events. */
  async #follow(core: Core): Promise<void> {
    let isFirst = true;
    for await (const state of core.supervisor.states.listen()) {
      if (state.state === 'connecting' && !isFirst) this.emit('reconnect');
      else if (state.state === 'offline' || state.state === 'failed') this.#onLost(state);
      isFirst = false;
    }
  }

  #onLost(state: ConnectionState & { readonly state: 'offline' | 'failed' }): void {
    const { reason } = state;
    const wasConnected = this.connected;
    this.connected = false;
    if (reason.code === 'TOBYMQ_DISCONNECTED') {
      const properties = toProperties({ serverReference: reason.serverReference }, this.#platform.toBuffer);
      const packet: IDisconnectPacket = { cmd: 'disconnect', reasonCode: reason.reasonCode ?? 0 };
      this.emit('disconnect', properties === undefined ? packet : { ...packet, properties });
    }
    // A connection that simply ends is no error, as long as it comes back.
    const isQuiet = wasConnected && state.state === 'offline' && reason.code !== 'TOBYMQ_KEEP_ALIVE_TIMEOUT';
    if (!isQuiet) this.#emitError(reason);
    if (state.state === 'offline' && !this.reconnecting) {
      this.reconnecting = true;
      this.emit('offline');
    }
    if (state.state === 'failed') this.reconnecting = false;
    this.emit('close');
  }

  /** Internal: resolves at the first CONNACK of this life; rejects when the client gives up, or at the first failure. */
  async whenConnected(allowRetries: boolean): Promise<void> {
    const core = this.#core;
    if (core === undefined)
      throw new ClientError('TOBYMQ_OPTION_INVALID', 'manualConnect: call connect() first');
    for await (const state of core.supervisor.states.listen()) {
      if (state.state === 'connected') return;
      if (state.state === 'failed' || (state.state === 'offline' && !allowRetries)) {
        throw this.#toError(state.reason);
      }
    }
    throw new ClientError('TOBYMQ_CLOSED', 'the client was ended before it was connected');
  }

  /** Publishes. The callback has the outcome: accepted for QoS 0, acknowledged for QoS 1 and 2, or the error. */
  publish(topic: string, message: string | Uint8Array, callback?: PacketCallback): this;
  publish(
    topic: string,
    message: string | Uint8Array,
    options?: IClientPublishOptions,
    callback?: PacketCallback,
  ): this;
  publish(
    topic: string,
    message: string | Uint8Array,
    options?: IClientPublishOptions | PacketCallback,
    callback?: PacketCallback,
  ): this {
    const done = typeof options === 'function' ? options : callback;
    const outcome = this.publishAsync(topic, message, typeof options === 'function' ? {} : options);
    this.#callBack(outcome, done && ((error, packet) => done(error ?? undefined, packet)));
    return this;
  }

  publishAsync(
    topic: string,
    message: string | Uint8Array,
    options: IClientPublishOptions = {},
  ): Promise<Packet | undefined> {
    return this.#inLife((core) => this.#publish(core, topic, message, options));
  }

  async #publish(
    core: Core,
    topic: string,
    message: string | Uint8Array,
    options: IClientPublishOptions,
  ): Promise<Packet | undefined> {
    const outgoing = outgoingMessage(topic, message, publishOptions(options), core.settings.clock);
    const outcome = core.publish(outgoing, undefined);
    options.cbStorePut?.();
    if (outgoing.qos === 0) {
      await outcome;
      return undefined;
    }
    this.#openCount++;
    try {
      const { reasonCode } = await outcome;
      return { cmd: outgoing.qos === 1 ? 'puback' : 'pubcomp', reasonCode };
    } finally {
      if (--this.#openCount === 0) this.emit('outgoingEmpty');
    }
  }

  /** Runs a call now, so that it comes before whatever the program does next; with `manualConnect` it may have to wait. */
  #inLife<T>(call: (core: Core) => Promise<T>): Promise<T> {
    if (this.disconnecting) return Promise.reject(new Error('client disconnecting'));
    const outcome =
      this.#core === undefined
        ? new Promise<T>((resolve, reject) => {
            this.#waiting.push({ call: () => call(this.#core!).then(resolve, reject), fail: reject });
          })
        : call(this.#core);
    return outcome.catch((error: Error) => {
      throw this.#toError(error);
    });
  }

  /** Subscribes. The callback has what was granted; a refused filter has QoS 128 and makes an error. */
  subscribe(topic: string | readonly string[] | ISubscriptionMap, callback?: ClientSubscribeCallback): this;
  subscribe(
    topic: string | readonly string[] | ISubscriptionMap,
    options?: IClientSubscribeOptions,
    callback?: ClientSubscribeCallback,
  ): this;
  subscribe(
    topic: string | readonly string[] | ISubscriptionMap,
    options?: IClientSubscribeOptions | ClientSubscribeCallback,
    callback?: ClientSubscribeCallback,
  ): this {
    const done = typeof options === 'function' ? options : callback;
    const own = typeof options === 'function' ? {} : (options ?? {});
    this.#inLife((core) => this.#topics.subscribe(core, topic, own, this.#isVersion5)).then(
      ({ granted, error }) => done?.(error === undefined ? null : this.#toError(error), granted),
      (error: Error) => (done === undefined ? this.#emitError(error) : done(error)),
    );
    return this;
  }

  async subscribeAsync(
    topic: string | readonly string[] | ISubscriptionMap,
    options: IClientSubscribeOptions = {},
  ): Promise<ISubscriptionGrant[]> {
    const { granted, error } = await this.#inLife((core) =>
      this.#topics.subscribe(core, topic, options, this.#isVersion5),
    );
    if (error !== undefined) throw this.#toError(error);
    return granted;
  }

  /** Unsubscribes. A server that refuses makes an error. */
  unsubscribe(topic: string | readonly string[], callback?: PacketCallback): this;
  unsubscribe(topic: string | readonly string[], options?: object, callback?: PacketCallback): this;
  unsubscribe(
    topic: string | readonly string[],
    options?: object | PacketCallback,
    callback?: PacketCallback,
  ): this {
    const done = typeof options === 'function' ? (options as PacketCallback) : callback;
    this.#callBack<Packet | undefined>(this.unsubscribeAsync(topic), done);
    return this;
  }

  unsubscribeAsync(topic: string | readonly string[], _options?: object): Promise<Packet | undefined> {
    return this.#inLife((core) =>
      this.#topics.unsubscribe(core, typeof topic === 'string' ? [topic] : topic),
    );
  }

  /** Override it to take one message after the other; the next one comes when `callback` was called. */
  handleMessage(_packet: IPublishPacket, callback: DoneCallback): void {
    callback();
  }

  /** Override it to answer the challenges of enhanced authentication. */
  handleAuth(_packet: Packet, callback: (error?: Error | null, packet?: Packet) => void): void {
    callback();
  }

  /**
   * Ends the client. Unless forced, it first waits until every message is acknowledged, for ten seconds at most. The
   * callback always comes.
   */
  end(
    force?: boolean | object | DoneCallback,
    options?: object | DoneCallback,
    callback?: DoneCallback,
  ): this {
    const done = [force, options, callback].find((each) => typeof each === 'function') as
      | DoneCallback
      | undefined;
    this.#callBack(
      this.endAsync(
        typeof force === 'function' ? undefined : force,
        typeof options === 'function' ? undefined : options,
      ),
      done && (() => done()),
    );
    return this;
  }

  endAsync(force?: boolean | object, options?: object): Promise<void> {
    const details = (typeof force === 'object' ? force : options) as
      | { readonly reasonCode?: number }
      | undefined;
    this.#isToReconnect = false;
    this.#ending ??= this.#end(force === true, details?.reasonCode ?? 0);
    return this.#ending;
  }

  async #end(isForced: boolean, reasonCode: number): Promise<void> {
    const wasConnected = this.connected;
    this.disconnecting = true;
    await this.#core?.close(isForced ? 0 : defaultDrainMs, reasonCode);
    this.connected = false;
    this.reconnecting = false;
    this.disconnected = true;
    for (const { fail } of this.#waiting.splice(0))
      fail(new ClientError('TOBYMQ_CLOSED', 'the client was ended before it was connected'));
    if (wasConnected) this.emit('close');
    this.emit('end');
    if (this.#isToReconnect) this.reconnect();
  }

  /** The properties of the last CONNACK. */
  get serverProperties(): IConnackPacket['properties'] {
    return toProperties(this.#core?.connack?.properties, this.#platform.toBuffer);
  }

  get #isVersion5(): boolean {
    return this.options.protocolVersion === 5;
  }

  /** The keep-alive in seconds that counts on this connection. */
  get keepalive(): number {
    return this.#core?.connack?.properties?.serverKeepAlive ?? this.options.keepalive ?? 60;
  }

  #callBack<T>(outcome: Promise<T>, callback: ((error?: Error | null, value?: T) => void) | undefined): void {
    outcome.then(
      (value) => callback?.(null, value),
      (cause: ClientError) => {
        const error = this.#toError(cause);
        if (callback === undefined) this.#emitError(error);
        else callback(error);
      },
    );
  }

  /** What a listener threw. */
  #report(error: unknown, event: keyof MqttClientEventCallbacks): void {
    if (event === 'error') console.error(error);
    else
      this.#emitError(
        new ClientError('TOBYMQ_HANDLER_FAILED', `a listener of "${event}" failed: ${messageOf(error)}`, {
          cause: error,
        }),
      );
  }

  #emitError(error: Error): void {
    if (this.emit('error', this.#toError(error))) return;
    // Failures of the network need no listener, but a bug in the program has to be seen.
    if (error instanceof ClientError && error.code === 'TOBYMQ_HANDLER_FAILED') console.error(error);
  }

  #toError(error: Error): Error {
    return toMqttjsError(error, this.options.protocolVersion ?? 4);
  }
}
