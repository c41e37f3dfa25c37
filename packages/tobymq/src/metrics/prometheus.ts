// The metrics in the text format of Prometheus. The counters are plain fields of the broker; this only writes them down
// when somebody asks, so that they cost nothing otherwise.

import type { Broker } from '@tobymq/broker';
import { type Labels, metricFamilies } from './families.ts';
import type { ServerGauges } from './gauges.ts';

/** The page that Prometheus scrapes. */
export function prometheusText(broker: Broker, gauges: ServerGauges): string {
  const lines: string[] = [];
  for (const { name, kind, help, read } of metricFamilies) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
    const samples = read(broker, gauges);
    if (typeof samples === 'number') {
      lines.push(`${name} ${samples}`);
    } else {
      for (const { labels, suffix = '', value } of samples)
        lines.push(`${name}${suffix}${writeLabels(labels)} ${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function writeLabels(labels: Labels | undefined): string {
  if (!labels) return '';
  const escaped = (text: string): string =>
    text.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`;
}
