// `tobymq mosquitto`: runs the server as the program `mosquitto` would: its flags, its configuration file with its
// defaults, its log lines, its signals and its exit codes.

import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { ConfigError, type ConfigProblem } from '../config/errors.ts';
import type { Environment } from '../config/substitute.ts';
import { ListenError } from '../listeners/bind.ts';
import type { Log } from '../logging/log.ts';
import { LogFile } from '../logging/log-file.ts';
import {
  FlagError,
  type MosquittoCommandLine,
  mosquittoUsage,
  parseMosquittoFlags,
} from '../mosquitto/flags.ts';
import {
  type Translation,
  translateMosquittoDefaults,
  translateMosquittoFile,
} from '../mosquitto/to-config.ts';
import { mosquittoVersion } from '../mosquitto/version.ts';
import { prepare } from '../prepare.ts';
import { Server } from '../server.ts';
import { packageVersion } from '../version.ts';
import type { CommandRun } from './command.ts';
import { runUntilStopped } from './run-server.ts';

const invalid = 3;
const failed = 1;

export const mosquitto: CommandRun = async ({ args, env, stdout, stderr }) => {
  let flags: MosquittoCommandLine;
  try {
    flags = parseMosquittoFlags(args);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    stderr.write(`Error: ${error.message}\n${mosquittoUsage}`);
    return invalid;
  }
  if (flags.wants === 'version') {
    stdout.write(`mosquitto version ${mosquittoVersion}\n`);
    return 0;
  }
  if (flags.wants === 'help') {
    stdout.write(`mosquitto version ${mosquittoVersion}\n${mosquittoUsage}`);
    return invalid;
  }
  if (flags.daemon && env.TOBYMQ_DAEMON === undefined) return startDaemon(args, env, stderr);
  return run(flags, env, stderr);
};

async function run(flags: MosquittoCommandLine, env: Environment, stderr: Writable): Promise<number> {
  const read = (): Translation =>
    flags.configFile === undefined
      ? translateMosquittoDefaults(env, flags)
      : translateMosquittoFile(flags.configFile, env, flags);
  try {
    const translation = read();
    if (flags.test) {
      if (flags.configFile === undefined)
        throw ConfigError.of('--test-config given, but no config file specified.');
      await prepare(translation.config);
      say(stderr, 'Configuration file is OK.');
      return 0;
    }
    let log: Log | undefined;
    // Opened before privileges are given up; a disk that becomes full is no reason to stop serving.
    const keys =
      flags.keylogFile === undefined
        ? undefined
        : new LogFile(flags.keylogFile, (lost) => log?.log('warn', 'log-lines-lost', { ...lost }));
    const server = await Server.start({
      config: translation.config,
      version: packageVersion(),
      readConfig: () => read().config,
      onLog: (started) => {
        log = started;
        sayStarting(started, flags, translation);
      },
      ...(keys === undefined ? {} : { onTlsKey: (line) => keys.write(line.toString().trimEnd()) }),
    });
    tell(server.log, 'information', `mosquitto version ${mosquittoVersion} running`);
    process.send?.('ready');
    return await runUntilStopped(server, { printTree: () => printTree(server) });
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error as { code?: string }).code?.startsWith('TOBYMQ_'))
      throw error;
    const problems =
      error instanceof ConfigError
        ? error.problems
        : [{ message: (error as Error).message } as ConfigProblem];
    for (const { file, line, message } of problems) {
      const where = file !== undefined && line === undefined ? `${file}: ` : '';
      say(stderr, `Error: ${where}${message}`);
      if (file !== undefined && line !== undefined) say(stderr, `Error found at ${file}:${line}.`);
    }
    process.send?.('failed');
    return error instanceof ListenError ? failed : invalid;
  }
}

/** A line before there is a log. */
function say(stderr: Writable, text: string): void {
  stderr.write(`${Math.floor(Date.now() / 1000)}: ${text}\n`);
}

function tell(log: Log, kind: 'information' | 'warning', text: string): void {
  log.log('info', 'text', { kind, text });
}

function sayStarting(log: Log, flags: MosquittoCommandLine, { localOnly }: Translation): void {
  tell(log, 'information', `mosquitto version ${mosquittoVersion} starting`);
  tell(log, 'information', `This is TobyMQ ${packageVersion()} in place of mosquitto.`);
  tell(
    log,
    'information',
    flags.configFile === undefined ? 'Using default config.' : `Config loaded from ${flags.configFile}.`,
  );
  if (!localOnly) return;
  tell(
    log,
    'warning',
    'Starting in local only mode. Connections will only be possible from clients running on this machine.',
  );
  tell(log, 'warning', 'Create a configuration file which defines a listener to allow remote access.');
}

/** SIGUSR2: who subscribes to what, on the standard output, as Mosquitto does. */
function printTree(server: Server): void {
  const lines: string[] = [];
  for (const { clientId, subscriptions } of server.broker.sessions()) {
    for (const { filter, qos } of subscriptions) lines.push(`${filter} (${clientId}, ${qos})`);
  }
  process.stdout.write(
    `Subscription tree:\n${lines
      .sort()
      .map((line) => `  ${line}\n`)
      .join('')}`,
  );
}

/** Starts the same command detached, and waits until it is ready or has said what is wrong. */
function startDaemon(args: readonly string[], env: Environment, stderr: Writable): Promise<number> {
  const command = [process.argv[1] as string, 'mosquitto', ...args];
  const child = spawn(process.execPath, command, {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...env, TOBYMQ_DAEMON: '1' },
  });
  child.stderr?.pipe(stderr, { end: false });
  return new Promise((resolve) => {
    child.once('message', (message) => {
      if (message !== 'ready') return;
      child.stderr?.destroy();
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.once('exit', (code) => resolve(code ?? failed));
  });
}
