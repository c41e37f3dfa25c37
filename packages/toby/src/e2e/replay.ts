// Notices messages that come a second time. Ids are remembered for as long as a message may be under way; older messages
// than that are refused, so that the memory has an end. Where it is full, the oldest id is forgotten early, and what its
// sender has sent until then counts as too old.

import type { Envelope } from './envelope.ts';
import { EncryptionError } from './errors.ts';

const IDS_MAX = 100_000;

export class ReplayGuard {
  readonly #windowMs: number;
  readonly #now: () => number;
  readonly #seen = new Map<
    string,
    { readonly from: string; readonly sentAt: number; readonly until: number }
  >();
  /** Until when messages of a sender are too old, because their ids were forgotten early. */
  readonly #forgotten = new Map<string, number>();

  /** `windowMs`: how old a message may be; the default is how long the server keeps messages for offline bots. */
  constructor(now: () => number, windowMs: number = 7 * 24 * 3600 * 1000) {
    this.#now = now;
    this.#windowMs = windowMs;
  }

  /** Throws when the message was seen before or is too old to tell. Call it for messages whose signature is right. */
  check(envelope: Envelope): void {
    const now = this.#now();
    const { from, sentAt } = envelope;
    const id = `${from} ${envelope.id}`;
    const isOld = now - sentAt > this.#windowMs || sentAt <= (this.#forgotten.get(from) ?? -Infinity);
    if (isOld || this.#seen.has(id)) {
      throw new EncryptionError('TOBYMQ_REPLAYED', `the message ${envelope.id} of "${from}" came again`);
    }
    this.#makeRoom(now);
    // The clock of the sender may be ahead: as long as the message is not too old it has to be known.
    this.#seen.set(id, { from, sentAt, until: Math.max(now, sentAt) + this.#windowMs });
  }

  #makeRoom(now: number): void {
    // Map keeps the order of insertion, which is about the order of age.
    for (const [known, { from, sentAt, until }] of this.#seen) {
      if (now > until) {
        this.#seen.delete(known);
        continue;
      }
      if (this.#seen.size < IDS_MAX) break;
      this.#seen.delete(known);
      this.#forgotten.set(from, Math.max(sentAt, this.#forgotten.get(from) ?? sentAt));
    }
  }
}
