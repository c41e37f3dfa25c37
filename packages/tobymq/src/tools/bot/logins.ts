// The bots that a person has logged in as: address and secret of each, and which one is the current one.

import { type CommandContext, CommandError } from '../../commands/command.ts';
import { ownerFilePath, readOwnerFile, writeOwnerFile } from '../owner-file.ts';

export interface Login {
  readonly url: string;
  readonly secret: string;
}

export interface Logins {
  readonly current?: string | undefined;
  readonly bots: Readonly<Record<string, Login>>;
}

function path(env: CommandContext['env']): string {
  return env.TOBYMQ_BOTS || ownerFilePath(env, 'bots.json');
}

async function readLogins(env: CommandContext['env']): Promise<Logins> {
  const { current, bots = {} } = ((await readOwnerFile(path(env))) ?? {}) as Partial<Logins>;
  return { current, bots };
}

/** Remembers a bot; the one logged in last is the current one. */
export async function saveLogin(env: CommandContext['env'], id: string, login: Login): Promise<void> {
  const { bots } = await readLogins(env);
  await writeOwnerFile(path(env), { current: id, bots: { ...bots, [id]: login } });
}

/** The bot named by `--as`, or the current one. */
export async function findLogin({ options, env }: CommandContext): Promise<Login & { readonly id: string }> {
  const { current, bots } = await readLogins(env);
  const id = options.text('as') ?? current;
  if (id === undefined) {
    throw new CommandError(
      'TOBYMQ_BOT',
      'no bot is logged in: "tobymq bot signup NAME" or "tobymq bot login NAME".',
      5,
    );
  }
  const login = bots[id];
  if (login === undefined) {
    throw new CommandError('TOBYMQ_BOT', `"${id}" is not logged in: "tobymq bot login ${id}".`, 5);
  }
  return { ...login, id };
}
