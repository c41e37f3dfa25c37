// The benchmark itself has to work before its numbers can be believed: a short run against Mosquitto, whatever the speed.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProcess, withTempDir } from '@tobymq/testkit';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('side-by-side.mjs', import.meta.url));

interface Report {
  readonly results: readonly {
    readonly name: string;
    readonly brokers: Readonly<
      Record<string, { readonly phases: readonly Phase[]; readonly errors: string[] }>
    >;
  }[];
}

interface Phase {
  readonly phase: string;
  readonly count: number;
  readonly cpuMicroseconds: number;
  readonly lost: number;
}

test('a run measures every phase, loses nothing and writes table, JSON and chart', async () => {
  await withTempDir(async (folder) => {
    const files = {
      json: join(folder, 'r.json'),
      svg: join(folder, 'r.svg'),
      markdown: join(folder, 'r.md'),
    };
    const scenarios = 'pairs-20,qos-2,mqtt-5-properties,churn,tree,retained,queue,storm,websocket';
    const speed = [
      '--rounds',
      '1',
      '--seconds',
      '0.2',
      '--warmup',
      '0.1',
      '--settle',
      '0',
      '--scale',
      '0.002',
      '--no-pin',
    ];
    const outputs = Object.entries(files).flatMap(([name, file]) => [`--${name}`, file]);
    const selection = ['--brokers', 'mosquitto', '--scenarios', scenarios];
    const result = await runProcess(process.execPath, [script, ...selection, ...speed, ...outputs]);
    expect(result.stderr).toBe('');
    expect(result.code).toBe(0);

    const report = JSON.parse(await readFile(files.json, 'utf8')) as Report;
    expect(report.results.map(({ name }) => name).sort()).toEqual(scenarios.split(',').sort());
    const entries = report.results.map(({ brokers }) => brokers.mosquitto!);
    expect(entries.flatMap(({ errors }) => errors)).toEqual([]);
    const phases = entries.flatMap((entry) => entry.phases);
    expect(phases.filter(({ count, lost }) => count === 0 || lost > 0)).toEqual([]);
    expect(phases.map(({ phase }) => phase)).toEqual(
      expect.arrayContaining([
        'pairs',
        'churn',
        'tree-match',
        'retained-replay',
        'queue-drain',
        'storm-again',
      ]),
    );
    expect(await readFile(files.svg, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(await readFile(files.markdown, 'utf8')).toContain('| 100 pairs, window 20 |');
  });
}, 120_000);

test('a scenario or broker that does not exist is named in the error', async () => {
  const scenario = await runProcess(process.execPath, [
    script,
    '--brokers',
    'mosquitto',
    '--scenarios',
    'none',
  ]);
  expect(scenario.code).not.toBe(0);
  expect(scenario.stderr).toContain('There is no scenario none');
  const broker = await runProcess(process.execPath, [script, '--brokers', 'none']);
  expect(broker.code).not.toBe(0);
  expect(broker.stderr).toContain('There is no built-in broker none');
});
