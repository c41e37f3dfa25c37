// Topic filters with a value each, and the answer to "which of them match this topic?"
//
//   #exact   the filters without wildcards: each can match only the topic of the same name, so one lookup finds it,
//            whatever its depth
//   #root    the filters with wildcards, as a tree by topic level:
//
//            filters  a/+/x   a/+/y   a/#   b/+/+/c/d
//
//            root ─ a ─┬─ + ─┬─ x   value of a/+/x
//                 │    │     └─ y   value of a/+/y
//                 │    └─ hash      value of a/#
//                 └─ b              value of b/+/+/c/d
//
// A branch is only as deep as it has to be to tell filters apart: below `b` there is one filter, so its value hangs there
// at once and the rest of the filter is compared when a topic comes by. Only a second filter below `b` grows a node. So a
// million deep filters need no million chains of nodes, and the walk ends early.
//
// A match goes level by level with the set of nodes reached so far, so neither depth nor a hostile filter can exhaust the
// stack, and each level is cut out of the topic once, and only as deep as the tree goes.

import { matches } from '@tobymq/codec';
import { type Children, collectChildren, deleteChild, getChild, setChild } from './children.ts';
import { hasWildcard, levelEnd } from './levels.ts';

/** What a tree holds for a filter; it knows its filter, so that the tree need not keep it a second time. */
export interface FilterValue {
  readonly filter: string;
}

type Child<V> = TreeNode<V> | V;

class TreeNode<V> {
  children: Children<Child<V>> = undefined;
  /** The child for `+`. */
  plus: Child<V> | undefined = undefined;
  /** The value of the filter that goes on with `#` here. */
  hash: V | undefined = undefined;
  /** The value of the filter that ends here. */
  value: V | undefined = undefined;

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

/** Topic filters with a value each. */
export class FilterTree<V extends FilterValue> {
  readonly #exact = new Map<string, V>();
  readonly #root = new TreeNode<V>();
  #wildcardCount = 0;
  #nodeCount = 1;
  // The nodes reached at this level and at the next one: kept, so that a match allocates nothing for them.
  #reached: TreeNode<V>[] = [];
  #next: TreeNode<V>[] = [];

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

  /** Appends the values of all filters that match the topic name to `into`. */
  match(topic: string, into: V[]): void {
    const exact = this.#exact.get(topic);
    if (exact !== undefined) into.push(exact);
    if (this.#wildcardCount === 0) return;

    let reached = this.#reached;
    let next = this.#next;
    reached.push(this.#root);
    // [MQTT-4.7.2-1] At the first level wildcards do not see topics that begin with "$".
    let areWildcardsBlind = topic.charCodeAt(0) === 0x24;
    let start = 0;
    while (reached.length > 0) {
      for (let i = 0; i < reached.length; i++) {
        const { hash } = reached[i]!;
        if (hash !== undefined && !areWildcardsBlind) into.push(hash); // also the parent: a/# matches a
      }
      if (start > topic.length) {
        for (let i = 0; i < reached.length; i++) {
          const { value } = reached[i]!;
          if (value !== undefined) into.push(value);
        }
        break;
      }
      const end = levelEnd(topic, start);
      const level = topic.slice(start, end);
      for (let i = 0; i < reached.length; i++) {
        const node = reached[i]!;
        const child = getChild(node.children, level);
        if (child instanceof TreeNode) next.push(child);
        else if (child !== undefined && matches(child.filter, topic)) into.push(child);
        const plus = node.plus;
        if (plus === undefined || areWildcardsBlind) continue;
        if (plus instanceof TreeNode) next.push(plus);
        else if (matches(plus.filter, topic)) into.push(plus);
      }
      reached.length = 0;
      [reached, next] = [next, reached];
      start = end + 1;
      areWildcardsBlind = false;
    }
    reached.length = 0;
    this.#reached = reached;
    this.#next = next;
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
        node = child;
        continue;
      }
      if (child === undefined || child.filter === filter) {
        if (child === undefined) this.#wildcardCount++;
        node.setChild(level, value);
        return;
      }
      // A second filter comes this way: a node takes the first one's place, and both go on below it.
      const grown = new TreeNode<V>();
      this.#nodeCount++;
      node.setChild(level, grown);
      hangFirst(child, grown, start);
      node = grown;
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
    }
    while (path.length > 0 && node.isEmpty) {
      node = path.pop()!;
      node.deleteChild(levels.pop()!);
      this.#nodeCount--;
    }
  }
}

/** Hangs a value below a node that is still empty; its filter's levels before `start` lead to that node. */
function hangFirst<V extends FilterValue>(value: V, node: TreeNode<V>, start: number): void {
  const filter = value.filter;
  if (start > filter.length) {
    node.value = value;
    return;
  }
  const level = filter.slice(start, levelEnd(filter, start));
  if (level === '#') node.hash = value;
  else node.setChild(level, value);
}
