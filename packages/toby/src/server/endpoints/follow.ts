// `follow` and `unfollow`: which tags a standard bot hears. Following a tag again makes it the latest.

import type { EndpointHandler } from '../context.ts';
import { Refusal } from '../refusal.ts';
import { tagsField } from '../validate.ts';
import { allows } from './permit.ts';

export const follow: EndpointHandler = async (context, bot, fields) => {
  const tags = tagsField(fields, context.limits);
  for (const tag of tags) {
    if (!allows(bot.permissions?.follow, tag))
      throw new Refusal(403, `${bot.id} may not follow the tag "${tag}"`);
  }
  await context.accounts.update(bot.id, ({ follows }) => {
    const latestFirst = [...tags].reverse();
    const merged = [...latestFirst, ...follows.filter((tag) => !tags.includes(tag))];
    if (merged.length > context.limits.followsPerBot) {
      throw new Refusal(429, `a bot follows at most ${context.limits.followsPerBot} tags`);
    }
    return { follows: merged };
  });
  return { status: 200 };
};

export const unfollow: EndpointHandler = async (context, bot, fields) => {
  const tags = tagsField(fields, context.limits);
  await context.accounts.update(bot.id, ({ follows }) => ({
    follows: follows.filter((tag) => !tags.includes(tag)),
  }));
  return { status: 200 };
};
