// What ends a call before its time: the `AbortSignal` and the timeout that its caller gave.

import type { Clock } from './clock.ts';
import { type Duration, milliseconds } from './duration.ts';
import { ClientError, causedBy } from './errors.ts';

export interface CallLimits {
  readonly timeout?: Duration | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Calls back when the signal says stop, at once if it already has. Returns what takes that back. */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal?.aborted) callback();
  signal?.addEventListener('abort', callback);
  return () => signal?.removeEventListener('abort', callback);
}

/** The error of a call that its signal ended. */
export function abortError(signal: AbortSignal, topic?: string): ClientError {
  return causedBy(signal.reason, 'TOBYMQ_ABORTED', 'the call was aborted', topic);
}

/**
 * Ends a call with an error when its signal says stop or its time is over; `what` has not happened by then. Returns what
 * takes both back.
 */
export function limitCall(
  clock: Clock,
  { signal, timeout }: CallLimits,
  what: string,
  topic: string | undefined,
  end: (error: ClientError) => void,
): () => void {
  const onTimeout = (): void =>
    end(new ClientError('TOBYMQ_TIMEOUT', `${what} within ${timeout}`, { topic }));
  const timer =
    timeout === undefined ? undefined : clock.setTimeout(onTimeout, milliseconds(timeout, 'timeout'));
  const forgetSignal = onAbort(signal, () => end(abortError(signal!, topic)));
  return () => {
    clock.clearTimeout(timer);
    forgetSignal();
  };
}
