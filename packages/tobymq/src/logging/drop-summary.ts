// Dropped messages may be thousands a second. Each has a line of its own at level `debug` only; here they are counted,
// and every few seconds one line tells of each client and reason how many there were.

import type { DropReason, Extension } from '@tobymq/broker';
import type { Log } from './log.ts';

const intervalMs = 5_000;
/** Clients and reasons of one interval that are told apart; the rest is counted together. */
const entriesMax = 100;
/** What happens to QoS 0 for those who are away, and to messages whose time is over, is nobody's fault. */
const ordinary: ReadonlySet<DropReason> = new Set<DropReason>(['qos0-offline', 'expired', 'session-ended']);

export class DropSummary {
  readonly #log: Log;
  readonly #counts = new Map<
    string,
    { reason: DropReason; clientId: string; count: number; topic: string }
  >();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  readonly extension: Extension = {
    name: 'drop-summary',
    onDropped: ({ reason, clientId, topic, count }) => {
      if (ordinary.has(reason)) return;
      const isFull = this.#counts.size >= entriesMax;
      const key = `${reason} ${clientId}`;
      const known = this.#counts.get(key);
      const entry = known ?? (isFull ? this.#others(reason) : { reason, clientId, count: 0, topic });
      entry.count += count;
      if (!known && !isFull) this.#counts.set(key, entry);
      // The timer runs only while there is something to tell.
      this.#timer ??= setTimeout(() => this.flush(), intervalMs).unref();
    },
    stop: () => this.flush(),
  };

  #others(reason: DropReason): { reason: DropReason; clientId: string; count: number; topic: string } {
    const key = `${reason} others`;
    const entry = this.#counts.get(key) ?? { reason, clientId: 'others', count: 0, topic: '' };
    this.#counts.set(key, entry);
    return entry;
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const entry of this.#counts.values()) this.#log.log('warn', 'messages-dropped', entry);
    this.#counts.clear();
  }
}
