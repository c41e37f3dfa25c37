// The one loop that keeps the client connected: attempt, connected until lost, decision, delay, and again. Because it is
// one loop, the client is always in one of its five states and cannot come to a stop without saying why.

import { type ProtocolVersion, ReasonCode } from '@tobymq/codec';
import type { Connection } from './connection.ts';
import { ClientError, type ClientErrorCode, messageOf } from './errors.ts';
import { defaults } from './limits.ts';
import type { Settings } from './options.ts';
import { decideReconnect, serversOf } from './reconnect.ts';
import { States } from './states.ts';

/** An attempt to connect, as the client carries it out. */
export interface Attempt {
  readonly url: URL;
  readonly attempt: number;
  readonly version: ProtocolVersion;
  readonly signal: AbortSignal;
}

/** What the client tells about an attempt. */
export interface AttemptHooks {
  /** The transport is open and CONNECT is on its way. */
  onOpened(connection: Connection): void;
  /** In the same turn as CONNACK arrives. */
  onAccepted(isResumed: boolean): void;
  /** Once. */
  onClosed(error: ClientError): void;
}

/** What the supervisor asks of the client. */
export interface SupervisedClient {
  /** Opens the transport and sends CONNECT; the rest is told by the hooks. */
  open(attempt: Attempt, hooks: AttemptHooks): Promise<void>;
  /** Loads what an earlier process left. */
  restore(): Promise<void>;
  /** The end: everything that is pending has to settle. */
  onEnd(error: ClientError, isFailure: boolean): void;
}

export class Supervisor {
  readonly states: States;
  readonly #settings: Settings;
  readonly #client: SupervisedClient;
  readonly #stop = new AbortController();
  #urls: URL[];
  #urlIndex = 0;
  #redirect: URL[] = [];
  #redirectCount = 0;
  #version: ProtocolVersion;
  /** The version is known to work; before that, `auto` may step down. */
  #isVersionSettled: boolean;
  #connection: Connection | undefined;
  #wake: (() => void) | undefined;
  connectCount = 0;
  readonly finished: Promise<void>;
  #firstConnection: { resolve: () => void; reject: (error: ClientError) => void } | undefined;
  readonly connected: Promise<void>;

  constructor(settings: Settings, client: SupervisedClient) {
    this.#settings = settings;
    this.#client = client;
    this.#urls = [...settings.urls];
    this.#isVersionSettled = settings.protocolVersion !== 'auto';
    this.#version = settings.protocolVersion === 'auto' ? 5 : settings.protocolVersion;
    this.states = new States({ state: 'connecting', url: safeUrl(this.#urls[0]!), attempt: 1 });
    this.connected = new Promise((resolve, reject) => {
      this.#firstConnection = { resolve, reject };
    });
    this.connected.catch(() => {});
    this.finished = this.#run();
  }

  get connection(): Connection | undefined {
    return this.states.current.state === 'connected' ? this.#connection : undefined;
  }

  /** Tries at once instead of waiting for the end of the delay. */
  retryNow(): void {
    this.#wake?.();
  }

  /** Ends the loop and the connection. */
  stop(error: ClientError, end: (connection: Connection) => void): void {
    if (this.#stop.signal.aborted) return;
    const connection = this.#connection;
    this.#stop.abort(error);
    this.#wake?.();
    if (connection !== undefined) end(connection);
  }

  async #run(): Promise<void> {
    const stopWatching = this.#settings.platform.watchNetwork((isOnline) => this.#onNetwork(isOnline));
    let code: 'TOBYMQ_STORE_FAILED' | 'TOBYMQ_OPTION_INVALID' = 'TOBYMQ_STORE_FAILED';
    let reason: ClientError;
    try {
      await this.#client.restore();
      // What throws from here on is a function among the options.
      code = 'TOBYMQ_OPTION_INVALID';
      reason = await this.#stayConnected();
    } catch (cause) {
      reason = asClientError(cause, code);
    }
    stopWatching();
    const isFailure = !this.#stop.signal.aborted || reason.code === 'TOBYMQ_STORE_FAILED';
    this.#client.onEnd(reason, isFailure);
    this.states.set(isFailure ? { state: 'failed', reason } : { state: 'closed' });
    this.#firstConnection?.reject(reason);
  }

  /** Returns why it does not go on. */
  async #stayConnected(): Promise<ClientError> {
    const { clock, reconnect } = this.#settings;
    const { signal } = this.#stop;
    let attempt = 1;
    let isFirst = true;
    for (;;) {
      const url = this.#redirect.shift() ?? this.#urls[this.#urlIndex % this.#urls.length]!;
      // The first attempt is the state that the client was made with.
      if (isFirst) isFirst = false;
      else this.states.set({ state: 'connecting', url: safeUrl(url), attempt });
      const connectedAt = { ms: 0 };
      const error = await this.#connectOnce(url, attempt, () => {
        connectedAt.ms = clock.now();
      });
      this.#connection = undefined;
      if (signal.aborted) return signal.reason as ClientError;
      const wasConnected = connectedAt.ms > 0;
      // A connection that ends at once counts as a failure, or a server that throws us out would be asked without pause.
      if (wasConnected && clock.now() - connectedAt.ms >= defaults.stableConnectionMs) {
        attempt = 1;
        this.#redirectCount = 0;
      }
      if (this.#followRedirect(error, url) || this.#stepDown(error, wasConnected)) continue;
      if (!wasConnected) this.#urlIndex++;
      const decision = decideReconnect(reconnect, error, attempt, () => clock.random());
      if (!decision.retry) return error;
      this.states.set({ state: 'offline', reason: error, retryInMs: decision.delayMs, attempt });
      await this.#sleep(decision.delayMs);
      if (signal.aborted) return signal.reason as ClientError;
      attempt++;
    }
  }

  /** One attempt, and the connection that came of it, up to its end. Returns what ended it. */
  #connectOnce(url: URL, attempt: number, onConnected: () => void): Promise<ClientError> {
    const { clock, connectTimeoutMs } = this.#settings;
    const abort = new AbortController();
    const stopSignal = this.#stop.signal;
    return new Promise((resolve) => {
      let isAccepted = false;
      const finish = (error: ClientError): void => {
        clock.clearTimeout(timer);
        stopSignal.removeEventListener('abort', onStop);
        resolve(error);
      };
      const giveUp = (error: ClientError): void => {
        abort.abort(error);
        if (this.#connection !== undefined) this.#connection.destroy(error);
        finish(error);
      };
      const timer = clock.setTimeout(() => {
        giveUp(
          new ClientError(
            'TOBYMQ_CONNECT_TIMEOUT',
            `${url.host || url.pathname}: no CONNACK within ${connectTimeoutMs} ms`,
          ),
        );
      }, connectTimeoutMs);
      const onStop = (): void => {
        if (!isAccepted) giveUp(stopSignal.reason as ClientError);
      };
      stopSignal.addEventListener('abort', onStop);
      if (stopSignal.aborted) return onStop();
      const onAccepted = (isResumed: boolean): void => {
        isAccepted = true;
        clock.clearTimeout(timer);
        this.connectCount++;
        this.#isVersionSettled = true;
        onConnected();
        this.states.set({ state: 'connected', url: safeUrl(url), protocolVersion: this.#version, isResumed });
        this.#firstConnection?.resolve();
        this.#firstConnection = undefined;
      };
      const onOpened = (connection: Connection): void => {
        this.#connection = connection;
      };
      this.#client
        .open(
          { url, attempt, version: this.#version, signal: abort.signal },
          { onOpened, onAccepted, onClosed: finish },
        )
        .catch((cause: unknown) => finish(asClientError(cause, 'TOBYMQ_TRANSPORT_FAILED')));
    });
  }

  /** The server names another one: it is next, without delay, unless that has happened too often. */
  #followRedirect(error: ClientError, from: URL): boolean {
    const isMoved = error.reasonCode === ReasonCode.ServerMoved;
    if (!isMoved && error.reasonCode !== ReasonCode.UseAnotherServer) return false;
    const servers = serversOf(error.serverReference, from);
    if (!this.#settings.followRedirects || servers.length === 0) return false;
    if (++this.#redirectCount > defaults.redirects) return false;
    if (isMoved) {
      this.#urls = servers;
      this.#urlIndex = 0;
    } else {
      this.#redirect = servers;
    }
    return true;
  }

  /** With `auto`: one version lower, if this server seems not to know ours. */
  #stepDown(error: ClientError, wasConnected: boolean): boolean {
    if (this.#isVersionSettled || wasConnected) return false;
    const isRefused = error.reasonCode === ReasonCode.UnsupportedProtocolVersion;
    // Some old servers close without a word instead of refusing.
    const isSilent = error.code === 'TOBYMQ_CONNECTION_LOST';
    if (!isRefused && !isSilent) return false;
    if (this.#version === 3) {
      this.#version = 5;
      return false;
    }
    this.#version = this.#version === 5 ? 4 : 3;
    return true;
  }

  #sleep(ms: number): Promise<void> {
    const { clock } = this.#settings;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clock.clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** The network came back: do not wait. It went, or we woke up: see whether the connection still lives. */
  #onNetwork(isOnline: boolean): void {
    if (isOnline) this.retryNow();
    this.connection?.probe();
  }
}

/** A URL without its password. */
export function safeUrl(url: URL): string {
  if (url.password === '') return url.href;
  const safe = new URL(url);
  safe.password = '***';
  return safe.href;
}

function asClientError(cause: unknown, code: ClientErrorCode): ClientError {
  return cause instanceof ClientError ? cause : new ClientError(code, messageOf(cause), { cause });
}
