// `tobymq bench`: runs a scenario once, or in turns against two servers, and reports.

import { readFile } from 'node:fs/promises';
import { type CommandContext, CommandError } from '../../commands/command.ts';
import { connectionSettings } from '../connection-options.ts';
import { ExitCode } from '../exit-codes.ts';
import { asCommandError, interruption } from '../run-client.ts';
import { withoutSecrets } from '../without-secrets.ts';
import { connections, subscriptions } from './connections.ts';
import type { BenchTarget } from './crowd.ts';
import { liveLine } from './live-line.ts';
import { endToEnd, publish, type Scenario } from './messages.ts';
import { type BenchReport, comparisonText, makeReport, parseReport, reportText } from './report.ts';
import { type BenchSettings, benchSettings, type ScenarioName } from './settings.ts';
import { offline, retained } from './stored.ts';
import { Tally } from './tally.ts';

const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  pairs: endToEnd,
  'fan-in': endToEnd,
  'fan-out': endToEnd,
  shared: endToEnd,
  publish,
  subscribe: subscriptions,
  connect: connections,
  retained,
  offline,
};

/** With `--against` the time is divided into so many turns per server, so that both see the same changes of the machine. */
const TURNS = 3;

export async function run(context: CommandContext): Promise<number> {
  const settings = benchSettings(context);
  const { url, options } = await connectionSettings(context);
  const earlier = await readEarlier(context.options.text('compare'));
  const other = context.options.text('against');
  const { signal, release } = interruption();
  try {
    if (other !== undefined) return await versus(context, settings, { url, options }, other, signal);
    const part = await measure(context, settings, { url, options }, signal);
    const report = reportOf(settings, { url, options }, [part]);
    print(context, report, earlier);
    return exitCodeFor(report);
  } catch (error) {
    throw asCommandError(error);
  } finally {
    release();
  }
}

interface Part {
  readonly tally: Tally;
  readonly seconds: number;
}

async function measure(
  context: CommandContext,
  settings: BenchSettings,
  target: BenchTarget,
  signal: AbortSignal,
): Promise<Part> {
  const tally = new Tally();
  const line = liveLine(context.stderr, `${settings.scenario} ${withoutSecrets(target.url)}`, tally);
  try {
    await scenarios[settings.scenario](settings, target, tally, signal);
  } finally {
    line.finish();
  }
  // Cut short by Ctrl-C, the measured time is what has passed of it.
  const endsAt = Math.min(tally.endsAt, performance.now());
  return { tally, seconds: Math.max(0.001, (endsAt - tally.startsAt) / 1000) };
}

async function versus(
  context: CommandContext,
  settings: BenchSettings,
  first: BenchTarget,
  otherUrl: string,
  signal: AbortSignal,
): Promise<number> {
  const second: BenchTarget = { url: otherUrl, options: first.options };
  const turn = { ...settings, durationMs: settings.durationMs / TURNS };
  const parts: [Part[], Part[]] = [[], []];
  for (let index = 0; index < TURNS && !signal.aborted; index++) {
    // A B, B A, A B: neither always has the quieter second half.
    const order = index % 2 === 0 ? [0, 1] : [1, 0];
    for (const side of order as (0 | 1)[]) {
      const prefix = `${settings.prefix}/${index}`;
      parts[side].push(await measure(context, { ...turn, prefix }, side === 0 ? first : second, signal));
    }
  }
  const [report, against] = [reportOf(settings, first, parts[0]), reportOf(settings, second, parts[1])];
  if (context.options.flag('json')) {
    context.stdout.write(`${JSON.stringify({ report, against, ratio: ratioOf(report, against) })}\n`);
  } else {
    context.stdout.write(`${reportText(report)}\n${reportText(against)}\n`);
    context.stdout.write(comparisonText(report, against, [report.url, against.url]));
  }
  return Math.max(exitCodeFor(report), exitCodeFor(against));
}

function reportOf(settings: BenchSettings, target: BenchTarget, parts: readonly Part[]): BenchReport {
  const all = new Tally();
  for (const { tally } of parts) all.add(tally);
  const seconds = parts.reduce((sum, part) => sum + part.seconds, 0);
  const level = target.options.protocolVersion ?? 5;
  const protocol = level === 'auto' ? 'auto' : { 3: '3.1', 4: '3.1.1', 5: '5.0' }[level];
  return makeReport(settings, target.url, protocol, all, seconds);
}

/** How the second server stands to the first. */
function ratioOf(first: BenchReport, second: BenchReport): Readonly<Record<string, number | null>> {
  const ratio = (a: number, b: number): number | null => (a === 0 ? null : Number((b / a).toPrecision(4)));
  return {
    perSecond: ratio(first.perSecond, second.perSecond),
    p50: ratio(first.latencyMs.p50, second.latencyMs.p50),
    p99: ratio(first.latencyMs.p99, second.latencyMs.p99),
    p999: ratio(first.latencyMs.p999, second.latencyMs.p999),
  };
}

function print(context: CommandContext, report: BenchReport, earlier: BenchReport | undefined): void {
  const { stdout, options } = context;
  if (options.flag('json')) {
    const value = earlier === undefined ? report : { report, earlier, ratio: ratioOf(earlier, report) };
    stdout.write(`${JSON.stringify(value)}\n`);
    return;
  }
  stdout.write(reportText(report));
  if (earlier !== undefined) stdout.write(`\n${comparisonText(earlier, report, ['earlier', 'now'])}`);
}

/** A run with errors or with lost messages that the server had promised to deliver is a failure. */
function exitCodeFor(report: BenchReport): number {
  const isBroken = Object.keys(report.errors).length > 0 || (report.qos > 0 && report.lost > 0);
  return isBroken ? ExitCode.Failure : ExitCode.Success;
}

async function readEarlier(file: string | undefined): Promise<BenchReport | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new CommandError('TOBYMQ_FILE', `--compare ${file} cannot be read: ${error.message}`);
  });
  const report = parseReport(text);
  if (report === undefined) {
    throw new CommandError('TOBYMQ_FILE', `--compare ${file} is not what "tobymq bench --json" writes.`);
  }
  return report;
}
