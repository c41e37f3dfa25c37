// Translates a mosquitto.conf into the configuration of TobyMQ, with the meaning and the defaults that Mosquitto 2.1
// gives it. What cannot be translated is an error if leaving it out would open something or lose something, and a note
// otherwise.

import { dirname, resolve } from 'node:path';
import { ConfigError, type ConfigProblem } from '../config/errors.ts';
import { type Config, type ConfigInput, configSchema } from '../config/schema.ts';
import type { Environment } from '../config/substitute.ts';
import { listenersOf } from './listeners.ts';
import { logOf } from './log-options.ts';
import { Block, fault, type MosquittoFile, readMosquittoFile } from './parser.ts';

/** What Mosquitto's command line adds to the file. */
export interface MosquittoFlags {
  readonly ports: readonly number[];
  readonly verbose: boolean;
  readonly quiet: boolean;
}

export interface Translation {
  readonly config: Config;
  /** Nothing but loopback addresses, because no listener was configured. */
  readonly localOnly: boolean;
  /** What works differently or does nothing. */
  readonly notes: readonly ConfigProblem[];
}

const noFlags: MosquittoFlags = { ports: [], verbose: false, quiet: false };

const defaultPacketSize = 2_000_000;
const defaultInflight = 20;

/** Reads and translates a file. Throws {@link ConfigError}. */
export function translateMosquittoFile(path: string, environment: Environment, flags = noFlags): Translation {
  return translate(readMosquittoFile(path), environment, flags);
}

/** The same without a file: Mosquitto's defaults. */
export function translateMosquittoDefaults(environment: Environment, flags = noFlags): Translation {
  const file = {
    path: undefined,
    global: new Block(),
    defaultListener: new Block(),
    listeners: [],
    bridges: [],
    directives: [],
  };
  return translate(file, environment, flags);
}

function translate(file: MosquittoFile, environment: Environment, flags: MosquittoFlags): Translation {
  const [bridge] = file.bridges;
  if (bridge) {
    throw fault(
      bridge,
      `The bridge "${bridge.value}" cannot be started: TobyMQ has no bridges yet. Remove its section to start without it.`,
    );
  }
  refuseUnsupported(file);
  const { listeners, localOnly, http } = listenersOf(file, flags.ports);
  const { global } = file;
  const folder = file.path === undefined ? process.cwd() : dirname(resolve(file.path));
  const input: ConfigInput = {
    data: environment.MOSQUITTO_PERSISTENCE_LOCATION ?? global.text('persistence_location') ?? process.cwd(),
    store: { type: isPersistent(global) ? 'sqlite' : 'memory' },
    listeners,
    throttle: { enabled: false },
    limits: limitsOf(global),
    log: logOf(global, flags),
    sys: { enabled: global.integer('sys_interval') !== 0, interval: global.integer('sys_interval') || 10 },
    http: http ?? { enabled: false },
    ...(global.has('pid_file') ? { pidFile: global.text('pid_file') } : {}),
    ...(global.has('user') ? { user: global.text('user') } : {}),
  };
  return { config: checked(input, file.path ?? folder), localOnly, notes: notesOf(file) };
}

function checked(input: ConfigInput, path: string): Config {
  const result = configSchema.safeParse(input);
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map((issue) => ({
      file: path,
      line: undefined,
      key: issue.path.map(String).join('.'),
      message: issue.message,
    })),
  );
}

const needed = new Set(['plugin_load', 'plugin_use', 'global_plugin', 'tls_engine', 'tls_engine_kpass_sha1']);

/** Plugins decide who may do what, and engines hold keys: to go on without them is no option. */
function refuseUnsupported(file: MosquittoFile): void {
  for (const directive of file.directives) {
    if (needed.has(directive.name) || (directive.name === 'tls_keyform' && directive.value !== 'pem')) {
      throw fault(directive, `${directive.name} is not supported: ${directive.option.note}`);
    }
  }
}

function isPersistent(global: Block): boolean {
  return global.boolean('persistence') ?? global.boolean('retained_persistence') ?? false;
}

function limitsOf(global: Block): ConfigInput['limits'] {
  const inflight = global.integer('max_inflight_messages') ?? defaultInflight;
  const window = inflight === 0 ? 65_535 : inflight;
  const unlessZero = (name: string, otherwise: number | 'unlimited'): number | 'unlimited' => {
    const value = global.integer(name);
    return value === undefined ? otherwise : value <= 0 ? 'unlimited' : value;
  };
  const expiration = global.directive('persistent_client_expiration');
  const retained = global.integer('retain_expiry_interval') ?? 0;
  const memory = global.integer('memory_limit') ?? 0;
  return {
    connections: unlessZero('global_max_connections', 'unlimited'),
    sessions: unlessZero('global_max_clients', 'unlimited'),
    receiveMaximum: window,
    inflight: window,
    packetSize: global.integer('max_packet_size') ?? defaultPacketSize,
    payloadSize: unlessZero('message_size_limit', 'unlimited'),
    keepAlive: global.integer('max_keepalive') ?? 0,
    topicAliases: 10,
    topicAliasesOut: 10,
    retain: global.boolean('retain_available') ?? true,
    queuedMessages: unlessZero('max_queued_messages', 1000),
    queuedBytes: unlessZero('max_queued_bytes', 'unlimited'),
    queueFull: 'drop-newest',
    queueQoS0: global.boolean('queue_qos0_messages') ?? false,
    upgradeQoS: global.boolean('upgrade_outgoing_qos') ?? false,
    clientIdPrefixes: global.has('clientid_prefixes') ? [global.text('clientid_prefixes') as string] : [],
    ...(expiration ? { sessionExpiry: expirationSeconds(expiration.value, expiration) } : {}),
    ...(retained > 0 ? { retainedExpiry: retained * 60 } : {}),
    ...(memory > 0 ? { memory } : {}),
  };
}

const expirationUnits: Readonly<Record<string, number>> = {
  h: 3600,
  d: 86_400,
  w: 7 * 86_400,
  m: 30 * 86_400,
  y: 365 * 86_400,
};

function expirationSeconds(value: string, at: { file: string; line: number }): number {
  const match = /^(\d+)\s*([hdwmy])$/.exec(value);
  const seconds = match ? Number(match[1]) * (expirationUnits[match[2] as string] as number) : 0;
  if (seconds > 0) return seconds;
  throw fault(
    at,
    `Invalid persistent_client_expiration value (${value}). It must be a number and h, d, w, m or y, such as 14d.`,
  );
}

function notesOf(file: MosquittoFile): ConfigProblem[] {
  return file.directives
    .filter(({ option }) => option.support !== 'supported')
    .map(({ option, name, file: path, line }) => ({
      file: path,
      line,
      key: name,
      message: `${option.support === 'difference' ? 'supported with a difference' : option.support}: ${option.note}`,
    }));
}
