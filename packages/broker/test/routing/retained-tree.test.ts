import { matches } from '@tobymq/codec';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RetainedCursor, RetainedTree } from '../../src/routing/retained-tree.ts';
import { topicFilter, topicName } from './arbitraries.ts';

interface Message {
  readonly topic: string;
  readonly number: number;
}

function all<M>(cursor: RetainedCursor<M>, stepsMax = 7): M[] {
  const messages: M[] = [];
  while (cursor.take(messages, 3, stepsMax));
  return messages;
}

function treeOf(...topics: string[]): RetainedTree<string> {
  const tree = new RetainedTree<string>();
  for (const topic of topics) tree.set(topic, topic, 1);
  return tree;
}

test('a tree holds what a map holds, and finds by filter what a scan finds', () => {
  const step = fc.record({ isSet: fc.boolean(), topic: topicName, filter: topicFilter, bytes: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tree = new RetainedTree<Message>();
      const model = new Map<string, Message>();
      const sizes = new Map<string, number>();
      for (const [number, { isSet, topic, filter, bytes }] of steps.entries()) {
        if (isSet) {
          const message = { topic, number };
          expect(tree.set(topic, message, bytes)).toBe(model.get(topic));
          model.set(topic, message);
          sizes.set(topic, bytes);
        } else {
          expect(tree.delete(topic)).toBe(model.get(topic));
          model.delete(topic);
          sizes.delete(topic);
        }
        expect(tree.get(topic)).toBe(model.get(topic));
        expect(tree.count).toBe(model.size);
        expect(tree.bytes).toBe([...sizes.values()].reduce((sum, size) => sum + size, 0));
        const expected = [...model.values()].filter((message) => matches(filter, message.topic));
        const found = all(tree.cursor(filter));
        expect(found.length).toBe(expected.length);
        expect(new Set(found)).toEqual(new Set(expected));
        if (expected.length > 0) expect(tree.canMatch(filter)).toBe(true);
      }
      expect(new Set(tree.messages())).toEqual(new Set(model.values()));
      for (const topic of model.keys()) tree.delete(topic);
      expect([tree.count, tree.bytes, tree.nodeCount]).toEqual([0, 0, 1]);
    }),
    { numRuns: 500 },
  );
});

test('a cursor gives what was there when it was made and still is, once, whatever changes in between', () => {
  const change = fc.record({ isSet: fc.boolean(), topic: topicName });
  const initial = fc.array(topicName, { maxLength: 30 });
  fc.assert(
    fc.property(initial, fc.array(change, { maxLength: 60 }), topicFilter, (topics, changes, filter) => {
      const tree = new RetainedTree<Message>();
      let number = 0;
      const untouched = new Map<string, Message>();
      for (const topic of topics) {
        const message = { topic, number: number++ };
        tree.set(topic, message, 1);
        untouched.set(topic, message);
      }
      const madeAt = number;
      const cursor = tree.cursor(filter);
      const found: Message[] = [];
      for (const { isSet, topic } of changes) {
        const before = found.length;
        cursor.take(found, 1, 2);
        for (const message of found.slice(before)) expect(tree.get(message.topic)).toBe(message);
        if (isSet) tree.set(topic, { topic, number: number++ }, 1);
        else tree.delete(topic);
        untouched.delete(topic);
      }
      while (cursor.take(found, 1, 2));
      expect(new Set(found).size).toBe(found.length);
      for (const message of found) {
        expect(message.number).toBeLessThan(madeAt);
        expect(matches(filter, message.topic)).toBe(true);
      }
      for (const message of untouched.values()) {
        if (matches(filter, message.topic)) expect(found).toContain(message);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a cursor keeps to the counts and steps that it is given', () => {
  const tree = treeOf(...Array.from({ length: 100 }, (_, i) => `a/${i}/${i === 99 ? 'rare' : 'common'}`));
  const found: string[] = [];
  const cursor = tree.cursor('#');
  expect(cursor.take(found, 10, 1000)).toBe(true);
  expect(found.length).toBe(10);
  const rare = tree.cursor('a/+/rare');
  found.length = 0;
  expect(rare.take(found, 10, 50)).toBe(true);
  expect(found).toEqual([]);
  expect(rare.take(found, 10, 1000)).toBe(false);
  expect(found).toEqual(['a/99/rare']);
});

test('a message that is replaced while a cursor is under way is left to live delivery', () => {
  const tree = treeOf('a/1', 'a/2', 'a/3');
  const cursor = tree.cursor('a/+');
  tree.set('a/2', 'newer', 1);
  tree.delete('a/3');
  tree.set('a/3', 'again', 1);
  tree.set('a/4', 'later', 1);
  expect(all(cursor)).toEqual(['a/1']);
  const exact = tree.cursor('a/1');
  tree.set('a/1', 'newer', 1);
  expect(all(exact)).toEqual([]);
});

test('MQTT-4.7.2-1: wildcards at the first level do not see retained messages of "$" topics', () => {
  const tree = treeOf('$SYS/uptime', 'a/$b', '$x');
  expect(all(tree.cursor('#'))).toEqual(['a/$b']);
  expect(all(tree.cursor('+'))).toEqual([]);
  expect(all(tree.cursor('+/uptime'))).toEqual([]);
  expect(all(tree.cursor('$SYS/#'))).toEqual(['$SYS/uptime']);
  expect([tree.canMatch('a/#'), tree.canMatch('b/#'), tree.canMatch('b'), tree.canMatch('+/x')]).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(all(tree.cursor('a/+'))).toEqual(['a/$b']);
});

test('topics that part after many levels take one node for it, and one more for each that parts before', () => {
  const topics = ['x', 'y', 'x/z'].map((end) => `${'a/'.repeat(100)}${end}`);
  const tree = treeOf(...topics);
  expect(tree.nodeCount).toBe(3);
  const short = `${'a/'.repeat(50)}b`;
  tree.set(short, short, 1);
  expect(tree.nodeCount).toBe(4);
  expect(all(tree.cursor('a/+/#')).sort()).toEqual([short, ...topics].sort());
  expect(all(tree.cursor(`${'a/'.repeat(50)}+`))).toEqual([short]);
  for (const topic of [...topics, short]) tree.delete(topic);
  expect(tree.nodeCount).toBe(1);
});

test('a topic of thirty thousand levels is stored, found and removed', () => {
  const deep = `${'a/'.repeat(30_000)}a`;
  const tree = treeOf(deep, `${'a/'.repeat(29_999)}b`);
  expect(all(tree.cursor('#'), 100_000).length).toBe(2);
  expect(all(tree.cursor(`${'a/'.repeat(30_000)}+`), 100_000)).toEqual([deep]);
  tree.delete(deep);
  tree.delete(`${'a/'.repeat(29_999)}b`);
  expect(tree.nodeCount).toBe(1);
});
