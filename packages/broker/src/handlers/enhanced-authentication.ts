// MQTT 5 enhanced authentication: AUTH packets back and forth until an extension is satisfied or refuses, at CONNECT and
// again at any later time.

import { type Auth, PacketType } from '@tobymq/codec';
import { serverClose } from '../connection/close.ts';
import type { Connection } from '../connection/connection.ts';
import { limitCredentials } from '../connection/credentials.ts';
import type { EnhancedAnswer, EnhancedExchange, MaybePromise } from '../extension.ts';
import { isPromise } from '../hooks.ts';
import { type ConnectAttempt, decideConnect } from './connect.ts';
import { fault, protocolError } from './faults.ts';
import { refuse } from './refuse.ts';
import { tell } from './tell.ts';

/** The exchange of one connection. */
export interface EnhancedAuthentication {
  readonly method: string;
  readonly attempt: ConnectAttempt;
  /** Undefined between exchanges. */
  exchange: EnhancedExchange | undefined;
}

/** CONNECT has an Authentication Method. */
export function beginExchange(connection: Connection, attempt: ConnectAttempt): Promise<void> | undefined {
  const { connect, request } = attempt;
  const method = connect.properties?.authenticationMethod ?? '';
  const exchange = connection.listener.hooks.exchange(method, request);
  if (exchange === undefined) {
    // [MQTT-4.12.0-1]
    refuse(connection, request, {
      reasonCode: 0x8c,
      reason: `the authentication method "${method}" is not known`,
    });
    return undefined;
  }
  connection.authentication = { method, attempt, exchange };
  return step(connection, connect.properties?.authenticationData);
}

/** AUTH from the client: the next step, or the beginning of a re-authentication. */
export function continueExchange(connection: Connection, packet: Auth): Promise<void> | undefined {
  const { authentication } = connection;
  const method = packet.properties?.authenticationMethod;
  // [MQTT-4.12.0-7], [N48]
  if (authentication === undefined)
    throw protocolError('AUTH came although CONNECT had no authentication method');
  // [MQTT-4.12.0-5], [MQTT-4.12.1-1]
  if (method !== authentication.method)
    throw fault(0x82, 'AUTH has another authentication method than CONNECT');
  if (packet.reasonCode === 0x19) {
    if (connection.state !== 'connected')
      throw protocolError('AUTH asks for re-authentication before CONNACK');
    authentication.exchange = connection.listener.hooks.exchange(method, authentication.attempt.request);
  }
  if (authentication.exchange === undefined) throw protocolError('AUTH came while no exchange is going on');
  return step(connection, packet.properties?.authenticationData);
}

function step(connection: Connection, data: Uint8Array | undefined): Promise<void> | undefined {
  const { exchange } = connection.authentication!;
  let answer: MaybePromise<EnhancedAnswer>;
  try {
    answer = exchange!.step(data);
  } catch (error) {
    failed(connection, error);
    return undefined;
  }
  if (!isPromise(answer)) return finish(connection, answer);
  return answer.then(
    (late) => finish(connection, late),
    (error: unknown) => failed(connection, error),
  );
}

function failed(connection: Connection, error: unknown): void {
  const { core, authentication } = connection;
  core.metrics.extensionFailures++;
  core.logger.log('error', 'extension-failed', { hook: 'authenticationExchange', error });
  if (authentication === undefined) return;
  void finish(connection, { allow: false, reasonCode: 0x80, reason: 'the authentication failed' });
}

function finish(connection: Connection, answer: EnhancedAnswer): Promise<void> | undefined {
  const { authentication, state } = connection;
  if (authentication === undefined || (state !== 'connecting' && state !== 'connected')) return undefined;
  const { method, attempt } = authentication;
  if (answer.continue === true) {
    const properties = { authenticationMethod: method, authenticationData: answer.data };
    tell(connection, 'AUTH', { type: PacketType.Auth, reasonCode: 0x18, properties }); // [MQTT-4.12.0-2]
    return undefined;
  }
  authentication.exchange = undefined;
  if (state === 'connecting') return decideConnect(connection, attempt, answer); // [MQTT-4.12.0-4]
  if (answer.allow) {
    limitCredentials(connection, answer.expiresAt);
    const properties = { authenticationMethod: method, authenticationData: answer.authenticationData };
    tell(connection, 'AUTH', { type: PacketType.Auth, reasonCode: 0, properties }); // [N49]
    return undefined;
  }
  connection.close(serverClose(answer.reasonCode ?? 0x87, answer.reason ?? 'the re-authentication failed')); // [MQTT-4.12.1-2]
  return undefined;
}
