// How the tools end, for scripts. Every reason that a script could act upon has a number of its own.

import type { ClientError } from '@tobymq/client';

export const ExitCode = {
  Success: 0,
  /** Anything that has no number of its own. */
  Failure: 1,
  /** The command line is wrong. */
  Usage: 2,
  /** The server could not be reached, or the connection was lost. */
  Unreachable: 3,
  /** The server refused the connection, a subscription or a message. */
  Refused: 4,
  /** Bad credentials, or no right to do this. */
  NotAuthorized: 5,
  /** It took longer than `--timeout`. */
  TimedOut: 6,
  /** The message was accepted, but nobody is subscribed to its topic. */
  NoSubscriber: 7,
  /** The TLS handshake failed. */
  Tls: 8,
  /** The server does not allow this: too large, QoS or retain not supported. */
  Limit: 9,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const NOT_AUTHORIZED: ReadonlySet<number> = new Set([0x86, 0x87, 0x8a, 0x8c]);

/** The exit code for an error of the client. */
export function exitCodeOf(error: ClientError): ExitCode {
  if (error.reasonCode !== undefined && NOT_AUTHORIZED.has(error.reasonCode)) return ExitCode.NotAuthorized;
  switch (error.code) {
    case 'TOBYMQ_TIMEOUT':
    case 'TOBYMQ_ABORTED':
      return ExitCode.TimedOut;
    case 'TOBYMQ_AUTH_FAILED':
      return ExitCode.NotAuthorized;
    case 'TOBYMQ_CONNECT_REFUSED':
    case 'TOBYMQ_DISCONNECTED':
    case 'TOBYMQ_PUBLISH_REFUSED':
    case 'TOBYMQ_SUBSCRIBE_REFUSED':
    case 'TOBYMQ_UNSUBSCRIBE_REFUSED':
      return ExitCode.Refused;
    case 'TOBYMQ_NO_RESPONDER':
      return ExitCode.NoSubscriber;
    case 'TOBYMQ_SERVER_LIMIT':
      return ExitCode.Limit;
    case 'TOBYMQ_OPTION_INVALID':
    case 'TOBYMQ_TOPIC_INVALID':
    case 'TOBYMQ_PUBLISH_INVALID':
      return ExitCode.Usage;
    case 'TOBYMQ_TRANSPORT_FAILED':
      return isTlsFailure(error) ? ExitCode.Tls : ExitCode.Unreachable;
    case 'TOBYMQ_CONNECTION_LOST':
    case 'TOBYMQ_CONNECT_TIMEOUT':
    case 'TOBYMQ_KEEP_ALIVE_TIMEOUT':
      return ExitCode.Unreachable;
    default:
      return ExitCode.Failure;
  }
}

/**
 * True for failures of the handshake and of certificates, which Node tells apart by their codes, but for a server that
 * closes instead of answering the handshake.
 */
function isTlsFailure(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (
    typeof code === 'string' &&
    /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_OSSL|EPROTO)/.test(code)
  )
    return true;
  if (code === 'ECONNRESET' && /before secure TLS connection/.test(String(message))) return true;
  const cause = (error as { cause?: unknown } | undefined)?.cause;
  return cause !== undefined && isTlsFailure(cause);
}
