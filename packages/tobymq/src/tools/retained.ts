// `tobymq retained list|get|set|clear`: retained messages as a table of values. `tobymq kv watch` follows them.

import { createInterface } from 'node:readline/promises';
import { bytes, type Client, type Message, type TopicPattern, topic } from '@tobymq/client';
import { type CommandContext, CommandError, UsageError } from '../commands/command.ts';
import { ExitCode } from './exit-codes.ts';
import { painter, wantsColors } from './paint.ts';
import { progressLine } from './progress.ts';
import { interruption, withClient } from './run-client.ts';
import { PipeWriter, renderer } from './sub-output.ts';

/** How long the server may be silent before its retained messages count as complete. */
const QUIET_MS = 300;

export async function list(context: CommandContext): Promise<number> {
  const filter = context.args[0] ?? '#';
  return withClient(context, {}, async (client) => {
    const messages = await retainedMessages(context, client, filter);
    const render = renderer({
      format: context.options.flag('json') ? 'json' : 'text',
      topic: true,
      timestamps: false,
      pretty: false,
      colors: wantsColors(context.stdout, context.env),
      tell: () => {},
    });
    const writer = new PipeWriter(context.stdout, () => {});
    for (const message of messages) await writer.write(render(message, new Date()));
    return ExitCode.Success;
  });
}

export async function get(context: CommandContext): Promise<number> {
  const name = wanted(context, 'TOPIC');
  if (/[+#]/.test(name)) throw new UsageError(`TOPIC must be one topic, but is the filter "${name}".`);
  return withClient(context, {}, async (client) => {
    const [message] = await retainedMessages(context, client, name);
    if (message === undefined) {
      throw new CommandError('TOBYMQ_NOT_FOUND', `nothing is retained on ${name}.`, ExitCode.Failure);
    }
    context.stdout.write(message.payload);
    if ((context.stdout as { isTTY?: boolean }).isTTY === true) context.stdout.write('\n');
    return ExitCode.Success;
  });
}

export async function set(context: CommandContext): Promise<number> {
  const name = wanted(context, 'TOPIC');
  const value = context.args[1];
  if (value === undefined || value === '') {
    throw new UsageError('VALUE is missing; "tobymq retained clear" deletes a retained message.');
  }
  return withClient(context, {}, async (client) => {
    await client.publish(name, value, { qos: 1, retain: true });
    return ExitCode.Success;
  });
}

export async function clear(context: CommandContext): Promise<number> {
  const filter = wanted(context, 'FILTER');
  return withClient(context, {}, async (client) => {
    const messages = await retainedMessages(context, client, filter);
    if (messages.length === 0) {
      context.stdout.write(`Nothing is retained on ${filter}.\n`);
      return ExitCode.Success;
    }
    if (!context.options.flag('yes') && !(await isConfirmed(context, messages))) return ExitCode.Failure;
    await deleteAll(context, client, messages);
    context.stdout.write(`${messages.length} retained messages deleted.\n`);
    return ExitCode.Success;
  });
}

export async function watch(context: CommandContext): Promise<number> {
  const template = wanted(context, 'FILTER');
  const paint = painter(wantsColors(context.stdout, context.env));
  const { signal, release } = interruption();
  try {
    return await withClient(context, { reconnect: true, signal }, async (client) => {
      const pattern = viewOf(template);
      const view = await client.view(pattern);
      signal.addEventListener('abort', () => void view.close());
      const text = (value: Uint8Array | undefined): string =>
        value === undefined ? '' : Buffer.from(value).toString();
      for (const [key, value] of view.entries()) {
        context.stdout.write(`${paint.topic(pattern.at(key).name)} ${text(value)}\n`);
      }
      for await (const change of view.changes()) {
        const arrow = `${paint.dim(text(change.previous))}${change.previous === undefined ? '' : ' -> '}`;
        const now = change.value === undefined ? paint.bad('deleted') : paint.good(text(change.value));
        context.stdout.write(`${paint.topic(change.topic)} ${arrow}${now}\n`);
      }
      if (client.state.state === 'failed') throw client.state.reason;
      return ExitCode.Success;
    });
  } finally {
    release();
  }
}

type AnyKey = Readonly<Record<string, string>>;

/** A filter with wildcards as a declared topic, so that a view can be opened over it. */
function viewOf(filter: string): TopicPattern<Uint8Array, AnyKey> {
  let count = 0;
  const levels = filter.split('/').map((level) => {
    if (level === '+') return `{p${count++}}`;
    return level === '#' ? '{rest...}' : level;
  });
  return topic(levels.join('/'), bytes) as unknown as TopicPattern<Uint8Array, AnyKey>;
}

/** The retained messages of a filter, by topic. */
async function retainedMessages(context: CommandContext, client: Client, filter: string): Promise<Message[]> {
  const progress = progressLine(context.stderr, 'retained messages');
  const found = new Map<string, Message>();
  const subscription = client.subscribe(filter, { qos: 0 });
  await subscription.ready;
  let complete = quiet();
  for (;;) {
    const next = await Promise.race([subscription.next(), complete]);
    if (next === undefined || next.done === true) break;
    const message = next.value as Message;
    // What is published in the meantime is no answer, and must not keep us here.
    if (!message.retain) continue;
    complete = quiet();
    found.set(message.topic, message);
    progress.update(found.size);
  }
  progress.finish();
  await subscription.unsubscribe();
  return [...found.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1));
}

function quiet(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), QUIET_MS));
}

async function deleteAll(
  context: CommandContext,
  client: Client,
  messages: readonly Message[],
): Promise<void> {
  const progress = progressLine(context.stderr, 'messages');
  let done = 0;
  try {
    await Promise.all(
      messages.map(async ({ topic: name }) => {
        await client.publish(name, '', { qos: 1, retain: true });
        progress.update(++done, messages.length);
      }),
    );
  } finally {
    progress.finish();
  }
}

async function isConfirmed(context: CommandContext, messages: readonly Message[]): Promise<boolean> {
  const { stdin, stderr } = context;
  if ((stdin as { isTTY?: boolean }).isTTY !== true) {
    throw new UsageError(`this would delete ${messages.length} retained messages; say --yes.`);
  }
  for (const { topic: name } of messages.slice(0, 10)) stderr.write(`  ${name}\n`);
  if (messages.length > 10) stderr.write(`  and ${messages.length - 10} more\n`);
  const prompt = createInterface({ input: stdin, output: stderr });
  const answer = await prompt.question(`Delete ${messages.length} retained messages? [y/N] `);
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
}

function wanted({ args }: CommandContext, name: string): string {
  const value = args[0];
  if (value === undefined) throw new UsageError(`${name} is missing.`);
  return value;
}
