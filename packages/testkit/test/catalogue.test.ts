// The suite is complete: every statement of the catalogue is a case or is named with the place that holds it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { catalogue, conformanceCases, testedElsewhere } from '@tobymq/testkit';
import { expect, test } from 'vitest';

const key = ({ version, id }: { version: number; id: string }): string => `${version} ${id}`;
const elsewhere = testedElsewhere.flatMap(({ version, ids }) => ids.map((id) => ({ version, id })));

test('the catalogue has all numbered statements of both standards', () => {
  const numbered = (version: number): number =>
    catalogue.filter((statement) => statement.version === version && statement.id.startsWith('MQTT-')).length;
  expect(numbered(5)).toBe(251);
  expect(numbered(4)).toBe(141);
  expect(new Set(catalogue.map(key)).size).toBe(catalogue.length);
});

test('every statement is a case or is tested elsewhere', () => {
  const covered = new Set([...conformanceCases, ...elsewhere].map(key));
  expect(catalogue.map(key).filter((statement) => !covered.has(statement))).toEqual([]);
});

test('no statement is both a case and tested elsewhere', () => {
  const cases = new Set(conformanceCases.map(key));
  expect(elsewhere.map(key).filter((statement) => cases.has(statement))).toEqual([]);
});

test('every case names a statement of the catalogue', () => {
  const known = new Set(catalogue.map(key));
  expect(conformanceCases.map(key).filter((statement) => !known.has(statement))).toEqual([]);
});

test('no two cases have the same statement and the same claim', () => {
  const names = conformanceCases.map((item) => `${key(item)} ${item.title}`);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test('the tests of the client carry the ids that are left to them', () => {
  const folder = fileURLToPath(new URL('../../client/test', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const text = files.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
  const left = testedElsewhere
    .filter(({ where }) => where === 'tests of the client')
    .flatMap(({ ids }) => ids);
  expect(left.length).toBeGreaterThan(30);
  expect(left.filter((id) => !text.includes(id))).toEqual([]);
});
