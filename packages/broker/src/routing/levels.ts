// The levels of topic names and filters, found without splitting: trees often need only the first few.

/** Where the level that begins at `start` ends. A `start` behind the end of the text means that no level is left. */
export function levelEnd(text: string, start: number): number {
  const slash = text.indexOf('/', start);
  return slash === -1 ? text.length : slash;
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

export function countLevels(filter: string): number {
  let count = 1;
  for (let slash = filter.indexOf('/'); slash !== -1; slash = filter.indexOf('/', slash + 1)) count++;
  return count;
}
