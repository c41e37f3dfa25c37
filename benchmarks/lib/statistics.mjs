// From the rounds of a measurement to one line per phase and broker: medians, sums of what must not happen, ratios.

const summed = new Set(['lost', 'repeated', 'disordered']);
const kept = new Set(['phase', 'unit']);

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** One summary per phase out of the phases of all rounds: the median of each number, losses summed. */
export function summarize(rounds) {
  const names = new Set(rounds.flat().map((phase) => phase.phase));
  return [...names].map((name) => {
    const same = rounds.flat().filter((phase) => phase.phase === name);
    const keys = [...new Set(same.flatMap(Object.keys))];
    return Object.fromEntries(keys.map((key) => [key, combine(key, same)]));
  });
}

function combine(key, phases) {
  const values = phases.map((phase) => phase[key]).filter((value) => value !== undefined);
  if (kept.has(key)) return values[0];
  return summed.has(key) ? values.reduce((sum, value) => sum + value, 0) : median(values);
}

/** Broker CPU per unit relative to the baseline; undefined where one of them was not measured. */
export function cpuRatio(phase, baseline) {
  if (!phase?.cpuMicroseconds || !baseline?.cpuMicroseconds) return undefined;
  return phase.cpuMicroseconds / baseline.cpuMicroseconds;
}
