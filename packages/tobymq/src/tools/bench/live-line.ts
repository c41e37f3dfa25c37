// The line that shows a running benchmark on a terminal: how long, how fast, how slow the slowest.

import type { Writable } from 'node:stream';
import type { Tally } from './tally.ts';

const REFRESH_MS = 500;

/** Draws until it is finished. Where stderr is no terminal nothing is drawn. */
export function liveLine(stream: Writable, name: string, tally: Tally): { finish(): void } {
  if ((stream as { isTTY?: boolean }).isTTY !== true) return { finish: () => {} };
  const startedAt = performance.now();
  let lastAt = startedAt;
  let lastSeen = 0;
  const draw = (): void => {
    const now = performance.now();
    const perSecond = ((tally.seen - lastSeen) * 1000) / (now - lastAt);
    lastAt = now;
    lastSeen = tally.seen;
    stream.write(`\r\u001b[K${lineText(name, tally, now, startedAt, perSecond)}`);
  };
  const timer = setInterval(draw, REFRESH_MS);
  return {
    finish: () => {
      clearInterval(timer);
      stream.write('\r\u001b[K');
    },
  };
}

/** The text of the line. */
function lineText(name: string, tally: Tally, now: number, startedAt: number, perSecond: number): string {
  const phase =
    now < tally.startsAt
      ? 'warming up'
      : now < tally.endsAt
        ? Number.isFinite(tally.endsAt)
          ? `${Math.ceil((tally.endsAt - now) / 1000)} s left`
          : 'collecting'
        : 'waiting for the last';
  const errors = [...tally.errors.values()].reduce((sum, count) => sum + count, 0);
  return [
    name,
    `${((now - startedAt) / 1000).toFixed(1)} s`,
    phase,
    `${Math.round(perSecond).toLocaleString('en-US')}/s`,
    `p50 ${tally.latency.percentile(50)} ms`,
    `p99 ${tally.latency.percentile(99)} ms`,
    `${errors} errors`,
  ].join('  ');
}
