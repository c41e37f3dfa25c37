// Reason codes in words and as errors, and the return codes of 3.1 and 3.1.1 as the reason codes that mean the same.

import { ReasonCode } from '@tobymq/codec';
import { ClientError, type ClientErrorCode, hex } from './errors.ts';

const returnCodes = [
  ReasonCode.Success,
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.ServerUnavailable,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
] as const;

/** The reason code of 5.0 for a CONNACK return code of earlier versions. */
export function reasonOfReturnCode(returnCode: number): number {
  return returnCodes[returnCode] ?? ReasonCode.UnspecifiedError;
}

/** The standard's name of a reason code: `not authorized`. */
export function reasonName(reasonCode: number): string {
  const name = Object.entries(ReasonCode).find(([, code]) => code === reasonCode)?.[0] ?? 'unknown';
  return name.replaceAll(/\B(?=[A-Z][a-z])/g, ' ').toLowerCase();
}

/** Whether a client may send DISCONNECT with this reason code. */
export function isClientDisconnectCode(reasonCode: number): boolean {
  return reasonCode <= 0x83 || reasonCode === 0x90 || (reasonCode >= 0x93 && reasonCode <= 0x99);
}

/** What a server may say beside a reason code. */
interface Explanation {
  readonly reasonString?: string | undefined;
  readonly serverReference?: string | undefined;
}

/** The error for what the server did or refused with a reason code. */
export function serverError(
  code: ClientErrorCode,
  what: string,
  reasonCode: number,
  { reasonString, serverReference }: Explanation = {},
  topic?: string,
): ClientError {
  const explanation = reasonString === undefined ? '' : `: ${reasonString}`;
  const message = `the server ${what} with ${hex(reasonCode)} ${reasonName(reasonCode)}${explanation}`;
  return new ClientError(code, message, { reasonCode, serverReference, topic });
}
