// The extension API: everything that programs around the broker can decide, see and change. Authentication, rules,
// bots, metrics and tests use nothing else.
//
// A hook may answer at once or with a promise. An answer at once costs no tick of the event loop; a promise pauses that
// one connection, in order, and nobody else. A hook that throws or rejects denies, is counted and is reported; it never
// takes the broker down. Extensions are asked in the order in which they were added.

import type { ConnectProperties, MessageProperties, ProtocolVersion, QoS, Will } from '@tobymq/codec';
import type { Broker } from './broker.ts';
import type { PeerInfo } from './transports/byte-stream.ts';

/** A value, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/** Who is on the other side of a connection, as hooks and inspection see it. */
export interface ClientInfo {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly protocolVersion: ProtocolVersion;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly peer: PeerInfo;
  /** What the authenticator attached: roles, tenant, an account, anything. */
  readonly identity: unknown;
  readonly connectedAt: number;
}

/** What an authenticator is asked. */
export interface AuthenticationRequest extends Omit<ClientInfo, 'identity' | 'connectedAt'> {
  readonly password: Uint8Array | undefined;
  readonly cleanStart: boolean;
  readonly keepAlive: number;
  readonly will: Will | undefined;
  readonly properties: ConnectProperties | undefined;
}

/** The client may come in. */
export interface AuthenticationAllowed {
  readonly allow: true;
  /** Replaces the user name, for example by the name in a certificate. */
  readonly username?: string | undefined;
  /** Replaces the client id. */
  readonly clientId?: string | undefined;
  readonly identity?: unknown;
  /** When the connection has to end, in milliseconds since the epoch (an expiring token). */
  readonly expiresAt?: number | undefined;
  /** Sent back in CONNACK (5.0). */
  readonly responseInformation?: string | undefined;
  readonly authenticationData?: Uint8Array | undefined;
}

/** The client is refused. */
export interface AuthenticationDenied {
  readonly allow: false;
  /** A CONNACK reason code of 5.0; translated for older clients. Default: 0x87, not authorized. */
  readonly reasonCode?: number | undefined;
  /** Goes to the log, and to 5.0 clients as reason string. */
  readonly reason?: string | undefined;
  /** What the log says instead of `reason`, where it is more than the client should learn. */
  readonly reasonForLog?: string | undefined;
  /** With 0x9C and 0x9D: where to go instead. */
  readonly serverReference?: string | undefined;
}

/** `undefined` leaves the question to the next extension. If nobody answers, the client is refused. */
export type AuthenticationAnswer = AuthenticationAllowed | AuthenticationDenied | undefined;

/** One exchange of MQTT 5 enhanced authentication (AUTH packets). */
export interface EnhancedExchange {
  /** Takes what the client sent (the first call: Authentication Data of CONNECT or of AUTH 0x19). */
  step(data: Uint8Array | undefined): MaybePromise<EnhancedAnswer>;
}

/** What a step of an exchange answers: more is to be exchanged, or the decision. */
export type EnhancedAnswer =
  | { readonly continue: true; readonly data: Uint8Array | undefined }
  | (AuthenticationAllowed & { readonly continue?: false | undefined })
  | (AuthenticationDenied & { readonly continue?: false | undefined });

/** A message on its way in, as hooks see it. */
export interface PublishRequest {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
}

/** One filter of a SUBSCRIBE, as rules see it. */
export interface SubscribeRequest {
  /** As the client sent it, `$share/...` included. */
  readonly filter: string;
  readonly qos: QoS;
}

/**
 * What a rule answers: yes, no, or with details. Answers to publish and delivery questions are kept for the connection and
 * topic until `broker.invalidateAuthorization()`, unless `cache` is false.
 */
export type AuthorizationAnswer =
  | boolean
  | {
      readonly allow: boolean;
      /** Subscribe only: the highest QoS to be granted. */
      readonly qosMax?: QoS | undefined;
      readonly reasonCode?: number | undefined;
      /** Which rule decided, for the log, `explain`, and 5.0 clients. */
      readonly reason?: string | undefined;
      readonly cache?: boolean | undefined;
    }
  | undefined;

/** What a message hook may do: nothing (undefined), change the message, or keep it from being routed. */
export type PublishAnswer =
  | undefined
  | (Partial<PublishRequest> & { readonly drop?: false | undefined })
  | {
      readonly drop: true;
      /** The message was for the extension, which has done what it asks for: it does not count as dropped. */
      readonly isHandled?: boolean | undefined;
      /** What the publisher is told in PUBACK or PUBREC (5.0); default 0x00, as if it had been delivered. */
      readonly reasonCode?: number | undefined;
      readonly reason?: string | undefined;
    };

/** How a connection ended. */
export interface DisconnectInfo {
  /** The reason code of the DISCONNECT that was sent or received; 0x80 and above is a fault. */
  readonly reasonCode: number;
  /** In words: `client disconnected`, `keep alive timeout`, `session taken over`, `malformed packet: ...`. */
  readonly reason: string;
  readonly initiator: 'client' | 'server' | 'network';
}

/** Why a session ended. */
export type SessionEndReason =
  /** Nobody came back for it in time. */
  | 'expired'
  /** Its client has begun a new one. */
  | 'clean-start'
  /** It was to last as long as its connection. */
  | 'disconnected'
  /** The administrator or the server itself has ended it: its queue was full, or it could not be stored. */
  | 'removed';

/** Why messages are dropped; each has a counter of its own. */
export type DropReason =
  | 'queue-full'
  | 'expired'
  | 'packet-too-large'
  | 'not-authorized'
  | 'qos0-offline'
  | 'slow-consumer'
  | 'session-ended'
  | 'retained-limit'
  | 'store-unavailable'
  | 'hook';

/** Messages that were not delivered, one mostly. */
export interface DropInfo {
  readonly reason: DropReason;
  /** Empty for the messages of a session that has ended, which are counted together. */
  readonly topic: string;
  /** Who would have received it, or who published it when nobody was chosen yet. */
  readonly clientId: string;
  readonly count: number;
}

/**
 * An extension of the broker. All members but `name` are optional.
 *
 * @example
 * const onlyTenants: Extension = {
 *   name: 'tenants',
 *   authenticate: ({ username }) => (username ? { allow: true } : { allow: false, reasonCode: 0x86 }),
 *   authorizePublish: (client, { topic }) => topic.startsWith(`${client.username}/`),
 * };
 */
export interface Extension {
  readonly name: string;
  /** Called once when the broker starts, in order; a rejection stops the start. */
  start?(broker: Broker): MaybePromise<void>;
  /** Called in reverse order when the broker stops. */
  stop?(): MaybePromise<void>;

  /** Before anything else is looked at: may this address connect at all? `false` closes the socket at once. */
  acceptConnection?(remoteAddress: string, listener: string): boolean;
  /** Asked for each CONNECT without an authentication method. */
  authenticate?(request: AuthenticationRequest): MaybePromise<AuthenticationAnswer>;
  /** Enhanced authentication by method name; `undefined` when this extension does not know the method. */
  authenticationExchange?(method: string, request: AuthenticationRequest): EnhancedExchange | undefined;

  /** Asked for each topic that a client publishes to, and for its Will when that is due. */
  authorizePublish?(client: ClientInfo, request: PublishRequest): MaybePromise<AuthorizationAnswer>;
  /** Asked for each filter of a SUBSCRIBE. */
  authorizeSubscribe?(client: ClientInfo, request: SubscribeRequest): MaybePromise<AuthorizationAnswer>;
  /** Asked per receiver and topic before delivery; must answer at once. */
  authorizeDelivery?(client: ClientInfo, topic: string): AuthorizationAnswer;

  /** Topic filters that `onPublish` is interested in; messages to other topics do not pay for it. Default: all. */
  readonly publishFilters?: readonly string[] | undefined;
  /** Sees each accepted message before it is routed, and may change or drop it. `client` is undefined for the broker's own. */
  onPublish?(message: PublishRequest, client: ClientInfo | undefined): MaybePromise<PublishAnswer>;

  /** CONNACK was sent. */
  onConnected?(client: ClientInfo, sessionPresent: boolean): void;
  /** The connection of a client that had its CONNACK has ended. */
  onDisconnected?(client: ClientInfo, info: DisconnectInfo): void;
  /** A CONNECT was refused. */
  onRefused?(request: AuthenticationRequest, reasonCode: number, reason: string): void;
  /** SUBACK was sent; once for each filter that was granted, with the QoS that was granted. */
  onSubscribed?(client: ClientInfo, filter: string, qos: QoS): void;
  /** A subscription was removed by its client. */
  onUnsubscribed?(client: ClientInfo, filter: string): void;
  /** Nothing of a session is left. */
  onSessionEnded?(clientId: string, reason: SessionEndReason): void;
  /** Messages were not delivered. */
  onDropped?(info: DropInfo): void;
}
