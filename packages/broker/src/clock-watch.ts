// Turns the timing wheel, and notices when the clock of the machine is set.
//
// A small computer without a battery starts years in the past and hears the time when it has a network; a virtual machine
// that was suspended wakes up hours later. No client was silent for so long: what lasts for some time lasts as long as it
// would have, and what has an end by the clock ends by the clock.

import type { Clock } from './clock.ts';
import type { Connection } from './connection/connection.ts';
import type { Core } from './core.ts';
import { followClock } from './session/expiry.ts';
import type { SysTopics } from './sys-topics.ts';

/** Smaller steps are how a clock is kept right, and do nobody harm. */
const JUMP_MS = 1_000;

export class ClockWatch {
  readonly #core: Core;
  readonly #connections: () => Iterable<Connection>;
  readonly #sys: SysTopics | undefined;
  #offsetMs: number;

  constructor(core: Core, connections: () => Iterable<Connection>, sys: SysTopics | undefined) {
    this.#core = core;
    this.#connections = connections;
    this.#sys = sys;
    this.#offsetMs = offsetOf(core.clock);
  }

  /** Called often: does what is due by now. */
  tick(): void {
    const { clock, wheel } = this.#core;
    const offsetMs = offsetOf(clock);
    const jumpMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    if (Math.abs(jumpMs) >= JUMP_MS) this.#follow(jumpMs);
    wheel.advance(clock.now());
  }

  #follow(jumpMs: number): void {
    const core = this.#core;
    const now = core.clock.now();
    core.logger.log('warn', 'clock-set', { seconds: Math.round(jumpMs / 1000) });
    core.wheel.shift(jumpMs);
    core.retained.clockWasSet();
    this.#sys?.clockWasSet();
    for (const connection of this.#connections()) connection.clockWasSet(now);
    for (const session of core.sessions.all()) followClock(session, jumpMs, now);
  }
}

/** How far a clock is from time that passes evenly. */
function offsetOf(clock: Clock): number {
  const monotonicMs = clock.monotonic?.();
  return monotonicMs === undefined ? 0 : clock.now() - monotonicMs;
}
