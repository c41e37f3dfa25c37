// The results as people read them: lines in the terminal while the run goes on, and Markdown tables for the documents.

import { cpuRatio } from './statistics.mjs';

/** The lines for one scenario: a line per measured phase and broker. */
export function terminalLines(result, baseline) {
  const lines = [`\n${result.title}`];
  for (const name of phaseNames(result)) {
    for (const [broker, entry] of Object.entries(result.brokers)) {
      const phase = entry.phases.find((candidate) => candidate.phase === name);
      if (!phase) continue;
      const other = phaseOf(result, baseline, name);
      const ratio = cpuRatio(phase, other);
      const reached = broker.startsWith('tobymq') ? verdicts(result, phase, other, ratio) : '';
      lines.push(`  ${name.padEnd(16)} ${broker.padEnd(18)} ${numbers(phase, ratio)}${reached}`);
    }
  }
  for (const [broker, entry] of Object.entries(result.brokers)) {
    for (const error of new Set(entry.errors)) lines.push(`  ${broker}: ${error}`);
    const { residentAtStartMb: start, residentAtEndMb: end, loopDelay } = entry;
    if (start)
      lines.push(
        `  ${broker.padEnd(18)} memory ${start.toFixed(0)} → ${end.toFixed(0)} MB${delays(loopDelay)}`,
      );
  }
  return lines;
}

function numbers(phase, ratio) {
  const cpu = phase.cpuMicroseconds
    ? `${phase.cpuMicroseconds.toFixed(2).padStart(8)} µs CPU`
    : '                ';
  const relative = ratio === undefined ? '' : ` ×${ratio.toFixed(2)}`;
  const latency = phase.p50
    ? ` p50 ${phase.p50.toFixed(0)} p99 ${phase.p99.toFixed(0)} p99.9 ${phase.p999.toFixed(0)} µs`
    : '';
  const memory =
    Math.abs(phase.grownBytesEach) >= 16 && phase.unit !== 'message'
      ? ` ${phase.grownBytesEach.toFixed(0)} B each`
      : '';
  const busy = ` (broker ${phase.brokerCpuPercent.toFixed(0)} %, generator ${phase.generatorCpuPercent.toFixed(0)} %)`;
  return `${cpu}${relative} ${phase.perSecond.toFixed(0).padStart(8)}/s${latency}${memory}${busy}${faults(phase)}`;
}

function faults(phase) {
  const found = ['lost', 'repeated', 'disordered'].filter((name) => phase[name] > 0);
  return found.map((name) => ` ${name.toUpperCase()} ${phase[name]}`).join('');
}

// Goals are promises about this repository's broker, not about others.
function verdicts({ goals, fast }, phase, baseline, ratio) {
  const most = goals[phase.phase];
  if (most !== undefined && ratio !== undefined) return verdict(`≤ ${most}`, ratio <= most);
  if (fast.includes(phase.phase) && baseline !== undefined)
    return verdict(`≥ ${baseline.perSecond.toFixed(0)}/s`, phase.perSecond >= baseline.perSecond);
  return '';
}

function verdict(goal, isMet) {
  return `  goal ${goal} ${isMet ? 'met' : 'MISSED'}`;
}

function delays(delay) {
  return delay ? `, event loop delay p99 ${delay.p99} ms, max ${delay.max} ms` : '';
}

export function phaseNames(result) {
  return [
    ...new Set(Object.values(result.brokers).flatMap((entry) => entry.phases.map((phase) => phase.phase))),
  ];
}

export function phaseOf(result, broker, name) {
  return result.brokers[broker]?.phases.find((phase) => phase.phase === name);
}

/** Markdown: CPU per unit as ratio, one row per phase, one column per broker. */
export function ratioTable(report) {
  const { baseline, results } = report;
  const brokers = Object.keys(report.brokers);
  const rows = [
    `| scenario | goal | ${brokers.join(' | ')} |`,
    `| --- | --- | ${brokers.map(() => '---').join(' | ')} |`,
  ];
  for (const result of results) {
    for (const name of phaseNames(result)) {
      const cells = brokers.map((broker) =>
        cell(phaseOf(result, broker, name), phaseOf(result, baseline, name), broker === baseline),
      );
      const most = result.goals[name];
      rows.push(
        `| ${rowTitle(result, name)} | ${most === undefined ? '' : `≤ ${most.toFixed(2)}`} | ${cells.join(' | ')} |`,
      );
    }
  }
  return rows.join('\n');
}

export function rowTitle(result, phase) {
  return phaseNames(result).length === 1 ? result.title : `${result.title}: ${phase.replace(/^\w+-/, '')}`;
}

function cell(phase, baseline, isBaseline) {
  if (!phase?.cpuMicroseconds) return '–';
  const ratio = cpuRatio(phase, baseline);
  const cpu = `${phase.cpuMicroseconds.toFixed(2)} µs`;
  return isBaseline || ratio === undefined ? cpu : `**${ratio.toFixed(2)}** (${cpu})`;
}

/** Markdown: rates, latencies and faults of every phase. */
export function detailTable(report) {
  const rows = [
    '| scenario | broker | per second | p50 µs | p99 µs | p99.9 µs | bytes each | memory MB, start → after | lost |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |',
  ];
  for (const result of report.results) {
    for (const name of phaseNames(result)) {
      for (const [broker, entry] of Object.entries(result.brokers)) {
        const phase = phaseOf(result, broker, name);
        if (!phase) continue;
        const latency = [phase.p50, phase.p99, phase.p999].map((value) =>
          value === undefined ? '' : value.toFixed(0),
        );
        const each = phase.unit === 'message' ? '' : phase.grownBytesEach.toFixed(0);
        const memory = entry.residentAtStartMb
          ? `${entry.residentAtStartMb.toFixed(0)} → ${entry.residentAtEndMb.toFixed(0)}`
          : '';
        const cells = [
          rowTitle(result, name),
          broker,
          phase.perSecond.toFixed(0),
          ...latency,
          each,
          memory,
          phase.lost,
        ];
        rows.push(`| ${cells.join(' | ')} |`);
      }
    }
  }
  return rows.join('\n');
}
