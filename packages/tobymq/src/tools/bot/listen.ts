// `tobymq bot listen` prints what a bot hears; `tobymq bot console` is a conversation.

import { createInterface } from 'node:readline';
import type { Bot, BotMessage } from '@tobymq/toby';
import type { CommandContext } from '../../commands/command.ts';
import { ExitCode } from '../exit-codes.ts';
import { painter, wantsColors } from '../paint.ts';
import { interruption } from '../run-client.ts';
import { show } from './actions.ts';
import { withBot } from './run-bot.ts';
import { tagsIn } from './tags.ts';

export async function listen(context: CommandContext): Promise<number> {
  const countMax = context.options.integer('count', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
  const line = liner(context);
  const { signal, release } = interruption();
  try {
    return await withBot(context, async (bot) => {
      const messages = bot.messages();
      signal.addEventListener('abort', () => void messages.return?.());
      bot.onPresence(({ botId, online }) =>
        context.stderr.write(`${botId} is ${online ? 'online' : 'offline'}\n`),
      );
      // For scripts that have to know when nothing is missed any more.
      context.stderr.write(`${bot.id} is listening\n`);
      let count = 0;
      for await (const message of messages) {
        context.stdout.write(line(message));
        count++;
        if (count >= countMax) break;
      }
      return ExitCode.Success;
    });
  } finally {
    release();
  }
}

export async function chat(context: CommandContext): Promise<number> {
  const { stdin, stdout } = context;
  const line = liner(context);
  return withBot(context, async (bot) => {
    const prompt = createInterface({ input: stdin, output: stdout, prompt: `${bot.id}> ` });
    const tell = (text: string): void => {
      stdout.write(`\r\u001b[K${text}`);
      prompt.prompt(true);
    };
    bot.on((message) => tell(line(message)));
    bot.onPresence(({ botId, online }) => tell(`* ${botId} is ${online ? 'online' : 'offline'}\n`));
    tell(`You are ${bot.id}. Text with #tags is sent; /follow #a, /unfollow #a, /info, /quit.\n`);
    for await (const text of prompt) {
      if (text.trim() === '/quit') break;
      const answer = await act(bot, text.trim());
      if (answer !== '') tell(`${answer}\n`);
      prompt.prompt();
    }
    prompt.close();
    return ExitCode.Success;
  });
}

/** Does what one line says; returns what there is to tell. */
async function act(bot: Bot, text: string): Promise<string> {
  try {
    const [command] = text.split(/\s+/);
    if (text === '') return '';
    if (command === '/follow') await bot.follow(tagsIn(text));
    else if (command === '/unfollow') await bot.unfollow(tagsIn(text));
    else if (command === '/info') return JSON.stringify(await bot.info());
    else if (command?.startsWith('/') === true) return `* there is no command ${command}`;
    else await bot.send(text, tagsIn(text));
    return '';
  } catch (error) {
    return `* ${(error as Error).message}`;
  }
}

function liner({ options, stdout, env }: CommandContext): (message: BotMessage) => string {
  if (options.flag('json')) return (message) => `${JSON.stringify(message)}\n`;
  const paint = painter(wantsColors(stdout, env));
  return ({ from, payload, tags }) => {
    const text = show(payload);
    const missing = tags.filter((tag) => !text.includes(`#${tag}`)).map((tag) => `#${tag}`);
    return `${paint.topic(from)}: ${text}${missing.length > 0 ? ` ${paint.dim(missing.join(' '))}` : ''}\n`;
  };
}
