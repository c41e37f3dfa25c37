// What to do after a failed attempt or a lost connection: a pure function from the failure to a decision. The delay is
// "full jitter": a random time between zero and a bound that doubles, so that a thousand clients which lost the same
// server do not come back in the same moment.

import { ReasonCode } from '@tobymq/codec';
import { type Duration, milliseconds } from './duration.ts';
import type { ClientError } from './errors.ts';
import { reconnectMaxMs, reconnectMinMs } from './limits.ts';

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

/** Whether trying again is useless: the options are wrong, or the server has judged who we are or what we speak. */
export function isFinal({ code, reasonCode = 0 }: ClientError): boolean {
  return code === 'TOBYMQ_OPTION_INVALID' || finalReasonCodes.has(reasonCode);
}

/** Decides whether and when to try again. */
export function decideReconnect(
  { min = reconnectMinMs, max = reconnectMaxMs, maxAttempts = Infinity, jitter, decide }: ReconnectOptions,
  error: ClientError,
  attempt: number,
  random: () => number,
  /** How many attempts the delay has grown by; other news than a failure starts it anew. */
  step = attempt,
): ReconnectDecision {
  const wouldRetry = !isFinal(error) && attempt < maxAttempts;
  const verdict = decide?.({ error, attempt, wouldRetry }) ?? wouldRetry;
  if (typeof verdict !== 'boolean')
    return { retry: true, delayMs: milliseconds(verdict, 'reconnect.decide()') };
  const bound = Math.min(
    milliseconds(max, 'reconnect.max'),
    milliseconds(min, 'reconnect.min') * 2 ** Math.min(step - 1, 30),
  );
  return { retry: verdict, delayMs: jitter === 'none' ? bound : Math.ceil(random() * bound) };
}

/**
 * The servers that a Server Reference names, separated by blanks: `host`, `host:port` or whole URLs. They inherit the
 * scheme and the path of the URL that led to them.
 */
export function serversOf(reference: string | undefined, current: URL): URL[] {
  const { protocol, pathname, search } = current;
  return (
    (reference?.match(/\S+/g) ?? [])
      .map((part) => (part.includes('://') ? part : `${protocol}//${part}${pathname}${search}`))
      // A reference that is no address is worth as much as none; the back-off goes on with the URLs we have.
      .filter((text) => URL.canParse(text))
      .map((text) => new URL(text))
      // Credentials that went over TLS do not follow a server to where everybody can read them.
      .filter((server) => !isSecure(current) || isSecure(server))
  );
}

function isSecure({ protocol }: URL): boolean {
  return ['mqtts:', 'tls:', 'ssl:', 'wss:'].includes(protocol);
}
