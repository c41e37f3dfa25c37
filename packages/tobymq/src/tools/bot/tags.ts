// Hashtags: words of a text that begin with "#". The tag is the word without the sign.

import { UsageError } from '../../commands/command.ts';

/** The tags in a text, each once, in order. */
export function tagsIn(text: string): string[] {
  return [...new Set(Array.from(text.matchAll(/(?<=^|\s)#([^\s#]+)/g), ([, tag]) => tag as string))];
}

/** The tags of `follow "#a #b"`; there has to be one. */
export function requiredTags(args: readonly string[]): string[] {
  const tags = tagsIn(args.join(' '));
  if (tags.length === 0)
    throw new UsageError('TAGS are missing: words with "#" in front, such as "#light #heat".');
  return tags;
}
