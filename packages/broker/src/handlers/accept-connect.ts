// The second half of CONNECT: the client may come in. It gets its session and the CONNACK, then what waits for it.

import {
  type ConnackProperties,
  type Connect,
  ConnectReturnCode,
  MAX_PACKET_SIZE,
  PacketType,
  type ProtocolVersion,
} from '@tobymq/codec';
import type { Gated } from '../connection/acknowledgements.ts';
import { AliasesOut } from '../connection/aliases-out.ts';
import { serverClose } from '../connection/close.ts';
import { type Connection, Pause } from '../connection/connection.ts';
import { limitCredentials } from '../connection/credentials.ts';
import { beginRateLimit } from '../connection/rate-limit.ts';
import type { AuthenticationAllowed, ClientInfo } from '../extension.ts';
import { countByCode } from '../metrics.ts';
import type { ListenerSettings } from '../options.ts';
import type { Session } from '../session/session.ts';
import { keptWill } from '../session/will.ts';
import { type ConnectAttempt, requestedExpiry } from './connect.ts';
import { tell } from './tell.ts';

export function acceptConnect(
  connection: Connection,
  attempt: ConnectAttempt,
  answer: AuthenticationAllowed,
): void {
  const { core, listener } = connection;
  const { connect } = attempt;
  const { settings } = listener;
  const client = clientOf(attempt, answer, core.clock.now());
  const { clientId, username, protocolVersion } = client;
  const asked = requestedExpiry(connect);
  const expiryInterval = Math.min(asked, settings.sessionExpiryMax, core.limits.sessionExpiryMax);

  const { session, isPresent, hasEndedStored } = core.sessions.claim({
    clientId,
    username,
    protocolVersion,
    cleanStart: connect.cleanStart,
    expiryInterval,
  });
  connection.session = session;
  connection.client = client;
  connection.requestedExpiry = asked;
  connection.window = Math.min(connect.properties?.receiveMaximum ?? 65_535, core.limits.inflightMax);
  prepareSender(connection, connect, client);
  beginRateLimit(connection);
  session.will = keptWill(connect, settings.mountPoint); // [MQTT-3.1.2-7]
  session.willOwner = session.will === undefined ? undefined : { client, listener };

  const keepAlive = negotiateKeepAlive(connect.keepAlive, protocolVersion, settings);
  connection.opened(keepAlive, settings.maximumPacketSize);
  limitCredentials(connection, answer.expiresAt);

  core.metrics.connectionsAccepted++;
  core.metrics.connectionsNow++;
  core.metrics.connectionsMaximum = Math.max(core.metrics.connectionsMaximum, core.metrics.connectionsNow);

  session.disconnectedAt = 0;
  if (session.isPersistent) {
    core.store.putSession(session.toStored());
    core.gate.touch();
  }
  const properties = connackProperties(connection, attempt, answer, keepAlive, expiryInterval);
  // 3.1 has no Session Present; its byte is reserved. [V31]
  const sessionPresent = isPresent && protocolVersion !== 3; // [MQTT-3.2.2-2], [MQTT-3.2.2-3]
  session.pending = connection;
  const welcome = () => {
    // [MQTT-3.1.4-5]
    const connack = { type: PacketType.Connack, sessionPresent, reasonCode: 0, properties } as const;
    if (!tell(connection, 'CONNACK', connack)) return;
    serve(connection, session, client, isPresent, keepAlive, connect.cleanStart);
  };
  // The client is told of its session when that is stored; or, when it asked for a new one, when the old one is gone.
  if (core.store.durable && (session.isPersistent || hasEndedStored)) {
    welcomeWhenStored(connection, session, welcome);
  } else {
    welcome();
  }
}

function clientOf(
  { request }: ConnectAttempt,
  answer: AuthenticationAllowed,
  connectedAt: number,
): ClientInfo {
  const { protocolVersion, remoteAddress, remotePort, listener, peer } = request;
  return {
    clientId: answer.clientId ?? request.clientId,
    username: answer.username ?? request.username,
    protocolVersion,
    remoteAddress,
    remotePort,
    listener,
    peer,
    identity: answer.identity,
    connectedAt,
  };
}

function prepareSender({ sender, listener }: Connection, connect: Connect, client: ClientInfo): void {
  const { mountPoint, topicAliasMaximumOut } = listener.settings;
  sender.client = client;
  sender.hooks = listener.hooks;
  sender.mountPoint = mountPoint;
  // [MQTT-3.1.2-26], [MQTT-3.1.2-27]
  const aliasMax = Math.min(connect.properties?.topicAliasMaximum ?? 0, topicAliasMaximumOut);
  if (aliasMax > 0) sender.aliases = new AliasesOut(aliasMax);
}

/** Nothing may reach the client before CONNACK [MQTT-3.2.0-1]: messages go to the queue in the store, and reading stops. */
function welcomeWhenStored(connection: Connection, session: Session, welcome: () => void): void {
  const { core, sender } = connection;
  connection.pause(Pause.Connack);
  const gated: Gated = {
    batch: 0,
    bytes: 0,
    send: () => {
      session.isStored = true;
      if (session.pending !== connection) return;
      welcome();
      connection.resume(Pause.Connack);
    },
    refuse: () => {
      if (session.isStored) {
        // Its client may be the one that empties the queue which fills the disk.
        gated.batch = 0;
        return false;
      }
      countByCode(core.metrics.refusedByReasonCode, 0x88);
      sender.packet({
        type: PacketType.Connack,
        reasonCode: sender.isV5 ? 0x88 : ConnectReturnCode.ServerUnavailable,
      });
      // The client has not come in: neither its Will nor its session is to outlive the refusal.
      session.will = undefined;
      connection.close(serverClose(0x88, 'the session could not be stored'));
      core.sessions.end(session, 'removed');
      return true;
    },
  };
  connection.gate(gated, true);
}

function serve(
  connection: Connection,
  session: Session,
  client: ClientInfo,
  isPresent: boolean,
  keepAlive: number,
  cleanStart: boolean,
): void {
  session.attach(connection); // [MQTT-3.2.0-1]: after CONNACK.
  connection.listener.hooks.connected(client, isPresent);
  connection.core.logger.log('info', 'client-connected', {
    clientId: client.clientId,
    username: client.username,
    address: client.remoteAddress,
    port: client.remotePort,
    listener: client.listener,
    protocolVersion: client.protocolVersion,
    sessionPresent: isPresent,
    cleanStart,
    keepAlive,
  });
}

function negotiateKeepAlive(asked: number, version: ProtocolVersion, settings: ListenerSettings): number {
  if (version !== 5) return asked;
  if (settings.serverKeepAlive !== undefined) return settings.serverKeepAlive;
  const { keepAliveMax } = settings;
  return keepAliveMax > 0 && (asked === 0 || asked > keepAliveMax) ? keepAliveMax : asked;
}

/** What a 5.0 client has to know; whatever is as the standard assumes it is left out. */
function connackProperties(
  connection: Connection,
  { connect, assignedClientId, request }: ConnectAttempt,
  answer: AuthenticationAllowed,
  keepAlive: number,
  expiryInterval: number,
): ConnackProperties | undefined {
  if (!connection.sender.isV5) return undefined;
  const { settings } = connection.listener;
  const clientId = answer.clientId ?? request.clientId;
  const wantsResponse = connect.properties?.requestResponseInformation === true;
  return {
    sessionExpiryInterval: expiryInterval === requestedExpiry(connect) ? undefined : expiryInterval, // [N15]
    receiveMaximum: settings.receiveMaximum === 65_535 ? undefined : settings.receiveMaximum,
    maximumQoS: settings.maximumQoS === 2 ? undefined : settings.maximumQoS, // [MQTT-3.2.2-9]
    retainAvailable: settings.retainAvailable ? undefined : false,
    maximumPacketSize: settings.maximumPacketSize >= MAX_PACKET_SIZE ? undefined : settings.maximumPacketSize,
    // [MQTT-3.1.3-7]; also when the authenticator has chosen another one.
    assignedClientIdentifier:
      assignedClientId !== undefined || clientId !== connect.clientId ? clientId : undefined,
    topicAliasMaximum: settings.topicAliasMaximum === 0 ? undefined : settings.topicAliasMaximum,
    wildcardSubscriptionAvailable: settings.wildcardSubscriptionAvailable ? undefined : false,
    subscriptionIdentifierAvailable: settings.subscriptionIdentifierAvailable ? undefined : false,
    sharedSubscriptionAvailable: settings.sharedSubscriptionAvailable ? undefined : false,
    serverKeepAlive: keepAlive === connect.keepAlive ? undefined : keepAlive, // [MQTT-3.2.2-22]
    responseInformation: wantsResponse ? answer.responseInformation : undefined, // [MQTT-3.1.2-28]
    authenticationMethod: connect.properties?.authenticationMethod, // [MQTT-4.12.0-5], [MQTT-4.12.0-6]
    authenticationData:
      connect.properties?.authenticationMethod === undefined ? undefined : answer.authenticationData,
  };
}
