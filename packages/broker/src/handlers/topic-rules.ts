// What this server asks of topics and filters beyond the standard.

/** The number of levels: one more than there are slashes. */
export function countLevels(topic: string): number {
  let levels = 1;
  for (let at = topic.indexOf('/'); at !== -1; at = topic.indexOf('/', at + 1)) levels++;
  return levels;
}

/** Topics of the server itself, which clients may read and not write. */
export function isSysTopic(topic: string): boolean {
  return topic.startsWith('$SYS/') || topic === '$SYS';
}
