// What a CPU profile says, as a list: the functions by the time spent in themselves.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The busiest functions of a .cpuprofile file, as lines of a table. */
export function topFunctions(file, count = 40) {
  const profile = JSON.parse(readFileSync(file, 'utf8'));
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const times = new Map();
  let total = 0;
  profile.samples.forEach((id, index) => {
    const name = describe(nodes.get(id).callFrame);
    const time = profile.timeDeltas[index];
    if (name === '(idle)') return;
    times.set(name, (times.get(name) ?? 0) + time);
    total += time;
  });
  const sorted = [...times].sort((a, b) => b[1] - a[1]).slice(0, count);
  return sorted.map(([name, time]) => `${((time * 100) / total).toFixed(1).padStart(6)} %  ${name}`);
}

function describe({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const place = url.replace('file://', '').replace(root, '');
  return `${name}  ${place}:${lineNumber + 1}`;
}
