// The result of a run as data, and how it is shown. The JSON of `--json` is this data, so that `--compare` reads what an
// earlier run wrote.

import { withoutSecrets } from '../without-secrets.ts';
import type { BenchSettings } from './settings.ts';
import type { Tally } from './tally.ts';

export interface Latency {
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface BenchReport {
  readonly kind: 'tobymq-bench';
  readonly scenario: string;
  /** Without user and password. */
  readonly url: string;
  readonly protocol: string;
  readonly publishers: number;
  readonly subscribers: number;
  readonly qos: number;
  readonly size: number;
  /** Operations per second that were asked for; null in a closed loop. */
  readonly rate: number | null;
  /** Operations open per client; null in an open loop. */
  readonly window: number | null;
  readonly seconds: number;
  readonly sent: number;
  /** Messages received or answers seen. */
  readonly received: number;
  readonly lost: number;
  readonly perSecond: number;
  readonly megabytesPerSecond: number;
  readonly latencyMs: Latency;
  /** How late the load generator was, in milliseconds, at the 99th percentile. */
  readonly generatorLateMs: number;
  readonly errors: Readonly<Record<string, number>>;
}

export function makeReport(
  settings: BenchSettings,
  url: string,
  protocol: string,
  tally: Tally,
  seconds: number,
): BenchReport {
  const { latency } = tally;
  const perSecond = tally.done / seconds;
  const carriesPayload = settings.scenario !== 'connect' && settings.scenario !== 'subscribe';
  return {
    kind: 'tobymq-bench',
    scenario: settings.scenario,
    url: withoutSecrets(url),
    protocol,
    publishers: settings.publishers,
    subscribers: settings.subscribers,
    qos: settings.qos,
    size: settings.size,
    rate: settings.rate ?? null,
    window: settings.rate === undefined ? settings.window : null,
    seconds: digits(seconds),
    sent: tally.sent,
    received: tally.done,
    lost: Math.max(0, tally.expected - tally.done),
    perSecond: digits(perSecond),
    megabytesPerSecond: carriesPayload ? digits((perSecond * settings.size) / 1e6) : 0,
    latencyMs: {
      min: digits(latency.min),
      mean: digits(latency.mean),
      p50: digits(latency.percentile(50)),
      p90: digits(latency.percentile(90)),
      p99: digits(latency.percentile(99)),
      p999: digits(latency.percentile(99.9)),
      max: digits(latency.max),
    },
    generatorLateMs: digits(tally.lateness.percentile(99)),
    errors: Object.fromEntries(tally.errors),
  };
}

/** The report for people. */
export function reportText(report: BenchReport): string {
  const { latencyMs: latency } = report;
  const pace =
    report.rate === null ? `window ${report.window}` : `${amount(report.rate)} per second asked for`;
  const lines = [
    `${report.scenario}: ${who(report)}, QoS ${report.qos}, ${report.size} bytes, ${pace}`,
    `server      ${report.url}, MQTT ${report.protocol}`,
    `time        ${report.seconds} s`,
    `throughput  ${amount(report.perSecond)} per second${report.megabytesPerSecond > 0 ? `, ${report.megabytesPerSecond} MB/s` : ''}`,
    `counted     ${amount(report.sent)} sent, ${amount(report.received)} received, ${amount(report.lost)} lost`,
    `latency ms  p50 ${latency.p50}  p90 ${latency.p90}  p99 ${latency.p99}  p99.9 ${latency.p999}  max ${latency.max}`,
  ];
  const errors = Object.entries(report.errors);
  lines.push(
    `errors      ${errors.length === 0 ? 'none' : errors.map(([code, count]) => `${count} × ${code}`).join(', ')}`,
  );
  if (report.rate !== null && report.generatorLateMs > Math.max(5, latency.p99 / 2)) {
    lines.push(
      `note        this machine was late itself (p99 ${report.generatorLateMs} ms); the latencies contain that. Ask for a lower --rate.`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function who({ scenario, publishers, subscribers }: BenchReport): string {
  if (scenario === 'publish' || scenario === 'connect') return several(publishers, 'client');
  if (scenario === 'subscribe') return several(subscribers, 'client');
  return `${several(publishers, 'publisher')}, ${several(subscribers, 'subscriber')}`;
}

function several(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Two reports beside each other, with the ratio of the second to the first. */
export function comparisonText(
  first: BenchReport,
  second: BenchReport,
  names: readonly [string, string],
): string {
  const rows: (readonly [string, number, number])[] = [
    ['per second', first.perSecond, second.perSecond],
    ['p50 ms', first.latencyMs.p50, second.latencyMs.p50],
    ['p90 ms', first.latencyMs.p90, second.latencyMs.p90],
    ['p99 ms', first.latencyMs.p99, second.latencyMs.p99],
    ['p99.9 ms', first.latencyMs.p999, second.latencyMs.p999],
    ['max ms', first.latencyMs.max, second.latencyMs.max],
    ['lost', first.lost, second.lost],
    ['errors', errorCount(first), errorCount(second)],
  ];
  const cells = [
    ['', ...names, 'ratio'],
    ...rows.map(([name, a, b]) => [name, amount(a), amount(b), a === 0 ? '-' : (b / a).toFixed(2)]),
  ];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...cells.map((row) => (row[column] as string).length)),
  );
  const lines = cells.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number),
      )
      .join('  ')
      .trimEnd(),
  );
  const differences = differencesOf(first, second);
  if (differences.length > 0) lines.push(`note: not the same load: ${differences.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

/** What makes two reports hard to compare. */
function differencesOf(first: BenchReport, second: BenchReport): string[] {
  const names = [
    'scenario',
    'protocol',
    'publishers',
    'subscribers',
    'qos',
    'size',
    'rate',
    'window',
  ] as const;
  return names
    .filter((name) => first[name] !== second[name])
    .map((name) => `${name} ${first[name] ?? 'none'} and ${second[name] ?? 'none'}`);
}

function errorCount(report: BenchReport): number {
  return Object.values(report.errors).reduce((sum, count) => sum + count, 0);
}

/** Reads what an earlier run wrote; undefined if it is something else. */
export function parseReport(text: string): BenchReport | undefined {
  try {
    const value = JSON.parse(text) as Partial<BenchReport> & { readonly report?: BenchReport };
    const report = value.report ?? value;
    return report.kind === 'tobymq-bench' ? (report as BenchReport) : undefined;
  } catch {
    return undefined;
  }
}

/** Four significant digits, or whole numbers where they have more. */
function digits(value: number): number {
  return value >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}

function amount(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 3 });
}
