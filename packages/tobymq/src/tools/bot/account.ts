// `tobymq bot signup|login`: how a person becomes a bot.

import { type CommandContext, CommandError, UsageError } from '../../commands/command.ts';
import { readPassword } from '../../commands/passwd.ts';
import { fetchFault } from '../../fetch-fault.ts';
import { ExitCode } from '../exit-codes.ts';
import { saveLogin } from './logins.ts';
import { withBotAt } from './run-bot.ts';

export async function signup(context: CommandContext): Promise<number> {
  const { options, stdout } = context;
  const name = nameOf(context);
  const secret = await secretOf(context, name);
  const http = options.text('http') ?? 'http://127.0.0.1:18083';
  const body = { username: name, password: secret, token: options.text('token') };
  const response = await post(`${http}/signup`, body);
  if (response.status !== 201) {
    const { error } = (await response.json().catch(() => ({}))) as { error?: string };
    throw new CommandError(
      'TOBYMQ_BOT',
      `sign-up refused: ${error ?? `status ${response.status}`}.`,
      ExitCode.Refused,
    );
  }
  await saveLogin(context.env, name, { url: urlOf(context), secret });
  stdout.write(`Signed up as ${name}. Try: tobymq bot create lamp\n`);
  return ExitCode.Success;
}

export async function login(context: CommandContext): Promise<number> {
  const name = nameOf(context);
  const secret = await secretOf(context, name);
  const url = urlOf(context);
  // Kept only if the server accepts it.
  await withBotAt(context, url, name, secret, (bot) => bot.info());
  await saveLogin(context.env, name, { url, secret });
  context.stdout.write(`Logged in as ${name}.\n`);
  return ExitCode.Success;
}

async function post(url: string, body: unknown): Promise<Response> {
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
  } catch (error) {
    throw new CommandError(
      'TOBYMQ_BOT',
      `${url} cannot be reached: ${fetchFault(error)}.`,
      ExitCode.Unreachable,
    );
  }
}

function nameOf({ args }: CommandContext): string {
  const [name] = args;
  if (name === undefined) throw new UsageError('NAME is missing: the id of the bot.');
  return name;
}

function urlOf({ options }: CommandContext): string {
  return options.text('url') ?? 'mqtt://localhost';
}

async function secretOf(context: CommandContext, name: string): Promise<string> {
  const given = context.options.text('secret') ?? context.env.TOBYMQ_BOT_SECRET;
  const secret = given ?? (await readPassword(context.stdin, context.stderr, name));
  if (secret === '') throw new UsageError('the secret is empty.');
  return secret;
}
