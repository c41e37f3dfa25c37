// Ends connections that stay silent: a socket that sends no CONNECT in time, and a client that sends nothing for one and
// a half times its keep-alive. An arriving packet only notes the time; the deadline is moved when it comes up, so a busy
// connection pays nothing.

import { type TimingWheel, WheelEntry } from '../timing-wheel.ts';

/** What a deadline needs of its connection. */
export interface Watched {
  /** When bytes last came in. */
  readonly lastSeenMs: number;
  /** True while the broker itself has stopped reading, so that silence is not the client's fault. */
  readonly isPaused: boolean;
  silent(): void;
}

export class SilenceTimer extends WheelEntry {
  readonly #watched: Watched;
  readonly #wheel: TimingWheel;
  #allowedMs = 0;

  constructor(watched: Watched, wheel: TimingWheel) {
    super();
    this.#watched = watched;
    this.#wheel = wheel;
  }

  /** Allows so much silence from now on. */
  allow(silenceMs: number, nowMs: number): void {
    this.#allowedMs = silenceMs;
    this.#wheel.schedule(this, nowMs + silenceMs);
  }

  /** Begins the allowed silence anew, if there is a deadline. */
  renew(nowMs: number): void {
    if (this.isScheduled) this.allow(this.#allowedMs, nowMs);
  }

  override onDue(nowMs: number): void {
    const seenMs = this.#watched.isPaused ? nowMs : this.#watched.lastSeenMs;
    const deadlineMs = seenMs + this.#allowedMs;
    if (deadlineMs <= nowMs) this.#watched.silent();
    else this.#wheel.schedule(this, deadlineMs);
  }
}
