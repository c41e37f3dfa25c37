// Runs cases against a server, many at a time: each case has its own ClientIDs and topics, and most of its time is
// spent waiting for the server. A case that does not end within a minute counts as failed.

import type { MqttVersion } from '../packet.ts';
import type { ConformanceCase } from './case.ts';
import { NeedsSettings } from './check.ts';
import { Context, type ContextOptions, type Target } from './context.ts';
import { type Probe, probeServer } from './probe.ts';
import type { ServerFactory } from './settings.ts';

export type Outcome = 'pass' | 'fail' | 'not offered' | 'needs settings';

export interface CaseResult {
  readonly id: string;
  readonly version: MqttVersion;
  readonly section: string;
  readonly title: string;
  readonly outcome: Outcome;
  /** What was expected and what came, for a failure. */
  readonly detail?: string;
  readonly milliseconds: number;
}

export interface SuiteOptions {
  readonly target: Target;
  readonly strict?: boolean;
  readonly withServer?: ServerFactory;
  /** How many cases run at the same time. */
  readonly concurrency?: number;
  readonly onResult?: (result: CaseResult) => void;
}

const caseTimeoutMs = 60_000;

/**
 * Runs cases and returns their results in the order of the cases.
 *
 * @example
 * const results = await runSuite(conformanceCases, { target: { host: '127.0.0.1', port: 1883 } });
 * console.log(results.filter((result) => result.outcome === 'fail'));
 */
export async function runSuite(
  cases: readonly ConformanceCase[],
  options: SuiteOptions,
): Promise<CaseResult[]> {
  const probe = await probeServer(options.target);
  const results: CaseResult[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < cases.length) {
      const index = next;
      next += 1;
      const result = await runCase(cases[index]!, probe, options);
      results[index] = result;
      options.onResult?.(result);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency ?? 24 }, work));
  return results;
}

/** Runs one case and never throws. */
async function runCase(item: ConformanceCase, probe: Probe, options: SuiteOptions): Promise<CaseResult> {
  const { id, version, section, title } = item;
  const started = performance.now();
  const result = (outcome: Outcome, detail?: string): CaseResult => ({
    id,
    version,
    section,
    title,
    outcome,
    ...(detail !== undefined && { detail }),
    milliseconds: Math.round(performance.now() - started),
  });
  const missing = item.needs.filter((feature) => !probe.features.has(feature));
  if (!probe.versions.has(version) || missing.length > 0) {
    return result('not offered', missing.length > 0 ? missing.join(', ') : `version ${version}`);
  }
  try {
    await withTimeout(runInContext(item, { ...options, ...probe, version, strict: options.strict ?? false }));
    return result('pass');
  } catch (error) {
    if (error instanceof NeedsSettings) {
      return result('needs settings', error.message);
    }
    return result('fail', error instanceof Error ? error.message : String(error));
  }
}

async function runInContext(item: ConformanceCase, options: ContextOptions): Promise<void> {
  const context = new Context(options);
  let failure: unknown;
  try {
    await item.run(context);
  } catch (error) {
    failure = error;
  }
  // The failure of the scenario says more than what the audit finds after it.
  await context.finish().catch((error: unknown) => {
    failure ??= error;
  });
  if (failure !== undefined) {
    throw failure;
  }
}

async function withTimeout(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the case did not end within ${caseTimeoutMs} ms`)),
      caseTimeoutMs,
    );
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
