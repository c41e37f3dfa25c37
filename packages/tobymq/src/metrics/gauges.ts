// What the server measures beside the broker's counters: connections per listener, how long commits take, how late the
// event loop is.

import {
  createHistogram,
  type IntervalHistogram,
  monitorEventLoopDelay,
  type RecordableHistogram,
} from 'node:perf_hooks';
import type { Broker, BrokerTotals, Extension, Store } from '@tobymq/broker';
import type { Throttle } from '../auth/throttle.ts';
import type { Quantiles } from './families.ts';

export interface ServerGauges {
  readonly version: string;
  readonly connectionsByListener: ReadonlyMap<string, number>;
  readonly acceptedByListener: ReadonlyMap<string, number>;
  readonly bans: number;
  readonly refusedByBan: number;
  /** Requests that were refused: by what they came, and by status. */
  readonly refusedRequests: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly totals: BrokerTotals;
  readonly commit: Quantiles;
  readonly eventLoop: Quantiles;
}

/** A request over HTTP or of a bot that was refused. */
export interface RefusedRequest {
  readonly via: 'api' | 'bot' | 'hook' | 'signup';
  readonly status: number;
  readonly reason: string;
  readonly address?: string | undefined;
  /** Of the HTTP API. */
  readonly path?: string | undefined;
}

const eventLoopResolutionMs = 20;

export class Gauges {
  readonly #version: string;
  readonly #throttle: Throttle;
  readonly #connections = new Map<string, number>();
  readonly #accepted = new Map<string, number>();
  readonly #refusedRequests = new Map<string, Map<number, number>>();
  readonly #commits: RecordableHistogram = createHistogram();
  #commitSeconds = 0;
  #eventLoop: IntervalHistogram | undefined;
  #eventLoopSeconds = 0;

  constructor(version: string, throttle: Throttle) {
    this.#version = version;
    this.#throttle = throttle;
  }

  /** Counts connections per listener. */
  readonly extension: Extension = {
    name: 'gauges',
    onConnected: ({ listener }) => {
      add(this.#connections, listener, 1);
      add(this.#accepted, listener, 1);
    },
    onDisconnected: ({ listener }) => add(this.#connections, listener, -1),
  };

  /** Measures how long the commits of a store take. */
  watch<T extends Store>(store: T): T {
    const commit = store.commit.bind(store);
    store.commit = (): Promise<void> => {
      const started = performance.now();
      const done = commit();
      void done.then(
        () => {
          const milliseconds = performance.now() - started;
          this.#commitSeconds += milliseconds / 1000;
          // Histograms count whole numbers above 0: microseconds.
          this.#commits.record(Math.max(1, Math.round(milliseconds * 1000)));
        },
        // Failures are counted by the broker.
        () => {},
      );
      return done;
    };
    return store;
  }

  requestRefused({ via, status }: RefusedRequest): void {
    const byStatus = this.#refusedRequests.get(via) ?? new Map<number, number>();
    this.#refusedRequests.set(via, byStatus);
    add(byStatus, status, 1);
  }

  /** The sampling timer wakes the process 50 times a second, so it runs only once somebody reads the metrics. */
  read(broker: Broker): ServerGauges {
    if (!this.#eventLoop) {
      this.#eventLoop = monitorEventLoopDelay({ resolution: eventLoopResolutionMs });
      this.#eventLoop.enable();
    }
    const eventLoop = this.#eventLoop;
    const delay = (nanoseconds: number): number =>
      Math.max(0, nanoseconds / 1e9 - eventLoopResolutionMs / 1000);
    // A tick that comes early takes from the mean, and whoever reads a sum that goes down believes in a restart.
    const eventLoopSeconds = Number.isNaN(eventLoop.mean) ? 0 : delay(eventLoop.mean) * eventLoop.count;
    this.#eventLoopSeconds = Math.max(this.#eventLoopSeconds, eventLoopSeconds);
    return {
      version: this.#version,
      connectionsByListener: this.#connections,
      acceptedByListener: this.#accepted,
      bans: this.#throttle.bans().length,
      refusedByBan: this.#throttle.refusedByBan,
      refusedRequests: this.#refusedRequests,
      totals: broker.totals(),
      commit: quantilesOf(this.#commits, (microseconds) => microseconds / 1e6, this.#commitSeconds),
      eventLoop: quantilesOf(eventLoop, delay, this.#eventLoopSeconds),
    };
  }

  close(): void {
    this.#eventLoop?.disable();
  }
}

function add<K>(counts: Map<K, number>, key: K, change: number): void {
  counts.set(key, (counts.get(key) ?? 0) + change);
}

function quantilesOf(
  histogram: IntervalHistogram | RecordableHistogram,
  seconds: (value: number) => number,
  sum: number,
): Quantiles {
  const { count } = histogram;
  const at = (quantile: number): number => (count === 0 ? 0 : seconds(histogram.percentile(quantile * 100)));
  return {
    quantiles: [0.5, 0.9, 0.99, 1].map((quantile) => [String(quantile), at(quantile)] as const),
    sum,
    count,
  };
}
