// What the HTTP API of a TobyMQ server adds to `$SYS`: exact counters now, drops by reason, and who is slow.

import type { ApiClient } from '../../commands/api-client.ts';

/** Of more clients and sessions than these only the first are looked at. */
const PAGE = 10_000;

export interface SlowConsumer {
  readonly clientId: string;
  readonly bufferedBytes: number;
  readonly unacknowledged: number;
  readonly isBlocked: boolean;
}

export interface Queue {
  readonly clientId: string;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  readonly isConnected: boolean;
}

export interface ApiSample {
  readonly at: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly totals: Readonly<Record<string, number>>;
  readonly clients: readonly SlowConsumer[];
  readonly sessions: readonly Queue[];
}

export async function readApi(api: ApiClient): Promise<ApiSample> {
  const [metrics, { clients }, { sessions }] = (await Promise.all([
    api.request('GET', '/metrics'),
    api.request('GET', `/clients?limit=${PAGE}`),
    api.request('GET', `/sessions?limit=${PAGE}`),
  ])) as [
    Pick<ApiSample, 'counters' | 'dropped' | 'totals'>,
    { readonly clients: readonly SlowConsumer[] },
    { readonly sessions: readonly Queue[] },
  ];
  const { counters, dropped, totals } = metrics;
  return { at: performance.now(), counters, dropped, totals, clients, sessions };
}
