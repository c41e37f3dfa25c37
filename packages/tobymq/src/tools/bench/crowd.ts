// Many clients at once: opening them a few at a time, noticing those that are lost, closing them all.

import { type Client, type ClientError, type ConnectOptions, connect } from '@tobymq/client';
import type { Tally } from './tally.ts';

/** Handshakes that run at the same time; more only make each of them slower. */
const OPENING_MAX = 50;

/** Where the clients of a run connect, and how. */
export interface BenchTarget {
  readonly url: string;
  readonly options: ConnectOptions;
}

export class Crowd {
  readonly #target: BenchTarget;
  readonly #tally: Tally;
  readonly #clients = new Set<Client>();

  constructor(target: BenchTarget, tally: Tally) {
    this.#target = target;
    this.#tally = tally;
  }

  /** Opens `count` clients; the first that fails is the end. */
  async open(count: number, role: string): Promise<Client[]> {
    const clients: Client[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) {
        const index = next++;
        clients[index] = await this.one(`${role}${index}`);
      }
    };
    await Promise.all(Array.from({ length: Math.min(OPENING_MAX, count) }, worker));
    return clients;
  }

  /** Opens one client. Without a name from `--id` the server or the library gives it one. */
  async one(suffix: string, extra: ConnectOptions = {}): Promise<Client> {
    const { url, options } = this.#target;
    const client = await connect(url, {
      ...options,
      ...(options.clientId === undefined ? {} : { clientId: `${options.clientId}-${suffix}` }),
      reconnect: false,
      // A load that is limited by ourselves would tell nothing about the server.
      sendMaximum: 65_535,
      onError: (error: ClientError) => this.#tally.fail(error),
      ...extra,
    });
    this.#clients.add(client);
    void this.#watch(client);
    return client;
  }

  /** A connection that ends by itself is an error of the run. */
  async #watch(client: Client): Promise<void> {
    for await (const state of client.states()) {
      if (state.state === 'failed' && this.#clients.has(client)) this.#tally.fail(state.reason);
    }
  }

  async close(client: Client): Promise<void> {
    this.#clients.delete(client);
    await client.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => this.close(client)));
  }
}

/** Resolves when `isDone`, or when nothing has changed for `patienceMs`, or when the signal says stop. */
export async function settle(
  isDone: () => boolean,
  progress: () => number,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  let last = progress();
  let changedAt = performance.now();
  while (!isDone() && !signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = performance.now();
    if (progress() !== last) {
      last = progress();
      changedAt = now;
    } else if (now - changedAt > patienceMs) return;
  }
}
