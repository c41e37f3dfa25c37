// The children of a node of the filter tree by topic level: nothing, a short list, or a map.
//
// Most nodes have a handful of children at most, and an empty Map alone takes 180 bytes where a list of two takes 80. A
// list holds level and child in turn and is replaced, not changed, when it grows or shrinks, so that it is never larger
// than what it holds.

import { LargeMap } from './large-map.ts';
import { ownCopy } from './levels.ts';

/** Changed only by the functions below. */
export type Children<C> = undefined | readonly (string | C)[] | LargeMap<C>;

// Comparing a dozen strings takes about as long as cutting one out, hashing and finding it in a Map, if they are in the
// processor's cache. They are: a level in a list (`temperature`, `state`) mostly occurs below very many nodes, and
// `sharedLevel` makes them share one string.
const LISTED_CHILDREN_MAX = 12;

const SHARED_LEVELS_MAX = 4096;
const sharedLevels = new Map<string, string>();

function sharedLevel(level: string): string {
  const shared = sharedLevels.get(level);
  if (shared !== undefined) return shared;
  if (sharedLevels.size === SHARED_LEVELS_MAX) sharedLevels.clear();
  const own = ownCopy(level);
  sharedLevels.set(own, own);
  return own;
}

export function getChild<C>(children: Children<C>, level: string): C | undefined {
  if (children === undefined) return undefined;
  if (children instanceof LargeMap) return children.get(level);
  for (let i = 0; i < children.length; i += 2) if (children[i] === level) return children[i + 1] as C;
  return undefined;
}

/** Adds or replaces a child; the result takes the place of `children`. */
export function setChild<C>(children: Children<C>, level: string, child: C): Children<C> {
  if (children === undefined) return [sharedLevel(level), child];
  if (children instanceof LargeMap) {
    children.set(ownCopy(level), child);
    return children;
  }
  for (let i = 0; i < children.length; i += 2) if (children[i] === level) return children.with(i + 1, child);
  const longer = children.concat(sharedLevel(level), child); // of the exact size; spreading would reserve 16 places more
  if (longer.length <= 2 * LISTED_CHILDREN_MAX) return longer;
  const map = new LargeMap<C>();
  for (let i = 0; i < longer.length; i += 2) map.set(longer[i] as string, longer[i + 1] as C);
  return map;
}

/** Removes a child; the result takes the place of `children`. */
export function deleteChild<C>(children: Children<C>, level: string): Children<C> {
  if (children === undefined) return undefined;
  if (children instanceof LargeMap) {
    children.delete(level);
    return children.size === 0 ? undefined : children;
  }
  for (let i = 0; i < children.length; i += 2) {
    if (children[i] === level) return children.length === 2 ? undefined : children.toSpliced(i, 2);
  }
  return children;
}

/** Appends all children to `into`. */
export function collectChildren<C>(children: Children<C>, into: C[]): void {
  if (children instanceof LargeMap) for (const child of children.values()) into.push(child);
  else if (children !== undefined) for (let i = 1; i < children.length; i += 2) into.push(children[i] as C);
}
