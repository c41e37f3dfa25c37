// What `connect()` takes, and how it becomes the settings that the rest of the client works with. Everything that can
// be wrong about an option is found here, at once, with the option's name in the message.

import type { ProtocolVersion, QoS, UserProperties } from '@tobymq/codec';
import type { EnhancedAuth } from './auth.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Duration, milliseconds } from './duration.ts';
import { ClientError, messageOf } from './errors.ts';
import { defaults } from './limits.ts';
import { type MessageInput, type OutgoingFields, outgoingFields } from './outgoing-message.ts';
import type { ReconnectOptions } from './reconnect.ts';
import type { SessionStore } from './store/session-store.ts';
import type { TraceEvent } from './trace.ts';
import type { OpenTransport, Platform, TlsOptions } from './transports/transport.ts';

export interface Credentials {
  readonly username?: string;
  readonly password?: string | Uint8Array;
}

/** What a function for credentials may want to know. */
export interface CredentialsContext {
  /** Aborted when this attempt to connect is given up. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt since the last good connection. */
  readonly attempt: number;
  readonly url: string;
}

export interface SessionOptions {
  /**
   * How long the server keeps the session while this client is away, also after `close()` and after the end of the
   * process. Needs a `clientId`. Without it the session outlives a lost connection by five minutes and ends with `close()`.
   */
  readonly keep?: Duration | 'forever';
  /** Where open QoS 1 and 2 messages survive the end of the process. Needs a `clientId`. */
  readonly store?: SessionStore;
  /** Throw away what the server still has of an earlier session when the client first connects. */
  readonly startFresh?: boolean;
}

export interface OfflineOptions {
  /** How many messages wait for the network at most; 50 000 unless given. */
  readonly maxMessages?: number;
  /** How many bytes wait at most; 64 MiB unless given. */
  readonly maxBytes?: number;
  /** `reject` (the default) fails the new publish, `drop-oldest` and `drop-newest` fail the one that is dropped. */
  readonly whenFull?: 'reject' | 'drop-oldest' | 'drop-newest';
  /** Whether QoS 0 messages wait too (the default) or fail at once while there is no connection. */
  readonly qos0?: boolean;
}

export interface WillOptions extends MessageInput {
  /** How long the server waits with the will, in case we come back. MQTT 5.0 only. */
  readonly delay?: Duration;
}

/** The messages that tell others whether this client is there. `presence()` makes all three at once. */
export interface PresenceOptions {
  /** Published after each CONNACK, before anything that waits. A function is called anew for each connection. */
  readonly birth?: MessageInput | (() => MessageInput);
  /** Published by the server when the connection is lost. */
  readonly will?: WillOptions;
  /** Published by `close()`, since a server drops the will of a client that leaves on its own account. */
  readonly farewell?: MessageInput;
}

/**
 * Options of `connect()`.
 *
 * @example
 * await connect('mqtts://broker.example', {
 *   clientId: 'gateway-7',
 *   credentials: async ({ signal }) => ({ username: 'gateway-7', password: await freshToken(signal) }),
 *   session: { keep: '1 day' },
 * });
 */
export interface ConnectOptions extends PresenceOptions {
  /** `mqtt:`, `mqtts:`, `ws:`, `wss:` or `unix:`; several are tried in turn. User, password and `?clientId=` may be in it. */
  readonly url?: string | readonly string[];
  /** Opens the transport instead of the one that the URL names. */
  readonly transport?: OpenTransport;
  /** 5 unless given; `auto` steps down to 4 (MQTT 3.1.1) and 3 (MQTT 3.1) when a server does not know better. */
  readonly protocolVersion?: ProtocolVersion | 'auto';
  readonly clientId?: string;
  /** Fetched anew for each attempt to connect if it is a function. */
  readonly credentials?: Credentials | ((context: CredentialsContext) => Credentials | Promise<Credentials>);
  /** Enhanced authentication of MQTT 5.0. */
  readonly auth?: EnhancedAuth;
  readonly keepAlive?: Duration;
  readonly pingTimeout?: Duration;
  /** From the start of one attempt to CONNACK. */
  readonly connectTimeout?: Duration;
  readonly session?: SessionOptions;
  /** `false`: one attempt, and the end of the connection is the end of the client. */
  readonly reconnect?: false | ReconnectOptions;
  /** Whether the client follows a server that names another one. True unless given. */
  readonly redirects?: boolean;
  readonly offline?: OfflineOptions;
  /** How many QoS 1 and 2 messages the server may have open towards this client. */
  readonly receiveMaximum?: number;
  /** How many of our QoS 1 and 2 messages may be open, if the server allows as many. */
  readonly sendMaximum?: number;
  readonly maximumPacketSize?: number;
  readonly topicAliasMaximum?: number;
  /** Abbreviate repeated topics if the server allows it. True unless given. */
  readonly outgoingTopicAliases?: boolean;
  readonly requestProblemInformation?: boolean;
  readonly requestResponseInformation?: boolean;
  /** User properties of the CONNECT packet. */
  readonly userProperties?: UserProperties;
  /**
   * A message of QoS 1 or 2 that no subscription object matches waits for one (`hold`, the default), or is acknowledged
   * and dropped (`discard`).
   */
  readonly unclaimed?: 'hold' | 'discard';
  readonly tls?: TlsOptions;
  /** Headers of the WebSocket handshake. Not in browsers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends waiting for the first connection. It has no meaning after that. */
  readonly signal?: AbortSignal;
  /** Problems that belong to no call: failed handlers, dropped messages, refused resubscriptions. `console.error` unless given. */
  readonly onError?: (error: ClientError) => void;
  /** Sees every packet in both directions, without secrets. For debugging: it slows the client down. */
  readonly trace?: (event: TraceEvent) => void;
  /** Time and chance, for tests. */
  readonly clock?: Clock;
}

/** The options with everything decided. */
export interface Settings {
  readonly platform: Platform;
  readonly clock: Clock;
  readonly urls: readonly URL[];
  readonly transport: OpenTransport | undefined;
  readonly protocolVersion: ProtocolVersion | 'auto';
  readonly clientId: string;
  readonly credentials: ConnectOptions['credentials'];
  readonly auth: EnhancedAuth | undefined;
  readonly keepAliveSeconds: number;
  readonly pingTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly keepSession: boolean;
  readonly startFresh: boolean;
  readonly sessionExpirySeconds: number;
  readonly store: SessionStore | undefined;
  readonly reconnect: ReconnectOptions | undefined;
  readonly followRedirects: boolean;
  readonly queueMessages: number;
  readonly queueBytes: number;
  readonly whenFull: 'reject' | 'drop-oldest' | 'drop-newest';
  readonly queueQoS0: boolean;
  readonly will: (OutgoingFields & { readonly delaySeconds: number }) | undefined;
  readonly birth: (() => OutgoingFields) | undefined;
  readonly farewell: (() => OutgoingFields) | undefined;
  readonly receiveMaximum: number;
  readonly sendMaximum: number;
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  readonly outgoingTopicAliases: number;
  readonly requestProblemInformation: boolean;
  readonly requestResponseInformation: boolean;
  readonly userProperties: UserProperties | undefined;
  readonly unclaimed: 'hold' | 'discard';
  readonly tls: TlsOptions | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly onError: (error: ClientError) => void;
  readonly trace: ((event: TraceEvent) => void) | undefined;
}

/** A Session Expiry Interval that is no interval. */
export const neverExpires = 0xffff_ffff;

function integer(
  value: number | undefined,
  fallback: number,
  low: number,
  high: number,
  what: string,
): number {
  const chosen = value ?? fallback;
  if (!Number.isInteger(chosen) || chosen < low || chosen > high) {
    throw new ClientError(
      'TOBYMQ_OPTION_INVALID',
      `${what} is ${chosen}: expected a whole number from ${low} to ${high}`,
    );
  }
  return chosen;
}

function parseUrl(text: string, options: ConnectOptions, platform: Platform): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new ClientError(
      'TOBYMQ_OPTION_INVALID',
      `url is ${text}: expected something like mqtt://host:1883`,
      { cause },
    );
  }
  if (options.transport === undefined && platform.transports[url.protocol] === undefined) {
    const known = Object.keys(platform.transports).join(' ');
    throw new ClientError(
      'TOBYMQ_OPTION_INVALID',
      `url is ${url.protocol}//${url.host}: its scheme is none of ${known}`,
    );
  }
  return url;
}

function credentialsOf(url: URL | undefined, options: ConnectOptions): ConnectOptions['credentials'] {
  if (options.credentials !== undefined || url === undefined || url.username === '')
    return options.credentials;
  return {
    username: decodeURIComponent(url.username),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
  };
}

function randomClientId(clock: Clock): string {
  const digits = 'abcdefghijkmnpqrstuvwxyz23456789';
  let id = 'tobymq-';
  // 16 of 32 letters are 80 bits, and the whole fits into the 23 characters that MQTT 3.1 allows.
  for (let i = 0; i < 16; i++) id += digits[Math.floor(clock.random() * digits.length)];
  return id;
}

function checkQoSOfWill(qos: QoS | undefined): void {
  // [MQTT-3.1.2-12]
  integer(qos, 0, 0, 2, 'will.qos');
}

/** Makes the message when it is needed, because its expiry counts from then; what is wrong about it is found now. */
function fieldsOf(
  message: MessageInput | (() => MessageInput) | undefined,
  clock: Clock,
): (() => OutgoingFields) | undefined {
  if (message === undefined) return undefined;
  const make = (): OutgoingFields => {
    const input = typeof message === 'function' ? message() : message;
    return outgoingFields(input.topic, input.payload ?? '', input, clock);
  };
  if (typeof message !== 'function') make();
  return make;
}

/** A debug hook that fails must not break what it watches. */
function safeTrace(
  trace: (event: TraceEvent) => void,
  onError: (error: ClientError) => void,
): (event: TraceEvent) => void {
  return (event) => {
    try {
      trace(event);
    } catch (cause) {
      onError(
        new ClientError('TOBYMQ_HANDLER_FAILED', `the trace hook failed: ${messageOf(cause)}`, { cause }),
      );
    }
  };
}

/** Checks the options and fills in the defaults. */
export function settingsOf(options: ConnectOptions, platform: Platform): Settings {
  const clock = options.clock ?? systemClock;
  const texts = typeof options.url === 'string' ? [options.url] : (options.url ?? []);
  const urls = texts.map((text) => parseUrl(text, options, platform));
  if (urls.length === 0) {
    if (options.transport === undefined) {
      throw new ClientError(
        'TOBYMQ_OPTION_INVALID',
        'url is missing: expected something like mqtt://host:1883',
      );
    }
    urls.push(new URL('memory://local'));
  }
  const session = options.session ?? {};
  const givenClientId = options.clientId ?? urls[0]?.searchParams.get('clientId') ?? undefined;
  const keepSession = session.keep !== undefined || session.store !== undefined;
  if (keepSession && !givenClientId) {
    throw new ClientError(
      'TOBYMQ_OPTION_INVALID',
      'clientId is missing: a session that is kept needs a name',
    );
  }
  const keep = session.keep ?? (session.store === undefined ? defaults.sessionExpirySeconds * 1000 : '1 day');
  const version = options.protocolVersion ?? 5;
  const password = typeof options.credentials === 'object' ? options.credentials.password : undefined;
  if (password !== undefined && typeof options.credentials === 'object' && version !== 5) {
    if (options.credentials.username === undefined) {
      // [MQTT-3.1.2-22] of 3.1.1
      throw new ClientError(
        'TOBYMQ_OPTION_INVALID',
        'credentials.username is missing: only MQTT 5.0 allows a password alone',
      );
    }
  }
  if (version === 3 && (givenClientId?.length ?? 1) > 23) {
    throw new ClientError(
      'TOBYMQ_OPTION_INVALID',
      `clientId ${givenClientId} has ${givenClientId?.length} characters: MQTT 3.1 allows 23`,
    );
  }
  checkQoSOfWill(options.will?.qos);
  return {
    platform,
    clock,
    urls,
    transport: options.transport,
    protocolVersion: version,
    clientId: givenClientId ?? randomClientId(clock),
    credentials: credentialsOf(urls[0], options),
    auth: options.auth,
    keepAliveSeconds: integer(
      Math.ceil(milliseconds(options.keepAlive ?? defaults.keepAliveSeconds * 1000, 'keepAlive') / 1000),
      0,
      0,
      65_535,
      'keepAlive in seconds',
    ),
    pingTimeoutMs: milliseconds(options.pingTimeout ?? defaults.pingTimeoutMs, 'pingTimeout'),
    connectTimeoutMs: milliseconds(options.connectTimeout ?? defaults.connectTimeoutMs, 'connectTimeout'),
    keepSession,
    startFresh: session.startFresh ?? !keepSession,
    sessionExpirySeconds:
      keep === 'forever'
        ? neverExpires
        : Math.min(Math.ceil(milliseconds(keep, 'session.keep') / 1000), neverExpires),
    store: session.store,
    reconnect: options.reconnect === false ? undefined : (options.reconnect ?? {}),
    followRedirects: options.redirects ?? true,
    queueMessages: options.offline?.maxMessages ?? defaults.queueMessages,
    queueBytes: options.offline?.maxBytes ?? defaults.queueBytes,
    whenFull: options.offline?.whenFull ?? 'reject',
    queueQoS0: options.offline?.qos0 ?? true,
    will:
      options.will === undefined
        ? undefined
        : {
            ...outgoingFields(options.will.topic, options.will.payload ?? '', options.will, clock),
            delaySeconds: Math.ceil(milliseconds(options.will.delay ?? 0, 'will.delay') / 1000),
          },
    birth: fieldsOf(options.birth, clock),
    farewell: fieldsOf(options.farewell, clock),
    receiveMaximum: integer(options.receiveMaximum, defaults.receiveMaximum, 1, 65_535, 'receiveMaximum'),
    sendMaximum: integer(options.sendMaximum, defaults.sendMaximum, 1, 65_535, 'sendMaximum'),
    maximumPacketSize: integer(
      options.maximumPacketSize,
      defaults.maximumPacketSize,
      1,
      neverExpires,
      'maximumPacketSize',
    ),
    topicAliasMaximum: integer(
      options.topicAliasMaximum,
      defaults.topicAliasMaximum,
      0,
      65_535,
      'topicAliasMaximum',
    ),
    outgoingTopicAliases: options.outgoingTopicAliases === false ? 0 : defaults.outgoingTopicAliases,
    requestProblemInformation: options.requestProblemInformation ?? true,
    requestResponseInformation: options.requestResponseInformation ?? false,
    userProperties: options.userProperties,
    unclaimed: options.unclaimed ?? 'hold',
    tls: options.tls,
    headers: options.headers,
    onError: options.onError ?? ((error) => console.error(error)),
    trace: options.trace && safeTrace(options.trace, options.onError ?? console.error),
  };
}
