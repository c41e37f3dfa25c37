// The CONNECT packet of one attempt: the options of `connect()`, with credentials that are fetched for this attempt, in
// the form that its protocol version has.

import {
  type ConnectInput,
  type ConnectProperties,
  encodedSize,
  PacketType,
  type ProtocolVersion,
  type WillInput,
} from '@tobymq/codec';
import { ClientError, messageOf } from './errors.ts';
import type { Credentials, Settings } from './options.ts';
import { type Attempt, safeUrl } from './supervisor.ts';

const encoder = new TextEncoder();

/** What this process knows of its session: none was made yet, the server should still have it, or it has expired. */
export type SessionMemory = 'none' | 'alive' | 'expired';

/** Makes the CONNECT of an attempt. */
export async function connectPacket(
  settings: Settings,
  attempt: Attempt,
  clientId: string,
  session: SessionMemory,
): Promise<ConnectInput> {
  const { version } = attempt;
  const { username, password } = await fetchCredentials(settings, attempt);
  const authenticationData = version === 5 ? await startAuth(settings) : undefined;
  if (password !== undefined && username === undefined && version < 5) {
    // [MQTT-3.1.2-22] of 3.1.1
    throw new ClientError(
      'TOBYMQ_OPTION_INVALID',
      'credentials.username is missing: only MQTT 5.0 allows a password alone',
    );
  }
  // Within this process a 5.0 session is resumed; before 5.0 that would leave sessions of nobody at the server.
  const resumes =
    session === 'alive' && (version === 5 ? settings.sessionExpirySeconds > 0 : settings.keepSession);
  const packet: ConnectInput = {
    type: PacketType.Connect,
    protocolVersion: version,
    clientId,
    cleanStart: session === 'none' ? settings.startFresh : !resumes,
    keepAlive: settings.keepAliveSeconds,
    username,
    password: typeof password === 'string' ? encoder.encode(password) : password,
    will: willOf(settings, version),
    properties: version === 5 ? propertiesOf(settings, authenticationData) : undefined,
  };
  try {
    encodedSize(packet, version);
  } catch (cause) {
    const what = `no CONNECT can be made of the options: ${messageOf(cause)}`;
    throw new ClientError('TOBYMQ_OPTION_INVALID', what, { cause });
  }
  return packet;
}

async function fetchCredentials(
  { credentials }: Settings,
  { signal, attempt, url }: Attempt,
): Promise<Credentials> {
  if (typeof credentials !== 'function') return credentials ?? {};
  try {
    return await credentials({ signal, attempt, url: safeUrl(url) });
  } catch (cause) {
    const what = `the function for the credentials failed: ${messageOf(cause)}`;
    throw new ClientError('TOBYMQ_AUTH_FAILED', what, { cause });
  }
}

async function startAuth({ auth }: Settings): Promise<Uint8Array | undefined> {
  try {
    return await auth?.start();
  } catch (cause) {
    const what = `the authentication method failed: ${messageOf(cause)}`;
    throw new ClientError('TOBYMQ_AUTH_FAILED', what, { cause });
  }
}

function propertiesOf(settings: Settings, authenticationData: Uint8Array | undefined): ConnectProperties {
  return {
    sessionExpiryInterval: settings.sessionExpirySeconds,
    receiveMaximum: settings.receiveMaximum,
    maximumPacketSize: settings.maximumPacketSize,
    topicAliasMaximum: settings.topicAliasMaximum,
    requestResponseInformation: settings.requestResponseInformation || undefined,
    requestProblemInformation: settings.requestProblemInformation ? undefined : false,
    userProperties: settings.userProperties,
    authenticationMethod: settings.auth?.method,
    authenticationData,
  };
}

function willOf({ will }: Settings, version: ProtocolVersion): WillInput | undefined {
  if (will === undefined) return undefined;
  const { topic, payload, qos, retain, properties, delaySeconds } = will;
  const with5 = version === 5 ? { ...properties, willDelayInterval: delaySeconds || undefined } : undefined;
  return { topic, payload, qos, retain, properties: with5 };
}
