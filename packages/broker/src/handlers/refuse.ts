// How a CONNECT is refused: a CONNACK that says why, in the form that the client's version knows, and the close.

import {
  type CodecError,
  ConnectReturnCode,
  encode,
  PacketType,
  UnsupportedProtocolError,
} from '@tobymq/codec';
import { serverClose } from '../connection/close.ts';
import type { Connection } from '../connection/connection.ts';
import type { AuthenticationRequest } from '../extension.ts';
import { countByCode } from '../metrics.ts';
import { fittingCode, tellable } from './reason-codes.ts';

export interface Refusal {
  readonly reasonCode: number;
  /** What the client is told. */
  readonly reason: string;
  /** What the log says, if that is something else. */
  readonly reasonForLog?: string | undefined;
  readonly serverReference?: string | undefined;
}

/** Refuses a CONNECT that could be read. `request` is what extensions get to see of it. */
export function refuse(connection: Connection, request: AuthenticationRequest, refusal: Refusal): void {
  const { sender } = connection;
  const { reason, reasonForLog = reason, serverReference } = refusal;
  const reasonCode = fittingCode('connack', refusal.reasonCode); // [MQTT-3.2.2-8]
  report(connection, reasonCode, reasonForLog, request);
  connection.listener.hooks.refused(request, reasonCode, reasonForLog);
  if (sender.isV5) {
    const properties = { reasonString: tellable(reason), serverReference };
    sender.packet({ type: PacketType.Connack, sessionPresent: false, reasonCode, properties }); // [MQTT-3.2.2-6]
  } else {
    const returnCode = toReturnCode(reasonCode);
    // [MQTT-3.2.2-6] of 3.1.1: if no code fits, there is no CONNACK.
    if (returnCode !== undefined) sender.packet({ type: PacketType.Connack, reasonCode: returnCode });
  }
  connection.close(serverClose(reasonCode, reason)); // [MQTT-3.2.2-7]
}

/** The return code of 3.1 and 3.1.1 that comes closest to a reason code of 5.0. */
function toReturnCode(reasonCode: number): number | undefined {
  switch (reasonCode) {
    case 0x84:
      return ConnectReturnCode.UnacceptableProtocolVersion;
    case 0x85:
      return ConnectReturnCode.IdentifierRejected;
    case 0x86:
      return ConnectReturnCode.BadUserNameOrPassword;
    case 0x87:
    case 0x8a:
    case 0x8c:
      return ConnectReturnCode.NotAuthorized;
    case 0x80:
    case 0x83:
    case 0x88:
    case 0x89:
    case 0x97:
    case 0x9c:
    case 0x9d:
    case 0x9f:
      return ConnectReturnCode.ServerUnavailable;
    default:
      return undefined;
  }
}

/** Answers a CONNECT that cannot be read, where an answer is due. */
export function refuseBadConnect(connection: Connection, error: CodecError): void {
  const isForeign = error instanceof UnsupportedProtocolError && error.protocolName === undefined;
  report(connection, error.reasonCode, isForeign ? 'the protocol of CONNECT is not MQTT' : error.message);
  // A malformed CONNECT gets no CONNACK: 3.1.1 forbids it, and 5.0 does not ask for it. [MQTT-3.1.4-1]
  if (!(error instanceof UnsupportedProtocolError) || error.answerVersion === undefined) return;
  const version = error.answerVersion;
  const reasonCode = version === 5 ? 0x84 : ConnectReturnCode.UnacceptableProtocolVersion; // [MQTT-3.1.2-2]
  const bytes = encode({ type: PacketType.Connack, sessionPresent: false, reasonCode }, version);
  connection.sender.outbox.append(bytes, 0, bytes.length);
}

/** Ends a connection that has come to no CONNACK, without an answer. */
export function refuseStranger(connection: Connection, reasonCode: number, reason: string): void {
  report(connection, reasonCode, reason);
  connection.close(serverClose(reasonCode, reason));
}

function report(
  { core, stream }: Connection,
  reasonCode: number,
  reason: string,
  request?: AuthenticationRequest,
): void {
  core.metrics.connectionsRefused++;
  countByCode(core.metrics.refusedByReasonCode, reasonCode);
  core.logger.log('warn', 'client-refused', {
    clientId: request?.clientId,
    username: request?.username,
    address: stream.remoteAddress,
    port: stream.remotePort,
    listener: stream.listener,
    reasonCode,
    reason,
  });
}
