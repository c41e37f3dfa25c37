// The options of MQTT.js and what they become here. What cannot be honoured and would matter is refused by name, so that
// nobody finds out in the field; what has no meaning here is ignored, as the guide lists.

import type { ProtocolVersion, QoS } from '@tobymq/codec';
import { ClientError } from '../errors.ts';
import type { ConnectOptions, SessionOptions, WillOptions } from '../options.ts';
import type { PublishOptions } from '../outgoing-message.ts';
import type { SessionStore } from '../store/session-store.ts';
import type { SubscribeOptions } from '../subscription.ts';
import type { Platform, TlsOptions } from '../transports/transport.ts';
import { type IPublishPacket, type PacketProperties, userPropertyPairs } from './packets.ts';

type Bytes = string | Uint8Array;

/** Called before a message of QoS 1 or 2 is handed over; `done` gets the reason code of the acknowledgement. */
export type AckHandler = (
  topic: string,
  message: Buffer,
  packet: IPublishPacket,
  done: (error: Error | number | null | undefined, code?: number) => void,
) => void;

/** Options of `connect()`, with the names and defaults of MQTT.js. */
export interface IClientOptions {
  protocol?: string;
  host?: string;
  hostname?: string;
  port?: number | string;
  path?: string;
  unixSocket?: boolean;
  servers?: readonly { readonly host: string; readonly port: number; readonly protocol?: string }[];
  defaultProtocol?: string;
  key?: Bytes;
  cert?: Bytes;
  ca?: Bytes | readonly Bytes[];
  pfx?: Bytes;
  passphrase?: string;
  rejectUnauthorized?: boolean;
  servername?: string;
  ALPNProtocols?: readonly string[];
  wsOptions?: { readonly headers?: Readonly<Record<string, string>> };
  transformWsUrl?: (url: string, options: IClientOptions, client: unknown) => string;
  /** 4 (MQTT 3.1.1) unless given. */
  protocolVersion?: ProtocolVersion;
  protocolId?: string;
  clientId?: string;
  clean?: boolean;
  /** In seconds. */
  keepalive?: number;
  username?: string;
  password?: Bytes;
  will?: {
    topic: string;
    payload?: Bytes;
    qos?: QoS;
    retain?: boolean;
    properties?: PacketProperties;
  };
  properties?: PacketProperties;
  authPacket?: { properties?: PacketProperties };
  /** The constant delay between two attempts in milliseconds; 0 ends with the first failure. */
  reconnectPeriod?: number;
  reconnectOnConnackError?: boolean;
  connectTimeout?: number;
  manualConnect?: boolean;
  queueQoSZero?: boolean;
  customHandleAcks?: AckHandler;
  autoUseTopicAlias?: boolean;
  autoAssignTopicAlias?: boolean;
  /** Ours: where open QoS 1 and 2 messages survive the process, in place of the stores of MQTT.js. */
  sessionStore?: SessionStore;
  /** Options that have no meaning here are accepted. */
  [option: string]: unknown;
}

export interface IClientPublishOptions {
  qos?: QoS;
  retain?: boolean;
  /** Ignored: the client sets it where the standard says so. */
  dup?: boolean;
  properties?: PacketProperties;
  cbStorePut?: () => void;
}

export interface IClientSubscribeOptions {
  qos?: QoS;
  nl?: boolean;
  rap?: boolean;
  rh?: number;
  properties?: PacketProperties;
}

const refused: Readonly<Record<string, string>> = {
  socksProxy:
    'proxies are not supported; open the connection yourself with the option `transport` of @tobymq/client',
  createWebsocket: 'it is not supported; use the option `transport` of @tobymq/client',
  incomingStore: 'use the option sessionStore, for example fileStore(folder)',
  outgoingStore: 'use the option sessionStore, for example fileStore(folder)',
};

const defaultPorts: Readonly<Record<string, number>> = {
  mqtt: 1883,
  tcp: 1883,
  mqtts: 8883,
  ssl: 8883,
  tls: 8883,
  ws: 80,
  wss: 443,
};

/** The options of a URL and the given ones, which win. */
export function mergeUrl(url: string | undefined, options: IClientOptions): IClientOptions {
  if (url === undefined) return { ...options };
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new Error('Missing protocol');
  }
  const [protocol = '', isUnix] = parsed.protocol.slice(0, -1).split('+');
  const fromUrl: IClientOptions = {
    protocol,
    ...(parsed.hostname === '' ? {} : { host: parsed.hostname }),
    ...(parsed.port === '' ? {} : { port: Number(parsed.port) }),
    ...(parsed.pathname === '' ? {} : { path: parsed.pathname + parsed.search }),
    ...(isUnix === 'unix' ? { unixSocket: true, path: decoded(parsed.pathname) } : {}),
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
  };
  const clientId = parsed.searchParams.get('clientId');
  return { ...fromUrl, ...(clientId === null ? {} : { clientId }), ...options };
}

/** The path of a file in a URL; one with a plain `%` is taken as it is, as MQTT.js does. */
function decoded(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

function urlsOf(options: IClientOptions): string[] {
  const { protocol = 'mqtt', path = '/' } = options;
  if (options.unixSocket) return [`unix://${path.split('/').map(encodeURIComponent).join('/')}`];
  const servers = options.servers ?? [
    {
      host: options.host ?? options.hostname ?? 'localhost',
      port: Number(options.port ?? defaultPorts[protocol]),
    },
  ];
  return servers.map((server) => {
    const scheme = ('protocol' in server && server.protocol) || options.defaultProtocol || protocol;
    const host = server.host.includes(':') && !server.host.startsWith('[') ? `[${server.host}]` : server.host;
    const tail = scheme === 'ws' || scheme === 'wss' ? path : '';
    return `${scheme}://${host}:${server.port}${tail}`;
  });
}

function check(options: IClientOptions): void {
  for (const [name, why] of Object.entries(refused)) {
    if (options[name] !== undefined && options[name] !== null)
      throw new ClientError('TOBYMQ_OPTION_INVALID', `the option ${name} of MQTT.js: ${why}`);
  }
  if (options.clean === false && !options.clientId) throw new Error('Missing clientId for unclean clients');
  if ((options.cert === undefined) !== (options.key === undefined))
    throw new Error('Missing secure protocol key');
}

/** The options of MQTT.js as ours. */
export function toConnectOptions(
  options: IClientOptions,
  platform: Platform,
  client: unknown,
): ConnectOptions {
  check(options);
  const { properties = {}, reconnectPeriod, transformWsUrl, wsOptions } = options;
  const isFinalOnce = options.reconnectOnConnackError !== true;
  return {
    url: urlsOf(options),
    ...(transformWsUrl === undefined
      ? {}
      : {
          transport: (target) => {
            const text = /^wss?:/.test(target.url.protocol)
              ? transformWsUrl(target.url.href, options, client)
              : target.url.href;
            const url = new URL(text);
            return platform.transports[url.protocol]!({ ...target, url });
          },
        }),
    protocolVersion: options.protocolVersion ?? 4,
    ...(options.clientId ? { clientId: options.clientId } : {}),
    // Programs change them between two attempts.
    credentials: () => ({
      ...(options.username === undefined ? {} : { username: options.username }),
      ...(options.password === undefined ? {} : { password: options.password }),
    }),
    keepAlive: (options.keepalive ?? 60) * 1000,
    connectTimeout: options.connectTimeout ?? 30_000,
    session: sessionOf(options),
    reconnect:
      reconnectPeriod === 0
        ? false
        : {
            ...(reconnectPeriod === undefined
              ? { min: 1000 }
              : { min: reconnectPeriod, max: reconnectPeriod, jitter: 'none' }),
            decide: ({ error, wouldRetry }) =>
              wouldRetry || (!isFinalOnce && error.code === 'TOBYMQ_CONNECT_REFUSED'),
          },
    offline: { qos0: options.queueQoSZero ?? true },
    ...(options.will === undefined ? {} : { will: willOf(options.will) }),
    ...pick(properties, [
      'receiveMaximum',
      'maximumPacketSize',
      'topicAliasMaximum',
      'requestResponseInformation',
      'requestProblemInformation',
    ]),
    ...(properties.userProperties === undefined
      ? {}
      : { userProperties: userPropertyPairs(properties.userProperties)! }),
    tls: tlsOf(options),
    ...(wsOptions?.headers === undefined ? {} : { headers: wsOptions.headers }),
  };
}

function sessionOf(options: IClientOptions): SessionOptions {
  const { clean = true, properties, sessionStore, protocolVersion = 4 } = options;
  const seconds = properties?.sessionExpiryInterval;
  // Before 5.0 a session without Clean Session has no end.
  const ownKeep = clean || protocolVersion === 5 ? undefined : 'forever';
  const keep = seconds === undefined ? ownKeep : seconds === 0xffff_ffff ? 'forever' : seconds * 1000;
  return {
    startFresh: clean && sessionStore === undefined,
    ...(keep === undefined ? {} : { keep }),
    ...(sessionStore === undefined ? {} : { store: sessionStore }),
  };
}

function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]),
  ) as Pick<T, K>;
}

function willOf({
  topic,
  payload = '',
  qos,
  retain,
  properties,
}: NonNullable<IClientOptions['will']>): WillOptions {
  const delay = (properties?.willDelayInterval ?? 0) * 1000;
  return {
    topic,
    payload,
    ...publishOptions({ qos: qos ?? 0, retain: retain ?? false, properties: properties ?? {} }),
    delay,
  };
}

function tlsOf(options: IClientOptions): TlsOptions {
  const { ALPNProtocols } = options;
  return {
    ...(pick(options, [
      'key',
      'cert',
      'ca',
      'pfx',
      'passphrase',
      'rejectUnauthorized',
      'servername',
    ]) as TlsOptions),
    ...(ALPNProtocols === undefined ? {} : { alpnProtocols: ALPNProtocols }),
  };
}

/** The options of a publish as ours. */
export function publishOptions({ qos, retain, properties }: IClientPublishOptions): PublishOptions {
  const expiry = properties?.messageExpiryInterval;
  const format = properties?.payloadFormatIndicator;
  const pairs = userPropertyPairs(properties?.userProperties);
  return {
    ...(qos === undefined ? {} : { qos }),
    ...(retain === undefined ? {} : { retain }),
    ...(expiry === undefined ? {} : { expiry: expiry * 1000 }),
    ...(format === undefined ? {} : { payloadFormat: format ? 'text' : 'bytes' }),
    ...(properties === undefined
      ? {}
      : pick(properties, ['contentType', 'responseTopic', 'correlationData'])),
    ...(pairs === undefined ? {} : { userProperties: pairs }),
  };
}

/** The options of a subscription as ours. */
export function subscribeOptions({ qos, nl, rap, rh }: IClientSubscribeOptions): SubscribeOptions {
  return {
    qos: qos ?? 0,
    ...(nl === undefined ? {} : { noLocal: nl }),
    ...(rap === undefined ? {} : { retainAsPublished: rap }),
    ...(rh === undefined ? {} : { retained: (['always', 'new', 'never'] as const)[rh] ?? 'always' }),
  };
}
