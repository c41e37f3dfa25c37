// What to do after a failed attempt or a lost connection: a pure function from the failure to a decision. The delay is
// "full jitter": a random time between zero and a bound that doubles, so that a thousand clients which lost the same
// server do not come back in the same moment.

import { ReasonCode } from '@tobymq/codec';
import { type Duration, milliseconds } from './duration.ts';
import type { ClientError } from './errors.ts';
import { defaults } from './limits.ts';

/** A failed attempt or a lost connection. */
export interface ReconnectFailure {
  readonly error: ClientError;
  /** How many attempts have failed in a row, this one included. */
  readonly attempt: number;
  /** What the client would do on its own account. */
  readonly wouldRetry: boolean;
}

export interface ReconnectOptions {
  /** The bound of the first delay; 250 ms unless given. */
  readonly min?: Duration;
  /** The largest bound; 30 s unless given. */
  readonly max?: Duration;
  /** `full` (the default) draws the delay at random below the bound; `none` takes the bound itself. */
  readonly jitter?: 'full' | 'none';
  /** Gives up after so many failures in a row. Never unless given. */
  readonly maxAttempts?: number;
  /** Overrides the decision: false stops, true retries, a duration retries after exactly that time. */
  readonly decide?: (failure: ReconnectFailure) => boolean | Duration | undefined;
}

export interface ReconnectDecision {
  readonly retry: boolean;
  readonly delayMs: number;
}

const finalReasonCodes: ReadonlySet<number> = new Set([
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
  ReasonCode.Banned,
  ReasonCode.BadAuthenticationMethod,
  ReasonCode.SessionTakenOver,
]);

/** Whether trying again is useless, because the server has judged who we are or what we speak. */
export function isFinal(error: ClientError): boolean {
  if (error.code === 'TOBYMQ_STORE_FAILED' || error.code === 'TOBYMQ_OPTION_INVALID') return true;
  if (error.code !== 'TOBYMQ_CONNECT_REFUSED' && error.code !== 'TOBYMQ_DISCONNECTED') return false;
  return finalReasonCodes.has(error.reasonCode ?? 0);
}

/** Decides whether and when to try again. */
export function decideReconnect(
  options: ReconnectOptions | undefined,
  error: ClientError,
  attempt: number,
  random: () => number,
): ReconnectDecision {
  if (options === undefined) return { retry: false, delayMs: 0 };
  const wouldRetry = !isFinal(error) && attempt < (options.maxAttempts ?? Number.POSITIVE_INFINITY);
  const verdict = options.decide?.({ error, attempt, wouldRetry }) ?? wouldRetry;
  if (typeof verdict !== 'boolean')
    return { retry: true, delayMs: milliseconds(verdict, 'reconnect.decide()') };
  const min = milliseconds(options.min ?? defaults.reconnectMinMs, 'reconnect.min');
  const max = milliseconds(options.max ?? defaults.reconnectMaxMs, 'reconnect.max');
  const bound = Math.min(max, min * 2 ** Math.min(attempt - 1, 30));
  return { retry: verdict, delayMs: options.jitter === 'none' ? bound : Math.ceil(random() * bound) };
}

/**
 * The servers that a Server Reference names, separated by blanks: `host`, `host:port` or whole URLs. They inherit the
 * scheme and the path of the URL that led to them.
 */
export function serversOf(reference: string | undefined, current: URL): URL[] {
  const servers: URL[] = [];
  for (const part of (reference ?? '').split(' ')) {
    if (part === '') continue;
    const text = part.includes('://')
      ? part
      : `${current.protocol}//${part}${current.pathname}${current.search}`;
    // A reference that is no address is worth as much as none; the back-off goes on with the URLs we have.
    if (!URL.canParse(text)) continue;
    const server = new URL(text);
    // Credentials that went over TLS do not follow a server to where everybody can read them.
    if (!isSecure(current) || isSecure(server)) servers.push(server);
  }
  return servers;
}

function isSecure({ protocol }: URL): boolean {
  return ['mqtts:', 'tls:', 'ssl:', 'wss:'].includes(protocol);
}
