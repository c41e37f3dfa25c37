// The topics that a connection publishes to are found again by their bytes.

import { expect, test } from 'vitest';
import { KnownTopic, TopicCache } from '../src/connection/topic-cache.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

function add(topics: TopicCache, topic: string): KnownTopic {
  const known = new KnownTopic(bytesOf(topic), topic);
  topics.add(known);
  return known;
}

function find(topics: TopicCache, topic: string): KnownTopic | undefined {
  const bytes = bytesOf(topic);
  return topics.find(bytes, 0, bytes.length);
}

test('a topic of a length that nobody uses is remembered only as the last one', () => {
  const topics = new TopicCache();
  const long = 'x'.repeat(2_000);
  const known = add(topics, long);
  expect(find(topics, long)).toBe(known);
  add(topics, 'short');
  expect(find(topics, long)).toBeUndefined();
});

test('a topic is found if all its bytes are the same, wherever they stand', () => {
  const topics = new TopicCache();
  const known = add(topics, 'rooms/1');
  const packet = bytesOf('..rooms/1..');
  expect(topics.find(packet, 2, 9)).toBe(known);
  expect(topics.find(packet, 2, 8)).toBeUndefined();
  expect(topics.find(packet, 2, 10)).toBeUndefined();
  expect(topics.find(packet, 1, 8)).toBeUndefined();
  expect(topics.find(bytesOf('rooms/2'), 0, 7)).toBeUndefined();
});

test('256 topics are kept, and one more begins anew', () => {
  const topics = new TopicCache();
  const all = Array.from({ length: 256 }, (_, i) => add(topics, `rooms/${i}/temperature`));
  for (const known of all) expect(find(topics, known.topic)).toBe(known);
  const next = add(topics, 'one/more');
  expect(find(topics, 'one/more')).toBe(next);
  for (const known of all) expect(find(topics, known.topic)).toBeUndefined();
});
