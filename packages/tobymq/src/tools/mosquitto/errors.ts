// How the programs that stand in for Mosquitto's end: with Mosquitto's exit codes and words.

import type { ClientError } from '@tobymq/client';

/** A wrong command line: one line on standard error and exit code 1. */
export class MosquittoUsageError extends Error {
  override readonly name = 'MosquittoUsageError';
  readonly code = 'TOBYMQ_USAGE';
}

const TIMED_OUT = 27;
const TLS_FAILED = 8;

/** The words for CONNACK codes of 3.1 and 3.1.1 that scripts look for. */
const REFUSALS: readonly string[] = [
  '',
  'unacceptable protocol version',
  'identifier rejected',
  'broker unavailable',
  'bad user name or password',
  'not authorised',
];

const CODES_OF_5: Readonly<Record<number, number>> = { 132: 1, 133: 2, 136: 3, 134: 4, 135: 5 };

/** What a failed connection or operation prints, and the exit code of the program. */
export function tellFailure(
  error: ClientError,
  version: 3 | 4 | 5,
): { readonly text: string; readonly exitCode: number } {
  const { code, reasonCode } = error;
  if (code === 'TOBYMQ_CONNECT_REFUSED' && reasonCode !== undefined) {
    const old = CODES_OF_5[reasonCode];
    if (version < 5 && old !== undefined) {
      return { text: `Connection error: Connection Refused: ${REFUSALS[old]}.`, exitCode: old };
    }
    return { text: `Connection error: ${error.message}.`, exitCode: reasonCode };
  }
  if (code === 'TOBYMQ_TIMEOUT' || code === 'TOBYMQ_ABORTED')
    return { text: 'Timed out', exitCode: TIMED_OUT };
  if (code === 'TOBYMQ_TRANSPORT_FAILED') {
    if (/ECONNREFUSED/.test(error.message)) return { text: 'Error: Connection refused', exitCode: 1 };
    if (/ENOTFOUND|EAI_AGAIN/.test(error.message))
      return { text: 'Unable to connect (Lookup error.).', exitCode: 1 };
    if (/certificate|SSL|TLS/i.test(error.message))
      return { text: `Error: ${error.message}.`, exitCode: TLS_FAILED };
  }
  return { text: `Error: ${error.message}.`, exitCode: 1 };
}
