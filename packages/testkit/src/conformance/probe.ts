// Finds out what a server offers, so that cases about missing optional features are not counted as failures.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { type MqttVersion, packet } from '../packet.ts';
import { property } from '../properties.ts';
import { RawPeer } from '../raw-peer.ts';
import type { Feature } from './case.ts';
import type { Target } from './context.ts';

export interface Probe {
  readonly versions: ReadonlySet<MqttVersion>;
  readonly features: ReadonlySet<Feature>;
}

/** Connects once in every version and once without a ClientID, and reads the limits in CONNACK. */
export async function probeServer(target: Target): Promise<Probe> {
  const versions = new Set<MqttVersion>();
  const features = new Set<Feature>(['qos1', 'qos2', 'retain', 'wildcard', 'subid', 'share', 'alias']);
  for (const version of [3, 4, 5] as const) {
    const connack = await tryConnect(target, version, `probe${version}`);
    if (connack === undefined) {
      continue;
    }
    versions.add(version);
    if (version !== 5) {
      continue;
    }
    const value = (id: number, absent: number): number => Number(connack.properties.get(id)?.[0] ?? absent);
    const drop = (feature: Feature, isMissing: boolean): boolean => isMissing && features.delete(feature);
    drop('qos1', value(property.maximumQoS, 2) < 1);
    drop('qos2', value(property.maximumQoS, 2) < 2);
    drop('retain', value(property.retainAvailable, 1) === 0);
    drop('wildcard', value(property.wildcardSubscriptionAvailable, 1) === 0);
    drop('subid', value(property.subscriptionIdentifierAvailable, 1) === 0);
    drop('share', value(property.sharedSubscriptionAvailable, 1) === 0);
    drop('alias', value(property.topicAliasMaximum, 0) === 0);
  }
  if ((await tryConnect(target, versions.has(5) ? 5 : 4, '')) !== undefined) {
    features.add('anonymous');
  }
  if (target.webSocket !== undefined) {
    features.add('ws');
  }
  return { versions, features };
}

async function tryConnect(target: Target, version: MqttVersion, clientId: string): ReturnType<typeof read> {
  const peer = await RawPeer.connect({ host: target.host, port: target.port });
  peer.send(packet.connect({ version, clientId }));
  return read(peer, version).finally(() => peer.destroy());
}

async function read(
  peer: RawPeer,
  version: MqttVersion,
): Promise<ReturnType<typeof decode.connack> | undefined> {
  try {
    const connack = decode.connack(await peer.expect(packetType.CONNACK), version);
    return connack.reason === 0 ? connack : undefined;
  } catch {
    // A server that closes or answers something else does not offer this version.
    return undefined;
  }
}
