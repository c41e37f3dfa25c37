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

/** Whether the first level is `$SYS`: such topics belong to the server itself; clients may read them and not write. */
export function isSysTopic(topic: string): boolean {
  return topic.startsWith('$SYS/') || topic === '$SYS';
}

export const SLASH = 0x2f;

export function isLevelEnd(text: string, at: number): boolean {
  return at === text.length || text.charCodeAt(at) === SLASH;
}

/** The offset behind the levels `run` in `text`, if it goes on with them at `start`, and -1 if it does not. */
export function afterRun(run: string, text: string, start: number): number {
  const end = start + run.length;
  return end <= text.length && text.startsWith(run, start) && isLevelEnd(text, end) ? end + 1 : -1;
}

/** A copy with memory of its own: a part of a text keeps the whole of it from being forgotten. */
export function ownCopy(part: string): string {
  return Buffer.from(part).toString();
}

/** The levels with which two texts both go on; `undefined` if they differ in the first. */
export function commonLevels(
  first: string,
  firstStart: number,
  second: string,
  secondStart: number,
): string | undefined {
  const length = Math.min(first.length - firstStart, second.length - secondStart);
  let end = -1;
  for (let i = 0; i <= length; i++) {
    if (isLevelEnd(first, firstStart + i) && isLevelEnd(second, secondStart + i)) end = i;
    if (first.charCodeAt(firstStart + i) !== second.charCodeAt(secondStart + i)) break;
  }
  return end === -1 ? undefined : ownCopy(first.slice(firstStart, firstStart + end));
}

/**
 * Cuts the run of a node where a text that goes on at `start` parts from it. Answers with the levels that both have in
 * common, which are the run of a node above it, and with the level that leads from there to the node.
 */
export function cutRun(
  node: { run: string | undefined },
  text: string,
  start: number,
): { readonly common: string | undefined; readonly level: string } {
  const run = node.run!;
  const common = commonLevels(run, 0, text, start);
  const levelStart = common === undefined ? 0 : common.length + 1;
  const end = levelEnd(run, levelStart);
  node.run = end === run.length ? undefined : run.slice(end + 1);
  return { common, level: run.slice(levelStart, end) };
}
