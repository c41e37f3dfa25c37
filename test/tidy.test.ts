// The house rules that a machine can check. Each failure lists the places, so that the message is enough to act on.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { filesBelow, linesMatching, root } from './repository.ts';

// Which packages a package may import; an import only ever goes towards the codec.
const arrows: Readonly<Record<string, readonly string[]>> = {
  codec: [],
  client: ['codec'],
  broker: ['codec'],
  'store-sqlite': ['broker', 'codec'],
  toby: ['broker', 'client', 'codec'],
  tobymq: ['broker', 'client', 'codec', 'store-sqlite', 'toby'],
  testkit: ['codec'],
};

// A file is one idea. These are long because their subject is; each says why.
const linesMax = 450;
const longFiles: Readonly<Record<string, string>> = {
  'packages/client/src/mqttjs/client.ts': 'stands in for one class of another library, with all its methods',
};

const packageFiles = filesBelow('packages', /\.tsx?$/);
const sources = packageFiles.filter(({ path }) => /^packages\/[^/]+\/src\//.test(path));
const scripts = filesBelow('.', /^(scripts|benchmarks|examples|test)\/.*\.(ts|mjs)$/);
const documents = filesBelow('.', /\.md$/);

test('packages import only what stands below them, and only by name', () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const name = file.path.split('/')[1]!;
    for (const line of linesMatching(file, /(?:from|import)\s*\(?\s*['"]/)) {
      const target = /(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/.exec(line)?.[1] ?? '';
      const imported = /^@tobymq\/([^/]+)/.exec(target)?.[1];
      if (imported !== undefined && imported !== name && !arrows[name]?.includes(imported)) wrong.push(line);
      if (target.startsWith('.') && !insidePackage(file.path, target)) wrong.push(line);
    }
  }
  expect(wrong).toEqual([]);
});

function insidePackage(path: string, target: string): boolean {
  const packageFolder = path.split('/').slice(0, 2).join('/');
  return join(dirname(path), target).split('\\').join('/').startsWith(`${packageFolder}/`);
}

test('no source escapes the type checker or leaves work undone', () => {
  const anyType = /:\s*any\b(?=\s*(?:[,;)=\]}>|&[{]|$))|\bas any\b(?!\s+\w)|<any>/;
  const escapes = /@ts-ignore|@ts-nocheck|@ts-expect-error|\b(?:TODO|FIXME|XXX)\b/;
  expect(sources.flatMap((file) => linesMatching(file, anyType))).toEqual([]);
  expect(sources.flatMap((file) => linesMatching(file, escapes))).toEqual([]);
});

test('no test is focused or skipped', () => {
  const pattern = /\b(?:test|it|describe)\.(?:only|skip|todo|skipIf|runIf)\b|\bx(?:it|describe)\(/;
  const tests = [...packageFiles, ...scripts].filter(({ path }) => /\.test\.ts$/.test(path));
  // This file is the only one that has to spell the words.
  const others = tests.filter(({ path }) => path !== 'test/tidy.test.ts');
  expect(others.flatMap((file) => linesMatching(file, pattern))).toEqual([]);
});

test('every source file opens with a comment that says what it is', () => {
  const silent = [...sources, ...scripts].filter(({ text }) => !/^(?:#!.*\n)?\s*(?:\/\/|\/\*)/.test(text));
  expect(silent.map(({ path }) => path)).toEqual([]);
});

test(`no source file is longer than ${linesMax} lines without a reason`, () => {
  const long = sources.filter(({ path, text }) => text.split('\n').length > linesMax && !(path in longFiles));
  expect(long.map(({ path, text }) => `${path}: ${text.split('\n').length} lines`)).toEqual([]);
});

test('nothing names the machine of a developer', () => {
  const machine = /(?<![\w.$}])\/(?:root|work|Users)\/\w/;
  const files = [...packageFiles, ...scripts, ...documents].filter(
    ({ path }) => path !== 'test/tidy.test.ts',
  );
  expect(files.flatMap((file) => linesMatching(file, machine))).toEqual([]);
});

test('the lock file names no registry', () => {
  const [lock] = filesBelow('.', /^package-lock\.json$/);
  expect(linesMatching(lock!, /"resolved": "https?:/)).toEqual([]);
});

// npm packs what lies in the folder of a package; the licence wants a copy of itself to go along.
test('every package that is published carries the licence', () => {
  const [license, ...copies] = filesBelow('.', /(?:^|^packages\/[^/]+\/)LICENSE$/);
  const published = filesBelow('packages', /^packages\/[^/]+\/package\.json$/)
    .filter(({ text }) => (JSON.parse(text) as { private?: boolean }).private !== true)
    .map(({ path }) => join(dirname(path), 'LICENSE'));
  expect(copies.map(({ path }) => path)).toEqual(published);
  for (const { path, text } of copies) expect(text, path).toBe(license?.text);
});

test('relative links in the documents lead to files that exist', () => {
  const broken: string[] = [];
  for (const file of documents) {
    for (const [, target] of file.text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (target === undefined || /^(?:[a-z]+:|#|\/)/.test(target)) continue;
      const path = join(root, dirname(file.path), target.replace(/#.*$/, ''));
      if (!existsSync(path)) broken.push(`${file.path}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test('every error code is documented', () => {
  const script = join(root, 'scripts/error-codes.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
