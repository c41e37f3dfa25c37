// All topic filters with their subscribers, and the answer to "which of them match this topic?"
//
//   #entries   every filter  → its FilterEntry; a filter without wildcards can match only the topic of the same name,
//              so one lookup finds it, whatever its depth
//   #root      the filters with wildcards only, as a tree by topic level:
//
//              filters  a/+/x   a/+/y   a/#   b/+/+/c/d
//
//              root ─ a ─┬─ + ─┬─ x   entry of a/+/x
//                   │    │     └─ y   entry of a/+/y
//                   │    └─ hash      entry of a/#
//                   └─ b              entry of b/+/+/c/d
//
// A branch is only as deep as it has to be to tell filters apart: below `b` there is one filter, so its entry hangs there
// at once and the rest of the filter is compared when a topic comes by. Only a second filter below `b` grows a node. So a
// million deep filters need no million chains of nodes, and the walk ends early.
//
// A match goes level by level with the set of nodes reached so far, so neither depth nor a hostile filter can exhaust the
// stack, and each level is cut out of the topic once, and only as deep as the tree goes.

import { matches } from '@tobymq/codec';
import { type Children, deleteChild, getChild, setChild } from './children.ts';
import { FilterEntry } from './filter-entry.ts';
import { hasWildcard, levelEnd } from './levels.ts';

type Child<S> = TreeNode<S> | FilterEntry<S>;

class TreeNode<S> {
  children: Children<Child<S>> = undefined;
  /** The child for `+`. */
  plus: Child<S> | undefined = undefined;
  /** The filter that goes on with `#` here. */
  hash: FilterEntry<S> | undefined = undefined;
  /** The filter that ends here. */
  entry: FilterEntry<S> | undefined = undefined;

  get isEmpty(): boolean {
    return (
      this.children === undefined &&
      this.plus === undefined &&
      this.hash === undefined &&
      this.entry === undefined
    );
  }

  child(level: string): Child<S> | undefined {
    return level === '+' ? this.plus : getChild(this.children, level);
  }

  setChild(level: string, child: Child<S>): void {
    if (level === '+') this.plus = child;
    else this.children = setChild(this.children, level, child);
  }

  deleteChild(level: string): void {
    if (level === '+') this.plus = undefined;
    else this.children = deleteChild(this.children, level);
  }
}

/** Topic filters with their subscribers. */
export class SubscriptionTree<S> {
  readonly #entries = new Map<string, FilterEntry<S>>();
  readonly #root = new TreeNode<S>();
  #nodeCount = 1;
  // The nodes reached at this level and at the next one: kept, so that a match allocates nothing for them.
  #reached: TreeNode<S>[] = [];
  #next: TreeNode<S>[] = [];

  /** How many different filters there are. */
  get filterCount(): number {
    return this.#entries.size;
  }

  /** How many nodes the wildcard filters need, the root included. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  entries(): IterableIterator<FilterEntry<S>> {
    return this.#entries.values();
  }

  get(filter: string): FilterEntry<S> | undefined {
    return this.#entries.get(filter);
  }

  /** Adds a filter that is not there yet. */
  add(filter: string): FilterEntry<S> {
    const entry = new FilterEntry<S>(filter);
    this.#entries.set(filter, entry);
    if (hasWildcard(filter)) this.#place(entry, this.#root, 0);
    return entry;
  }

  /** Removes a filter and every node that only it needed. */
  delete(filter: string): void {
    const entry = this.#entries.get(filter);
    if (entry === undefined) return;
    this.#entries.delete(filter);
    if (hasWildcard(filter)) this.#remove(entry);
  }

  /** Appends the entries of all filters that match the topic name to `into`. */
  match(topic: string, into: FilterEntry<S>[]): void {
    const exact = this.#entries.get(topic);
    if (exact !== undefined) into.push(exact);
    if (this.#root.isEmpty) return;

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
          const { entry } = reached[i]!;
          if (entry !== undefined) into.push(entry);
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

  /** Hangs an entry below a node; the filter's levels from `start` on are still to be gone. */
  #place(entry: FilterEntry<S>, node: TreeNode<S>, start: number): void {
    const filter = entry.filter;
    for (;;) {
      if (start > filter.length) {
        node.entry = entry;
        return;
      }
      const end = levelEnd(filter, start);
      const level = filter.slice(start, end);
      start = end + 1;
      if (level === '#') {
        node.hash = entry;
        return;
      }
      const child = node.child(level);
      if (child === undefined) {
        node.setChild(level, entry);
        return;
      }
      if (child instanceof TreeNode) {
        node = child;
        continue;
      }
      // A second filter comes this way: a node takes the first one's place, and both go on below it.
      const grown = new TreeNode<S>();
      this.#nodeCount++;
      node.setChild(level, grown);
      this.#hangFirst(child, grown, start);
      node = grown;
    }
  }

  /** Hangs an entry below a node that is still empty. */
  #hangFirst(entry: FilterEntry<S>, node: TreeNode<S>, start: number): void {
    const filter = entry.filter;
    if (start > filter.length) {
      node.entry = entry;
      return;
    }
    const level = filter.slice(start, levelEnd(filter, start));
    if (level === '#') node.hash = entry;
    else node.setChild(level, entry);
  }

  #remove(entry: FilterEntry<S>): void {
    const filter = entry.filter;
    const path: TreeNode<S>[] = [];
    const levels: string[] = [];
    let node = this.#root;
    let start = 0;
    for (;;) {
      if (start > filter.length) {
        node.entry = undefined;
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
