// A message of a batch that is not on disk yet, with the queues that it goes into.

import type { QueueTarget, StoredMessage } from '@tobymq/broker';
import { deliveryBits, SENT } from './records.ts';

/** One queue of a pending message; `delivery` changes while the batch is open. */
export interface PendingTarget {
  readonly sessionKey: number;
  delivery: number;
  readonly subscriptionIds: readonly number[];
}

// A message for one session or a few is the rule, and then a short array beats a Map in time and memory. A fan-out to
// a thousand sessions that all acknowledge would search the array a million times, so it gets the Map.
const arrayMax = 8;

export class PendingMessage {
  readonly message: StoredMessage;
  #few: PendingTarget[] | undefined = [];
  #many: Map<number, PendingTarget> | undefined;

  constructor(message: StoredMessage) {
    this.message = message;
  }

  get targetCount(): number {
    return this.#many?.size ?? this.#few!.length;
  }

  targets(): Iterable<PendingTarget> {
    return this.#many?.values() ?? this.#few!;
  }

  add(target: QueueTarget): void {
    const state = target.packetId === 0 ? 0 : SENT;
    this.put({
      sessionKey: target.sessionKey,
      delivery: deliveryBits(target.qos, target.retain, state, target.packetId),
      subscriptionIds: target.subscriptionIds,
    });
  }

  put(target: PendingTarget): void {
    if (this.#many !== undefined) {
      this.#many.set(target.sessionKey, target);
      return;
    }
    const few = this.#few!;
    const at = indexOf(few, target.sessionKey);
    if (at >= 0) few[at] = target;
    else if (few.length < arrayMax) few.push(target);
    else {
      this.#many = new Map(few.map((entry) => [entry.sessionKey, entry]));
      this.#many.set(target.sessionKey, target);
      this.#few = undefined;
    }
  }

  find(sessionKey: number): PendingTarget | undefined {
    if (this.#many !== undefined) return this.#many.get(sessionKey);
    return this.#few![indexOf(this.#few!, sessionKey)];
  }

  /** Takes one queue out; false if the message does not go into it. */
  remove(sessionKey: number): boolean {
    if (this.#many !== undefined) return this.#many.delete(sessionKey);
    const few = this.#few!;
    const at = indexOf(few, sessionKey);
    if (at < 0) return false;
    const last = few.pop()!;
    if (at < few.length) few[at] = last;
    return true;
  }
}

function indexOf(targets: readonly PendingTarget[], sessionKey: number): number {
  for (let i = 0; i < targets.length; i++) if (targets[i]!.sessionKey === sessionKey) return i;
  return -1;
}
