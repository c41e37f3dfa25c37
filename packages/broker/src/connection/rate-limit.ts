// Slows down a client that publishes more than it may: a bucket of tokens that fills at the allowed rate and holds one
// second's worth. A client that has used it up is not read from until it is above zero again; nothing is dropped.

import type { Connection } from './connection.ts';

/** Begins to limit the rate of a client, if that is wanted now and was not before. */
export function beginRateLimit(connection: Connection): void {
  const { limits, clock } = connection.core;
  const { publishRateMax, publishBytesRateMax } = limits;
  if (publishRateMax === 0 && publishBytesRateMax === 0) return;
  connection.rateLimit ??= new RateLimit(publishRateMax, publishBytesRateMax, clock.now());
}

export class RateLimit {
  #messages: number;
  #bytes: number;
  #filledAt: number;

  constructor(messagesPerSecond: number, bytesPerSecond: number, nowMs: number) {
    this.#messages = messagesPerSecond;
    this.#bytes = bytesPerSecond;
    this.#filledAt = nowMs;
  }

  /** Takes one message; returns for how many milliseconds the client has to be paused, mostly 0. */
  take(bytes: number, messagesPerSecond: number, bytesPerSecond: number, nowMs: number): number {
    // A clock that was set back takes nothing away.
    const seconds = Math.max(0, nowMs - this.#filledAt) / 1000;
    this.#filledAt = nowMs;
    let pauseMs = 0;
    if (messagesPerSecond > 0) {
      this.#messages = Math.min(messagesPerSecond, this.#messages + seconds * messagesPerSecond) - 1;
      if (this.#messages < 0) pauseMs = (-this.#messages / messagesPerSecond) * 1000;
    }
    if (bytesPerSecond > 0) {
      this.#bytes = Math.min(bytesPerSecond, this.#bytes + seconds * bytesPerSecond) - bytes;
      if (this.#bytes < 0) pauseMs = Math.max(pauseMs, (-this.#bytes / bytesPerSecond) * 1000);
    }
    return Math.ceil(pauseMs);
  }
}
