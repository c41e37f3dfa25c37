// Spans of time as people write them: a number of milliseconds, or a number with a unit. The type checks the unit,
// so that seconds are not mistaken for milliseconds.

import { invalidOption } from './errors.ts';

const unitMs = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  day: 86_400_000,
  days: 86_400_000,
} as const;

type Unit = keyof typeof unitMs;

/**
 * Milliseconds, or a text such as `'250 ms'`, `'10 s'`, `'5 min'`, `'1 h'`, `'7 days'`.
 *
 * @example
 * await client.publish('a', 'x', { qos: 1, timeout: '2 s', expiry: '1 h' });
 */
export type Duration = number | `${number} ${Unit}`;

/** Milliseconds of a duration; `what` names the option when it is refused. */
export function milliseconds(value: Duration, what: string): number {
  const [amount, unit] = typeof value === 'number' ? [value, 'ms'] : String(value).split(' ');
  const ms = Number(amount) * unitMs[unit as Unit];
  if (!(ms >= 0)) throw invalidOption(`${what} is ${value}: expected milliseconds or a text such as '10 s'`);
  return ms;
}
