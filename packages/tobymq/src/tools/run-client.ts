// What all tools share in running a client: connect once without retrying, tell failures in one line with the right exit
// code, and end cleanly on Ctrl-C.

import type { Client, ClientError, ConnectOptions, ReconnectOptions } from '@tobymq/client';
import { type CommandContext, CommandError } from '../commands/command.ts';
import { connectionSettings } from './connection-options.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';

/** The longest that Node can wait, 24 days; a timer that is set for longer ends at once. */
export const WAIT_SECONDS_MAX = 2_147_483;

const doctorHint = '"tobymq doctor" with the same options finds out why, and what to do.';

export interface RunOptions {
  /** Keep trying to reach the server, and reconnect. Default: one attempt, and a lost connection is the end. */
  readonly reconnect?: boolean;
  /** Ends waiting for the connection. */
  readonly signal?: AbortSignal;
  readonly onError?: (error: ClientError) => void;
}

/** Connects as the options of the command say, runs `work`, and closes. */
export async function withClient<T>(
  context: CommandContext,
  run: RunOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { url, options } = await connectionSettings(context);
  const { connect } = await import('@tobymq/client');
  const complete: ConnectOptions = {
    ...options,
    reconnect: run.reconnect === true && tellingReconnect((text) => void context.stderr.write(text)),
    ...(run.signal === undefined ? {} : { signal: run.signal }),
    onError: run.onError ?? ((error) => context.stderr.write(`tobymq: ${error.message}\n`)),
  };
  try {
    const client = await connect(url, complete);
    try {
      return await work(client);
    } finally {
      await client.close();
    }
  } catch (error) {
    throw asCommandError(error);
  }
}

/** Goes on trying and says so once, or a wrong address would look like a topic on which nothing happens. */
export function tellingReconnect(tell: (text: string) => void): ReconnectOptions {
  return {
    decide: ({ error, attempt, wouldRetry }) => {
      if (attempt === 1 && wouldRetry) tell(`tobymq: ${error.message}; trying again.\n`);
      return undefined;
    },
  };
}

/** An error of the client as a text and an exit code; everything else stays as it is. */
export function asCommandError(error: unknown): unknown {
  const { name, code, message, cause } = error as Partial<ClientError>;
  // By name, so that the client need not be loaded to find out that it was not the client.
  if (name !== 'ClientError' || code === undefined || message === undefined) return error;
  const exitCode = exitCodeOf(error as ClientError);
  // The only signal with a time of its own is the one for the connection.
  const isSilent = (cause as Error | undefined)?.name === 'TimeoutError';
  const text = isSilent ? 'the server did not answer in time.' : `${message}.`.replace(/\.\.$/, '.');
  // The words of the network are for those who know them.
  const isRiddle = isSilent || exitCode === ExitCode.Unreachable || exitCode === ExitCode.Tls;
  return new CommandError(code, isRiddle ? `${text}\n${doctorHint}` : text, exitCode);
}

/** Rejects with what made the client give up: banned, taken over, or lost without `reconnect`. Resolves if it is closed. */
export async function untilFailed(client: Client): Promise<void> {
  for await (const state of client.states()) if (state.state === 'failed') throw state.reason;
}

/** A signal that is aborted by Ctrl-C or SIGTERM, until `release` is called. */
export function interruption(): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => controller.abort(new Error('interrupted'));
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
