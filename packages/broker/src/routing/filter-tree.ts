// Topic filters with a value each, and the answer to "which of them match this topic?"
//
//   #exact   the filters without wildcards: each can match only the topic of the same name, so one lookup finds it,
//            whatever its depth
//   #root    the filters with wildcards, as a tree by topic level:
//
//            filters  a/+/x   a/+/y   a/#   b/+/+/c/d   e/f/+/g   e/f/+/h
//
//            root ─ a ─┬─ + ─┬─ x      value of a/+/x
//                 │    │     └─ y      value of a/+/y
//                 │    └─ hash         value of a/#
//                 ├─ b                 value of b/+/+/c/d
//                 └─ e (f/+) ─┬─ g     value of e/f/+/g
//                             └─ h     value of e/f/+/h
//
// There are nodes only where filters part. Below `b` there is one filter, so its value hangs there at once and the rest of
// the filter is compared when a topic comes by; the levels that all filters below `e` share before they part are the run of
// its node. So a million deep filters need no million chains of nodes, and the walk ends early.
//
// A match goes level by level with the set of nodes reached so far, and then the same way from each node that is behind a
// run. So neither depth nor a hostile filter can exhaust the stack, and each level is cut out of the topic once mostly, and
// only as deep as the tree goes.

import { matches } from '@tobymq/codec';
import { type Children, collectChildren, deleteChild, getChild, setChild } from './children.ts';
import { LargeMap } from './large-map.ts';
import { afterRun, commonLevels, cutRun, hasWildcard, isLevelEnd, levelEnd, SLASH } from './levels.ts';

/** What a tree holds for a filter; it knows its filter, so that the tree need not keep it a second time. */
export interface FilterValue {
  readonly filter: string;
  /** How many levels the filter has: `countLevels(filter)`. */
  readonly levelCount: number;
}

type Child<V> = TreeNode<V> | V;

class TreeNode<V> {
  /** The levels between the one that leads here and those of the children; `+` may be among them, `#` not. */
  run: string | undefined;
  children: Children<Child<V>> = undefined;
  /** The child for `+`. */
  plus: Child<V> | undefined = undefined;
  /** The value of the filter that goes on with `#` here. */
  hash: V | undefined = undefined;
  /** The value of the filter that ends here. */
  value: V | undefined = undefined;

  constructor(run: string | undefined) {
    this.run = run;
  }

  get isEmpty(): boolean {
    return (
      this.children === undefined &&
      this.plus === undefined &&
      this.hash === undefined &&
      this.value === undefined
    );
  }

  child(level: string): Child<V> | undefined {
    return level === '+' ? this.plus : getChild(this.children, level);
  }

  setChild(level: string, child: Child<V>): void {
    if (level === '+') this.plus = child;
    else this.children = setChild(this.children, level, child);
  }

  deleteChild(level: string): void {
    if (level === '+') this.plus = undefined;
    else this.children = deleteChild(this.children, level);
  }
}

interface Jump<V> {
  readonly node: TreeNode<V>;
  readonly start: number;
  readonly depth: number;
}

const PLUS = 0x2b;

const REACHED_KEPT_MAX = 1024;

/** Topic filters with a value each. */
export class FilterTree<V extends FilterValue> {
  readonly #exact = new LargeMap<V>();
  readonly #root = new TreeNode<V>(undefined);
  #wildcardCount = 0;
  #nodeCount = 1;
  // The nodes reached at this level and at the next one. The arrays are kept and never shortened, because V8 gives the
  // memory of an array back when its length becomes 0: that alone doubled the time of a match.
  #reached: TreeNode<V>[] = [];
  #next: TreeNode<V>[] = [];
  /** Nodes whose runs the topic matches, with where in the topic and how deep it goes on behind these. */
  readonly #jumps: Jump<V>[] = [];

  /** How many filters there are. */
  get size(): number {
    return this.#exact.size + this.#wildcardCount;
  }

  /** How many nodes the filters with wildcards need, the root included. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  get(filter: string): V | undefined {
    if (!hasWildcard(filter)) return this.#exact.get(filter);
    let node = this.#root;
    let start = 0;
    while (start <= filter.length) {
      const end = levelEnd(filter, start);
      const level = filter.slice(start, end);
      start = end + 1;
      if (level === '#') return node.hash;
      const child = node.child(level);
      if (!(child instanceof TreeNode)) return child?.filter === filter ? child : undefined;
      if (child.run !== undefined) start = afterRun(child.run, filter, start);
      if (start === -1) return undefined;
      node = child;
    }
    return node.value;
  }

  /** Sets the value of `value.filter`. */
  set(value: V): void {
    if (hasWildcard(value.filter)) this.#place(value);
    else this.#exact.set(value.filter, value);
  }

  /** Removes a filter and every node that only it needed. */
  delete(filter: string): void {
    if (!hasWildcard(filter)) this.#exact.delete(filter);
    else if (this.get(filter) !== undefined) this.#remove(filter);
  }

  /** Writes the values of all filters that match the topic name to the beginning of `into`, and returns how many. */
  match(topic: string, into: V[]): number {
    let found = 0;
    const exact = this.#exact.get(topic);
    if (exact !== undefined) into[found++] = exact;
    if (this.#wildcardCount === 0) return found;
    let reached = this.#reached;
    let next = this.#next;
    reached[0] = this.#root;
    let reachedCount = 1;
    // [MQTT-4.7.2-1] At the first level wildcards do not see topics that begin with "$".
    let areWildcardsBlind = topic.charCodeAt(0) === 0x24;
    let start = 0;
    let depth = 0;
    for (;;) {
      while (reachedCount > 0) {
        for (let i = 0; i < reachedCount; i++) {
          const { hash } = reached[i]!;
          if (hash !== undefined && !areWildcardsBlind) into[found++] = hash; // also the parent: a/# matches a
        }
        if (start > topic.length) {
          for (let i = 0; i < reachedCount; i++) {
            const { value } = reached[i]!;
            if (value !== undefined) into[found++] = value;
          }
          break;
        }
        const end = levelEnd(topic, start);
        const level = topic.slice(start, end);
        let nextCount = 0;
        depth++;
        for (let i = 0; i < reachedCount; i++) {
          const node = reached[i]!;
          const child = getChild(node.children, level);
          if (child instanceof TreeNode) {
            if (child.run === undefined) next[nextCount++] = child;
            else this.#jump(child, child.run, topic, end + 1, depth);
          } else if (child !== undefined && isMatch(child, topic, end, depth)) into[found++] = child;
          const plus = node.plus;
          if (plus === undefined || areWildcardsBlind) continue;
          if (plus instanceof TreeNode) {
            if (plus.run === undefined) next[nextCount++] = plus;
            else this.#jump(plus, plus.run, topic, end + 1, depth);
          } else if (isMatch(plus, topic, end, depth)) into[found++] = plus;
        }
        const last = reached;
        reached = next;
        next = last;
        reachedCount = nextCount;
        start = end + 1;
        areWildcardsBlind = false;
      }
      if (this.#jumps.length === 0) break;
      const jump = this.#jumps.pop()!;
      reached[0] = jump.node;
      reachedCount = 1;
      start = jump.start;
      depth = jump.depth;
    }
    // What they still point to after the match is little, but not after an unusually wide one.
    if (this.#reached.length + this.#next.length > REACHED_KEPT_MAX) {
      this.#reached = [];
      this.#next = [];
    }
    return found;
  }

  /** Notes a node to go on with if the topic matches its run from `start` on. */
  #jump(node: TreeNode<V>, run: string, topic: string, start: number, depth: number): void {
    if (start > topic.length) return;
    let at = start;
    let levels = 1;
    for (let i = 0; i < run.length; i++) {
      const character = run.charCodeAt(i);
      if (character === PLUS) {
        at = levelEnd(topic, at);
        continue;
      }
      if (topic.charCodeAt(at) !== character) return;
      if (character === SLASH) levels++;
      at++;
    }
    if (isLevelEnd(topic, at)) this.#jumps.push({ node, start: at + 1, depth: depth + levels });
  }

  /** Every value, in no particular order. */
  *values(): IterableIterator<V> {
    yield* this.#exact.values();
    const waiting: Child<V>[] = [this.#root];
    for (let child = waiting.pop(); child !== undefined; child = waiting.pop()) {
      if (!(child instanceof TreeNode)) {
        yield child;
        continue;
      }
      if (child.hash !== undefined) yield child.hash;
      if (child.value !== undefined) yield child.value;
      if (child.plus !== undefined) waiting.push(child.plus);
      collectChildren(child.children, waiting);
    }
  }

  #place(value: V): void {
    const filter = value.filter;
    let node = this.#root;
    let start = 0;
    while (start <= filter.length) {
      const end = levelEnd(filter, start);
      const level = filter.slice(start, end);
      start = end + 1;
      if (level === '#') {
        if (node.hash === undefined) this.#wildcardCount++;
        node.hash = value;
        return;
      }
      const child = node.child(level);
      if (child instanceof TreeNode) {
        const next = child.run === undefined ? start : afterRun(child.run, filter, start);
        if (next !== -1) {
          node = child;
          start = next;
          continue;
        }
      } else if (child === undefined || child.filter === filter) {
        if (child === undefined) this.#wildcardCount++;
        node.setChild(level, value);
        return;
      }
      // Another filter comes this way: a node takes the place of what was there, and both go on below it.
      const grown =
        child instanceof TreeNode ? growAbove(child, filter, start) : growBelow(child, filter, start);
      this.#nodeCount++;
      node.setChild(level, grown);
      node = grown;
      if (grown.run !== undefined) start += grown.run.length + 1;
    }
    if (node.value === undefined) this.#wildcardCount++;
    node.value = value;
  }

  /** Removes a filter that is there. */
  #remove(filter: string): void {
    this.#wildcardCount--;
    const path: TreeNode<V>[] = [];
    const levels: string[] = [];
    let node = this.#root;
    let start = 0;
    for (;;) {
      if (start > filter.length) {
        node.value = undefined;
        break;
      }
      const end = levelEnd(filter, start);
      const level = filter.slice(start, end);
      start = end + 1;
      if (level === '#') {
        node.hash = undefined;
        break;
      }
      const child = node.child(level);
      if (!(child instanceof TreeNode)) {
        node.deleteChild(level);
        break;
      }
      path.push(node);
      levels.push(level);
      node = child;
      if (child.run !== undefined) start += child.run.length + 1;
    }
    while (path.length > 0 && node.isEmpty) {
      node = path.pop()!;
      node.deleteChild(levels.pop()!);
      this.#nodeCount--;
    }
  }
}

/**
 * Whether a value that hangs at `depth` levels, with all of them matched up to `end` of the topic, matches the rest. When
 * both end here nothing is left to compare, and the filter's string, which lies somewhere else in memory, is not touched.
 */
function isMatch(value: FilterValue, topic: string, end: number, depth: number): boolean {
  return (value.levelCount === depth && end === topic.length) || matches(value.filter, topic);
}

/** A node for the levels that a filter has in common with the run of a node, which gets the rest of it. */
function growAbove<V>(node: TreeNode<V>, filter: string, start: number): TreeNode<V> {
  const { common, level } = cutRun(node, filter, start);
  const grown = new TreeNode<V>(common);
  grown.setChild(level, node);
  return grown;
}

/** A node for the levels that a filter has in common with the one of a value, which hangs below it. */
function growBelow<V extends FilterValue>(value: V, filter: string, start: number): TreeNode<V> {
  const first = value.filter;
  const common = commonLevels(first, start, filter, start);
  const grown = new TreeNode<V>(common);
  const next = common === undefined ? start : start + common.length + 1;
  if (next > first.length) {
    grown.value = value;
    return grown;
  }
  const level = first.slice(next, levelEnd(first, next));
  if (level === '#') grown.hash = value;
  else grown.setChild(level, value);
  return grown;
}
