// How often somebody may do something: a bucket that fills evenly over a minute or an hour. Buckets that are full again
// are forgotten, so that the number of addresses and bots that ever came does not matter.

interface Bucket {
  tokens: number;
  at: number;
}

export class RateLimit {
  readonly #periodMs: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

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
      if (this.#buckets.size >= 10_000) this.#sweep(now);
      this.#buckets.set(key, { tokens: countMax - 1, at: now });
      return true;
    }
    bucket.tokens = Math.min(countMax, bucket.tokens + ((now - bucket.at) / this.#periodMs) * countMax);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #sweep(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (now - bucket.at >= this.#periodMs) this.#buckets.delete(key);
    }
  }
}
