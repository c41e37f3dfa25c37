// The children of a node of the subscription tree by topic level: nothing, a short list, or a Map.
//
// Most nodes have a handful of children at most, and an empty Map alone takes 180 bytes where a list of two takes 80. A
// list holds level and child in turn and is replaced, not changed, when it grows or shrinks, so that it is never larger
// than what it holds.

/** Changed only by the functions below. */
export type Children<C> = undefined | readonly (string | C)[] | Map<string, C>;

// Comparing this many short strings costs less than hashing one.
const LISTED_CHILDREN_MAX = 6;

export function getChild<C>(children: Children<C>, level: string): C | undefined {
  if (children === undefined) return undefined;
  if (children instanceof Map) return children.get(level);
  for (let i = 0; i < children.length; i += 2) if (children[i] === level) return children[i + 1] as C;
  return undefined;
}

/** Adds or replaces a child; the result takes the place of `children`. */
export function setChild<C>(children: Children<C>, level: string, child: C): Children<C> {
  if (children === undefined) return [level, child];
  if (children instanceof Map) return children.set(level, child);
  for (let i = 0; i < children.length; i += 2) if (children[i] === level) return children.with(i + 1, child);
  const longer = [...children, level, child];
  if (longer.length <= 2 * LISTED_CHILDREN_MAX) return longer;
  const map = new Map<string, C>();
  for (let i = 0; i < longer.length; i += 2) map.set(longer[i] as string, longer[i + 1] as C);
  return map;
}

/** Removes a child; the result takes the place of `children`. */
export function deleteChild<C>(children: Children<C>, level: string): Children<C> {
  if (children === undefined) return undefined;
  if (children instanceof Map) {
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
  if (children instanceof Map) for (const child of children.values()) into.push(child);
  else if (children !== undefined) for (let i = 1; i < children.length; i += 2) into.push(children[i] as C);
}
