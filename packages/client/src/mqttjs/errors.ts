// Errors as programs written for MQTT.js test them: a numeric `code` of the server, or the `code` of the system.

import { ReasonCode } from '@tobymq/codec';
import { ClientError } from '../errors.ts';
import { reasonName } from '../reason-names.ts';

/** An error of the server with its code: the reason code, or the return code of CONNACK before 5.0. */
export class ErrorWithReasonCode extends Error {
  readonly code: number;

  constructor(message: string, code: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The texts of the reason codes, and of the return codes 1 to 5 of CONNACK before 5.0. */
export const ReasonCodes: Readonly<Record<number, string>> = Object.fromEntries([
  [0, ''],
  [1, 'Unacceptable protocol version'],
  [2, 'Identifier rejected'],
  [3, 'Server unavailable'],
  [4, 'Bad username or password'],
  [5, 'Not authorized'],
  ...Object.values(ReasonCode)
    .filter((code) => code >= 0x10)
    .map((code) => {
      const name = reasonName(code);
      return [code, name.charAt(0).toUpperCase() + name.slice(1)];
    }),
]);

/** The return code of CONNACK before 5.0 that means the same as a reason code. */
function returnCodeOf(reasonCode: number): number {
  const known: readonly number[] = [
    ReasonCode.Success,
    ReasonCode.UnsupportedProtocolVersion,
    ReasonCode.ClientIdentifierNotValid,
    ReasonCode.ServerUnavailable,
    ReasonCode.BadUserNameOrPassword,
    ReasonCode.NotAuthorized,
  ];
  const returnCode = known.indexOf(reasonCode);
  return returnCode === -1 ? reasonCode : returnCode;
}

/** An error of ours as MQTT.js would give it. */
export function toMqttjsError(error: Error, protocolVersion: number): Error {
  if (!(error instanceof ClientError)) return error;
  const { reasonCode, cause } = error;
  if (reasonCode !== undefined && error.code !== 'TOBYMQ_SERVER_LIMIT') {
    const isRefused = error.code === 'TOBYMQ_CONNECT_REFUSED';
    const code = isRefused && protocolVersion < 5 ? returnCodeOf(reasonCode) : reasonCode;
    const what = isRefused ? `Connection refused: ${ReasonCodes[code] ?? code}` : error.message;
    return new ErrorWithReasonCode(what, code, { cause: error });
  }
  const isOfSystem = cause instanceof Error && 'code' in cause;
  return isOfSystem && /TRANSPORT|CONNECTION_LOST/.test(error.code) ? cause : error;
}
