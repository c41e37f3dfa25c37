// CONNECT: who is this, may it come in, which session does it get, and what is it told about us.
//
// The order: what the packet says and the listener allows; authentication, which may take its time; the claim of the
// session, which ends whoever had it; CONNACK, which waits for the store if the session is kept there.

import { randomUUID } from 'node:crypto';
import { type Connect, checkTopicName, hasDiscouragedCharacters, type ProtocolVersion } from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';
import type { AuthenticationAnswer, AuthenticationRequest } from '../extension.ts';
import { isPromise } from '../hooks.ts';
import { countLevels } from '../routing/levels.ts';
import { NEVER_EXPIRES } from '../session/session.ts';
import { acceptConnect } from './accept-connect.ts';
import { beginExchange } from './enhanced-authentication.ts';
import { type Refusal, refuse } from './refuse.ts';

/** A CONNECT with what the server has decided about it. */
export interface ConnectAttempt {
  readonly connect: Connect;
  readonly request: AuthenticationRequest;
  /** The client id that we gave, to be told in CONNACK. */
  readonly assignedClientId: string | undefined;
}

export function handleConnect(connection: Connection, connect: Connect): Promise<void> | undefined {
  const { sender, stream, listener } = connection;
  const version = connect.protocolVersion;
  sender.version = version;
  sender.isV5 = version === 5;
  sender.givesReasons = version === 5 && connect.properties?.requestProblemInformation !== false;
  if (connect.properties?.maximumPacketSize !== undefined) {
    sender.maximumPacketSize = connect.properties.maximumPacketSize;
  }
  connection.state = 'connecting';
  const { settings } = listener;
  // [MQTT-3.1.3-6], [MQTT-3.2.2-16]
  const isAssigned = connect.clientId === '' && version !== 3;
  const assignedClientId = isAssigned ? `${settings.assignedClientIdPrefix}${randomUUID()}` : undefined;
  let clientId = assignedClientId ?? connect.clientId;
  if (settings.useUsernameAsClientId && connect.username !== undefined) clientId = connect.username;
  const request: AuthenticationRequest = {
    clientId,
    username: connect.username,
    protocolVersion: version,
    remoteAddress: stream.remoteAddress,
    remotePort: stream.remotePort,
    listener: stream.listener,
    peer: stream.peer,
    password: connect.password,
    cleanStart: connect.cleanStart,
    keepAlive: connect.keepAlive,
    will: connect.will,
    properties: connect.properties,
  };
  const attempt: ConnectAttempt = { connect, request, assignedClientId };
  const refusal = refusalOf(connection, connect);
  if (refusal !== undefined) {
    refuse(connection, request, refusal);
    return undefined;
  }
  if (connect.properties?.authenticationMethod !== undefined) return beginExchange(connection, attempt);
  const answer = listener.hooks.authenticate(request);
  if (isPromise(answer)) return answer.then((late) => decideConnect(connection, attempt, late));
  return decideConnect(connection, attempt, answer);
}

/** Goes on when the authenticator has answered. */
export function decideConnect(
  connection: Connection,
  attempt: ConnectAttempt,
  answer: Exclude<AuthenticationAnswer, undefined>,
): Promise<void> | undefined {
  // The client may have gone while the authenticator was thinking.
  if (connection.state !== 'connecting') return undefined;
  if (!answer.allow) {
    const { reasonCode = 0x87, reason = 'not authorized', reasonForLog, serverReference } = answer;
    refuse(connection, attempt.request, { reasonCode, reason, reasonForLog, serverReference }); // [MQTT-3.1.4-2]
    return undefined;
  }
  const clientId = answer.clientId ?? attempt.request.clientId;
  // Only a bus makes the claim take time.
  const { bus, sessions } = connection.core;
  const claimed = bus?.claim(clientId);
  if (claimed === undefined) {
    acceptConnect(connection, attempt, answer);
    return undefined;
  }
  return claimed.then(() => {
    if (connection.state === 'connecting') acceptConnect(connection, attempt, answer);
    // It has gone meanwhile; what has no session here is for any broker to claim.
    else if (sessions.get(clientId) === undefined) bus?.release(clientId);
  });
}

/** The Session Expiry Interval that a client asks for: 3.x clients keep their session forever or not at all. */
export function requestedExpiry(connect: Connect): number {
  if (connect.protocolVersion === 5) return connect.properties?.sessionExpiryInterval ?? 0; // [N14]
  return connect.cleanStart ? 0 : NEVER_EXPIRES;
}

/** Why a CONNECT is refused before anybody is asked. */
function refusalOf(connection: Connection, connect: Connect): Refusal | undefined {
  const { settings } = connection.listener;
  const version: ProtocolVersion = connect.protocolVersion;
  if (!settings.acceptedVersions.includes(version)) {
    return { reasonCode: 0x84, reason: `this listener does not accept protocol level ${version}` };
  }
  if (connect.clientId === '') {
    // 3.1 knows no empty client ids; in 3.1.1 they need Clean Session. [MQTT-3.1.3-8] of 3.1.1
    if (version === 3 || (version === 4 && !connect.cleanStart) || !settings.allowZeroLengthClientId) {
      return { reasonCode: 0x85, reason: 'the client id is empty' };
    }
  }
  if (settings.useUsernameAsClientId && connect.username === '') {
    return { reasonCode: 0x85, reason: 'the user name is to be the client id, and is empty' };
  }
  const { keepAliveMax } = settings;
  if (version !== 5 && keepAliveMax > 0 && (connect.keepAlive === 0 || connect.keepAlive > keepAliveMax)) {
    // 5.0 clients are told another value; older ones cannot be, so they are refused, as in Mosquitto.
    return { reasonCode: 0x85, reason: `the keep alive is above the listener's maximum of ${keepAliveMax}` };
  }
  return willRefusal(connection, connect);
}

function willRefusal(connection: Connection, { will }: Connect): Refusal | undefined {
  if (will === undefined) return undefined;
  const { settings } = connection.listener;
  const { topicLevelsMax, topicBytesMax } = connection.core.limits;
  // [MQTT-3.2.2-12]
  if (will.qos > settings.maximumQoS) {
    return {
      reasonCode: 0x9b,
      reason: `the Will has QoS ${will.qos}, above the maximum of ${settings.maximumQoS}`,
    };
  }
  // [MQTT-3.2.2-13]
  if (will.retain && !settings.retainAvailable) {
    return { reasonCode: 0x9a, reason: 'the Will is retained, but retained messages are not available' };
  }
  const problem = checkTopicName(will.topic);
  if (
    problem !== undefined ||
    hasDiscouragedCharacters(will.topic) ||
    countLevels(will.topic) > topicLevelsMax ||
    Buffer.byteLength(settings.mountPoint + will.topic) > topicBytesMax
  ) {
    return { reasonCode: 0x90, reason: `the topic of the Will ${problem ?? 'is not acceptable'}` };
  }
  return undefined;
}
