// From samples to what `tobymq top` shows: a pure function from two moments to one view.

import type { ApiSample, Queue, SlowConsumer } from './api-sample.ts';
import { type SysSample, sysNumber, sysRate } from './sys-samples.ts';

export interface TopicRate {
  readonly topic: string;
  readonly perSecond: number;
  readonly total: number;
}

/** Everything on one screen. What nobody told is undefined. */
export interface TopView {
  readonly url: string;
  readonly version: string | undefined;
  readonly uptimeSeconds: number | undefined;
  readonly connected: number | undefined;
  readonly sessions: number | undefined;
  readonly subscriptions: number | undefined;
  readonly retained: number | undefined;
  readonly stored: number | undefined;
  readonly messagesIn: number | undefined;
  readonly messagesOut: number | undefined;
  readonly bytesIn: number | undefined;
  readonly bytesOut: number | undefined;
  /** Totals and growth per second; one line named `all` where the reasons are not told. */
  readonly drops: readonly { readonly reason: string; readonly total: number; readonly perSecond: number }[];
  readonly slowest: readonly SlowConsumer[] | undefined;
  readonly queues: readonly Queue[] | undefined;
  readonly topics: readonly TopicRate[] | undefined;
  /** Why something is missing. */
  readonly notes: readonly string[];
}

export interface Moments {
  /** On the clock of `performance.now()`. */
  readonly at: number;
  readonly url: string;
  readonly sys: readonly [previous: SysSample | undefined, latest: SysSample | undefined];
  readonly api: readonly [previous: ApiSample | undefined, latest: ApiSample | undefined];
  readonly topics: readonly TopicRate[] | undefined;
  readonly notes: readonly string[];
}

export function viewOf({ at, url, sys: [before, now], api, topics, notes }: Moments): TopView {
  const [apiBefore, apiNow] = api;
  const sys = (...names: readonly string[]): number | undefined =>
    names.map((name) => sysNumber(now, name)).find((value) => value !== undefined);
  const counter = (name: string): number | undefined => apiNow?.counters[name];
  const rate = (counterName: string, sysName: string): number | undefined =>
    apiRate(apiBefore, apiNow, counterName) ?? sysRate(before, now, sysName);
  return {
    url,
    version: now?.values.get('version'),
    uptimeSeconds: uptimeOf(now, at),
    connected: counter('connectionsNow') ?? sys('clients/connected', 'clients/active'),
    sessions: counter('sessionsNow') ?? sys('clients/total'),
    subscriptions: apiNow?.totals.subscriptions ?? sys('subscriptions/count'),
    retained: counter('retainedNow') ?? sys('retained messages/count'),
    stored: sys('store/messages/count', 'messages/stored'),
    messagesIn: rate('publishReceived', 'publish/messages/received'),
    messagesOut: rate('publishSent', 'publish/messages/sent'),
    bytesIn: rate('bytesReceived', 'bytes/received'),
    bytesOut: rate('bytesSent', 'bytes/sent'),
    drops: dropsOf(before, now, apiBefore, apiNow),
    slowest: apiNow && slowestOf(apiNow.clients),
    queues: apiNow && queuesOf(apiNow.sessions),
    topics,
    notes,
  };
}

/** `$SYS` is some seconds old; the server has not stood still since. */
function uptimeOf(now: SysSample | undefined, at: number): number | undefined {
  const seconds = sysNumber(now, 'uptime');
  return now === undefined || seconds === undefined ? undefined : seconds + (at - now.at) / 1000;
}

function apiRate(
  before: ApiSample | undefined,
  now: ApiSample | undefined,
  name: string,
): number | undefined {
  const [first, second] = [before?.counters[name], now?.counters[name]];
  if (before === undefined || now === undefined || first === undefined || second === undefined)
    return undefined;
  return second < first ? undefined : ((second - first) * 1000) / Math.max(1, now.at - before.at);
}

function dropsOf(
  before: SysSample | undefined,
  now: SysSample | undefined,
  apiBefore: ApiSample | undefined,
  apiNow: ApiSample | undefined,
): TopView['drops'] {
  if (apiNow === undefined) {
    const total = sysNumber(now, 'publish/messages/dropped') ?? 0;
    const perSecond = sysRate(before, now, 'publish/messages/dropped') ?? 0;
    return total === 0 ? [] : [{ reason: 'all', total, perSecond }];
  }
  const seconds = apiBefore === undefined ? 0 : (apiNow.at - apiBefore.at) / 1000;
  return Object.entries(apiNow.dropped)
    .filter(([, total]) => total > 0)
    .map(([reason, total]) => {
      const grown = total - (apiBefore?.dropped[reason] ?? total);
      return { reason, total, perSecond: seconds > 0 ? Math.max(0, grown) / seconds : 0 };
    })
    .sort((a, b) => b.perSecond - a.perSecond || b.total - a.total);
}

/** Those who do not keep up: bytes wait in front of them, or their messages are not acknowledged. */
function slowestOf(clients: readonly SlowConsumer[]): SlowConsumer[] {
  return clients
    .filter(
      ({ bufferedBytes, unacknowledged, isBlocked }) => bufferedBytes > 0 || unacknowledged > 0 || isBlocked,
    )
    .sort((a, b) => b.bufferedBytes - a.bufferedBytes || b.unacknowledged - a.unacknowledged);
}

function queuesOf(sessions: readonly Queue[]): Queue[] {
  return sessions
    .filter(({ queuedMessages }) => queuedMessages > 0)
    .sort((a, b) => b.queuedMessages - a.queuedMessages || b.queuedBytes - a.queuedBytes);
}
