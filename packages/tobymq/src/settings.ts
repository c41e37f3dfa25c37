// From the section `limits` to what the broker calls limits and listener settings.

import type { Limits as BrokerLimits, ListenerSettings } from '@tobymq/broker';
import type { ProtocolVersion } from '@tobymq/codec';
import type { Config } from './config/schema.ts';
import type { NamedListener } from './policies.ts';

const never = 0xffff_ffff;

/** The broker has 0 where the configuration says `unlimited`. */
function zeroIfUnlimited(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

function bounded(value: number): number {
  return Number.isFinite(value) ? value : Number.MAX_SAFE_INTEGER;
}

/** Limits of the whole broker. */
export function brokerLimits({ limits }: Config): Partial<BrokerLimits> {
  return {
    connectionsMax: zeroIfUnlimited(limits.connections),
    connectTimeoutMs: limits.connectTimeout * 1000,
    inflightMax: limits.inflight,
    queueMessagesMax: bounded(limits.queuedMessages),
    queueBytesMax: bounded(limits.queuedBytes),
    queueOverflow: limits.queueFull,
    queueQoS0: limits.queueQoS0,
    upgradeQoS: limits.upgradeQoS,
    retainedMessagesMax: zeroIfUnlimited(limits.retainedMessages),
    sessionExpiryMax: Math.min(limits.sessionExpiry, never),
    moderationMs: limits.moderation * 1000,
  };
}

const levels: Readonly<Record<string, ProtocolVersion>> = { '3.1': 3, '3.1.1': 4, '5.0': 5 };

/** The settings of one listener: its own limits over the general ones. */
export function listenerSettings({ limits }: Config, listener: NamedListener): Partial<ListenerSettings> {
  const own = listener.limits;
  return {
    acceptedVersions: (own.versions ?? limits.versions).map((version) => levels[version] as ProtocolVersion),
    maximumQoS: own.maximumQoS ?? limits.maximumQoS,
    retainAvailable: own.retain ?? limits.retain,
    wildcardSubscriptionAvailable: own.wildcardSubscriptions ?? limits.wildcardSubscriptions,
    sharedSubscriptionAvailable: own.sharedSubscriptions ?? limits.sharedSubscriptions,
    subscriptionIdentifierAvailable: own.subscriptionIdentifiers ?? limits.subscriptionIdentifiers,
    topicAliasMaximum: own.topicAliases ?? limits.topicAliases,
    topicAliasMaximumOut: own.topicAliasesOut ?? limits.topicAliasesOut,
    receiveMaximum: own.receiveMaximum ?? limits.receiveMaximum,
    maximumPacketSize: own.packetSize ?? limits.packetSize,
    keepAliveMax: Math.floor(own.keepAlive ?? limits.keepAlive),
    allowZeroLengthClientId: own.emptyClientId ?? limits.emptyClientId,
    assignedClientIdPrefix: own.clientIdPrefix ?? limits.clientIdPrefix,
    useUsernameAsClientId: listener.usernameAsClientId,
    connectionsMax: zeroIfUnlimited(own.connections ?? Number.POSITIVE_INFINITY),
    mountPoint: listener.mountPoint,
    sessionExpiryMax: Math.min(own.sessionExpiry ?? limits.sessionExpiry, never),
    connectTimeoutMs: (own.connectTimeout ?? 0) * 1000,
  };
}
