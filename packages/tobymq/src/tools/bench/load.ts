// When the next operation begins.
//
// Open loop (`--rate`): operation k is due at a time that was fixed before the run, whatever the server does. It carries
// this time, and its latency counts from there. A server that stalls for a second thus pays for all the operations of that
// second; counted from the moment of sending, they would not even exist ("coordinated omission").
//
// Closed loop (`--window`): each client keeps a number of operations open and begins the next when one is done. This finds
// the largest throughput; its latencies are those under full load.

import type { BenchSettings } from './settings.ts';
import type { Tally } from './tally.ts';

/** Begins an operation of one client. `due` is when it should have begun. */
export type Begin = (client: number, due: number) => void;

export interface Load {
  /** Runs until the measured time is over. */
  readonly finished: Promise<void>;
  /** Closed loop: one of the client's operations is done, for better or worse. */
  done(client: number): void;
}

/** Begins the load now: ramp, warm-up, measured time. */
export function startLoad(
  settings: BenchSettings,
  clients: number,
  tally: Tally,
  signal: AbortSignal,
  begin: Begin,
): Load {
  const startsAt = performance.now();
  tally.measure(startsAt + settings.rampMs + settings.warmupMs, settings.durationMs);
  return settings.rate === undefined
    ? closedLoop(settings, clients, startsAt, tally, signal, begin)
    : openLoop(settings.rate, settings.rampMs, clients, startsAt, tally, signal, begin);
}

/** When operation `index` is due, in milliseconds from the start, if the rate grows evenly during the ramp. */
export function dueAt(index: number, perSecond: number, rampMs: number): number {
  const perMs = perSecond / 1000;
  const inRamp = (perMs * rampMs) / 2;
  return index < inRamp ? Math.sqrt((2 * index * rampMs) / perMs) : rampMs + (index - inRamp) / perMs;
}

function openLoop(
  perSecond: number,
  rampMs: number,
  clients: number,
  startsAt: number,
  tally: Tally,
  signal: AbortSignal,
  begin: Begin,
): Load {
  let index = 0;
  const finished = new Promise<void>((resolve) => {
    const tick = (): void => {
      const now = performance.now();
      let due = startsAt + dueAt(index, perSecond, rampMs);
      while (due <= now && due < tally.endsAt) {
        begin(index % clients, due);
        index++;
        due = startsAt + dueAt(index, perSecond, rampMs);
      }
      if (signal.aborted || due >= tally.endsAt) resolve();
      else setTimeout(tick, due - performance.now());
    };
    tick();
  });
  return { finished, done: () => {} };
}

function closedLoop(
  { window, rampMs }: BenchSettings,
  clients: number,
  startsAt: number,
  tally: Tally,
  signal: AbortSignal,
  begin: Begin,
): Load {
  const waiting: number[] = [];
  let isScheduled = false;
  const isOver = (): boolean => signal.aborted || performance.now() >= tally.endsAt;
  const pump = (): void => {
    isScheduled = false;
    if (isOver()) return;
    const now = performance.now();
    for (const client of waiting.splice(0)) begin(client, now);
  };
  const add = (client: number): void => {
    waiting.push(client);
    // In a turn of its own: QoS 0 is done at once and would never let the network in.
    if (!isScheduled) {
      isScheduled = true;
      setImmediate(pump);
    }
  };
  for (let client = 0; client < clients; client++) {
    setTimeout(
      () => {
        for (let open = 0; open < window; open++) add(client);
      },
      (rampMs * client) / clients,
    );
  }
  const finished = new Promise<void>((resolve) => {
    const timer = setTimeout(finish, tally.endsAt - startsAt);
    function finish(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    }
    signal.addEventListener('abort', finish);
  });
  return { finished, done: add };
}
