// The last topic of a connection is found again by its bytes, and only it.

import { expect, test } from 'vitest';
import { KnownTopic, TopicCache } from '../src/connection/topic-cache.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

test('a topic of a length that nobody uses is remembered only as the last one', () => {
  const topics = new TopicCache();
  const long = 'x'.repeat(2_000);
  const known = new KnownTopic(bytesOf(long), long);
  topics.add(long, known);
  expect(topics.last(bytesOf(long), 0, 2_000)).toBe(known);
  expect(topics.get(long)).toBeUndefined();
});

test('a topic is the last one if all its bytes are the same, wherever they stand', () => {
  const topics = new TopicCache();
  const known = new KnownTopic(bytesOf('rooms/1'), 'rooms/1');
  topics.add('rooms/1', known);
  const packet = bytesOf('..rooms/1..');
  expect(topics.last(packet, 2, 9)).toBe(known);
  expect(topics.last(packet, 2, 8)).toBeUndefined();
  expect(topics.last(packet, 2, 10)).toBeUndefined();
  expect(topics.last(packet, 1, 8)).toBeUndefined();
  expect(topics.last(bytesOf('rooms/2'), 0, 7)).toBeUndefined();
});
