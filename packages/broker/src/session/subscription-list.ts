// The subscriptions of one session, by filter as the client sent it. Most sessions have one or two, and there may be a
// million of them, so few are kept in an array (a Map with one entry takes 200 bytes more) and many in a Map.

import type { Subscription } from '../routing/subscription.ts';
import type { Subscriber } from './subscriber.ts';

const SCANNED_MAX = 8;

export class SubscriptionList {
  #items: Subscription<Subscriber>[] | Map<string, Subscription<Subscriber>>;

  constructor(first: Subscription<Subscriber>) {
    this.#items = [first];
  }

  get size(): number {
    return Array.isArray(this.#items) ? this.#items.length : this.#items.size;
  }

  values(): Iterable<Subscription<Subscriber>> {
    return Array.isArray(this.#items) ? this.#items : this.#items.values();
  }

  get(fullFilter: string): Subscription<Subscriber> | undefined {
    if (!Array.isArray(this.#items)) return this.#items.get(fullFilter);
    return this.#items.find((subscription) => subscription.fullFilter === fullFilter);
  }

  set(subscription: Subscription<Subscriber>): void {
    const { fullFilter } = subscription;
    if (!Array.isArray(this.#items)) {
      this.#items.set(fullFilter, subscription);
      return;
    }
    const index = this.#items.findIndex((other) => other.fullFilter === fullFilter);
    if (index !== -1) {
      this.#items[index] = subscription;
      return;
    }
    // One array of the exact size: push() would reserve room for 17.
    this.#items = [...this.#items, subscription];
    if (this.#items.length > SCANNED_MAX)
      this.#items = new Map(this.#items.map((item) => [item.fullFilter, item]));
  }

  delete(fullFilter: string): void {
    if (Array.isArray(this.#items))
      this.#items = this.#items.filter((item) => item.fullFilter !== fullFilter);
    else this.#items.delete(fullFilter);
  }
}
