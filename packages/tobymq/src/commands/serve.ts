// `tobymq serve`: reads the configuration, lets options of the command line change it, starts the server, and keeps it
// running until a signal comes.

import type { Writable } from 'node:stream';
import { ConfigError } from '../config/errors.ts';
import { defaultConfig, loadConfig, withAbsolutePaths } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { listenerSchema } from '../config/schema-listener.ts';
import { isLoopback } from '../listeners/addresses.ts';
import type { NamedListener } from '../policies.ts';
import { prepare } from '../prepare.ts';
import { Server } from '../server.ts';
import { packageVersion } from '../version.ts';
import { CommandError, type CommandRun, type CommandValues, UsageError } from './command.ts';
import { runUntilStopped } from './run-server.ts';

export const serve: CommandRun = async ({ options, env, stdout }) => {
  const readConfig = (): Config => withOptions(configOf(options, env), options);
  try {
    const config = readConfig();
    if (options.flag('check')) {
      await prepare(config);
      stdout.write('The configuration is valid.\n');
      return 0;
    }
    const server = await Server.start({ config, version: packageVersion(), readConfig });
    announce(server, stdout);
    return await runUntilStopped(server);
  } catch (error) {
    throw asCommandError(error);
  }
};

function asCommandError(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (error instanceof ConfigError || (typeof code === 'string' && code.startsWith('TOBYMQ_STORE_'))) {
    return new CommandError(String(code), (error as Error).message);
  }
  return error;
}

function configOf(options: CommandValues, env: Readonly<Record<string, string | undefined>>): Config {
  const file = options.text('config');
  return file === undefined ? defaultConfig() : loadConfig(file, env);
}

/** What the command line says wins over the file. */
function withOptions(config: Config, options: CommandValues): Config {
  const host = options.text('host');
  const port = options.integer('port', 0, 65_535);
  const wsPort = options.integer('ws-port', 0, 65_535);
  const httpPort = options.integer('http-port', 0, 65_535);
  const changesListeners = host !== undefined || port !== undefined || wsPort !== undefined;
  if (changesListeners && config.listeners) {
    throw new UsageError(
      '--host, --port and --ws-port cannot change the listeners of the configuration file; change the file.',
    );
  }
  const listeners = changesListeners
    ? [
        listenerSchema.parse({ type: 'tcp', host, port }),
        listenerSchema.parse({ type: 'ws', host, port: wsPort }),
      ]
    : config.listeners;
  const level = options.text('log-level') ?? (options.flag('verbose') ? 'debug' : config.log.level);
  const changed: Config = {
    ...config,
    listeners,
    data: options.text('data') ?? config.data,
    store: {
      ...config.store,
      ...(options.flag('memory') ? { type: 'memory' as const } : {}),
      ...(options.flag('repair') ? { repair: true } : {}),
    },
    authentication: options.flag('allow-anonymous')
      ? [
          { type: 'anonymous', anyName: true },
          ...(config.authentication?.filter(({ type }) => type !== 'anonymous') ?? []),
        ]
      : config.authentication,
    log: {
      ...config.log,
      level: level as Config['log']['level'],
      format: (options.text('log-format') as Config['log']['format'] | undefined) ?? config.log.format,
    },
    http: {
      ...config.http,
      ...(options.flag('no-http') ? { enabled: false } : {}),
      // Without a choice of its own the API follows the WebSocket port, also when that is any free one.
      port: httpPort ?? (config.listeners === undefined ? (wsPort ?? config.http.port) : config.http.port),
    },
  };
  return withAbsolutePaths(changed, process.cwd());
}

const schemes = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss', unix: 'unix' } as const;

/** One line with every address, and below it how to open the server to others. The log goes to the standard error. */
function announce(server: Server, stdout: Writable): void {
  const addresses = server.listeners.flatMap(({ listener, addresses: open }) =>
    open.map(({ text }) => `${schemes[listener.type]}://${text}${webSocketPath(listener)}`),
  );
  const { config, httpUrl } = server;
  const data = config.store.type === 'sqlite' ? config.data : 'memory';
  server.log.log('info', 'ready', { version: server.version, addresses, api: httpUrl, data });
  if (config.log.to.includes('stdout')) return;
  const lines = [`TobyMQ ${server.version} is ready: ${addresses.join('  ')}`];
  if (httpUrl !== undefined) {
    const token = data === 'memory' ? server.apiToken : `in ${config.data}/api-token`;
    lines.push(
      `HTTP API and metrics: ${httpUrl} (token ${config.http.token === undefined ? token : 'as configured'})`,
    );
  }
  if (server.listeners.every(({ listener }) => listener.type === 'unix' || isLoopback(listener.host))) {
    lines.push(
      'Only this machine can connect. To open the server to others, give them passwords and a configuration:',
      '  tobymq passwd users.txt NAME',
      "  echo '{listeners: [{host: 0.0.0.0}], authentication: [{type: password-file, file: users.txt}]}' > tobymq.yaml",
      '  tobymq serve -c tobymq.yaml',
    );
  }
  stdout.write(`${lines.join('\n')}\n`);
}

function webSocketPath({ type, path }: NamedListener): string {
  return type === 'ws' || type === 'wss' ? (path === '*' ? '/' : (path ?? '/mqtt')) : '';
}
