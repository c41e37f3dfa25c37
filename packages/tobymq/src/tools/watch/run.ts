// `tobymq watch`: the topics below a filter as a tree whose values change in place.

import { type Client, connect } from '@tobymq/client';
import type { CommandContext } from '../../commands/command.ts';
import { connectionSettings } from '../connection-options.ts';
import { ExitCode } from '../exit-codes.ts';
import { painter, wantsColors } from '../paint.ts';
import {
  asCommandError,
  interruption,
  tellingReconnect,
  untilFailed,
  WAIT_SECONDS_MAX,
} from '../run-client.ts';
import { type Key, Screen } from '../screen/screen.ts';
import { renderTree } from './render.ts';
import { TopicTree } from './topic-tree.ts';

/** Often enough for the eye, seldom enough for the machine. */
const FRAME_MS = 250;

export async function run(context: CommandContext): Promise<number> {
  const { options, stdout, stdin, env } = context;
  const filters = context.args.length === 0 ? ['#'] : context.args;
  const settings = await connectionSettings(context);
  const seconds = options.integer('timeout', 1, WAIT_SECONDS_MAX);
  const paint = painter(wantsColors(stdout, env));
  const { signal: interrupted, release } = interruption();
  const quit = new AbortController();
  const timeout = seconds === undefined ? [] : [AbortSignal.timeout(seconds * 1000)];
  const end = AbortSignal.any([interrupted, quit.signal, ...timeout]);

  const tree = new TopicTree();
  let scroll = 0;
  const draw = (): void => {
    screen.draw(renderTree(tree, filters.join(' '), screen.size, scroll, performance.now(), paint));
  };
  const onKey = (key: Key): void => {
    const page = screen.size.rows - 2;
    const step = { up: -1, down: 1, 'page-up': -page, 'page-down': page, quit: 0 }[key];
    if (key === 'quit') quit.abort();
    scroll = Math.max(0, Math.min(scroll + step, tree.topicCount * 2));
    draw();
  };
  const screen = new Screen(stdout, stdin, onKey, draw);

  let client: Client | undefined;
  // As long as there is no picture that it would spoil.
  const reconnect = tellingReconnect((text) => {
    if (client === undefined) context.stderr.write(text);
  });
  try {
    client = await connect(settings.url, { ...settings.options, signal: end, reconnect, onError: () => {} });
    const onMessage = ({
      topic,
      payload,
      retain,
    }: {
      topic: string;
      payload: Uint8Array;
      retain: boolean;
    }): void => tree.set(topic, payload, retain, performance.now());
    await client.on(filters, onMessage, { qos: 0 });
    screen.open();
    // Without a terminal there is one picture, at the end.
    const timer = screen.isLive ? setInterval(draw, FRAME_MS) : undefined;
    const ended = new Promise<void>((resolve) => {
      if (end.aborted) resolve();
      else end.addEventListener('abort', () => resolve());
    });
    await Promise.race([ended, untilFailed(client)]).finally(() => clearInterval(timer));
    if (!screen.isLive) draw();
    return ExitCode.Success;
  } catch (error) {
    if (interrupted.aborted) return ExitCode.Success;
    throw asCommandError(error);
  } finally {
    screen.close();
    await client?.close();
    release();
  }
}
