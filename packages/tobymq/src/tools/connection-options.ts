// The options that every tool has to say where the server is and who we are, and the way from them to a connection. What
// is not given on the command line comes from the environment, then from a profile, then from the defaults.

import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import type { ConnectOptions, MessageInput } from '@tobymq/client';
import { type CommandContext, CommandError, type CommandOption, UsageError } from '../commands/command.ts';
import { findProfile, type Profile, profilePath } from './profiles.ts';

export const connectionOptions: readonly CommandOption[] = [
  {
    name: 'url',
    short: 'L',
    value: 'URL',
    description: 'mqtt://, mqtts://, ws://, wss:// or unix: address',
    default: 'mqtt://localhost',
  },
  { name: 'host', short: 'h', value: 'HOST', description: 'The host, instead of a URL' },
  { name: 'port', short: 'p', value: 'PORT', description: 'The port, instead of a URL' },
  {
    name: 'profile',
    value: 'NAME',
    description:
      'Take what is not given here from a profile (made by "tobymq profile save NAME" and these options)',
  },
  { name: 'id', short: 'i', value: 'ID', description: 'The client identifier', default: 'a random one' },
  {
    name: 'username',
    short: 'u',
    value: 'NAME',
    description: 'The user name (or the variable TOBYMQ_USERNAME)',
  },
  {
    name: 'password',
    short: 'P',
    value: 'PASSWORD',
    description: 'The password (better: the variable TOBYMQ_PASSWORD or --password-file)',
  },
  { name: 'password-file', value: 'FILE', description: 'A file whose first line is the password' },
  { name: 'scram', description: 'Prove the password by SCRAM-SHA-256 instead of sending it' },
  {
    name: 'protocol',
    short: 'V',
    value: 'VERSION',
    description: 'The version of MQTT',
    default: '5',
    values: ['5', '3.1.1', '3.1', 'auto'],
  },
  { name: 'keep-alive', short: 'k', value: 'SECONDS', description: 'The keep-alive', default: '60' },
  {
    name: 'session',
    value: 'SECONDS',
    description: 'Keep the session on the server this long, or "forever"',
  },
  { name: 'ca', value: 'FILE', description: 'Certificates of the authorities to trust' },
  { name: 'cert', value: 'FILE', description: 'Our certificate' },
  { name: 'key', value: 'FILE', description: 'The key of our certificate' },
  {
    name: 'server-name',
    value: 'NAME',
    description: 'The name that the certificate of the server must have',
  },
  { name: 'insecure', description: 'Do not check the certificate of the server' },
  { name: 'header', value: 'NAME:VALUE', description: 'A header of the WebSocket handshake', multiple: true },
  {
    name: 'connect-property',
    value: 'NAME=VALUE',
    description: 'A user property of CONNECT',
    multiple: true,
  },
  { name: 'will-topic', value: 'TOPIC', description: 'The topic of the Will' },
  { name: 'will-payload', value: 'TEXT', description: 'The payload of the Will' },
  { name: 'will-qos', value: 'QOS', description: 'The QoS of the Will', values: ['0', '1', '2'] },
  { name: 'will-retain', description: 'Retain the Will' },
  { name: 'will-delay', value: 'SECONDS', description: 'How long the server waits with the Will' },
];

/** Where to connect and how. */
export interface ConnectionSettings {
  readonly url: string;
  readonly options: ConnectOptions;
}

const ENVIRONMENT: Readonly<Record<string, string>> = {
  url: 'TOBYMQ_URL',
  username: 'TOBYMQ_USERNAME',
  password: 'TOBYMQ_PASSWORD',
  profile: 'TOBYMQ_PROFILE',
  ca: 'TOBYMQ_CA',
};

/** Reads the connection options of a command, its environment and its profile. `address` is one given as an argument. */
export async function connectionSettings(
  context: CommandContext,
  address?: string,
): Promise<ConnectionSettings> {
  const name = context.options.text('profile') ?? context.env.TOBYMQ_PROFILE;
  const profile = (await findProfile(profilePath(context.env), name)) ?? {};
  const sources = new Sources(context, profile);
  const url = sources.url(address);
  const protocol = sources.text('protocol') ?? '5';
  const options: Mutable<ConnectOptions> = {
    protocolVersion: protocolVersion(protocol),
    keepAlive: sources.integer('keep-alive', 0, 65_535, 60) * 1000,
  };
  const clientId = sources.text('id');
  if (clientId !== undefined) options.clientId = clientId;
  await addCredentials(sources, options);
  await addTls(sources, url, options);
  addSession(sources, options);
  const will = willOf(sources);
  if (will !== undefined) options.will = will;
  const headers = sources.list('header');
  if (headers.length > 0)
    options.headers = Object.fromEntries(headers.map((header) => pair(header, ':', 'header')));
  const properties = sources.list('connect-property');
  if (properties.length > 0) {
    options.userProperties = properties.map((property) => pair(property, '=', 'connect-property'));
  }
  return { url, options };
}

/** `NAME=VALUE` as a pair. */
export function pair(text: string, separator: string, option: string): readonly [string, string] {
  const at = text.indexOf(separator);
  if (at < 1) throw new UsageError(`--${option} must be NAME${separator}VALUE, but is "${text}".`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Looks an option up on the command line, in the environment and in the profile, in this order. */
class Sources {
  readonly #context: CommandContext;
  readonly #profile: Profile;

  constructor(context: CommandContext, profile: Profile) {
    this.#context = context;
    this.#profile = profile;
  }

  text(name: string): string | undefined {
    const variable = ENVIRONMENT[name];
    const saved = this.#profile[name];
    return (
      this.#context.options.text(name) ??
      (variable === undefined ? undefined : this.#context.env[variable] || undefined) ??
      (typeof saved === 'string' ? saved : undefined)
    );
  }

  flag(name: string): boolean {
    return this.#context.options.flag(name) || this.#profile[name] === true;
  }

  list(name: string): readonly string[] {
    const given = this.#context.options.list(name);
    const saved = this.#profile[name];
    return given.length > 0 ? given : Array.isArray(saved) ? (saved as readonly string[]) : [];
  }

  integer(name: string, min: number, max: number, fallback: number): number {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) {
      throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, but is "${value}".`);
    }
    return number;
  }

  /** A host or port on the command line counts for more than a URL that was given elsewhere. */
  url(address: string | undefined): string {
    const { options } = this.#context;
    const given = address === undefined ? options.text('url') : withScheme(address);
    const host = options.text('host');
    const port = options.integer('port', 1, 65_535);
    if (address !== undefined && options.text('url') !== undefined) {
      throw new UsageError('give the address once: as an argument or as --url.');
    }
    if (given !== undefined && (host !== undefined || port !== undefined)) {
      throw new UsageError('give either --url, or --host and --port.');
    }
    if (given !== undefined) return checkedUrl(given);
    const saved = this.text('url');
    if (host === undefined && port === undefined && saved !== undefined) return checkedUrl(saved);
    const isSecure = ['ca', 'cert', 'insecure'].some(
      (name) => this.text(name) !== undefined || this.flag(name),
    );
    const base = new URL(saved ?? (isSecure ? 'mqtts://localhost' : 'mqtt://localhost'));
    if (host !== undefined) base.hostname = checkedHost(host);
    if (port !== undefined) base.port = String(port);
    return base.href;
  }
}

/** What the options of the command line alone say of where the server is, if they do. */
export function addressOf(context: CommandContext): string | undefined {
  const isGiven = ['url', 'host', 'port'].some((name) => context.options.text(name) !== undefined);
  return isGiven ? new Sources({ ...context, env: {} }, {}).url(undefined) : undefined;
}

function checkedUrl(url: string): string {
  if (URL.canParse(url) && /^(mqtts?|tcp|tls|ssl|wss?|unix):/.test(url)) return url;
  throw new UsageError(`"${url}" is no address such as mqtt://broker.example:1883.`);
}

/** A URL leaves out what is no host instead of refusing it, and the message would go to another server. */
function checkedHost(host: string): string {
  const written = hostInUrl(host);
  if (written !== undefined) return written;
  throw new UsageError(`--host must be a name or an address, without a port, but is "${host}".`);
}

/** How a host stands in a URL; undefined for what is none, such as `broker.example:1884`. */
export function hostInUrl(host: string): string | undefined {
  const written = isIPv6(host) ? `[${host}]` : /^[^/?#@:\\]+$/.test(host) ? host : '';
  return written !== '' && URL.canParse(`mqtt://${written}`) ? written : undefined;
}

/** `broker.example:1884` is understood as `mqtt://broker.example:1884`. */
function withScheme(address: string): string {
  return address.includes(':/') ? address : `mqtt://${address}`;
}

function protocolVersion(text: string): 3 | 4 | 5 | 'auto' {
  switch (text) {
    case '5':
      return 5;
    case '3.1.1':
      return 4;
    case '3.1':
      return 3;
    case 'auto':
      return 'auto';
    default:
      throw new UsageError(`--protocol must be one of 5, 3.1.1, 3.1, auto, but is "${text}".`);
  }
}

async function addCredentials(sources: Sources, options: Mutable<ConnectOptions>): Promise<void> {
  const username = sources.text('username');
  const file = sources.text('password-file');
  const password =
    file === undefined ? sources.text('password') : (await readText(file, 'password-file')).split(/\r?\n/)[0];
  if (sources.flag('scram')) {
    if (username === undefined || password === undefined) {
      throw new UsageError('--scram needs a user name and a password.');
    }
    // Any other version would leave the proof out, and connect without.
    if (options.protocolVersion !== 5) throw new UsageError('--scram needs --protocol 5.');
    const { scramSha256 } = await import('@tobymq/client');
    options.auth = scramSha256({ username, password });
    return;
  }
  if (username !== undefined || password !== undefined) {
    options.credentials = {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    };
  }
}

async function addTls(sources: Sources, url: string, options: Mutable<ConnectOptions>): Promise<void> {
  const [ca, cert, key] = await Promise.all(
    ['ca', 'cert', 'key'].map(async (name) => {
      const file = sources.text(name);
      return file === undefined ? undefined : readText(file, name);
    }),
  );
  const servername = sources.text('server-name');
  const isInsecure = sources.flag('insecure');
  const isAsked =
    ca !== undefined || cert !== undefined || key !== undefined || servername !== undefined || isInsecure;
  if (!isAsked) return;
  if (!/^(mqtts|tls|ssl|wss):/.test(url)) {
    throw new UsageError(`TLS options need an address with TLS, such as mqtts://, but it is ${url}.`);
  }
  options.tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(isInsecure ? { rejectUnauthorized: false } : {}),
  };
}

function addSession(sources: Sources, options: Mutable<ConnectOptions>): void {
  const session = sources.text('session');
  if (session === undefined) return;
  if (options.clientId === undefined)
    throw new UsageError('--session needs --id: the server keeps it under that name.');
  const keep = session === 'forever' ? session : sources.integer('session', 1, 0xffff_fffe, 0) * 1000;
  options.session = { keep };
}

function willOf(sources: Sources): (MessageInput & { delay?: number }) | undefined {
  const topic = sources.text('will-topic');
  if (topic === undefined) return undefined;
  return {
    topic,
    payload: sources.text('will-payload') ?? '',
    qos: sources.integer('will-qos', 0, 2, 0) as 0 | 1 | 2,
    retain: sources.flag('will-retain'),
    delay: sources.integer('will-delay', 0, 0xffff_ffff, 0) * 1000,
  };
}

async function readText(file: string, option: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandError('TOBYMQ_FILE', `--${option} ${file} cannot be read: ${(error as Error).message}`);
  }
}
