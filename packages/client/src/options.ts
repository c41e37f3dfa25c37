// What `connect()` takes, and how it becomes the settings that the rest of the client works with. Everything that can
// be wrong about an option is found here, at once, with the option's name in the message.

import type { ProtocolVersion, UserProperties, WillInput } from '@tobymq/codec';
import type { EnhancedAuth } from './auth.ts';
import { type Clock, systemClock } from './clock.ts';
import { checkConnect } from './connect-packet.ts';
import { type Duration, milliseconds } from './duration.ts';
import { type ClientError, causedBy, invalidOption } from './errors.ts';
import {
  offlineDefaults,
  optionDefaults,
  outgoingAliasesMax,
  shortSession,
  storedSession,
} from './limits.ts';
import { type MessageInput, type OutgoingMessage, outgoingMessage } from './outgoing-message.ts';
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
export interface Settings
  extends Pick<
      ConnectOptions,
      'transport' | 'auth' | 'userProperties' | 'tls' | 'headers' | 'credentials' | 'trace'
    >,
    Required<
      Pick<
        ConnectOptions,
        | 'clock'
        | 'protocolVersion'
        | 'redirects'
        | 'receiveMaximum'
        | 'sendMaximum'
        | 'maximumPacketSize'
        | 'topicAliasMaximum'
        | 'requestProblemInformation'
        | 'requestResponseInformation'
        | 'unclaimed'
        | 'onError'
      >
    > {
  readonly platform: Platform;
  readonly urls: readonly URL[];
  readonly clientId: string;
  readonly keepAliveSeconds: number;
  readonly pingTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly keepSession: boolean;
  readonly startFresh: boolean;
  readonly sessionExpirySeconds: number;
  readonly store: SessionStore | undefined;
  readonly reconnect: ReconnectOptions;
  readonly offline: Required<OfflineOptions>;
  readonly will: WillInput | undefined;
  readonly birth: (() => OutgoingMessage) | undefined;
  readonly farewell: (() => OutgoingMessage) | undefined;
  readonly outgoingTopicAliases: number;
}

/** A Session Expiry Interval that is no interval. */
export const neverExpires = 0xffff_ffff;

/** Checks the options and fills in the defaults. */
export function settingsOf(options: ConnectOptions, platform: Platform): Settings {
  const given = { ...optionDefaults, clock: systemClock, ...defined(options) };
  const { clock, session = {}, birth, will, farewell, onError, trace } = given;
  const urls = urlsOf(given, platform);
  const clientId = given.clientId ?? urls[0]!.searchParams.get('clientId');
  const keepSession = (session.keep ?? session.store) !== undefined;
  if (keepSession && !clientId)
    throw invalidOption('clientId is missing: a session that is kept needs a name');
  if (given.protocolVersion === 3 && clientId !== null && clientId.length > 23)
    throw invalidOption(`clientId has ${clientId.length} characters, MQTT 3.1 allows 23`);
  const keep = session.keep ?? (session.store === undefined ? shortSession : storedSession);
  const settings: Settings = {
    ...given,
    platform,
    urls,
    clientId: clientId ?? randomClientId(clock),
    credentials: given.credentials ?? credentialsOf(urls[0]!),
    keepAliveSeconds: seconds(given.keepAlive, 'keepAlive'),
    pingTimeoutMs: milliseconds(given.pingTimeout, 'pingTimeout'),
    connectTimeoutMs: milliseconds(given.connectTimeout, 'connectTimeout'),
    keepSession,
    startFresh: session.startFresh ?? !keepSession,
    sessionExpirySeconds:
      keep === 'forever' ? neverExpires : Math.min(seconds(keep, 'session.keep'), neverExpires),
    store: session.store,
    reconnect: given.reconnect === false ? { maxAttempts: 0 } : (given.reconnect ?? {}),
    offline: { ...offlineDefaults, ...defined(given.offline ?? {}) },
    will: will && willOf(will, clock),
    birth: birth && messageMaker(birth, clock),
    farewell: farewell && messageMaker(farewell, clock),
    outgoingTopicAliases: given.outgoingTopicAliases === false ? 0 : outgoingAliasesMax,
    onError: (error) => {
      try {
        (onError ?? console.error)(error);
      } catch (failure) {
        // The last resort: a failing error handler must neither hide the error nor break the connection.
        console.error(error, failure);
      }
    },
    trace:
      trace &&
      ((event) => {
        try {
          trace(event);
        } catch (cause) {
          // A debug hook that fails must not break what it watches.
          settings.onError(causedBy(cause, 'TOBYMQ_HANDLER_FAILED', 'the trace hook failed'));
        }
      }),
  };
  checkNumber('keepAlive in seconds', settings.keepAliveSeconds, 0, 65_535);
  checkNumber('sendMaximum', settings.sendMaximum, 1, 65_535);
  checkConnect(settings);
  return settings;
}

/** An option that is `undefined` counts as not given. */
function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

function checkNumber(what: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high)
    throw invalidOption(`${what} is ${value}: expected a whole number from ${low} to ${high}`);
}

function seconds(duration: Duration, what: string): number {
  return Math.ceil(milliseconds(duration, what) / 1000);
}

function urlsOf({ url = [], transport }: ConnectOptions, { transports }: Platform): URL[] {
  const texts = [url].flat();
  if (texts.length === 0) texts.push(transport === undefined ? 'missing' : 'memory://local');
  return texts.map((text) => {
    if (!URL.canParse(text)) throw invalidOption(`url is ${text}: expected something like mqtt://host:1883`);
    const parsed = new URL(text);
    if (transport === undefined && transports[parsed.protocol] === undefined) {
      const known = Object.keys(transports).join(' ');
      throw invalidOption(`url has the scheme ${parsed.protocol}, expected one of ${known}`);
    }
    return parsed;
  });
}

function credentialsOf({ username, password }: URL): Credentials | undefined {
  if (username === '') return undefined;
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) || undefined };
  } catch {
    // Without the password in the message.
    throw invalidOption('user or password in url has a % that begins no escape: a plain % is written %25');
  }
}

function randomClientId(clock: Clock): string {
  const digits = (): string => clock.random().toString(36).slice(2, 10);
  // Twice 8 of 36 digits are 82 bits, and the whole fits into the 23 characters that MQTT 3.1 allows.
  return `tobymq-${digits()}${digits()}`;
}

/** Makes the message when it is needed, because its expiry counts from then; what is wrong about it is found now. */
function messageMaker(message: MessageInput | (() => MessageInput), clock: Clock): () => OutgoingMessage {
  if (typeof message === 'function') return () => prepare(message(), clock);
  prepare(message, clock);
  return () => prepare(message, clock);
}

function prepare(message: MessageInput, clock: Clock): OutgoingMessage {
  return outgoingMessage(message.topic, message.payload ?? '', message, clock);
}

function willOf(options: WillOptions, clock: Clock): WillInput {
  const { topic, payload, qos, retain, properties } = prepare(options, clock);
  const willDelayInterval = seconds(options.delay ?? 0, 'will.delay') || undefined;
  return { topic, payload, qos, retain, properties: { ...properties, willDelayInterval } };
}
