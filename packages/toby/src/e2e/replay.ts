// Notices messages that come a second time. Ids are remembered for as long as a message may be under way; older messages
// than that are refused, so that the memory has an end.

import type { Envelope } from './envelope.ts';
import { EncryptionError } from './errors.ts';

const IDS_MAX = 100_000;

export class ReplayGuard {
  readonly #windowMs: number;
  readonly #now: () => number;
  readonly #seen = new Map<string, number>();

  /** `windowMs`: how old a message may be; the default is how long the server keeps messages for offline bots. */
  constructor(now: () => number, windowMs: number = 7 * 24 * 3600 * 1000) {
    this.#now = now;
    this.#windowMs = windowMs;
  }

  /** Throws when the message was seen before or is too old to tell. Call it for messages whose signature is right. */
  check(envelope: Envelope): void {
    const now = this.#now();
    const id = `${envelope.from} ${envelope.id}`;
    if (this.#seen.has(id) || now - envelope.sentAt > this.#windowMs) {
      throw new EncryptionError(
        'TOBYMQ_REPLAYED',
        `the message ${envelope.id} of "${envelope.from}" came again`,
      );
    }
    // Map keeps the order of insertion, which is about the order of age.
    for (const [known, at] of this.#seen) {
      if (now - at <= this.#windowMs && this.#seen.size < IDS_MAX) break;
      this.#seen.delete(known);
    }
    this.#seen.set(id, now);
  }
}
