// What a broker and its listeners can be told, and what they do if they are told nothing.

import { MAX_PACKET_SIZE, type ProtocolVersion, type QoS } from '@tobymq/codec';
import type { Bus } from './bus/bus.ts';
import type { Clock } from './clock.ts';
import { optionInvalid } from './errors.ts';
import type { Extension } from './extension.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { Store } from './store/store.ts';

/** What one listener offers its clients. All can be given to the broker as a default for every listener, too. */
export interface ListenerSettings {
  /** Protocol levels that may connect. Default: 3, 4 and 5. */
  readonly acceptedVersions: readonly ProtocolVersion[];
  /** The highest QoS of messages from and to clients. Default: 2. */
  readonly maximumQoS: QoS;
  /** Whether messages may be retained. Default: true, as for the three that follow. */
  readonly retainAvailable: boolean;
  readonly wildcardSubscriptionAvailable: boolean;
  readonly sharedSubscriptionAvailable: boolean;
  readonly subscriptionIdentifierAvailable: boolean;
  /** How many topic aliases a client may use towards us. Default: 10, as in Mosquitto. */
  readonly topicAliasMaximum: number;
  /** How many topic aliases we use towards a client that allows them. Default: 10, as in Mosquitto. */
  readonly topicAliasMaximumOut: number;
  /** How many unacknowledged QoS 1 and 2 messages a client may have on their way to us. Default: 1,000. */
  readonly receiveMaximum: number;
  /** The largest packet from a client, in bytes. Default: 16 MiB. */
  readonly maximumPacketSize: number;
  /** The longest keep-alive in seconds; 0 means no bound. 5.0 clients are told, older ones above it are refused. */
  readonly keepAliveMax: number;
  /** A keep-alive in seconds that replaces what 5.0 clients ask for. Default: none. */
  readonly serverKeepAlive: number | undefined;
  /** Whether a client may leave its client id to us. Default: true. */
  readonly allowZeroLengthClientId: boolean;
  /** What client ids that we assign begin with. Default: `auto-`. */
  readonly assignedClientIdPrefix: string;
  /** The user name takes the place of the client id. */
  readonly useUsernameAsClientId: boolean;
  /** Open sockets of this listener; 0 means no bound. */
  readonly connectionsMax: number;
  /** A prefix for all topics of this listener's clients, which they do not see. */
  readonly mountPoint: string;
  /** The longest session expiry in seconds. */
  readonly sessionExpiryMax: number;
  /** How long a socket may take to send its whole CONNECT, in milliseconds; 0 takes the limit of the broker. */
  readonly connectTimeoutMs: number;
  /** Extensions that are asked for this listener's clients only, before those of the broker. */
  readonly extensions: readonly Extension[];
}

export const defaultListenerSettings: ListenerSettings = {
  acceptedVersions: [3, 4, 5],
  maximumQoS: 2,
  retainAvailable: true,
  wildcardSubscriptionAvailable: true,
  sharedSubscriptionAvailable: true,
  subscriptionIdentifierAvailable: true,
  topicAliasMaximum: 10,
  topicAliasMaximumOut: 10,
  receiveMaximum: 1_000,
  maximumPacketSize: 16 * 1024 * 1024,
  keepAliveMax: 0,
  serverKeepAlive: undefined,
  allowZeroLengthClientId: true,
  assignedClientIdPrefix: 'auto-',
  useUsernameAsClientId: false,
  connectionsMax: 0,
  mountPoint: '',
  sessionExpiryMax: 0xffff_ffff,
  connectTimeoutMs: 0,
  extensions: [],
};

/** The `$SYS` topics. */
export interface SysOptions {
  /** Default: true. */
  readonly enabled?: boolean | undefined;
  /** Seconds between updates. Default: 10. */
  readonly interval?: number | undefined;
  /** What `$SYS/broker/version` says. Default: `tobymq version 0.1.0`. */
  readonly version?: string | undefined;
}

/** What `Broker.start` takes. */
export interface BrokerOptions {
  /** Where sessions, queues and retained messages live. Default: in memory, gone with the process. */
  readonly store?: Store | undefined;
  /** The way to other brokers. Default: none. */
  readonly bus?: Bus | undefined;
  readonly extensions?: readonly Extension[] | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** Defaults for all listeners. */
  readonly listenerDefaults?: Partial<ListenerSettings> | undefined;
  readonly sys?: SysOptions | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/** Where a TCP listener listens. */
export interface ListenOptions extends Partial<ListenerSettings> {
  /** 0 takes a free one. Default: 1883. */
  readonly port?: number | undefined;
  /** Default: `127.0.0.1`. Name another address to serve other machines. */
  readonly host?: string | undefined;
  /** How the listener is called in logs and by extensions. Default: `tcp:PORT`. */
  readonly name?: string | undefined;
}

/** The given settings over `base`; refuses what MQTT cannot express. */
export function resolveListenerSettings(
  base: ListenerSettings,
  given: Partial<ListenerSettings>,
): ListenerSettings {
  const settings: Record<string, unknown> = { ...base };
  for (const name of Object.keys(base) as (keyof ListenerSettings)[]) {
    if (given[name] !== undefined) settings[name] = given[name];
  }
  const resolved = settings as unknown as ListenerSettings;
  checkRange('receiveMaximum', resolved.receiveMaximum, 1, 65_535);
  checkRange('topicAliasMaximum', resolved.topicAliasMaximum, 0, 65_535);
  checkRange('topicAliasMaximumOut', resolved.topicAliasMaximumOut, 0, 65_535);
  checkRange('maximumPacketSize', resolved.maximumPacketSize, 20, MAX_PACKET_SIZE);
  checkRange('maximumQoS', resolved.maximumQoS, 0, 2);
  checkRange('keepAliveMax', resolved.keepAliveMax, 0, 65_535);
  checkRange('serverKeepAlive', resolved.serverKeepAlive ?? 0, 0, 65_535);
  return resolved;
}

function checkRange(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw optionInvalid(`${name} must be a whole number from ${min} to ${max}, not ${value}`);
}
