// Ends connections that stay silent: a socket that sends no CONNECT in time, and a client that sends nothing for one and
// a half times its keep-alive. An arriving packet only notes the time; the deadline is moved when it comes up, so a busy
// connection pays nothing.

import { type Clock, elapsedOf } from '../clock.ts';
import { type TimingWheel, WheelEntry } from '../timing-wheel.ts';

/** The clock, and the wheel that goes by its elapsed time. */
export interface SilenceClock {
  readonly clock: Clock;
  readonly silences: TimingWheel;
}

/** What a deadline needs of its connection. */
export interface Watched {
  /** When bytes last came in, in the time of the machine. */
  readonly lastSeenMs: number;
  /** True while the broker itself has stopped reading, so that silence is not the client's fault. */
  readonly isPaused: boolean;
  silent(): void;
}

export class SilenceTimer extends WheelEntry {
  readonly #watched: Watched;
  readonly #core: SilenceClock;
  #allowedMs = 0;

  constructor(watched: Watched, core: SilenceClock) {
    super();
    this.#watched = watched;
    this.#core = core;
  }

  /** Allows so much silence from now on. */
  allow(silenceMs: number): void {
    this.#allowedMs = silenceMs;
    this.#core.silences.schedule(this, elapsedOf(this.#core.clock) + silenceMs);
  }

  cancel(): void {
    this.#core.silences.cancel(this);
  }

  override onDue(elapsedMs: number): void {
    const silentMs = this.#watched.isPaused ? 0 : this.#core.clock.now() - this.#watched.lastSeenMs;
    const leftMs = this.#allowedMs - silentMs;
    if (leftMs <= 0) this.#watched.silent();
    else this.#core.silences.schedule(this, elapsedMs + leftMs);
  }
}
