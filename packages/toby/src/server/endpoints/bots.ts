// `create-bot` and `remove-bot`: a user bot's standard bots.

import type { EndpointHandler } from '../context.ts';
import { Refusal } from '../refusal.ts';
import { checkBotId, checkSecret, textField } from '../validate.ts';

export const createBot: EndpointHandler = async (context, bot, fields) => {
  const id = checkBotId(textField(fields, 'id', 'botId'));
  const secret = checkSecret(textField(fields, 'sk', 'botSk'));
  if (context.accounts.childCount(bot.id) >= context.limits.botsPerAccount) {
    throw new Refusal(429, `an account has at most ${context.limits.botsPerAccount} bots`);
  }
  context.demandUnknown(id);
  await context.accounts.create(
    {
      id,
      kind: 'bot',
      owner: bot.id,
      createdAt: context.now(),
      follows: [],
      hookHash: undefined,
      permissions: undefined,
    },
    () => context.hasher.hash(secret),
  );
  return { status: 200 };
};

export const removeBot: EndpointHandler = async (context, bot, fields) => {
  const id = textField(fields, 'id', 'botId');
  const record = context.accounts.require(id);
  if (record.kind !== 'bot' || record.owner !== bot.id)
    throw new Refusal(403, `"${id}" is not a bot of ${bot.id}`);
  for (const gone of await context.accounts.remove(id)) {
    await context.expel(gone, 'the bot was removed by its owner');
  }
  return { status: 200 };
};
