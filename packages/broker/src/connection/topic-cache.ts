// What a connection knows of the topics that it publishes to. Clients publish to few topics again and again, so for a
// known topic nothing is decoded, looked up or asked: its bytes are compared with those of the last one, and the string,
// the route, the rule's answer and the interested hooks are at hand.

import type { Extension } from '../extension.ts';
import type { Decision } from '../hooks.ts';
import { REMEMBERED_TOPIC_MAX, type Route } from '../routing/router.ts';
import type { Subscriber } from '../session/subscriber.ts';

/** How many topics one connection keeps. */
const TOPICS_MAX = 256;

export type PublishHook = Extension & Required<Pick<Extension, 'onPublish'>>;

export class KnownTopic {
  /** As the client writes it. */
  readonly bytes: Uint8Array;
  /** With the mount point. */
  readonly topic: string;
  route: Route<Subscriber> | undefined = undefined;
  /** The answer of the rules; undefined until they were asked. */
  decision: Decision | undefined = undefined;
  hooks: readonly PublishHook[] = [];
  /** The version of the rules and hooks that the answers belong to. */
  rulesVersion = 0;

  constructor(bytes: Uint8Array, topic: string) {
    this.bytes = bytes;
    this.topic = topic;
  }
}

export class TopicCache {
  #last: KnownTopic | undefined = undefined;
  #topics: Map<string, KnownTopic> | undefined = undefined;
  #aliases: (KnownTopic | undefined)[] | undefined = undefined;

  /** The topic if it is the same as the last one. */
  last(bytes: Uint8Array, start: number, end: number): KnownTopic | undefined {
    const last = this.#last;
    return last !== undefined && isSameAs(last.bytes, bytes, start, end) ? last : undefined;
  }

  get(topic: string): KnownTopic | undefined {
    const known = this.#topics?.get(topic);
    if (known !== undefined) this.#last = known;
    return known;
  }

  add(topic: string, known: KnownTopic): void {
    this.#last = known;
    if (topic.length > REMEMBERED_TOPIC_MAX) return;
    this.#topics ??= new Map();
    if (this.#topics.size >= TOPICS_MAX) this.#topics.clear();
    this.#topics.set(topic, known);
  }

  /** Sets or replaces what an alias of the client stands for. [N25] */
  setAlias(alias: number, known: KnownTopic): void {
    this.#aliases ??= [];
    this.#aliases[alias] = known;
  }

  byAlias(alias: number): KnownTopic | undefined {
    return this.#aliases?.[alias];
  }
}

/** Whether `bytes[start..end)` are the bytes of a known topic. */
function isSameAs(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== known.length) return false;
  for (let index = 0; index < known.length; index++) {
    if (known[index] !== bytes[start + index]) return false;
  }
  return true;
}
