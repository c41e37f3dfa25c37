// The CONNECT packet of one attempt: the options of `connect()`, with credentials that are fetched for this attempt, in
// the form that its protocol version has.

import { type ConnectInput, encodedSize, PacketType, type ProtocolVersion } from '@tobymq/codec';
import { causedBy } from './errors.ts';
import type { Credentials, Settings } from './options.ts';
import { bytesOf } from './outgoing-message.ts';
import { safeUrl } from './safe-url.ts';
import type { Attempt } from './supervisor.ts';

/** Makes the CONNECT of an attempt. */
export async function connectPacket(
  settings: Settings,
  { version, signal, attempt, url }: Attempt,
  clientId: string,
  cleanStart: boolean,
): Promise<ConnectInput> {
  const { auth, credentials } = settings;
  const known =
    typeof credentials === 'function'
      ? await answerOf('the function for the credentials', () =>
          credentials({ signal, attempt, url: safeUrl(url) }),
        )
      : credentials;
  const data = version === 5 ? await answerOf('the authentication method', () => auth?.start()) : undefined;
  return connectOf(settings, version, clientId, cleanStart, known, data);
}

/** Refuses options that no CONNECT can be made of, as far as they are known before the first attempt. */
export function checkConnect(settings: Settings): void {
  const { protocolVersion, clientId, credentials } = settings;
  const known = typeof credentials === 'function' ? undefined : credentials;
  // Whatever is spoken, the limits are those of 5.0.
  connectOf(settings, 5, clientId, true, known);
  if (protocolVersion !== 'auto') connectOf(settings, protocolVersion, clientId, true, known);
}

async function answerOf<T>(what: string, ask: () => T | Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw causedBy(cause, 'TOBYMQ_AUTH_FAILED', `${what} failed`);
  }
}

function connectOf(
  settings: Settings,
  version: ProtocolVersion,
  clientId: string,
  cleanStart: boolean,
  { username, password }: Credentials = {},
  authenticationData?: Uint8Array,
): ConnectInput {
  const { will, receiveMaximum, maximumPacketSize, topicAliasMaximum, userProperties } = settings;
  const has5 = version === 5;
  const packet: ConnectInput = {
    type: PacketType.Connect,
    protocolVersion: version,
    clientId,
    cleanStart,
    keepAlive: settings.keepAliveSeconds,
    username,
    password: password === undefined ? undefined : bytesOf(password),
    will: will && (has5 ? will : { ...will, properties: undefined }),
    properties: has5
      ? {
          sessionExpiryInterval: settings.sessionExpirySeconds,
          receiveMaximum,
          maximumPacketSize,
          topicAliasMaximum,
          requestResponseInformation: settings.requestResponseInformation || undefined,
          requestProblemInformation: settings.requestProblemInformation ? undefined : false,
          userProperties,
          authenticationMethod: settings.auth?.method,
          authenticationData,
        }
      : undefined,
  };
  try {
    // The codec knows what a packet can carry, a password without a user name before 5.0 among it. [MQTT-3.1.2-22]
    encodedSize(packet, version);
  } catch (cause) {
    throw causedBy(cause, 'TOBYMQ_OPTION_INVALID', 'no CONNECT can be made of the options');
  }
  return packet;
}
