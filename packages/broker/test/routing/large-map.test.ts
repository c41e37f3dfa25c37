import { expect, test } from 'vitest';
import { LargeMap } from '../../src/routing/large-map.ts';

test('a large map holds what a map holds, before and after it splits', () => {
  const map = new LargeMap<number>();
  const model = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    map.set(`key/${i}`, i);
    model.set(`key/${i}`, i);
    if (i % 3 === 0) {
      map.set(`key/${i / 3}`, -i);
      model.set(`key/${i / 3}`, -i);
    }
    if (i % 5 === 0) expect(map.delete(`key/${i - 7}`)).toBe(model.delete(`key/${i - 7}`));
    if (i % 1000 === 0) expect(new Set(map.values())).toEqual(new Set(model.values()));
    expect(map.size).toBe(model.size);
  }
  for (let i = 0; i < 20_000; i++) expect(map.get(`key/${i}`)).toBe(model.get(`key/${i}`));
  for (const key of model.keys()) expect(map.delete(key)).toBe(true);
  expect(map.size).toBe(0);
  expect([...map.values()]).toEqual([]);
});
