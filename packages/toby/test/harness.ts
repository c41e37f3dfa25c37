// A broker with the bots layer on a port of its own, and accounts to test with.

import { Broker, MemoryStore, type Store } from '@tobymq/broker';
import { onTestFinished } from 'vitest';
import { type SecretHasher, TobyExtension, type TobyOptions } from '../src/server/index.ts';
import { RawBot, type RawBotOptions } from './raw-bot.ts';

/** As strong as the real one is slow: tests make hundreds of bots. */
export const quickHasher: SecretHasher = {
  hash: async (secret) => `$quick$${Buffer.from(secret).toString('base64')}`,
  verify: async (hash, secret) => hash === `$quick$${Buffer.from(secret).toString('base64')}`,
};

export interface TestServer {
  readonly toby: TobyExtension;
  readonly broker: Broker;
  readonly port: number;
  readonly url: string;
  /** A connected bot; its secret is `secret of <id>`. */
  connect(id: string, options?: RawBotOptions): Promise<RawBot>;
  stop(): Promise<void>;
}

export function secretOf(id: string): string {
  return `secret of ${id}`;
}

export async function startServer(
  options: TobyOptions = {},
  store: Store = new MemoryStore(),
): Promise<TestServer> {
  const toby = new TobyExtension({ hasher: quickHasher, ...options });
  const broker = await Broker.start({ store, extensions: [toby] });
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  const bots: RawBot[] = [];
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    for (const bot of bots) bot.close();
    await broker.stop();
  };
  onTestFinished(stop);
  return {
    toby,
    broker,
    port,
    url: `mqtt://127.0.0.1:${port}`,
    stop,
    connect: async (id, botOptions) => {
      const bot = await RawBot.connect(port, id, secretOf(id), botOptions);
      bots.push(bot);
      return bot;
    },
  };
}

/** A server with the user bot `ana` (connected) and her connected bots. */
export async function startAccount<const T extends readonly string[]>(
  botIds: T,
  options: TobyOptions = {},
): Promise<{ server: TestServer; ana: RawBot; bots: { [K in keyof T]: RawBot } }> {
  const server = await startServer(options);
  await server.toby.signUp('ana', secretOf('ana'));
  const ana = await server.connect('ana');
  const bots: RawBot[] = [];
  for (const id of botIds) {
    await ana.request('create-bot', { id, sk: secretOf(id) });
    bots.push(await server.connect(id));
    await ana.message(({ payload }) => (payload as { online?: string }).online === id);
  }
  return { server, ana, bots: bots as { [K in keyof T]: RawBot } };
}
