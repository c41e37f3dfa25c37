// What the reason codes of CONNACK and DISCONNECT say about a fault.

import { ReasonCode } from '@tobymq/client';
import type { FaultName } from './faults.ts';

const NAMES: Readonly<Record<number, FaultName>> = {
  [ReasonCode.UnsupportedProtocolVersion]: 'VERSION_REFUSED',
  [ReasonCode.ClientIdentifierNotValid]: 'CLIENT_ID_REFUSED',
  [ReasonCode.BadUserNameOrPassword]: 'BAD_CREDENTIALS',
  [ReasonCode.NotAuthorized]: 'NOT_AUTHORIZED',
  [ReasonCode.Banned]: 'BANNED',
  [ReasonCode.BadAuthenticationMethod]: 'AUTHENTICATION_METHOD',
  [ReasonCode.ServerUnavailable]: 'SERVER_BUSY',
  [ReasonCode.ServerBusy]: 'SERVER_BUSY',
  [ReasonCode.ServerShuttingDown]: 'SERVER_BUSY',
  [ReasonCode.QuotaExceeded]: 'SERVER_BUSY',
  [ReasonCode.ConnectionRateExceeded]: 'SERVER_BUSY',
  [ReasonCode.UseAnotherServer]: 'SERVER_MOVED',
  [ReasonCode.ServerMoved]: 'SERVER_MOVED',
  [ReasonCode.PacketTooLarge]: 'PACKET_TOO_LARGE',
  [ReasonCode.SessionTakenOver]: 'SESSION_TAKEN_OVER',
  [ReasonCode.KeepAliveTimeout]: 'KEEP_ALIVE_KILLED',
  [ReasonCode.QoSNotSupported]: 'WILL_REFUSED',
  [ReasonCode.RetainNotSupported]: 'WILL_REFUSED',
  [ReasonCode.TopicNameInvalid]: 'WILL_REFUSED',
};

/** The return codes of 3.1 and 3.1.1, in order, as reason codes. */
const RETURN_CODES: readonly number[] = [
  ReasonCode.Success,
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.ServerUnavailable,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
];

/** The fault behind a refusal to connect. */
export function refusalOf(reasonCode: number, version: number, hasCredentials: boolean): FaultName {
  const code = version < 5 ? (RETURN_CODES[reasonCode] ?? reasonCode) : reasonCode;
  const name = NAMES[code] ?? 'CONNECT_REFUSED';
  const isAboutUser = name === 'NOT_AUTHORIZED' || name === 'BAD_CREDENTIALS';
  return isAboutUser && !hasCredentials ? 'ANONYMOUS_REFUSED' : name;
}
