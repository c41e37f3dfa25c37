import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SharedGroup, type SharedStrategy } from '../../src/routing/shared-group.ts';
import { Subscription } from '../../src/routing/subscription.ts';

const STRATEGIES: readonly SharedStrategy[] = [
  'round-robin',
  'random',
  'sticky',
  'hash-publisher',
  'hash-topic',
];

function member(subscriber: string): Subscription<string> {
  return new Subscription(subscriber, {
    filter: 'a',
    shareName: 'g',
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionId: 0,
  });
}

interface Setting {
  readonly group: SharedGroup<string>;
  readonly offline: Set<string>;
}

function groupOf(
  strategy: SharedStrategy,
  members: readonly string[],
  random: () => number = () => 0,
): Setting {
  const offline = new Set<string>();
  const group = new SharedGroup<string>('g', 'a', {
    strategy,
    random,
    isOnline: (subscriber) => !offline.has(subscriber),
  });
  for (const each of members) group.set(member(each));
  return { group, offline };
}

function picks(group: SharedGroup<string>, count: number): (string | undefined)[] {
  return Array.from({ length: count }, (_, i) => group.pick(`p${i}`, `t/${i}`)?.subscriber);
}

test('round-robin serves the members one after the other', () => {
  const { group } = groupOf('round-robin', ['a', 'b', 'c']);
  expect(picks(group, 6)).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
});

test('round-robin passes over members that are offline', () => {
  const { group, offline } = groupOf('round-robin', ['a', 'b', 'c']);
  offline.add('b');
  expect(picks(group, 4)).toEqual(['a', 'c', 'a', 'c']);
});

test('sticky stays with one member until it goes offline or leaves', () => {
  const { group, offline } = groupOf('sticky', ['a', 'b', 'c']);
  expect(picks(group, 3)).toEqual(['a', 'a', 'a']);
  offline.add('a');
  expect(picks(group, 2)).toEqual(['b', 'b']);
  offline.delete('a');
  expect(picks(group, 2)).toEqual(['b', 'b']);
  group.delete('b');
  const [next] = picks(group, 1);
  expect(picks(group, 3)).toEqual([next, next, next]);
});

test('random chooses by the given source', () => {
  let value = 0;
  const { group } = groupOf('random', ['a', 'b', 'c', 'd'], () => value);
  for (const [random, expected] of [
    [0, 'a'],
    [0.3, 'b'],
    [0.999, 'd'],
  ] as const) {
    value = random;
    expect(picks(group, 1)).toEqual([expected]);
  }
});

test('hash sends all messages of a publisher, or of a topic, to one member, and spreads them over all', () => {
  const names = Array.from({ length: 10 }, (_, i) => `m${i}`);
  const byPublisher = groupOf('hash-publisher', names).group;
  const byTopic = groupOf('hash-topic', names).group;
  const counts = new Map<string, number>();
  for (let i = 0; i < 2000; i++) {
    const chosen = byPublisher.pick(`publisher-${i}`, 'x')!.subscriber;
    expect(byPublisher.pick(`publisher-${i}`, 'y')!.subscriber).toBe(chosen);
    expect(byTopic.pick('q', `publisher-${i}`)!.subscriber).toBe(chosen);
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  for (const name of names) expect(Math.abs(counts.get(name)! - 200)).toBeLessThan(60);
});

test('with hash, a member that joins takes over only the keys that become its own', () => {
  const { group } = groupOf('hash-topic', ['m0', 'm1', 'm2', 'm3']);
  const keys = Array.from({ length: 1000 }, (_, i) => `topic/${i}`);
  const before = keys.map((key) => group.pick('p', key)!.subscriber);
  group.set(member('m4'));
  const after = keys.map((key) => group.pick('p', key)!.subscriber);
  const moved = keys.filter((_, i) => before[i] !== after[i]).length;
  expect(after.every((name, i) => name === before[i] || name === 'm4')).toBe(true);
  expect(Math.abs(moved - 200)).toBeLessThan(60);
});

test.each(STRATEGIES)('%s: when everybody is offline the message waits for one of them', (strategy) => {
  const { group, offline } = groupOf(strategy, ['a', 'b']);
  offline.add('a').add('b');
  expect(['a', 'b']).toContain(group.pick('p', 't')?.subscriber);
});

test.each(STRATEGIES)('%s: a message goes to another member than the one it comes back from', (strategy) => {
  const { group, offline } = groupOf(strategy, ['a', 'b']);
  for (let i = 0; i < 20; i++) expect(group.pick(`p${i}`, `t${i}`, 'a')?.subscriber).toBe('b');
  offline.add('b');
  for (let i = 0; i < 20; i++) expect(group.pick(`p${i}`, `t${i}`, 'a')?.subscriber).toBe('b');
  group.delete('b');
  expect(group.pick('p', 't', 'a')).toBeUndefined();
  expect(group.pick('p', 't')?.subscriber).toBe('a');
});

test('members are those that joined and did not leave, and an offline one is chosen only if all are', () => {
  const change = fc.record({
    subscriber: fc.integer({ min: 0, max: 20 }).map((i) => `m${i}`),
    kind: fc.constantFrom('join', 'join', 'leave', 'offline', 'online'),
  });
  fc.assert(
    fc.property(fc.constantFrom(...STRATEGIES), fc.array(change, { maxLength: 100 }), (strategy, changes) => {
      const { group, offline } = groupOf(strategy, [], () => 0.5);
      const model = new Map<string, Subscription<string>>();
      for (const { subscriber, kind } of changes) {
        if (kind === 'join') {
          const joining = member(subscriber);
          expect(group.set(joining)).toBe(model.get(subscriber));
          model.set(subscriber, joining);
        } else if (kind === 'leave') {
          expect(group.delete(subscriber)).toBe(model.get(subscriber));
          model.delete(subscriber);
        } else if (kind === 'offline') offline.add(subscriber);
        else offline.delete(subscriber);

        expect(new Set(group.members)).toEqual(new Set(model.values()));
        expect(group.get(subscriber)).toBe(model.get(subscriber));
        const chosen = group.pick(subscriber, subscriber);
        const online = [...model.keys()].filter((each) => !offline.has(each));
        if (model.size === 0) expect(chosen).toBeUndefined();
        else expect(online.length > 0 ? online : [...model.keys()]).toContain(chosen?.subscriber);
      }
    }),
    { numRuns: 300 },
  );
});
