// `send`: a message to every reachable bot of the account that follows one of its tags, each once and never back to the
// sender. A standard bot's message goes to its user bot as well; a socket bot's to its owner only, whatever its tags.

import type { BotMessage, Json } from '../../protocol.ts';
import type { BotRecord } from '../accounts.ts';
import type { EndpointHandler, TobyContext } from '../context.ts';
import { Refusal } from '../refusal.ts';
import { ackOf, tagsField } from '../validate.ts';
import { allows } from './permit.ts';

export const send: EndpointHandler = async (context, bot, fields) => {
  const tags = tagsField(fields, context.limits);
  if (!('payload' in fields)) throw new Refusal(400, 'payload is missing');
  for (const tag of tags) {
    if (!allows(bot.permissions?.send, tag))
      throw new Refusal(403, `${bot.id} may not send to the tag "${tag}"`);
  }
  if (!context.mayPublish(bot)) throw new Refusal(429, `${bot.id} has sent too many messages in this minute`);

  const message: BotMessage = { from: bot.id, payload: fields.payload as Json, tags, ack: ackOf(fields) };
  const reachable = [...receivers(context, bot, tags)].filter(
    (id) => id !== bot.id && context.isReachable(id),
  );
  await context.deliver(reachable, message);
  return { status: 200 };
};

function receivers(context: TobyContext, bot: BotRecord, tags: readonly string[]): ReadonlySet<string> {
  if (bot.kind === 'socket') return new Set([bot.owner]);
  const account = context.accounts.accountOf(bot);
  const ids = new Set(context.accounts.followersOf(account, tags));
  if (bot.kind === 'bot') ids.add(account);
  return ids;
}
