// `permit`: what a user bot allows one of its standard bots. Tags that it follows already and may follow no more are
// dropped at once, so that a rule counts from the moment it is set.

import type { EndpointHandler } from '../context.ts';
import { Refusal } from '../refusal.ts';
import { permissionsField, textField } from '../validate.ts';

export const permit: EndpointHandler = async (context, bot, fields) => {
  const id = textField(fields, 'id', 'botId');
  const permissions = permissionsField(fields, context.limits);
  const record = context.accounts.require(id);
  if (record.kind !== 'bot' || record.owner !== bot.id)
    throw new Refusal(403, `"${id}" is not a bot of ${bot.id}`);
  await context.accounts.update(id, ({ follows }) => ({
    permissions,
    follows: follows.filter((tag) => allows(permissions.follow, tag)),
  }));
  return { status: 200 };
};

/** True if a tag is in a list of permitted ones; no list permits all. `*` at the end stands for any ending. */
export function allows(patterns: readonly string[] | undefined, tag: string): boolean {
  if (patterns === undefined) return true;
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? tag.startsWith(pattern.slice(0, -1)) : pattern === tag,
  );
}
