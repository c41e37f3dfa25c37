// Log lines in the wording of Mosquitto, for the tools and people that read its log. Each event of ours has the kind and
// the words that Mosquitto has for it; events that Mosquitto has no line for are written only if they are faults.

import type { LogFields } from '@tobymq/broker';
import type { LogConfig } from '../config/schema.ts';
import { mosquittoVersion } from '../mosquitto/version.ts';
import type { LogEvent, LogFormat } from './log.ts';
import { printable } from './printable.ts';
import { strftime } from './strftime.ts';

type Kind = NonNullable<LogConfig['types']>[number];

const topics: Readonly<Record<Kind, string>> = {
  error: 'E',
  warning: 'W',
  notice: 'N',
  information: 'I',
  debug: 'D',
  subscribe: 'M/subscribe',
  unsubscribe: 'M/unsubscribe',
  websockets: 'WS',
  internal: 'D',
};

const defaultKinds: readonly Kind[] = ['error', 'warning', 'notice', 'information'];

export function mosquittoFormat({
  types = [...defaultKinds],
  timestamp,
}: Pick<LogConfig, 'types' | 'timestamp'>): LogFormat {
  const wanted: ReadonlySet<Kind> = new Set(types);
  return (event) => {
    const lines = wordingOf(event).filter(({ kind }) => wanted.has(kind));
    return lines.map(({ kind, text }) => ({
      text: `${stamp(timestamp, event.time)}${printable(text)}`,
      topic: topics[kind],
    }));
  };
}

function stamp(timestamp: LogConfig['timestamp'], time: number): string {
  if (timestamp === false) return '';
  return `${timestamp === true ? Math.floor(time / 1000) : strftime(timestamp, time)}: `;
}

interface Wording {
  readonly kind: Kind;
  readonly text: string;
}

const kindOfLevel: Readonly<Record<LogEvent['level'], Kind>> = {
  error: 'error',
  warn: 'warning',
  info: 'information',
  debug: 'debug',
  trace: 'debug',
};

type Words = (fields: LogFields) => Wording | readonly Wording[] | undefined;

const notice = (text: string): Wording => ({ kind: 'notice', text });
const debug = (text: string): Wording => ({ kind: 'debug', text });
const protocolNumbers = new Map<unknown, string>([
  [3, '1'],
  [4, '2'],
  [5, '5'],
]);

const words: Readonly<Record<string, Words>> = {
  'connection-opened': ({ address, port, listenerPort }) =>
    notice(`New connection from ${address}:${port} on port ${listenerPort}.`),
  'client-connected': (fields) => {
    const { clientId, username, address, port, protocolVersion, cleanStart, keepAlive, sessionPresent } =
      fields;
    const user = username === undefined ? '' : `, u'${username}'`;
    const details = `p${protocolNumbers.get(protocolVersion)}, c${cleanStart ? 1 : 0}, k${keepAlive}${user}`;
    return [
      notice(`New client connected from ${address}:${port} as ${clientId} (${details}).`),
      debug(`Sending CONNACK to ${clientId} (${sessionPresent ? 1 : 0}, 0)`),
    ];
  },
  'client-disconnected': disconnected,
  'client-refused': ({ clientId, reasonCode, reason }) => {
    const name = clientId === undefined || clientId === '' ? '<unknown>' : clientId;
    const isRefusal = reasonCode === 0x86 || reasonCode === 0x87;
    return notice(`Client ${name} disconnected${isRefusal ? ', not authorised' : `: ${reason}`}.`);
  },
  'connection-refused': ({ address, reason }) =>
    notice(`Client connection from ${address} denied: ${reason}.`),
  'publish-refused': ({ clientId, topic, qos }) =>
    debug(`Denied PUBLISH from ${clientId} (q${qos}, '${topic}')`),
  'publish-received': ({ clientId, topic, qos, retain, bytes }) =>
    debug(
      `Received PUBLISH from ${clientId} (d0, q${qos}, r${retain ? 1 : 0}, m0, '${topic}', ... (${bytes} bytes))`,
    ),
  subscribed: ({ clientId, filter, qos }) => [
    debug(`Received SUBSCRIBE from ${clientId}`),
    debug(`\t${filter} (QoS ${qos})`),
    { kind: 'subscribe', text: `${clientId} ${qos} ${filter}` },
    debug(`Sending SUBACK to ${clientId}`),
  ],
  unsubscribed: ({ clientId, filter }) => [
    debug(`Received UNSUBSCRIBE from ${clientId}`),
    debug(`\t${filter}`),
    { kind: 'unsubscribe', text: `${clientId} ${filter}` },
    debug(`Sending UNSUBACK to ${clientId}`),
  ],
  'queue-full': ({ clientId }) => notice(`Outgoing messages are being dropped for client ${clientId}.`),
  'message-dropped': () => undefined,
  'messages-dropped': ({ clientId, count, reason }) =>
    notice(`Dropped ${count} messages for client ${clientId}: ${reason}.`),
  'session-ended': ({ clientId, reason }) =>
    reason === 'expired' ? notice(`Expiring client ${clientId} due to timeout.`) : undefined,
  'listener-opened': ({ family, port, path }) =>
    path === undefined
      ? { kind: 'information', text: `Opening ${family} listen socket on port ${port}.` }
      : { kind: 'information', text: `Opening unix listen socket on path ${path}.` },
  'config-problem': ({ message }) => ({ kind: 'warning', text: `Warning: ${message}` }),
  reloading: () => ({ kind: 'information', text: 'Reloading config.' }),
  stopping: () => ({ kind: 'information', text: `mosquitto version ${mosquittoVersion} terminating` }),
  reloaded: () => undefined,
  'subscription-tree': ({ line }) => ({ kind: 'notice', text: String(line) }),
  text: ({ text, kind }) => ({ kind: kind as Kind, text: String(text) }),
};

function disconnected({ clientId, initiator, reasonCode, reason }: LogFields): Wording | readonly Wording[] {
  if (initiator === 'client') {
    return [debug(`Received DISCONNECT from ${clientId}`), notice(`Client ${clientId} disconnected.`)];
  }
  if (initiator === 'network') return notice(`Client ${clientId} closed its connection.`);
  if (reasonCode === 0x8d) return notice(`Client ${clientId} has exceeded timeout, disconnecting.`);
  if (reasonCode === 0x8e) return notice(`Client ${clientId} already connected, closing old connection.`);
  return notice(`Client ${clientId} disconnected: ${reason}.`);
}

function wordingOf({ level, event, fields }: LogEvent): readonly Wording[] {
  const own = words[event];
  if (own) return [own(fields) ?? []].flat();
  if (level !== 'error' && level !== 'warn') return [];
  const { reason, message, error } = fields;
  const why = reason ?? message ?? (error instanceof Error ? error.message : error);
  const prefix = level === 'error' ? 'Error: ' : 'Warning: ';
  const text = `${prefix}${event.replaceAll('-', ' ')}${why === undefined ? '' : `: ${String(why)}`}`;
  return [{ kind: kindOfLevel[level], text }];
}
