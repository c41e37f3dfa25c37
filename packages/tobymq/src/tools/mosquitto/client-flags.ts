// The flags that mosquitto_pub, mosquitto_sub and mosquitto_rr have in common, and what they mean for our client. A flag that
// exists there and cannot be honoured here is refused with the reason, never ignored.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectOptions, QoS } from '@tobymq/client';
import { hostInUrl } from '../connection-options.ts';
import { WAIT_SECONDS_MAX } from '../run-client.ts';
import { MosquittoUsageError } from './errors.ts';

/** Everything that was said on a command line, by the long or only name of the flag. */
export interface Flags {
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  has(name: string): boolean;
}

/** How many words follow a flag; `property` takes three or four. */
type Arity = 0 | 1 | 'property';

interface FlagSpec {
  readonly name: string;
  readonly arity: Arity;
}

const COMMON: Readonly<Record<string, FlagSpec>> = table([
  ['h host', 1],
  ['p port', 1],
  ['L url', 1],
  ['S', 0],
  ['unix', 1],
  ['ws', 0],
  ['proxy', 1],
  ['A', 1],
  ['i id', 1],
  ['I id-prefix', 1],
  ['u username', 1],
  ['P pw', 1],
  ['V protocol-version', 1],
  ['k keepalive', 1],
  ['q qos', 1],
  ['c disable-clean-session', 0],
  ['x session-expiry-interval', 1],
  ['D property', 'property'],
  ['M max-inflight', 1],
  ['nodelay', 0],
  ['o', 1],
  ['d debug', 0],
  ['quiet', 0],
  ['help', 0],
  ['version', 0],
  ['will-topic', 1],
  ['will-payload', 1],
  ['will-qos', 1],
  ['will-retain', 0],
  ['cafile', 1],
  ['capath', 1],
  ['cert', 1],
  ['key', 1],
  ['keyform', 1],
  ['ciphers', 1],
  ['tls-version', 1],
  ['tls-alpn', 1],
  ['tls-engine', 1],
  ['tls-engine-kpass-sha1', 1],
  ['tls-use-os-certs', 0],
  ['tls-keylog', 1],
  ['no-tls', 0],
  ['insecure', 0],
  ['psk', 1],
  ['psk-identity', 1],
]);

const UNSUPPORTED: Readonly<Record<string, string>> = {
  proxy: 'SOCKS proxies are not supported',
  A: 'binding to a local address is not supported',
  S: 'SRV records are not looked up; name the host and port',
  ciphers: 'ciphers are chosen by Node',
  'tls-engine': 'OpenSSL engines are not supported',
  'tls-engine-kpass-sha1': 'OpenSSL engines are not supported',
  'tls-keylog': 'TLS keys are not logged',
  psk: 'pre-shared keys are not supported',
  'psk-identity': 'pre-shared keys are not supported',
};

/** Turns `['h host', 1]` into entries for `-h` and `--host` with the name `host`. */
export function table(rows: readonly (readonly [string, Arity])[]): Readonly<Record<string, FlagSpec>> {
  const found: Record<string, FlagSpec> = {};
  for (const [names, arity] of rows) {
    const words = names.split(' ');
    const name = words.at(-1) as string;
    for (const word of words) found[word.length === 1 ? `-${word}` : `--${word}`] = { name, arity };
  }
  return found;
}

/** Parses a command line with the common flags and those of one program. */
export function parseFlags(args: readonly string[], own: Readonly<Record<string, FlagSpec>>): Flags {
  const specs = { ...COMMON, ...own };
  const values = new Map<string, string[]>();
  const words = expandOptionFiles(args);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const spec = specs[word];
    if (spec === undefined) throw new MosquittoUsageError(`Error: Unknown option '${word}'.`);
    const reason = UNSUPPORTED[spec.name];
    if (reason !== undefined) throw new MosquittoUsageError(`Error: ${word}: ${reason}.`);
    const list = values.get(spec.name) ?? [];
    values.set(spec.name, list);
    if (spec.arity === 0) {
      list.push('');
      continue;
    }
    const count = spec.arity === 'property' ? propertyWords(words, i) : 1;
    const taken = words.slice(i + 1, i + 1 + count);
    if (taken.length < count) {
      throw new MosquittoUsageError(`Error: ${word} argument given but no value specified.`);
    }
    list.push(taken.join('\0'));
    i += count;
  }
  return {
    text: (name) => values.get(name)?.at(-1),
    list: (name) => values.get(name) ?? [],
    has: (name) => values.has(name),
  };
}

/** `-D publish user-property NAME VALUE` has one word more than all others. */
function propertyWords(words: readonly string[], at: number): number {
  return words[at + 2] === 'user-property' ? 4 : 3;
}

/** Replaces `-o FILE` by the options in the file, one `-option value` per line. */
function expandOptionFiles(args: readonly string[]): string[] {
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] !== '-o') {
      words.push(args[i] as string);
      continue;
    }
    const file = args[++i];
    if (file === undefined)
      throw new MosquittoUsageError('Error: -o argument given but no options file specified.');
    for (const line of readText(file, '-o').split(/\r?\n/)) {
      const text = line.trim();
      if (text === '' || text.startsWith('#')) continue;
      const space = text.search(/\s/);
      if (space === -1) words.push(text);
      else words.push(text.slice(0, space), text.slice(space).trim());
    }
  }
  return words;
}

export interface MosquittoConnection {
  readonly url: string;
  readonly options: ConnectOptions;
  readonly version: 3 | 4 | 5;
  /** The topic in `-L`. */
  readonly topic: string | undefined;
}

/** Where and how to connect. */
export function connectionOf(flags: Flags, defaultVersion: 4 | 5): MosquittoConnection {
  const properties = propertiesOf(flags, 'connect');
  const expiry = flags.text('session-expiry-interval') ?? properties.get('session-expiry-interval');
  const version = expiry !== undefined ? 5 : versionOf(flags.text('protocol-version'), defaultVersion);
  const { url, topic } = addressOf(flags);
  const username = flags.text('username') ?? (url.username === '' ? undefined : decoded(url.username));
  const password = flags.text('pw') ?? (url.password === '' ? undefined : decoded(url.password));
  url.username = '';
  url.password = '';
  const clientId = flags.text('id') ?? prefixedId(flags);
  const keepsSession = flags.has('disable-clean-session');
  if (keepsSession && flags.text('id') === undefined && flags.text('id-prefix') === undefined) {
    throw new MosquittoUsageError('Error: You must provide a client id if you are using the -c option.');
  }
  const isNever = expiry === '-1' || expiry === '∞' || expiry === '4294967295';
  const keep =
    isNever || expiry === undefined ? ('forever' as const) : wholeNumber(expiry, '-x', 0, 0xffff_ffff) * 1000;
  const inflight = flags.text('max-inflight');
  return {
    url: url.href,
    topic,
    version,
    options: {
      protocolVersion: version,
      clientId,
      keepAlive: wholeNumber(flags.text('keepalive') ?? '60', '-k', 0, 65_535) * 1000,
      ...(keepsSession || expiry !== undefined ? { session: { keep, startFresh: !keepsSession } } : {}),
      ...(username === undefined && password === undefined
        ? {}
        : {
            credentials: {
              ...(username === undefined ? {} : { username }),
              ...(password === undefined ? {} : { password }),
            },
          }),
      ...(inflight === undefined ? {} : { sendMaximum: wholeNumber(inflight, '-M', 1, 65_535) }),
      ...tlsOf(flags, url),
      ...willOf(flags),
    },
  };
}

function versionOf(text: string | undefined, fallback: 4 | 5): 3 | 4 | 5 {
  switch (text) {
    case undefined:
      return fallback;
    case '5':
    case 'mqttv5':
    case 'mqttv50':
      return 5;
    case '311':
    case 'mqttv311':
      return 4;
    case '31':
    case 'mqttv31':
      return 3;
    default:
      throw new MosquittoUsageError(`Error: Invalid protocol version argument given: ${text}.`);
  }
}

function addressOf(flags: Flags): { url: URL; topic: string | undefined } {
  const address = flags.text('url');
  if (address !== undefined) {
    if (!/^(mqtts?|wss?):\/\//.test(address)) {
      throw new MosquittoUsageError('Error: Unsupported URL scheme; use mqtt:// or mqtts://.');
    }
    if (!URL.canParse(address)) throw new MosquittoUsageError('Error: Invalid URL given.');
    const url = new URL(address);
    const topic = decoded(url.pathname.slice(1));
    url.pathname = '';
    return { url, topic: topic === '' ? undefined : topic };
  }
  const path = flags.text('unix');
  if (path !== undefined) return { url: new URL(`unix:${path}`), topic: undefined };
  const usesTls =
    !flags.has('no-tls') &&
    ['cafile', 'capath', 'cert', 'tls-use-os-certs', 'insecure', 'tls-version', 'tls-alpn'].some((name) =>
      flags.has(name),
    );
  const port = flags.text('port');
  const isSecure = usesTls || (port === '8883' && !flags.has('no-tls'));
  const scheme = flags.has('ws') ? (isSecure ? 'wss' : 'ws') : isSecure ? 'mqtts' : 'mqtt';
  const given = flags.text('host') ?? 'localhost';
  const host = hostInUrl(given);
  if (host === undefined) throw new MosquittoUsageError(`Error: Invalid host given: ${given}.`);
  const url = new URL(`${scheme}://${host}`);
  url.port = String(port === undefined ? (isSecure ? 8883 : 1883) : wholeNumber(port, '-p', 1, 65_535));
  if (flags.has('ws')) url.pathname = '/mqtt';
  return { url, topic: undefined };
}

/** What stands percent-encoded in a URL. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new MosquittoUsageError('Error: Invalid percent-encoding in the URL.');
  }
}

function prefixedId(flags: Flags): string {
  const prefix = flags.text('id-prefix');
  if (prefix !== undefined) return `${prefix}${process.pid}`;
  return `auto-${crypto.randomUUID().slice(0, 18)}`;
}

function tlsOf(flags: Flags, url: URL): Pick<ConnectOptions, 'tls'> {
  if (!/^(mqtts|wss):$/.test(url.protocol)) return {};
  const cafile = flags.text('cafile');
  const capath = flags.text('capath');
  const cert = flags.text('cert');
  const key = flags.text('key');
  const alpn = flags.text('tls-alpn');
  if ((cert === undefined) !== (key === undefined)) {
    throw new MosquittoUsageError('Error: Both certfile and keyfile must be provided if one of them is set.');
  }
  const authorities = [
    ...(cafile === undefined ? [] : [readText(cafile, '--cafile')]),
    ...(capath === undefined
      ? []
      : readdirSync(capath).map((name) => readText(join(capath, name), '--capath'))),
  ];
  return {
    tls: {
      ...(authorities.length === 0 ? {} : { ca: authorities }),
      ...(cert === undefined ? {} : { cert: readText(cert, '--cert') }),
      ...(key === undefined ? {} : { key: readText(key, '--key') }),
      ...(alpn === undefined ? {} : { alpnProtocols: [alpn] }),
      ...(flags.has('insecure') ? { rejectUnauthorized: false } : {}),
    },
  };
}

function willOf(flags: Flags): Pick<ConnectOptions, 'will'> {
  const topic = flags.text('will-topic');
  if (topic === undefined) {
    if (['will-payload', 'will-qos', 'will-retain'].some((name) => flags.has(name))) {
      throw new MosquittoUsageError('Error: Will options given, but no will topic given.');
    }
    return {};
  }
  const properties = propertiesOf(flags, 'will');
  const delay = properties.get('will-delay-interval');
  return {
    will: {
      topic,
      payload: flags.text('will-payload') ?? '',
      qos: qosOf(flags.text('will-qos')),
      retain: flags.has('will-retain'),
      ...(delay === undefined
        ? {}
        : { delay: wholeNumber(delay, '-D will will-delay-interval', 0, 0xffff_ffff) * 1000 }),
    },
  };
}

export function qosOf(text: string | undefined): QoS {
  return wholeNumber(text ?? '0', '-q', 0, 2) as QoS;
}

/** The properties given by `-D COMMAND NAME VALUE`; user properties are in `userPropertiesOf`. */
export function propertiesOf(flags: Flags, command: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const entry of flags.list('property')) {
    const [of, name, value, extra] = entry.split('\0');
    if (of === command && extra === undefined) found.set(name as string, value as string);
  }
  return found;
}

export function userPropertiesOf(flags: Flags, command: string): readonly (readonly [string, string])[] {
  return flags.list('property').flatMap((entry) => {
    const [of, name, key, value] = entry.split('\0');
    return of === command && name === 'user-property' ? [[key as string, value as string] as const] : [];
  });
}

export function wholeNumber(text: string, flag: string, min: number, max: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min && number <= max)) {
    throw new MosquittoUsageError(
      `Error: Invalid value for ${flag} given: ${text}. Expected ${min} to ${max}.`,
    );
  }
  return number;
}

/** `-W` in milliseconds. Scripts say as much as the programs of Mosquitto take when they mean for ever. */
export function timeoutMsOf(flags: Flags): number | undefined {
  const seconds = flags.text('W');
  if (seconds === undefined) return undefined;
  return Math.min(wholeNumber(seconds, '-W', 1, 0x7fff_ffff), WAIT_SECONDS_MAX) * 1000;
}

function readText(file: string, flag: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new MosquittoUsageError(`Error: ${flag} ${file} cannot be read: ${(error as Error).message}.`);
  }
}
