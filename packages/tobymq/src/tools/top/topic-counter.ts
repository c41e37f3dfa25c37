// Which topics are busiest, counted from a subscription. The number of topics is bounded: beyond it the quietest are
// forgotten, which are not the ones that are asked for.

import type { TopicRate } from './view.ts';

const TOPICS_MAX = 20_000;

interface Entry {
  total: number;
  /** Since the last rating. */
  recent: number;
}

export class TopicCounter {
  readonly #topics = new Map<string, Entry>();
  #ratedAt: number;

  constructor(now: number) {
    this.#ratedAt = now;
  }

  count(topic: string): void {
    const entry = this.#topics.get(topic);
    if (entry === undefined) {
      if (this.#topics.size >= TOPICS_MAX) this.#forget();
      this.#topics.set(topic, { total: 1, recent: 1 });
    } else {
      entry.total++;
      entry.recent++;
    }
  }

  /** The busiest since the last call. */
  rate(now: number, count: number): TopicRate[] {
    const seconds = Math.max(0.001, (now - this.#ratedAt) / 1000);
    this.#ratedAt = now;
    const rates = [...this.#topics].map(([topic, { total, recent }]) => ({
      topic,
      total,
      perSecond: recent / seconds,
    }));
    for (const entry of this.#topics.values()) entry.recent = 0;
    return rates.sort((a, b) => b.perSecond - a.perSecond || b.total - a.total).slice(0, count);
  }

  #forget(): void {
    const quietest = [...this.#topics].sort(([, a], [, b]) => a.total - b.total);
    for (const [topic] of quietest.slice(0, TOPICS_MAX / 4)) this.#topics.delete(topic);
  }
}
