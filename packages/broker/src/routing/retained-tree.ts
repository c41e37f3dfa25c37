// The retained messages: one for each topic, found by topic or, for a subscriber, by a filter with wildcards.
//
//   #slots   topic → RetainedSlot, for setting and getting
//   #root    the same slots as a tree by topic level, for filters with wildcards
//
//              topics  a/b/c   a/b/d   e/f/g
//
//              root ─ a (b) ─┬─ c   slot of a/b/c
//                   │        └─ d   slot of a/b/d
//                   └─ e           slot of e/f/g: alone below `e`, so it hangs there at once
//
// There are nodes only where topics part: the levels before that, which all topics of a node have in common, are its run
// (`b`). So two long topics that differ at their end take no chain of nodes, each many times as large as its level.
//
// A subscriber of `#` on a million topics must not hold up the others, so it is answered by a `RetainedCursor`, which
// looks at a bounded number of places per call. Between the calls the tree may change. A cursor stands on iterators of
// Maps, which JavaScript keeps valid while a Map changes; and it gives only messages that were there when the subscriber
// came, as long as they are there. What comes later reaches the subscriber as a live message, so it must not come a
// second time, and above all not an old message after the new one.

import { matches } from '@tobymq/codec';
import { LargeMap } from './large-map.ts';
import { afterRun, commonLevels, cutRun, hasWildcard, levelEnd } from './levels.ts';

/** Where the message of one topic is; removed and replaced messages stay recognizable for cursors. */
class RetainedSlot<M> {
  readonly topic: string;
  message: M | undefined;
  bytes: number;
  /** When the message was set, counted in changes of this tree. */
  change: number;

  constructor(topic: string, message: M, bytes: number, change: number) {
    this.topic = topic;
    this.message = message;
    this.bytes = bytes;
    this.change = change;
  }
}

type Child<M> = TopicNode<M> | RetainedSlot<M>;

class TopicNode<M> {
  /** The levels between the one that leads here and those of the children. */
  run: string | undefined;
  /** The topic that ends here. */
  slot: RetainedSlot<M> | undefined = undefined;
  children: Map<string, Child<M>> | undefined = undefined;

  constructor(run: string | undefined) {
    this.run = run;
  }

  get isEmpty(): boolean {
    return this.slot === undefined && (this.children === undefined || this.children.size === 0);
  }
}

/** A walk over the retained messages that match a filter, in steps. */
export interface RetainedCursor<M> {
  /**
   * Appends up to `countMax` messages to `into`, looking at no more than `stepsMax` places for them. Returns false when
   * all have been given.
   */
  take(into: M[], countMax: number, stepsMax: number): boolean;
}

/** Retained messages `M` by topic. */
export class RetainedTree<M> {
  readonly #slots = new LargeMap<RetainedSlot<M>>();
  readonly #root = new TopicNode<M>(undefined);
  #bytes = 0;
  #nodeCount = 1;
  #change = 0;

  /** How many topics have a retained message. */
  get count(): number {
    return this.#slots.size;
  }

  /** The sum of the sizes given to `set`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many nodes the topics need, the root included. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** How often a message was set; what was set up to now has a lower or the same number. */
  get change(): number {
    return this.#change;
  }

  get(topic: string): M | undefined {
    return this.#slots.get(topic)?.message;
  }

  /** Sets the message of a topic, counted with `bytes`; returns the one that it replaces. */
  set(topic: string, message: M, bytes: number): M | undefined {
    this.#change++;
    this.#bytes += bytes;
    const slot = this.#slots.get(topic);
    if (slot === undefined) {
      const added = new RetainedSlot(topic, message, bytes, this.#change);
      this.#slots.set(topic, added);
      this.#place(added);
      return undefined;
    }
    const replaced = slot.message;
    this.#bytes -= slot.bytes;
    slot.message = message;
    slot.bytes = bytes;
    slot.change = this.#change;
    return replaced;
  }

  /** Removes the message of a topic and returns it. */
  delete(topic: string): M | undefined {
    const slot = this.#slots.get(topic);
    if (slot === undefined) return undefined;
    this.#slots.delete(topic);
    this.#bytes -= slot.bytes;
    this.#remove(topic);
    const removed = slot.message;
    slot.message = undefined;
    return removed;
  }

  /** All messages, in no particular order; the tree must not be changed meanwhile. */
  *messages(): IterableIterator<M> {
    for (const slot of this.#slots.values()) if (slot.message !== undefined) yield slot.message;
  }

  /** False if it is plain at a glance that no topic here matches a filter, which is so for most new subscriptions. */
  canMatch(filter: string): boolean {
    if (!hasWildcard(filter)) return this.#slots.get(filter) !== undefined;
    const first = filter.slice(0, levelEnd(filter, 0));
    if (hasWildcard(first)) return this.#slots.size > 0;
    return this.#root.children?.has(first) === true;
  }

  /** A walk over the messages whose topics match a filter, that are there now and were at `change`. */
  cursor(filter: string, change = this.#change): RetainedCursor<M> {
    if (!hasWildcard(filter)) return new TopicCursor(this.#slots.get(filter), change);
    return new FilterCursor(this.#root, filter, change);
  }

  #place(slot: RetainedSlot<M>): void {
    const topic = slot.topic;
    let node = this.#root;
    let start = 0;
    while (start <= topic.length) {
      const end = levelEnd(topic, start);
      const level = topic.slice(start, end);
      start = end + 1;
      node.children ??= new Map();
      const child = node.children.get(level);
      if (child === undefined) {
        node.children.set(level, slot);
        return;
      }
      if (child instanceof TopicNode) {
        const next = child.run === undefined ? start : afterRun(child.run, topic, start);
        if (next !== -1) {
          node = child;
          start = next;
          continue;
        }
      }
      // Another topic comes this way: a node takes the place of what was there, and both go on below it.
      const grown =
        child instanceof TopicNode ? growAbove(child, topic, start) : growBelow(child, topic, start);
      this.#nodeCount++;
      node.children.set(level, grown);
      node = grown;
      if (grown.run !== undefined) start += grown.run.length + 1;
    }
    node.slot = slot;
  }

  #remove(topic: string): void {
    const path: TopicNode<M>[] = [];
    const levels: string[] = [];
    let node = this.#root;
    let start = 0;
    for (;;) {
      if (start > topic.length) {
        node.slot = undefined;
        break;
      }
      const end = levelEnd(topic, start);
      const level = topic.slice(start, end);
      start = end + 1;
      const child = node.children?.get(level);
      if (!(child instanceof TopicNode)) {
        node.children?.delete(level);
        break;
      }
      path.push(node);
      levels.push(level);
      node = child;
      if (child.run !== undefined) start += child.run.length + 1;
    }
    while (path.length > 0 && node.isEmpty) {
      node = path.pop()!;
      node.children?.delete(levels.pop()!);
      this.#nodeCount--;
    }
  }
}

/** A node for the levels that a topic has in common with the run of a node, which gets the rest of it. */
function growAbove<M>(node: TopicNode<M>, topic: string, start: number): TopicNode<M> {
  const { common, level } = cutRun(node, topic, start);
  const grown = new TopicNode<M>(common);
  grown.children = new Map([[level, node]]);
  return grown;
}

/** A node for the levels that a topic has in common with the one of a slot, which hangs below it. */
function growBelow<M>(slot: RetainedSlot<M>, topic: string, start: number): TopicNode<M> {
  const common = commonLevels(slot.topic, start, topic, start);
  const grown = new TopicNode<M>(common);
  const next = common === undefined ? start : start + common.length + 1;
  if (next > slot.topic.length) grown.slot = slot;
  else grown.children = new Map([[slot.topic.slice(next, levelEnd(slot.topic, next)), slot]]);
  return grown;
}

/** The cursor of a filter without wildcards: at most one message. */
class TopicCursor<M> implements RetainedCursor<M> {
  #slot: RetainedSlot<M> | undefined;
  readonly #change: number;

  constructor(slot: RetainedSlot<M> | undefined, change: number) {
    this.#slot = slot;
    this.#change = change;
  }

  take(into: M[], countMax: number): boolean {
    const slot = this.#slot;
    if (slot === undefined) return false;
    if (countMax < 1) return true;
    if (slot.message !== undefined && slot.change <= this.#change) into.push(slot.message);
    this.#slot = undefined;
    return false;
  }
}

/** A node whose children a cursor is going through. */
interface Visit<M> {
  readonly children: IterableIterator<[string, Child<M>]>;
  /** Which level of the filter the children are held against; the last one for all levels below `#`. */
  readonly depth: number;
}

/** The cursor of a filter with wildcards: goes through the tree depth first, with a stack of its own. */
class FilterCursor<M> implements RetainedCursor<M> {
  readonly #filter: string;
  readonly #levels: readonly string[];
  readonly #change: number;
  readonly #visits: Visit<M>[] = [];
  /** Found, but not given yet. */
  #found: RetainedSlot<M> | undefined = undefined;

  constructor(root: TopicNode<M>, filter: string, change: number) {
    this.#filter = filter;
    this.#levels = filter.split('/');
    this.#change = change;
    this.#enter(root, 0);
  }

  take(into: M[], countMax: number, stepsMax: number): boolean {
    const countEnd = into.length + countMax;
    for (let step = 0; step < stepsMax && into.length < countEnd; step++) {
      if (this.#found !== undefined) {
        this.#give(this.#found, into);
        this.#found = undefined;
        continue;
      }
      const visit = this.#visits.at(-1);
      if (visit === undefined) return false;
      const next = visit.children.next();
      if (next.done) this.#visits.pop();
      else this.#look(next.value[0], next.value[1], visit.depth);
    }
    return this.#found !== undefined || this.#visits.length > 0;
  }

  #look(level: string, child: Child<M>, depth: number): void {
    // [MQTT-4.7.2-1] Wildcards at the first level do not see topics that begin with "$".
    if (depth === 0 && this.#visits.length === 1 && level.charCodeAt(0) === 0x24) return;
    if (child instanceof TopicNode) this.#enter(child, this.#levels[depth] === '#' ? depth : depth + 1);
    else if (matches(this.#filter, child.topic)) this.#found = child;
  }

  /** Goes on below a node that was reached by a level which matches, as all levels of the filter before `depth` do. */
  #enter(node: TopicNode<M>, depth: number): void {
    for (;;) {
      if (node.run !== undefined) {
        depth = this.#passRun(node.run, depth);
        if (depth === -1) return;
      }
      const level = this.#levels[depth];
      // The end of the filter, or `#` in it, which also matches the parent level. [MQTT-4.7.1-1]
      if (level === undefined || level === '#') this.#found = node.slot;
      const { children } = node;
      if (level === undefined || children === undefined) return;
      if (level === '+' || level === '#') {
        this.#visits.push({ children: children.entries(), depth });
        return;
      }
      const child = children.get(level);
      if (!(child instanceof TopicNode)) {
        if (child !== undefined && matches(this.#filter, child.topic)) this.#found = child;
        return;
      }
      node = child;
      depth++;
    }
  }

  /** Where the filter goes on behind the levels of a run; -1 if it does not match them. */
  #passRun(run: string, start: number): number {
    let depth = start;
    for (const level of run.split('/')) {
      const wanted = this.#levels[depth];
      if (wanted === '#') return depth;
      if (wanted !== '+' && wanted !== level) return -1;
      depth++;
    }
    return depth;
  }

  #give(slot: RetainedSlot<M>, into: M[]): void {
    if (slot.message !== undefined && slot.change <= this.#change) into.push(slot.message);
  }
}
