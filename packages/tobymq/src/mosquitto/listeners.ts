// The listeners of a mosquitto.conf: those of `listener` lines, the one that `port` describes, those of `-p`, and what
// Mosquitto opens if there is none: the loopback addresses on port 1883, for everybody.

import type { ConfigInput } from '../config/schema.ts';
import { Block, type Directive, fault, type MosquittoFile } from './parser.ts';
import { securityOf } from './security.ts';
import { tlsOf } from './tls-options.ts';

type ListenerInput = NonNullable<ConfigInput['listeners']>[number];

export interface TranslatedListeners {
  readonly listeners: ListenerInput[];
  readonly localOnly: boolean;
  /** A listener with `protocol http_api`. */
  readonly http: ConfigInput['http'];
}

const defaultPort = 1883;

export function listenersOf(file: MosquittoFile, ports: readonly number[]): TranslatedListeners {
  const { global, defaultListener, listeners } = file;
  const hasDefault = defaultListener.size > 0 && (listeners.length === 0 || defaultListener.has('port'));
  if (listeners.length === 0 && !hasDefault) return localListeners(global, ports);
  const result: ListenerInput[] = [];
  let http: ConfigInput['http'];
  const places = [
    ...(hasDefault ? [defaultPlace(defaultListener, ports)] : []),
    ...listeners.map(({ start, block }) => ({ ...placeOf(start), start, block })),
  ];
  for (const { port, host, path, block, start } of places) {
    if (block.text('protocol') === 'http_api') {
      http = { enabled: true, host: host ?? '*', port };
    } else {
      result.push(listenerOf({ port, host, path }, block, global, start));
    }
  }
  return { listeners: result, localOnly: false, http };
}

/** No listener is configured: loopback only, and anonymous clients may come in unless that was said otherwise. */
function localListeners(global: Block, ports: readonly number[]): TranslatedListeners {
  const listeners = (ports.length > 0 ? ports : [defaultPort]).map(
    (port): ListenerInput => ({
      type: 'tcp',
      host: 'localhost',
      port,
      noDelay: global.boolean('set_tcp_nodelay') ?? false,
      ...securityOf(new Block(), global, undefined, true),
    }),
  );
  return { listeners, localOnly: true, http: undefined };
}

interface Place {
  readonly port: number;
  readonly host: string | undefined;
  readonly path: string | undefined;
}

function defaultPlace(block: Block, ports: readonly number[]) {
  const port = ports[0] ?? block.integer('port') ?? defaultPort;
  return { port, host: block.text('bind_address'), path: undefined, block, start: undefined };
}

/** `listener PORT [ADDRESS]`, or `listener 0 PATH` for a Unix socket. */
function placeOf(start: Directive): Place {
  const [, portText = '', rest] = /^(\S+)(?:\s+(.+))?$/.exec(start.value) as unknown as [
    string,
    string,
    string | undefined,
  ];
  const port = /^\d+$/.test(portText) ? Number(portText) : Number.NaN;
  if (port === 0 && rest !== undefined) return { port, host: undefined, path: rest };
  if (!(port >= 1 && port <= 65_535)) {
    throw fault(
      start,
      `Invalid port value (${portText}). It must be a number from 1 to 65535, or 0 and the path of a Unix socket.`,
    );
  }
  return { port, host: rest, path: undefined };
}

function listenerOf(place: Place, block: Block, global: Block, start: Directive | undefined): ListenerInput {
  const protocol = block.text('protocol') ?? 'mqtt';
  if (protocol !== 'mqtt' && protocol !== 'websockets') {
    throw fault(
      block.directive('protocol') as Directive,
      `Invalid protocol value (${protocol}). It must be mqtt, websockets or http_api.`,
    );
  }
  const tls = tlsOf(block, global);
  const type =
    place.path !== undefined
      ? 'unix'
      : protocol === 'websockets'
        ? tls
          ? 'wss'
          : 'ws'
        : tls
          ? 'tls'
          : 'tcp';
  const maxConnections = block.integer('max_connections') ?? -1;
  const proxy = block.integer('enable_proxy_protocol');
  return {
    type,
    host: hostOf(place, block),
    ...(place.path === undefined ? { port: place.port } : { path: place.path }),
    ...(type === 'ws' || type === 'wss' ? { path: '*', origins: block.texts('websockets_origin') } : {}),
    ...(block.has('http_dir') && (type === 'ws' || type === 'wss')
      ? { httpDir: block.text('http_dir') }
      : {}),
    ...(tls ? { tls } : {}),
    ...(proxy === undefined
      ? {}
      : {
          proxyProtocol: {
            version: proxy === 1 ? ('1' as const) : ('2' as const),
            trusted: ['*'],
            requireTls: block.boolean('proxy_protocol_v2_require_tls') ?? false,
          },
        }),
    noDelay: global.boolean('set_tcp_nodelay') ?? false,
    mountPoint: block.text('mount_point') ?? '',
    usernameAsClientId: block.boolean('use_username_as_clientid') ?? false,
    ...securityOf(block, global, start, false),
    limits: {
      ...(maxConnections > 0 ? { connections: maxConnections } : {}),
      ...(block.has('max_qos') || block.has('maximum_qos')
        ? { maximumQoS: (block.integer('max_qos') ?? block.integer('maximum_qos')) as 0 | 1 | 2 }
        : {}),
      ...(block.has('max_topic_alias') ? { topicAliases: block.integer('max_topic_alias') } : {}),
      ...(block.has('max_topic_alias_broker')
        ? { topicAliasesOut: block.integer('max_topic_alias_broker') }
        : {}),
      ...versionsOf(block),
      ...idsOf(block, global),
    },
  };
}

/** `*` stands for every address of the machine, with and without IPv6. */
function hostOf(place: Place, block: Block): string {
  const device = block.text('bind_interface');
  if (device !== undefined) return `interface:${device}`;
  const domain = block.text('socket_domain');
  if (domain !== undefined && domain !== 'ipv4' && domain !== 'ipv6') {
    throw fault(
      block.directive('socket_domain') as Directive,
      `Invalid socket_domain value (${domain}). It must be ipv4 or ipv6.`,
    );
  }
  if (place.host !== undefined) return place.host;
  return domain === 'ipv4' ? '0.0.0.0' : domain === 'ipv6' ? 'only-ipv6' : '*';
}

const versionNames = new Map([
  ['3', '3.1'],
  ['4', '3.1.1'],
  ['5', '5.0'],
] as const);

function versionsOf(block: Block): { versions?: ('3.1' | '3.1.1' | '5.0')[] } {
  const directive = block.directive('accept_protocol_versions');
  if (!directive) return {};
  const versions = directive.value.split(',').map((text) => {
    const version = versionNames.get(text.trim() as '3' | '4' | '5');
    if (version) return version;
    throw fault(
      directive,
      `Invalid accept_protocol_versions value (${directive.value}). It must be a list of 3, 4 and 5, such as 4,5.`,
    );
  });
  return { versions };
}

function idsOf(block: Block, global: Block): { emptyClientId?: boolean; clientIdPrefix?: string } {
  const empty = block.boolean('allow_zero_length_clientid') ?? global.boolean('allow_zero_length_clientid');
  const prefix =
    block.text('listener_auto_id_prefix') ?? block.text('auto_id_prefix') ?? global.text('auto_id_prefix');
  if (prefix !== undefined && prefix.length > 50) {
    const directive =
      block.directive('listener_auto_id_prefix') ??
      block.directive('auto_id_prefix') ??
      global.directive('auto_id_prefix');
    throw fault(
      directive as Directive,
      `Invalid ${directive?.name} value: at most 50 characters are allowed.`,
    );
  }
  return {
    ...(empty === undefined ? {} : { emptyClientId: empty }),
    ...(prefix === undefined ? {} : { clientIdPrefix: prefix }),
  };
}
