// Connects the current bot, runs one command, and tells refusals of the server in one line.

import type { Bot, TobyError } from '@tobymq/toby';
import { type CommandContext, CommandError } from '../../commands/command.ts';
import { ExitCode } from '../exit-codes.ts';
import { asCommandError } from '../run-client.ts';
import { findLogin } from './logins.ts';

export async function withBot<T>(context: CommandContext, work: (bot: Bot) => Promise<T>): Promise<T> {
  const { id, url, secret } = await findLogin(context);
  return withBotAt(context, url, id, secret, work);
}

export async function withBotAt<T>(
  context: CommandContext,
  url: string,
  id: string,
  secret: string,
  work: (bot: Bot) => Promise<T>,
): Promise<T> {
  const { connectBot } = await import('@tobymq/toby');
  try {
    const bot = await connectBot(url, {
      id,
      secret,
      // The same bot may be at work elsewhere under this id; nothing is resumed and nothing lingers.
      reconnect: false,
      onError: (error) => context.stderr.write(`tobymq bot: ${(error as Error).message}\n`),
    });
    try {
      return await work(bot);
    } finally {
      await bot.close();
    }
  } catch (error) {
    throw tellRefusal(error);
  }
}

function tellRefusal(error: unknown): unknown {
  const { name, code, status, message } = error as Partial<TobyError>;
  if (name !== 'TobyError' || code === undefined || message === undefined) return asCommandError(error);
  const exitCode =
    code === 'TOBYMQ_TOBY_TIMEOUT'
      ? ExitCode.TimedOut
      : status === 403
        ? ExitCode.NotAuthorized
        : code === 'TOBYMQ_TOBY_REFUSED'
          ? ExitCode.Refused
          : ExitCode.Failure;
  return new CommandError(code, `${message}.`, exitCode);
}
