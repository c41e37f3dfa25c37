// `tobymq mosquitto_sub`.

import type { Client, Message } from '@tobymq/client';
import { matches } from '@tobymq/codec';
import type { CommandContext } from '../../commands/command.ts';
import { UsageError } from '../../commands/command.ts';
import { type FormatContext, parseFormat, type TellFault } from '../format-string.ts';
import { indented } from '../json-text.ts';
import { PipeWriter } from '../sub-output.ts';
import { type Flags, qosOf, table, timeoutMsOf, wholeNumber } from './client-flags.ts';
import { MosquittoUsageError } from './errors.ts';
import { program } from './run.ts';

const TIMED_OUT = 27;
const HANDLING = { always: 'always', new: 'new', never: 'never' } as const;

export const run = program({
  name: 'mosquitto_sub',
  version: 4,
  flags: table([
    ['t topic', 1],
    ['T filter-out', 1],
    ['U unsubscribe', 1],
    ['C', 1],
    ['W', 1],
    ['E', 0],
    ['F', 1],
    ['N', 0],
    ['v verbose', 0],
    ['pretty', 0],
    ['R', 0],
    ['retained-only', 0],
    ['remove-retained', 0],
    ['retain-as-published', 0],
    ['retain-handling', 1],
    ['random-filter', 1],
    ['message-rate', 0],
    ['w watch', 0],
  ]),
  usage: `Usage: mosquitto_sub {[-h host] [--unix path] [-p port] [-u username] [-P password] -t topic | -L URL [-t topic]}
                     [-c] [-x seconds] [-k keepalive] [-q qos] [-C count] [-E] [-W seconds] [-V 5|311|31]
                     [-F format | -v] [-N] [--pretty] [-R] [--retained-only] [--remove-retained]
                     [-T filter-out] [-U topic] [--retain-handling always|new|never] [--random-filter percent]
                     [--message-rate] [-w] [-D command property value]
                     [--will-topic topic ...] [--cafile file | --capath dir] [--cert file --key file]
                     [--insecure] [--ws] [-i id] [-I id_prefix] [-d] [--quiet] [-o file]
`,
  async prepare(context, flags, connection) {
    const filters = [...flags.list('topic'), ...(connection.topic === undefined ? [] : [connection.topic])];
    const unsubscribes = flags.list('unsubscribe');
    if (filters.length === 0 && unsubscribes.length === 0) {
      throw new MosquittoUsageError(
        'Error: You must specify a topic to subscribe to (-t <topic>) or unsubscribe from (-U <topic>).',
      );
    }
    const settings = settingsOf(flags);
    const output = outputOf(context, flags);
    return {
      reconnect: true,
      run: (client, signal) =>
        receive(client, filters, unsubscribes, settings, output, flags, context, signal),
    };
  },
});

interface Settings {
  readonly qos: 0 | 1 | 2;
  readonly countMax: number;
  readonly timeoutMs: number | undefined;
  readonly retained: 'always' | 'new' | 'never';
  readonly percent: number;
}

function settingsOf(flags: Flags): Settings {
  const count = flags.text('C');
  const handling = flags.text('retain-handling') ?? 'always';
  if (!(handling in HANDLING))
    throw new MosquittoUsageError(`Error: Unknown value '${handling}' for --retain-handling.`);
  const percent = Number(flags.text('random-filter') ?? 100);
  if (!(percent > 0 && percent <= 100))
    throw new MosquittoUsageError('Error: --random-filter must be between 0.1 and 100.');
  return {
    qos: qosOf(flags.text('qos')),
    countMax: count === undefined ? Number.POSITIVE_INFINITY : wholeNumber(count, '-C', 1, 0x7fff_ffff),
    timeoutMs: timeoutMsOf(flags),
    retained: handling as Settings['retained'],
    percent,
  };
}

type Output = (message: Message) => Promise<void> | undefined;

async function receive(
  client: Client,
  filters: readonly string[],
  unsubscribes: readonly string[],
  settings: Settings,
  output: Output,
  flags: Flags,
  { stderr }: CommandContext,
  signal: AbortSignal,
): Promise<number> {
  if (unsubscribes.length > 0) {
    const old = client.subscribe(unsubscribes, { retained: 'never' });
    await old.ready.catch(() => undefined);
    await old.unsubscribe();
    if (filters.length === 0) return 0;
  }
  const timeout = settings.timeoutMs === undefined ? undefined : AbortSignal.timeout(settings.timeoutMs);
  const end = timeout === undefined ? signal : AbortSignal.any([signal, timeout]);
  const subscription = client.subscribe(filters, {
    qos: settings.qos,
    retained: settings.retained,
    retainAsPublished: flags.has('retain-as-published'),
    signal: end,
  });
  const results = await subscription.ready.catch(() => undefined);
  if (results === undefined || results.every(({ isGranted }) => !isGranted)) {
    stderr.write('All subscription requests were denied.\n');
    return 0;
  }
  for (const { filter, isGranted } of results) {
    if (!isGranted) stderr.write(`Warning: the subscription to ${filter} was denied.\n`);
  }
  if (flags.has('E')) return 0;
  let count = 0;
  for await (const message of subscription) {
    if (!isWanted(message, flags, settings)) continue;
    if (flags.has('remove-retained') && message.retain)
      await client.publish(message.topic, '', { retain: true });
    await output(message);
    count++;
    if (count >= settings.countMax) return 0;
  }
  return timeout?.aborted === true ? TIMED_OUT : 0;
}

function isWanted({ topic, retain }: Message, flags: Flags, { percent }: Settings): boolean {
  if (flags.has('R') && retain) return false;
  if (flags.has('retained-only') && !retain) return false;
  if (flags.list('filter-out').some((filter) => matches(filter, topic))) return false;
  return percent === 100 || Math.random() * 100 < percent;
}

function outputOf(context: CommandContext, flags: Flags): Output {
  const writer = new PipeWriter(context.stdout, () => process.exit(0));
  if (flags.has('message-rate')) return rateOutput(writer);
  const render = rendererOf(flags, (text) => void context.stderr.write(`Error: ${text}\n`));
  if (flags.has('watch')) return watchOutput(writer, render);
  return (message) => writer.write(render({ message, receivedAt: new Date() }));
}

function rendererOf(flags: Flags, tell: TellFault): (context: FormatContext) => Uint8Array {
  const format = flags.text('F');
  const newline = flags.has('N') ? '' : '\n';
  if (format !== undefined) return compiled(format, newline, flags.has('pretty'), tell);
  const isVerbose = flags.has('verbose');
  return ({ message: { topic, payload } }) => {
    // As the original does: an empty payload prints nothing, not even the line feed.
    if (payload.length === 0 && !isVerbose) return payload;
    const body = payload.length === 0 && isVerbose ? Buffer.from('(null)') : payload;
    return Buffer.concat([Buffer.from(isVerbose ? `${topic} ` : ''), body, Buffer.from(newline)]);
  };
}

function compiled(
  format: string,
  newline: string,
  pretty: boolean,
  tell: TellFault,
): (context: FormatContext) => Uint8Array {
  let render: (context: FormatContext) => Buffer;
  try {
    render = parseFormat(format, tell);
  } catch (error) {
    if (error instanceof UsageError) throw new MosquittoUsageError(`Error: ${error.message}`);
    throw error;
  }
  const isJson = pretty && /^%[jJ]$/.test(format);
  return (context) => {
    const bytes = render(context);
    const shown = isJson && bytes.length > 0 ? Buffer.from(indented(bytes.toString())) : bytes;
    return Buffer.concat([shown, Buffer.from(newline)]);
  };
}

/** Messages per second, once a second. */
function rateOutput(writer: PipeWriter): Output {
  let count = 0;
  const timer = setInterval(() => {
    void writer.write(`${count}\n`);
    count = 0;
  }, 1000);
  timer.unref();
  return () => {
    count++;
    return undefined;
  };
}

/** One line for each topic, at the same place of the screen. */
function watchOutput(writer: PipeWriter, render: (context: FormatContext) => Uint8Array): Output {
  const rows = new Map<string, number>();
  void writer.write('\u001b[2J');
  return (message) => {
    const row = rows.get(message.topic) ?? rows.size + 1;
    rows.set(message.topic, row);
    const text = render({ message, receivedAt: new Date() });
    return writer.write(Buffer.concat([Buffer.from(`\u001b[${row};1H\u001b[K`), text]));
  };
}
