// `tobymq pub`: publishes and says by its exit code what became of it.

import { addAbortSignal, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { Client, ClientError, Duration } from '@tobymq/client';
import { type CommandContext, CommandError, UsageError } from '../commands/command.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { progressLine } from './progress.ts';
import { type MessageSource, messageSource } from './pub-source.ts';
import { asCommandError, interruption, untilFailed, WAIT_SECONDS_MAX, withClient } from './run-client.ts';

/** Messages that may wait for their acknowledgement before more input is read. */
const OPEN_MAX = 1000;

export async function run(context: CommandContext): Promise<number> {
  if (!context.options.flag('quiet')) return publish(context);
  const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await publish({ ...context, stderr });
  } catch (error) {
    if (error instanceof CommandError) return error.exitCode;
    throw error;
  }
}

async function publish(context: CommandContext): Promise<number> {
  const source = await messageSource(context);
  const timeoutSeconds = context.options.integer('timeout', 1, 86_400) ?? 30;
  const intervalMs = pace(context);
  const { signal, release } = interruption();
  const lost = new AbortController();
  const end = AbortSignal.any([signal, lost.signal]);
  // Whoever writes into standard input may be silent for hours.
  addAbortSignal(end, context.stdin);
  try {
    return await withClient(
      context,
      { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)]) },
      (client) => {
        untilFailed(client).catch((reason: unknown) => lost.abort(reason));
        return publishAll(context, client, source, intervalMs, `${timeoutSeconds} s`, end);
      },
    );
  } finally {
    release();
  }
}

/** The time between two messages; 0 for as fast as they are accepted. */
function pace({ options }: CommandContext): number {
  const rate = options.text('rate');
  if (rate === undefined) return 0;
  const perSecond = Number(rate);
  if (!(perSecond > 0)) throw new UsageError(`--rate must be a number above 0, but is "${rate}".`);
  return 1000 / perSecond;
}

async function publishAll(
  context: CommandContext,
  client: Client,
  source: MessageSource,
  intervalMs: number,
  timeout: Duration,
  end: AbortSignal,
): Promise<number> {
  const progress = progressLine(context.stderr, 'messages');
  const open = new Set<Promise<void>>();
  let exitCode: number = ExitCode.Success;
  let done = 0;
  let cut: unknown;
  const note = (code: number, text: string): void => {
    if (exitCode === ExitCode.Success) exitCode = code;
    context.stderr.write(`tobymq pub: ${text}\n`);
  };
  const startedAt = Date.now();
  let count = 0;
  try {
    for await (const message of source.messages) {
      end.throwIfAborted();
      await until(startedAt + count * intervalMs, end);
      count++;
      const settled = client.publish({ ...message, timeout }).then(
        ({ reasonCode }) => {
          if (reasonCode === 0x10) note(ExitCode.NoSubscriber, `nobody is subscribed to ${message.topic}.`);
        },
        (error: ClientError) => note(exitCodeOf(error), `${error.message}.`),
      );
      const tracked: Promise<void> = settled.then(() => {
        open.delete(tracked);
        done++;
        progress.update(done, source.total);
      });
      open.add(tracked);
      if (open.size >= OPEN_MAX) await Promise.race(open);
    }
  } catch (error) {
    // Ctrl-C and the end of the connection end the input, and what was published is still waited for.
    if (!end.aborted) throw error;
    cut = end.reason;
  }
  await Promise.all(open);
  const loss = cut === undefined ? undefined : asCommandError(cut);
  if (loss instanceof CommandError && exitCode === ExitCode.Success) note(loss.exitCode, loss.message);
  progress.finish();
  return exitCode;
}

function until(at: number, signal: AbortSignal): Promise<void> | undefined {
  const ms = Math.min(at - Date.now(), WAIT_SECONDS_MAX * 1000);
  return ms <= 0 ? undefined : wait(ms, undefined, { signal });
}
