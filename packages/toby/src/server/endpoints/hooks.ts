// `hooks-on` and `hooks-off`: whether web hooks reach a standard bot, and the secret that stands in their address.

import type { EndpointHandler } from '../context.ts';
import { checkSecret, textField } from '../validate.ts';

export const hooksOn: EndpointHandler = async (context, bot, fields) => {
  const hookHash = await context.hasher.hash(checkSecret(textField(fields, 'sk')));
  await context.accounts.update(bot.id, () => ({ hookHash }));
  return { status: 200 };
};

export const hooksOff: EndpointHandler = async (context, bot) => {
  await context.accounts.update(bot.id, () => ({ hookHash: undefined }));
  return { status: 200 };
};
