import { matches } from '@tobymq/codec';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FilterTree, type FilterValue } from '../../src/routing/filter-tree.ts';
import { topicFilter, topicName } from './arbitraries.ts';

function newValue(filter: string): FilterValue {
  return { filter, levelCount: filter.split('/').length };
}

function matched(tree: FilterTree<FilterValue>, topic: string): string[] {
  const values: FilterValue[] = [];
  values.length = tree.match(topic, values);
  return values.map((value) => value.filter).sort();
}

function treeOf(...filters: string[]): FilterTree<FilterValue> {
  const tree = new FilterTree<FilterValue>();
  for (const filter of filters) tree.set(newValue(filter));
  return tree;
}

test('a tree finds the same filters as a list, while filters come and go', () => {
  const step = fc.record({ isAdded: fc.boolean(), filter: topicFilter, topic: topicName });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tree = new FilterTree<FilterValue>();
      const list = new Map<string, FilterValue>();
      for (const { isAdded, filter, topic } of steps) {
        expect(tree.get(filter)).toBe(list.get(filter));
        if (isAdded) {
          const value = newValue(filter);
          tree.set(value);
          list.set(filter, value);
        } else {
          tree.delete(filter);
          list.delete(filter);
        }
        expect(tree.get(filter)).toBe(list.get(filter));
        expect(tree.size).toBe(list.size);
        expect(matched(tree, topic)).toEqual([...list.keys()].filter((each) => matches(each, topic)).sort());
      }
      const values = [...tree.values()];
      expect(values.length).toBe(list.size);
      expect(new Set(values)).toEqual(new Set(list.values()));
      for (const filter of list.keys()) tree.delete(filter);
      expect(tree.size).toBe(0);
      expect(tree.nodeCount).toBe(1);
    }),
    { numRuns: 500 },
  );
});

test('MQTT-4.7.1-1: "#" matches the parent level and everything below it', () => {
  const tree = treeOf('a/#', '#');
  expect(matched(tree, 'a')).toEqual(['#', 'a/#']);
  expect(matched(tree, 'a/')).toEqual(['#', 'a/#']);
  expect(matched(tree, 'a/b/c')).toEqual(['#', 'a/#']);
  expect(matched(tree, 'ab')).toEqual(['#']);
});

test('MQTT-4.7.1-2: "+" matches exactly one level, which may be empty', () => {
  const tree = treeOf('+', '+/+', 'a/+', '/+');
  expect(matched(tree, 'a')).toEqual(['+']);
  expect(matched(tree, '/a')).toEqual(['+/+', '/+']);
  expect(matched(tree, 'a/')).toEqual(['+/+', 'a/+']);
  expect(matched(tree, 'a/b/c')).toEqual([]);
});

test('MQTT-4.7.2-1: filters that begin with a wildcard do not match topics that begin with "$"', () => {
  const tree = treeOf('#', '+/x', '+/+', '$SYS/#', '$SYS/+');
  expect(matched(tree, '$SYS/x')).toEqual(['$SYS/#', '$SYS/+']);
  expect(matched(tree, 'a/$SYS')).toEqual(['#', '+/+']);
});

test('MQTT-4.7.3-4: nothing is normalized', () => {
  const tree = treeOf('A/+', 'a//+', 'caf\u00e9/+');
  expect(matched(tree, 'a/x')).toEqual([]);
  expect(matched(tree, 'a//x')).toEqual(['a//+']);
  expect(matched(tree, 'cafe\u0301/x')).toEqual([]);
});

test('a deep filter needs no node until another one shares its way, and then one where they part', () => {
  const deep = `${'a/'.repeat(100)}+`;
  const tree = treeOf(deep);
  expect(tree.nodeCount).toBe(1);
  tree.set(newValue(`${'a/'.repeat(50)}b/+`));
  expect(tree.nodeCount).toBe(2);
  tree.set(newValue(`${'a/'.repeat(40)}+/b`));
  expect(tree.nodeCount).toBe(3);
  expect(matched(tree, `${'a/'.repeat(40)}c/b`)).toEqual([`${'a/'.repeat(40)}+/b`]);
  expect(matched(tree, `${'a/'.repeat(100)}c`)).toEqual([deep]);
  tree.delete(deep);
  tree.delete(`${'a/'.repeat(50)}b/+`);
  tree.delete(`${'a/'.repeat(40)}+/b`);
  expect(tree.nodeCount).toBe(1);
});

test('thirty thousand levels are matched like three', () => {
  const topic = `${'a/'.repeat(30_000)}a`;
  const one = `${'a/'.repeat(30_000)}+`;
  const other = `${'a/'.repeat(29_999)}+/a`;
  const tree = treeOf(one, other);
  expect(matched(tree, topic)).toEqual([other, one].sort());
  tree.delete(one);
  expect(matched(tree, topic)).toEqual([other]);
});

test('a node with many children forgets each of them', () => {
  const tree = new FilterTree<FilterValue>();
  const filters = Array.from({ length: 1000 }, (_, i) => [`x/${i}/+`, `x/${i}/#`]).flat();
  for (const filter of filters) tree.set(newValue(filter));
  expect(matched(tree, 'x/500/a')).toEqual(['x/500/#', 'x/500/+']);
  for (const filter of filters) tree.delete(filter);
  expect(tree.nodeCount).toBe(1);
  expect(tree.size).toBe(0);
});
