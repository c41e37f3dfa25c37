// How often somebody may do something: a bucket that fills evenly over a minute or an hour. Buckets that are full again
// are forgotten, so that the number of addresses and bots that ever came does not matter. They are looked for each time that
// the number of buckets has doubled, because a search for every newcomer would cost more the more there are.

const SWEEP_SIZE_MIN = 10_000;

interface Bucket {
  tokens: number;
  at: number;
}

export class RateLimit {
  readonly #periodMs: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();
  #sweepAt = SWEEP_SIZE_MIN;

  constructor(periodMs: number, now: () => number) {
    this.#periodMs = periodMs;
    this.#now = now;
  }

  /** Takes one of `countMax` per period for `key`; false when none is left. */
  take(key: string, countMax: number): boolean {
    const now = this.#now();
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (countMax < 1) return false;
      if (this.#buckets.size >= this.#sweepAt) this.#sweep(now);
      this.#buckets.set(key, { tokens: countMax - 1, at: now });
      return true;
    }
    // The clock may have been set back; that takes nothing away.
    const elapsedMs = Math.max(0, now - bucket.at);
    bucket.tokens = Math.min(countMax, bucket.tokens + (elapsedMs / this.#periodMs) * countMax);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #sweep(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (now - bucket.at >= this.#periodMs) this.#buckets.delete(key);
    }
    this.#sweepAt = Math.max(SWEEP_SIZE_MIN, this.#buckets.size * 2);
  }
}
