// `tobymq request`: asks whoever serves a topic and prints the answer. `tobymq respond`: answers requests by running a
// command for each, with the payload as its standard input.

import { spawn } from 'node:child_process';
import { bytes, type Client, rpc } from '@tobymq/client';
import { type CommandContext, CommandError, UsageError } from '../commands/command.ts';
import { ExitCode } from './exit-codes.ts';
import { readAll } from './lines.ts';
import { asCommandError, interruption, untilFailed, withClient } from './run-client.ts';

export async function request(context: CommandContext): Promise<number> {
  const { options, args, stdout, stdin } = context;
  const [topic, text] = args;
  if (topic === undefined) throw new UsageError('TOPIC is missing: whom to ask.');
  const payload =
    text === undefined && options.flag('stdin') ? await readAll(stdin) : Buffer.from(text ?? '');
  const seconds = options.integer('timeout', 1, 86_400) ?? 10;
  const repeat = options.integer('repeat', 1, 1_000_000) ?? 1;
  return withClient(context, { signal: AbortSignal.timeout(seconds * 1000) }, async (client) => {
    for (let i = 0; i < repeat; i++) {
      const startedAt = performance.now();
      const answer = await client.request(topic, payload, { timeout: `${seconds} s` });
      stdout.write(answer);
      if (!options.flag('no-newline')) stdout.write('\n');
      if (options.flag('latency')) context.stderr.write(`${(performance.now() - startedAt).toFixed(3)} ms\n`);
    }
    return ExitCode.Success;
  });
}

export async function respond(context: CommandContext): Promise<number> {
  const { options, args, stderr } = context;
  const [topic, ...command] = args;
  if (topic === undefined) throw new UsageError('TOPIC is missing: what to answer.');
  const reply = options.text('reply');
  if (command.length === 0 && reply === undefined) throw new UsageError('give a COMMAND, or --reply TEXT.');
  const countMax = options.integer('count', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
  const share = options.text('share');
  // The rest of it would become a part of the topic.
  if (share !== undefined && !/^[^/+#]+$/.test(share))
    throw new UsageError(`--share must be a name without /, + and #, but is "${share}".`);
  const { signal, release } = interruption();
  try {
    return await withClient(context, { reconnect: true, signal }, (client) => {
      const answer = (payload: Uint8Array): Promise<Uint8Array> =>
        reply === undefined ? runFor(command, payload) : Promise.resolve(Buffer.from(reply));
      return serveUntil(client, topic, answer, { share, countMax, signal, stderr });
    });
  } finally {
    release();
  }
}

interface ServeSettings {
  readonly share: string | undefined;
  readonly countMax: number;
  readonly signal: AbortSignal;
  readonly stderr: CommandContext['stderr'];
}

async function serveUntil(
  client: Client,
  topic: string,
  answer: (payload: Uint8Array) => Promise<Uint8Array>,
  { share, countMax, signal, stderr }: ServeSettings,
): Promise<number> {
  let finish = (): void => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
    signal.addEventListener('abort', () => resolve());
  });
  let count = 0;
  const handle = async (payload: Uint8Array): Promise<Uint8Array> => {
    try {
      return await answer(payload);
    } catch (error) {
      stderr.write(`tobymq respond: ${(error as Error).message}\n`);
      throw error;
    } finally {
      count++;
      // The answer has to be on its way before the client is closed.
      if (count >= countMax) setImmediate(finish);
    }
  };
  try {
    await client.serve(rpc(topic, bytes, bytes), handle, share === undefined ? {} : { share });
  } catch (error) {
    throw asCommandError(error);
  }
  await Promise.race([done, untilFailed(client)]);
  await client.close({ drain: '5 s' });
  return ExitCode.Success;
}

/** Runs a command with the payload as its input; what it prints is the answer, a failure is an error. */
function runFor(command: readonly string[], payload: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    // A command that does not read its input closes the pipe: its output counts all the same.
    child.stdin.on('error', () => {});
    child.stdin.end(payload);
    child.on('error', (error) => reject(new CommandError('TOBYMQ_COMMAND', `${program}: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(output));
      else
        reject(new CommandError('TOBYMQ_COMMAND', `${program} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
