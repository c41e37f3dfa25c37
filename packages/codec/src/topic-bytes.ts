// The bytes of topic names, validated and encoded once and then remembered.
//
// A sender uses the same topics again and again, and most of them were put together from pieces, which V8 reads slowly
// character by character. Finding the bytes by the string takes 25 ns; checking and writing 20 such characters takes
// 120 ns on Node 20. The table is emptied when it is full, so it is bounded and needs no order.

import { checkedTopicSize } from './topics.ts';
import { writeText } from './utf8.ts';

const ENTRIES_MAX = 1024;
/** Longer topics are seldom worth it, and this bounds the table to some hundred kB. */
const LENGTH_MAX = 64;

const known = new Map<string, Uint8Array>();

/** The UTF-8 bytes of a topic name, not to be written to; refuses a bad one [MQTT-3.3.2-2]. */
export function topicBytes(topic: string, what: string): Uint8Array {
  const found = known.get(topic);
  if (found !== undefined) return found;
  const bytes = new Uint8Array(checkedTopicSize(topic, what));
  writeText(bytes, 0, topic);
  if (topic.length <= LENGTH_MAX) {
    if (known.size === ENTRIES_MAX) known.clear();
    known.set(topic, bytes);
  }
  return bytes;
}
