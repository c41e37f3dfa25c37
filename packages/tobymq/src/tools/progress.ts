// A line on the terminal that shows how far something has come. It appears only when stderr is a terminal and the work has
// taken longer than a second, and is gone when the work is done.

import type { Writable } from 'node:stream';

const APPEARS_AFTER_MS = 1000;
const REFRESH_MS = 200;
const BAR_WIDTH = 24;

export interface Progress {
  /** Called as often as one likes. `total` is left out when nobody knows it. */
  update(done: number, total?: number): void;
  finish(): void;
}

const NOTHING: Progress = { update() {}, finish() {} };

export function progressLine(stream: Writable, unit: string): Progress {
  const { isTTY } = stream as { isTTY?: boolean };
  if (isTTY !== true) return NOTHING;
  const startedAt = Date.now();
  let shownAt = 0;
  return {
    update(done, total) {
      const now = Date.now();
      if (now - startedAt < APPEARS_AFTER_MS || now - shownAt < REFRESH_MS) return;
      shownAt = now;
      const perSecond = Math.round((done * 1000) / (now - startedAt));
      const bar =
        total === undefined ? '' : `${drawBar(done / total)} ${Math.floor((done * 100) / total)} %  `;
      stream.write(`\r\u001b[K${bar}${done} ${unit}, ${perSecond}/s`);
    },
    finish() {
      if (shownAt > 0) stream.write('\r\u001b[K');
    },
  };
}

/**
 * A line for work that nobody knows the length of: what is waited for, and for how long. `clear` takes it away before
 * something else is written.
 */
export function waitingLine(stream: Writable): { start(what: string): void; clear(): void } {
  if ((stream as { isTTY?: boolean }).isTTY !== true) return { start: () => {}, clear: () => {} };
  let timer: NodeJS.Timeout | undefined;
  let isShown = false;
  const clear = (): void => {
    clearInterval(timer);
    if (isShown) stream.write('\r\u001b[K');
    isShown = false;
  };
  return {
    clear,
    start: (what) => {
      clear();
      const startedAt = Date.now();
      timer = setInterval(() => {
        isShown = true;
        stream.write(`\r\u001b[K${what} ... ${Math.floor((Date.now() - startedAt) / 1000)} s`);
      }, APPEARS_AFTER_MS);
    },
  };
}

function drawBar(fraction: number): string {
  const filled = Math.round(Math.min(1, fraction) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
}
