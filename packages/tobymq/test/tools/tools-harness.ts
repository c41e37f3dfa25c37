// What the tests of the tools share: a broker in this process, and the built command as a real process against it.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Broker, type BrokerOptions, type Extension } from '@tobymq/broker';
import { type ProcessResult, TestProcess } from '@tobymq/testkit';
import { onTestFinished } from 'vitest';

export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface ToolServer {
  readonly broker: Broker;
  readonly port: number;
  /** Runs `tobymq ARGS` against this server and waits for its end. */
  run(args: readonly string[], input?: string | Uint8Array): Promise<ProcessResult>;
  /** Starts `tobymq ARGS` and does not wait. */
  start(args: readonly string[]): TestProcess;
  /** Resolves when a client has subscribed to the filter. */
  subscribed(filter: string): Promise<void>;
}

export async function startToolServer(
  options: Partial<BrokerOptions> = {},
  ...extensions: Extension[]
): Promise<ToolServer> {
  const waiting = new Map<string, () => void>();
  const seen = new Set<string>();
  const watcher: Extension = {
    name: 'watcher',
    onSubscribed: (_client, filter) => {
      seen.add(filter);
      waiting.get(filter)?.();
    },
  };
  const broker = await Broker.start({ ...options, extensions: [...extensions, watcher] });
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  const start = (args: readonly string[]): TestProcess => startTool([...args, '-p', String(port)]);
  return {
    broker,
    port,
    start,
    run: (args, input) => runTool([...args, '-p', String(port)], input),
    subscribed: (filter) =>
      seen.has(filter) ? Promise.resolve() : new Promise((resolve) => waiting.set(filter, resolve)),
  };
}

/** An environment without anything of this machine's user. */
export const cleanEnvironment: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: join('/nonexistent', 'home'),
  NO_COLOR: '1',
};

export function startTool(args: readonly string[], env: NodeJS.ProcessEnv = {}): TestProcess {
  const tool = TestProcess.start(process.execPath, [CLI, ...args], { env: { ...cleanEnvironment, ...env } });
  onTestFinished(async () => {
    await tool.stop();
  });
  return tool;
}

export async function runTool(
  args: readonly string[],
  input: string | Uint8Array = '',
  env: NodeJS.ProcessEnv = {},
): Promise<ProcessResult> {
  const tool = startTool(args, env);
  tool.child.stdin.end(input);
  return tool.exit();
}
