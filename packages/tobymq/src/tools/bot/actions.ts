// The commands of a bot that do one thing: send, follow, info, and the management of other bots.

import { randomBytes } from 'node:crypto';
import type { Bot, Json, Permissions } from '@tobymq/toby';
import { type CommandContext, CommandError, UsageError } from '../../commands/command.ts';
import { ExitCode } from '../exit-codes.ts';
import { findLogin, saveLogin } from './logins.ts';
import { withBot } from './run-bot.ts';
import { requiredTags, tagsIn } from './tags.ts';

type Action = (bot: Bot, context: CommandContext) => Promise<void>;

function action(run: Action): (context: CommandContext) => Promise<number> {
  return (context) =>
    withBot(context, async (bot) => {
      await run(bot, context);
      return ExitCode.Success;
    });
}

export const send = action(async (bot, { args, options, stdout }) => {
  const text = args.join(' ');
  if (text === '')
    throw new UsageError('TEXT is missing: what to send, with its tags, such as "dinner is ready #family".');
  const tags = [...tagsIn(text), ...options.list('tag')];
  const payload: Json = options.flag('json') ? parseJson(text) : text;
  if (!options.flag('ask')) {
    await bot.send(payload, tags);
    return;
  }
  const reply = await bot.ask(payload, tags, {
    timeoutMs: (options.integer('timeout', 1, 86_400) ?? 10) * 1000,
  });
  stdout.write(`${reply.from}: ${show(reply.payload)}\n`);
});

export const follow = action(async (bot, { args }) => bot.follow(requiredTags(args)));

export const unfollow = action(async (bot, { args }) => bot.unfollow(requiredTags(args)));

export const info = action(async (bot, { stdout }) => {
  stdout.write(`${JSON.stringify(await bot.info(), null, 2)}\n`);
});

export const bots = action(async (bot, { stdout }) => {
  const known = await bot.info();
  if (known.type !== 'user')
    throw new CommandError('TOBYMQ_BOT', `${bot.id} is not a user bot and has no bots.`);
  for (const { id, subscriptions, hook, sockets } of known.bots) {
    const tags = subscriptions.map((tag) => `#${tag}`).join(' ') || '(follows nothing)';
    stdout.write(
      `${id}  ${tags}${hook ? '  hook' : ''}${sockets.length > 0 ? `  ${sockets.length} sockets` : ''}\n`,
    );
  }
});

export const create = action(async (bot, context) => {
  const { args, options, env, stdout } = context;
  const id = required(args, 'ID');
  const secret = options.text('secret') ?? randomBytes(18).toString('base64url');
  await bot.createBot(id, secret);
  if (options.flag('login')) {
    const url = options.text('url') ?? (await findLogin(context)).url;
    await saveLogin(env, id, { url, secret });
  }
  stdout.write(options.text('secret') === undefined ? `${id} ${secret}\n` : `${id}\n`);
});

export const remove = action(async (bot, { args }) => bot.removeBot(required(args, 'ID')));

export const createSocket = action(async (bot, { stdout }) => {
  const { id, secret } = await bot.createSocket();
  stdout.write(`${id} ${secret}\n`);
});

export const removeSocket = action(async (bot, { args }) => bot.removeSocket(required(args, 'ID')));

export const hooksOn = action(async (bot, { args, stdout }) => {
  const secret = args[0] ?? randomBytes(18).toString('base64url');
  await bot.hooksOn(secret);
  stdout.write(`/hook/${encodeURIComponent(bot.id)}/${encodeURIComponent(secret)}\n`);
});

export const hooksOff = action((bot) => bot.hooksOff());

export const permit = action(async (bot, { args, options }) => {
  const id = required(args, 'ID');
  const follows = options.list('follow').flatMap((text) => tagsIn(text));
  const sends = options.list('send').flatMap((text) => tagsIn(text));
  const rate = options.integer('rate', 0, 1_000_000_000);
  const permissions: Permissions = {
    ...(options.list('follow').length === 0 ? {} : { follow: follows }),
    ...(options.list('send').length === 0 ? {} : { send: sends }),
    ...(rate === undefined ? {} : { messagesPerMinute: rate }),
  };
  await bot.permit(id, permissions);
});

/** A payload for people: texts as they are, everything else as JSON. */
export function show(payload: Json): string {
  return typeof payload === 'string' ? payload : JSON.stringify(payload);
}

function required(args: readonly string[], name: string): string {
  const [value] = args;
  if (value === undefined) throw new UsageError(`${name} is missing.`);
  return value;
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new UsageError(`--json: ${(error as Error).message}`);
  }
}
