// Results as a table for people: one line per case, a summary per section, and every failure in full at the end.

import type { CaseResult, Outcome } from './runner.ts';

const versionNames = new Map([
  [3, '3.1'],
  [4, '3.1.1'],
  [5, '5.0'],
]);

const outcomes: readonly Outcome[] = ['pass', 'fail', 'not offered', 'needs settings'];

/** The name of a protocol version as people write it. */
export function versionName(version: number): string {
  return versionNames.get(version) ?? String(version);
}

function count(results: readonly CaseResult[], outcome: Outcome): number {
  return results.filter((result) => result.outcome === outcome).length;
}

function groupBySection(results: readonly CaseResult[]): Map<string, CaseResult[]> {
  const sections = new Map<string, CaseResult[]>();
  for (const result of results) {
    const list = sections.get(result.section) ?? [];
    list.push(result);
    sections.set(result.section, list);
  }
  return sections;
}

function caseLine(result: CaseResult): string {
  const { id, version, outcome, title } = result;
  return `  ${id.padEnd(15)} ${versionName(version).padEnd(6)} ${outcome.padEnd(15)} ${title}`;
}

function summaryLine(name: string, results: readonly CaseResult[]): string {
  const numbers = outcomes.map((outcome) => String(count(results, outcome)).padStart(15)).join('');
  return `${name.padEnd(40)}${numbers}`;
}

/** The whole table. */
export function formatResults(results: readonly CaseResult[]): string {
  const sections = [...groupBySection(results)];
  const lines: string[] = [];
  for (const [section, cases] of sections) {
    lines.push(section, ...cases.map(caseLine), '');
  }
  lines.push(`${'section'.padEnd(40)}${outcomes.map((outcome) => outcome.padStart(15)).join('')}`);
  lines.push(...sections.map(([section, cases]) => summaryLine(section, cases)), summaryLine('all', results));
  const failures = results.filter((result) => result.outcome === 'fail');
  for (const failure of failures) {
    lines.push(
      '',
      `${failure.id} (${versionName(failure.version)}): ${failure.title}`,
      `  ${failure.detail ?? ''}`,
    );
  }
  return lines.join('\n');
}
