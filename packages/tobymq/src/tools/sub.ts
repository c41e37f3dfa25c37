// `tobymq sub`: shows messages, made for pipes as much as for people.

import type { Client, Message } from '@tobymq/client';
import { matches } from '@tobymq/codec';
import { type CommandContext, UsageError } from '../commands/command.ts';
import { ExitCode } from './exit-codes.ts';
import { wantsColors } from './paint.ts';
import { interruption, WAIT_SECONDS_MAX, withClient } from './run-client.ts';
import { PipeWriter, type Render, renderer } from './sub-output.ts';

export async function run(context: CommandContext): Promise<number> {
  const { options, args } = context;
  if (options.flag('retained-only') && options.flag('no-retained')) {
    throw new UsageError('--retained-only and --no-retained leave nothing to show.');
  }
  if (args.length === 0) throw new UsageError('FILTER is missing: what to subscribe to.');
  const seconds = options.integer('timeout', 1, WAIT_SECONDS_MAX);
  const render = chooseRenderer(context);
  const { signal: interrupted, release } = interruption();
  const done = new AbortController();
  const timeout = seconds === undefined ? undefined : AbortSignal.timeout(seconds * 1000);
  const end = AbortSignal.any([interrupted, done.signal, ...(timeout === undefined ? [] : [timeout])]);
  try {
    return await withClient(context, { reconnect: true, signal: end }, (client) =>
      show(context, client, render, end, () => done.abort(), timeout),
    );
  } catch (error) {
    // Ctrl-C while connecting is an end like any other.
    if (interrupted.aborted) return ExitCode.Success;
    throw error;
  } finally {
    release();
  }
}

async function show(
  context: CommandContext,
  client: Client,
  render: Render,
  end: AbortSignal,
  stop: () => void,
  timeout: AbortSignal | undefined,
): Promise<number> {
  const { options, args, stderr } = context;
  const countMax = options.integer('count', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
  const unsubscribe = options.list('unsubscribe');
  if (unsubscribe.length > 0) await dropSubscriptions(client, unsubscribe);
  const subscription = client.subscribe(args, {
    qos: (options.integer('qos', 0, 2) ?? 0) as 0 | 1 | 2,
    signal: end,
    retained: options.flag('no-retained') ? 'never' : 'always',
  });
  const results = await subscription.ready;
  const refused = results.filter(({ isGranted }) => !isGranted);
  for (const { filter, error } of refused)
    stderr.write(`tobymq sub: ${filter}: ${error?.message ?? 'refused'}.\n`);

  const writer = new PipeWriter(context.stdout, stop);
  const wanted = choose(context);
  let count = 0;
  for await (const message of subscription) {
    if (!wanted(message)) continue;
    await writer.write(render(message, new Date()));
    count++;
    if (count >= countMax || writer.isClosed) break;
  }
  if (refused.length > 0) return ExitCode.NotAuthorized;
  if (timeout?.aborted === true && count < countMax && Number.isFinite(countMax)) return ExitCode.TimedOut;
  return ExitCode.Success;
}

/** Ends subscriptions that an earlier connection left in the session. */
async function dropSubscriptions(client: Client, filters: readonly string[]): Promise<void> {
  const subscription = client.subscribe(filters, { retained: 'never' });
  await subscription.ready.catch(() => undefined);
  await subscription.unsubscribe();
}

function chooseRenderer({ options, args, stdout, stderr, env }: CommandContext): Render {
  const colors = wantsColors(stdout, env);
  const isSingle = args.length === 1 && !/[+#]/.test(args[0] as string);
  return renderer({
    format: options.flag('json') ? 'json' : (options.text('format') ?? 'text'),
    topic: options.flag('verbose') || !isSingle,
    timestamps: options.flag('timestamps'),
    pretty: options.flag('pretty'),
    colors,
    tell: (text) => void stderr.write(`tobymq sub: ${text}\n`),
  });
}

function choose({ options }: CommandContext): (message: Message) => boolean {
  const filteredOut = options.list('filter-out');
  const onlyRetained = options.flag('retained-only');
  const noRetained = options.flag('no-retained');
  return ({ topic, retain }) =>
    !(onlyRetained && !retain) &&
    !(noRetained && retain) &&
    !filteredOut.some((filter) => matches(filter, topic));
}
