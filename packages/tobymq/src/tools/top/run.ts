// `tobymq top`: what a server does, live. Everything but the busiest topics comes from `$SYS`, which most servers have;
// with the HTTP API of TobyMQ it is exact and by the second, and tells who is slow.

import { type Client, connect } from '@tobymq/client';
import { ApiClient } from '../../commands/api-client.ts';
import type { CommandContext } from '../../commands/command.ts';
import { findRunningServer } from '../../data-folder.ts';
import { connectionSettings } from '../connection-options.ts';
import { ExitCode } from '../exit-codes.ts';
import { painter, wantsColors } from '../paint.ts';
import { asCommandError, interruption, tellingReconnect } from '../run-client.ts';
import { Screen } from '../screen/screen.ts';
import { withoutSecrets } from '../without-secrets.ts';
import { type ApiSample, readApi } from './api-sample.ts';
import { renderTop } from './render.ts';
import { SysSamples } from './sys-samples.ts';
import { TopicCounter } from './topic-counter.ts';
import { viewOf } from './view.ts';

const TOPICS_SHOWN = 50;

export async function run(context: CommandContext): Promise<number> {
  const { options, env, stdout, stdin } = context;
  const settings = await connectionSettings(context, context.args[0]);
  const intervalMs = (options.integer('interval', 1, 3600) ?? 2) * 1000;
  const api = apiOf(context);
  const paint = painter(wantsColors(stdout, env));
  const { signal: interrupted, release } = interruption();
  const quit = new AbortController();
  const end = AbortSignal.any([interrupted, quit.signal]);

  const notes = new Set<string>();
  if (api === undefined) {
    notes.add('With --api URL and --token (or --data FOLDER) also: slow consumers, queues, drops by reason.');
  }
  const topicCounter = options.flag('no-topics') ? undefined : new TopicCounter(performance.now());
  const samples = new SysSamples(() => {});
  let apiSamples: [ApiSample | undefined, ApiSample | undefined] = [undefined, undefined];
  const frame = (): string[] => {
    const topics = topicCounter?.rate(performance.now(), TOPICS_SHOWN);
    const view = viewOf({
      at: performance.now(),
      url: withoutSecrets(settings.url),
      sys: [samples.previous, samples.latest],
      api: apiSamples,
      topics,
      notes: [...notes],
    });
    return renderTop(view, screen.size, paint);
  };
  let lines: string[] = [];
  const screen = new Screen(
    stdout,
    stdin,
    (key) => {
      if (key === 'quit') quit.abort();
    },
    () => screen.draw(lines),
  );

  let client: Client | undefined;
  // As long as there is no picture that it would spoil.
  const reconnect = tellingReconnect((text) => {
    if (client === undefined) context.stderr.write(text);
  });
  try {
    client = await connect(settings.url, {
      ...settings.options,
      signal: end,
      reconnect,
      onError: (error) => void notes.add(error.message),
    });
    await follow(client, samples, topicCounter, notes);
    if (api !== undefined) apiSamples = [undefined, await readApi(api)];
    screen.open();
    const isOnce = options.flag('once');
    do {
      await pause(intervalMs, end);
      if (end.aborted) break;
      if (client.state.state === 'failed') throw client.state.reason;
      if (api !== undefined) {
        try {
          apiSamples = [apiSamples[1], await readApi(api)];
        } catch (error) {
          notes.add((error as Error).message);
        }
      }
      lines = frame();
      screen.draw(lines);
    } while (!isOnce);
    return ExitCode.Success;
  } catch (error) {
    if (interrupted.aborted) return ExitCode.Success;
    throw asCommandError(error);
  } finally {
    screen.close();
    samples.stop();
    await client?.close();
    release();
  }
}

async function follow(
  client: Client,
  samples: SysSamples,
  topics: TopicCounter | undefined,
  notes: Set<string>,
): Promise<void> {
  await client
    .on('$SYS/broker/#', ({ topic, text }) => samples.take(topic, text), { qos: 0 })
    .catch((error: Error) => notes.add(`$SYS cannot be read: ${error.message}`));
  if (topics === undefined) return;
  // Retained messages are old news.
  await client
    .on('#', ({ topic }) => topics.count(topic), { qos: 0, retained: 'never' })
    .catch((error: Error) => notes.add(`The busiest topics cannot be counted: ${error.message}`));
}

function apiOf({ options, env }: CommandContext): ApiClient | undefined {
  const folder = options.text('data');
  const running = folder === undefined ? undefined : findRunningServer(folder);
  const url = options.text('api') ?? running?.url;
  return url === undefined
    ? undefined
    : new ApiClient(url, options.text('token') ?? env.TOBYMQ_TOKEN ?? running?.token);
}

/** Ends early when the signal says so. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
    if (signal.aborted) finish();
  });
}
