// The commands of bots.

import type { Command, CommandOption } from '../../commands/command.ts';

const as: CommandOption = {
  name: 'as',
  value: 'ID',
  description: 'The bot to be',
  default: 'the one logged in last',
};
const url: CommandOption = {
  name: 'url',
  short: 'L',
  value: 'URL',
  description: 'The address of the server',
  default: 'mqtt://localhost',
};
const secret: CommandOption = {
  name: 'secret',
  value: 'SECRET',
  description: 'The secret (better: the variable TOBYMQ_BOT_SECRET, or the question)',
};
const tags = { name: 'TAGS', description: 'words with # in front, quoted', many: true };
const id = { name: 'ID', description: 'the bot' };

type Actions = typeof import('./actions.ts');

function action(name: keyof Actions & string, summary: string, more: Partial<Command> = {}): Command {
  const word = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    name: `bot ${word}`,
    group: 'Bots',
    summary,
    ...more,
    options: [...(more.options ?? []), as],
    load: async () => (await import('./actions.ts'))[name] as Awaited<ReturnType<Command['load']>>,
  };
}

export const botCommands: readonly Command[] = [
  {
    name: 'bot signup',
    group: 'Bots',
    summary: 'Create an account: a user bot',
    args: [{ name: 'NAME', description: 'its id' }],
    options: [
      {
        name: 'http',
        value: 'URL',
        description: 'The HTTP address of the server',
        default: 'http://127.0.0.1:18083',
      },
      { name: 'token', value: 'TOKEN', description: 'The invitation token, if one is needed' },
      url,
      secret,
    ],
    examples: [{ command: 'tobymq bot signup ana', description: 'asks for a secret' }],
    load: async () => (await import('./account.ts')).signup,
  },
  {
    name: 'bot login',
    group: 'Bots',
    summary: 'Be this bot from now on',
    args: [{ name: 'ID', description: 'the bot' }],
    options: [url, secret],
    load: async () => (await import('./account.ts')).login,
  },
  action('send', 'Send a message to those who follow its tags', {
    args: [{ name: 'TEXT', description: 'the message with its #tags, quoted', many: true }],
    options: [
      { name: 'tag', value: 'TAG', description: 'A tag that is not in the text', multiple: true },
      { name: 'json', description: 'TEXT is JSON' },
      { name: 'ask', description: 'Wait for a reply and print it' },
      { name: 'timeout', value: 'SECONDS', description: 'How long --ask waits', default: '10' },
    ],
    examples: [
      { command: 'tobymq bot send "dinner is ready #family"', description: 'to all who follow #family' },
    ],
  }),
  action('follow', 'Follow tags', {
    args: [tags],
    examples: [{ command: 'tobymq bot follow "#light #heat"', description: 'two tags' }],
  }),
  action('unfollow', 'Follow tags no more', { args: [tags] }),
  {
    name: 'bot listen',
    group: 'Bots',
    summary: 'Print what the bot hears',
    options: [
      { name: 'json', description: 'One JSON object for each message' },
      { name: 'count', short: 'C', value: 'N', description: 'End after N messages' },
      as,
    ],
    load: async () => (await import('./listen.ts')).listen,
  },
  {
    name: 'bot console',
    group: 'Bots',
    summary: 'Talk with other bots',
    options: [as],
    load: async () => (await import('./listen.ts')).chat,
  },
  action('info', 'Show what the server knows of the bot'),
  action('bots', 'List the bots of a user bot'),
  action('create', 'Create a standard bot and print its secret', {
    args: [id],
    options: [
      { name: 'login', description: 'Be that bot from now on' },
      { ...url, description: 'The address to log in at', default: 'that of the user bot' },
      secret,
    ],
  }),
  action('remove', 'Remove a standard bot', { args: [id] }),
  action('createSocket', 'Create a socket bot and print its id and secret'),
  action('removeSocket', 'Remove a socket bot', { args: [id] }),
  action('hooksOn', 'Let web hooks in and print their path', {
    args: [{ name: 'SECRET', description: 'the secret in the path; made up without', optional: true }],
  }),
  action('hooksOff', 'Let no web hooks in'),
  action('permit', 'Say what a bot may follow and send', {
    args: [id],
    options: [
      {
        name: 'follow',
        value: 'TAGS',
        description: 'Only these, * at the end stands for any ending',
        multiple: true,
      },
      { name: 'send', value: 'TAGS', description: 'Only to these', multiple: true },
      { name: 'rate', value: 'N', description: 'At most N messages in a minute' },
    ],
    examples: [
      { command: 'tobymq bot permit lamp --follow "#light*" --rate 60', description: 'a modest lamp' },
    ],
  }),
];
