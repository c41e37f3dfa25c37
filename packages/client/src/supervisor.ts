// The one loop that keeps the client connected: attempt, connected until lost, decision, delay, and again. Because it is
// one loop, the client is always in one of its five states and cannot come to a stop without saying why.

import { type ProtocolVersion, ReasonCode } from '@tobymq/codec';
import { within } from './clock.ts';
import type { Connection } from './connection.ts';
import { asClientError, ClientError } from './errors.ts';
import { redirectsMax, stableConnectionMs } from './limits.ts';
import type { Settings } from './options.ts';
import { decideReconnect, serversOf } from './reconnect.ts';
import { safeUrl } from './safe-url.ts';
import { States } from './states.ts';

/** An attempt to connect, as the client carries it out. */
export interface Attempt {
  readonly url: URL;
  readonly attempt: number;
  readonly version: ProtocolVersion;
  /** Aborted when the attempt is given up; never after CONNACK. */
  readonly signal: AbortSignal;
  /** To be called in the same turn as CONNACK arrives. */
  onAccepted(isResumed: boolean): void;
}

/** What the supervisor asks of the client. */
export interface SupervisedClient {
  /** The connection that was accepted and is not closed. */
  readonly connection: Connection | undefined;
  /** Why the client has ended, if so. */
  readonly endReason: ClientError | undefined;
  /** Connects; resolves with what ended the connection. */
  connect(attempt: Attempt): Promise<ClientError>;
  /** Loads what an earlier process left. */
  restore(): Promise<void>;
  /** The end: everything that is pending has to settle. Resolves when the session store is closed. */
  onEnd(error: ClientError, isFailure: boolean): Promise<void> | undefined;
}

export class Supervisor {
  readonly states: States;
  readonly #settings: Settings;
  readonly #client: SupervisedClient;
  /** The next one to try is the first. */
  #urls: URL[];
  #redirect: URL[] = [];
  #redirectCount = 0;
  #version: ProtocolVersion;
  /** Why the version before the present one was given up. */
  #refusal: ClientError | undefined;
  /** Gives up what is waited for: the session store at first, then the CONNACK of an attempt. */
  #attempt: AbortController | undefined;
  /** When the last attempt was accepted; 0 if it was not. */
  #connectedAt = 0;
  /** How far the delay between attempts has grown. */
  #delayStep = 0;
  connectCount = 0;
  /** Tries at once instead of waiting for the end of the delay. */
  retryNow: () => void = () => {};
  /** Resolves at the first CONNACK; rejects if the client ends before. */
  readonly connected: Promise<void>;
  #onConnected: () => void = () => {};
  /** Resolves with the reason of the end. */
  readonly finished: Promise<ClientError>;

  constructor(settings: Settings, client: SupervisedClient) {
    this.#settings = settings;
    this.#client = client;
    this.#urls = [...settings.urls];
    this.#version = settings.protocolVersion === 'auto' ? 5 : settings.protocolVersion;
    this.states = new States({ state: 'connecting', url: safeUrl(this.#urls[0]!), attempt: 1 });
    this.finished = this.#run();
    this.connected = new Promise((resolve, reject) => {
      this.#onConnected = resolve;
      void this.finished.then(reject);
    });
    this.connected.catch(() => {});
  }

  /** The client has an `endReason` now: ends the loop, and the attempt if there is no connection yet. */
  stop(): void {
    this.#attempt?.abort(this.#client.endReason);
    this.retryNow();
  }

  async #run(): Promise<ClientError> {
    // The network came back: do not wait. It went, or we woke up: see whether the connection still lives.
    const stopWatching = this.#settings.platform.watchNetwork((isOnline) => {
      // What has failed until now says nothing of the network that is there again.
      if (isOnline) {
        this.#delayStep = 0;
        this.retryNow();
      }
      this.#client.connection?.probe();
    });
    let reason: ClientError;
    try {
      this.#attempt = new AbortController();
      await unlessAborted(this.#attempt.signal, this.#client.restore());
      reason = await this.#stayConnected();
    } catch (cause) {
      // What throws here is a function among the options.
      reason = asClientError(cause, 'TOBYMQ_OPTION_INVALID');
    }
    stopWatching();
    const isFailure = this.#client.endReason === undefined || reason.code === 'TOBYMQ_STORE_FAILED';
    const stored = this.#client.onEnd(reason, isFailure);
    this.states.set(isFailure ? { state: 'failed', reason } : { state: 'closed' });
    await stored;
    return reason;
  }

  /** Returns why it does not go on. */
  async #stayConnected(): Promise<ClientError> {
    const { clock, reconnect } = this.#settings;
    let attempt = 1;
    let url = this.#urls[0]!;
    while (this.#client.endReason === undefined) {
      let error = await this.#connect(url, attempt);
      if (this.#client.endReason !== undefined) break;
      // An earlier version may have no place for our options, a password alone for example; then it is not the one.
      if (error.code === 'TOBYMQ_OPTION_INVALID' && this.#refusal !== undefined) {
        error = this.#refusal;
        this.#version = 3;
      }
      const wasConnected = this.#connectedAt > 0;
      // A connection that ends at once counts as a failure, or a server that throws us out would be asked without pause.
      if (wasConnected && clock.now() - this.#connectedAt >= stableConnectionMs) {
        attempt = 1;
        this.#redirectCount = 0;
      }
      if (!this.#followRedirect(error, url) && !this.#stepDown(error)) {
        if (!wasConnected) this.#urls.push(this.#urls.shift()!);
        this.#delayStep = Math.min(this.#delayStep + 1, attempt);
        const { retry, delayMs } = decideReconnect(
          reconnect,
          error,
          attempt,
          () => clock.random(),
          this.#delayStep,
        );
        if (!retry) return error;
        this.states.set({ state: 'offline', reason: error, retryInMs: delayMs, attempt });
        const woken = new Promise<void>((resolve) => {
          this.retryNow = resolve;
        });
        await within(clock, delayMs, woken);
        if (this.#client.endReason !== undefined) break;
        attempt++;
      }
      url = this.#redirect.shift() ?? this.#urls[0]!;
      this.states.set({ state: 'connecting', url: safeUrl(url), attempt });
    }
    return this.#client.endReason;
  }

  /** One attempt, and the connection that came of it, up to its end. Returns what ended it. */
  async #connect(url: URL, attempt: number): Promise<ClientError> {
    const { clock, connectTimeoutMs } = this.#settings;
    const version = this.#version;
    const abort = new AbortController();
    const { signal } = abort;
    const timer = clock.setTimeout(() => {
      const what = `${url.host || url.pathname}: no CONNACK within ${connectTimeoutMs} ms`;
      abort.abort(new ClientError('TOBYMQ_CONNECT_TIMEOUT', what));
    }, connectTimeoutMs);
    const onAccepted = (isResumed: boolean): void => {
      clock.clearTimeout(timer);
      this.#attempt = undefined;
      this.#connectedAt = clock.now();
      this.connectCount++;
      this.#refusal = undefined;
      this.states.set({ state: 'connected', url: safeUrl(url), protocolVersion: version, isResumed });
      this.#onConnected();
    };
    this.#attempt = abort;
    this.#connectedAt = 0;
    try {
      return await unlessAborted(signal, this.#client.connect({ url, attempt, version, signal, onAccepted }));
    } catch (cause) {
      return asClientError(cause, 'TOBYMQ_TRANSPORT_FAILED');
    } finally {
      clock.clearTimeout(timer);
    }
  }

  /** The server names another one: it is next, without delay, unless that has happened too often. */
  #followRedirect(error: ClientError, from: URL): boolean {
    const isMoved = error.reasonCode === ReasonCode.ServerMoved;
    if (!isMoved && error.reasonCode !== ReasonCode.UseAnotherServer) return false;
    const servers = serversOf(error.serverReference, from);
    if (!this.#settings.redirects || servers.length === 0) return false;
    if (++this.#redirectCount > redirectsMax) return false;
    if (isMoved) this.#urls = servers;
    else this.#redirect = servers;
    return true;
  }

  /** With `auto`: one version lower, if this server seems not to know ours. */
  #stepDown(error: ClientError): boolean {
    // A version that has worked once stays.
    if (this.#settings.protocolVersion !== 'auto' || this.connectCount > 0) return false;
    const isRefused = error.reasonCode === ReasonCode.UnsupportedProtocolVersion;
    // Some old servers close without a word instead of refusing.
    const isSilent = error.code === 'TOBYMQ_CONNECTION_LOST';
    if (!isRefused && !isSilent) return false;
    this.#version = this.#version === 5 ? 4 : this.#version === 4 ? 3 : 5;
    this.#refusal = this.#version === 5 ? undefined : error;
    return this.#version !== 5;
  }
}

/** Does not wait beyond the signal: what the application provides may never answer. */
function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.onabort = () => reject(signal.reason);
  });
  return Promise.race([aborted, promise]);
}
