// What a connection knows of the topics that it publishes to. Clients publish to few topics again and again, so for a
// known topic nothing is decoded or asked: its bytes are compared with those of the last one, or found by their hash, and
// the string, the route, the rule's answer and the interested hooks are at hand.

import type { Extension } from '../extension.ts';
import type { Decision } from '../hooks.ts';
import { REMEMBERED_TOPIC_MAX, type Route } from '../routing/router.ts';
import type { Subscriber } from '../session/subscriber.ts';

/** How many topics one connection keeps. */
const TOPICS_MAX = 256;

const SLOTS_MIN = 4;

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
  // By the hash of their bytes; one that finds its slot taken is in the next free one. A power of two of slots, at least half
  // of which are free.
  #slots: (KnownTopic | undefined)[] | undefined = undefined;
  #count = 0;
  #aliases: (KnownTopic | undefined)[] | undefined = undefined;

  /** The topic with the name at `bytes[start..end)`. */
  find(bytes: Uint8Array, start: number, end: number): KnownTopic | undefined {
    const last = this.#last;
    if (last !== undefined && isSameAs(last.bytes, bytes, start, end)) return last;
    return this.#findAmongAll(bytes, start, end);
  }

  /** Adds a topic that is not known yet. */
  add(known: KnownTopic): void {
    this.#last = known;
    if (known.bytes.length > REMEMBERED_TOPIC_MAX) return;
    if (this.#slots === undefined || this.#count >= TOPICS_MAX) {
      this.#slots = new Array<undefined>(SLOTS_MIN).fill(undefined);
      this.#count = 0;
    }
    this.#count++;
    if (2 * this.#count > this.#slots.length) {
      const before = this.#slots;
      this.#slots = new Array<undefined>(2 * before.length).fill(undefined);
      for (const each of before) if (each !== undefined) place(this.#slots, each);
    }
    place(this.#slots, known);
  }

  /** Sets or replaces what an alias of the client stands for. [N25] */
  setAlias(alias: number, known: KnownTopic): void {
    this.#aliases ??= [];
    this.#aliases[alias] = known;
  }

  byAlias(alias: number): KnownTopic | undefined {
    return this.#aliases?.[alias];
  }

  #findAmongAll(bytes: Uint8Array, start: number, end: number): KnownTopic | undefined {
    const slots = this.#slots;
    if (slots === undefined || end - start > REMEMBERED_TOPIC_MAX) return undefined;
    const mask = slots.length - 1;
    for (let slot = hashOf(bytes, start, end) & mask; ; slot = (slot + 1) & mask) {
      const known = slots[slot];
      if (known === undefined) return undefined;
      if (isSameAs(known.bytes, bytes, start, end)) {
        this.#last = known;
        return known;
      }
    }
  }
}

function place(slots: (KnownTopic | undefined)[], known: KnownTopic): void {
  const { bytes } = known;
  let slot = hashOf(bytes, 0, bytes.length) & (slots.length - 1);
  while (slots[slot] !== undefined) slot = (slot + 1) & (slots.length - 1);
  slots[slot] = known;
}

/** FNV-1a, folded so that the low bits are good. A client that chooses topics for their hashes slows only itself. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

/** Whether `bytes[start..end)` are the bytes of a known topic. */
function isSameAs(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== known.length) return false;
  for (let index = 0; index < known.length; index++) {
    if (known[index] !== bytes[start + index]) return false;
  }
  return true;
}
