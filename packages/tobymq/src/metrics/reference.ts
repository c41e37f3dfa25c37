// docs/reference/metrics.md, made from the table of metrics.

import { metricFamilies } from './families.ts';

const introduction = `# Metrics

<!-- Made from packages/tobymq/src/metrics/families.ts by "tobymq config reference". Do not edit. -->

\`GET /metrics\` at the address of the HTTP API (default \`http://127.0.0.1:18083/metrics\`) answers in the text format of
Prometheus. It needs no token unless \`http.metricsToken\` is set.

| name | kind | labels | meaning |
| --- | --- | --- | --- |
`;

/** The whole page. */
export function metricsReference(): string {
  const rows = metricFamilies.map(
    ({ name, kind, labels = [], help }) =>
      `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |\n`,
  );
  return introduction + rows.join('');
}
