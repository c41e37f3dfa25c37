// `info`: what the server knows of the asking bot. A user bot hears of all its bots with all their tags in one message, so
// that has a bound.

import type { BotInfo, Json, StandardBotInfo } from '../../protocol.ts';
import type { EndpointHandler } from '../context.ts';
import { Refusal } from '../refusal.ts';

export const info: EndpointHandler = async ({ accounts, limits }, bot) => {
  const answer = accounts.info(bot.id);
  if (!isWithin(limits.infoLength, answer)) {
    throw new Refusal(413, `${bot.id} has too many bots and tags to name them in one message`);
  }
  return answer as unknown as Json;
};

function isWithin(lengthMax: number, answer: BotInfo): boolean {
  if (answer.type !== 'user') return true; // Its tags and sockets are bounded themselves.
  let length = 0;
  for (const bot of answer.bots) {
    length += lengthOf(bot);
    if (length > lengthMax) return false;
  }
  return true;
}

function lengthOf({ id, subscriptions, sockets }: StandardBotInfo): number {
  return [id, ...subscriptions, ...sockets].reduce((sum, name) => sum + name.length, 0);
}
