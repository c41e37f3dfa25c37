// Every option of the table: what a mosquitto.conf with it becomes. That each does something is shown here; what it does
// to clients is shown in mosquitto.test.ts and limits.test.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Config } from '../src/config/schema.ts';
import { mosquittoOptions } from '../src/mosquitto/options.ts';
import { translateMosquittoFile } from '../src/mosquitto/to-config.ts';

function translate(text: string): Config {
  const directory = mkdtempSync(join(tmpdir(), 'tobymq-options-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'mosquitto.conf');
  writeFileSync(path, text.replaceAll('DIR', directory));
  return translateMosquittoFile(path, {}).config;
}

/** An option with the line that sets it, what stands before it, and where it shows. */
type Row = readonly [
  option: string,
  line: string,
  read: (config: Config) => unknown,
  expected: unknown,
  before?: string,
];

const listener = 'listener 1884 127.0.0.1\n';
const tls = `${listener}certfile /c\nkeyfile /k\n`;
const first = (config: Config) => config.listeners?.[0];
const lasting = Number.POSITIVE_INFINITY;

const rows: readonly Row[] = [
  ['clientid_prefixes', 'clientid_prefixes lamp', ({ limits }) => limits.clientIdPrefixes, ['lamp']],
  ['connection_messages', 'connection_messages false', ({ log }) => log.connections, false],
  ['global_max_clients', 'global_max_clients 7', ({ limits }) => limits.sessions, 7],
  ['global_max_connections', 'global_max_connections 7', ({ limits }) => limits.connections, 7],
  ['include_dir', 'include_dir DIR/nothing.d', () => undefined, undefined],
  ['log_dest', 'log_dest file /var/log/x.log', ({ log }) => log.to, ['/var/log/x.log']],
  ['log_facility', 'log_facility 3', ({ log }) => log.to, ['syslog:local3'], 'log_dest syslog\n'],
  ['log_timestamp', 'log_timestamp false', ({ log }) => log.timestamp, false],
  ['log_timestamp_format', 'log_timestamp_format %H', ({ log }) => log.timestamp, '%H'],
  ['log_type', 'log_type subscribe', ({ log }) => log.types, ['subscribe']],
  [
    'max_inflight_messages',
    'max_inflight_messages 0',
    ({ limits }) => [limits.inflight, limits.receiveMaximum],
    [65_535, 65_535],
  ],
  ['max_keepalive', 'max_keepalive 0x20', ({ limits }) => limits.keepAlive, 32],
  ['max_packet_size', 'max_packet_size 100', ({ limits }) => limits.packetSize, 100],
  ['max_queued_bytes', 'max_queued_bytes 100', ({ limits }) => limits.queuedBytes, 100],
  ['max_queued_messages', 'max_queued_messages 0', ({ limits }) => limits.queuedMessages, lasting],
  ['memory_limit', 'memory_limit 100', ({ limits }) => limits.memory, 100],
  ['message_size_limit', 'message_size_limit 100', ({ limits }) => limits.payloadSize, 100],
  [
    'per_listener_settings',
    'allow_anonymous true',
    (config) => first(config)?.authentication,
    [{ type: 'anonymous', anyName: true }],
    `per_listener_settings true\n${listener}`,
  ],
  ['persistence', 'persistence true', ({ store }) => store.type, 'sqlite'],
  ['retained_persistence', 'retained_persistence 1', ({ store }) => store.type, 'sqlite'],
  ['persistence_location', 'persistence_location /var/lib/x/', ({ data }) => data, '/var/lib/x/'],
  [
    'persistent_client_expiration',
    'persistent_client_expiration 2m',
    ({ limits }) => limits.sessionExpiry,
    60 * 86_400,
  ],
  ['pid_file', 'pid_file /run/x.pid', ({ pidFile }) => pidFile, '/run/x.pid'],
  ['queue_qos0_messages', 'queue_qos0_messages true', ({ limits }) => limits.queueQoS0, true],
  ['retain_available', 'retain_available false', ({ limits }) => limits.retain, false],
  ['retain_expiry_interval', 'retain_expiry_interval 5', ({ limits }) => limits.retainedExpiry, 300],
  ['set_tcp_nodelay', 'set_tcp_nodelay true', (config) => first(config)?.noDelay, true],
  ['sys_interval', 'sys_interval 0', ({ sys }) => sys.enabled, false],
  ['upgrade_outgoing_qos', 'upgrade_outgoing_qos true', ({ limits }) => limits.upgradeQoS, true],
  ['user', 'user nobody', ({ user }) => user, 'nobody'],
  ['allow_anonymous', 'allow_anonymous false', (config) => first(config)?.authentication, []],
  [
    'allow_zero_length_clientid',
    'allow_zero_length_clientid false',
    (config) => first(config)?.limits.emptyClientId,
    false,
    listener,
  ],
  ['auto_id_prefix', 'auto_id_prefix x-', (config) => first(config)?.limits.clientIdPrefix, 'x-', listener],
  [
    'password_file',
    'password_file /p',
    (config) => first(config)?.authentication,
    [{ type: 'password-file', file: '/p', cache: 300 }],
    listener,
  ],
  ['acl_file', 'acl_file /a', (config) => first(config)?.access?.aclFile, '/a', listener],
  ['psk_file', 'psk_file /s', (config) => first(config)?.tls?.pskFile, '/s', `${listener}psk_hint h\n`],
  ['listener', 'listener 1885 ::1', (config) => [first(config)?.host, first(config)?.port], ['::1', 1885]],
  ['port', 'port 1886', (config) => [first(config)?.host, first(config)?.port], ['*', 1886]],
  ['bind_address', 'bind_address 127.0.0.2', (config) => first(config)?.host, '127.0.0.2', 'port 1886\n'],
  ['bind_interface', 'bind_interface lo', (config) => first(config)?.host, 'interface:lo', listener],
  [
    'accept_protocol_versions',
    'accept_protocol_versions 3,5',
    (config) => first(config)?.limits.versions,
    ['3.1', '5.0'],
    listener,
  ],
  [
    'listener_allow_anonymous',
    'listener_allow_anonymous true',
    (config) => first(config)?.authentication,
    [{ type: 'anonymous', anyName: true }],
    listener,
  ],
  [
    'listener_auto_id_prefix',
    'listener_auto_id_prefix y-',
    (config) => first(config)?.limits.clientIdPrefix,
    'y-',
    listener,
  ],
  [
    'enable_proxy_protocol',
    'enable_proxy_protocol 2',
    (config) => first(config)?.proxyProtocol?.version,
    '2',
    listener,
  ],
  [
    'proxy_protocol_v2_require_tls',
    'proxy_protocol_v2_require_tls true',
    (config) => first(config)?.proxyProtocol?.requireTls,
    true,
    `${listener}enable_proxy_protocol 2\n`,
  ],
  [
    'http_dir',
    'http_dir /www',
    (config) => first(config)?.httpDir,
    '/www',
    `${listener}protocol websockets\n`,
  ],
  ['max_connections', 'max_connections 9', (config) => first(config)?.limits.connections, 9, listener],
  ['max_qos', 'max_qos 1', (config) => first(config)?.limits.maximumQoS, 1, listener],
  ['maximum_qos', 'maximum_qos 0', (config) => first(config)?.limits.maximumQoS, 0, listener],
  ['max_topic_alias', 'max_topic_alias 3', (config) => first(config)?.limits.topicAliases, 3, listener],
  [
    'max_topic_alias_broker',
    'max_topic_alias_broker 4',
    (config) => first(config)?.limits.topicAliasesOut,
    4,
    listener,
  ],
  ['mount_point', 'mount_point m/', (config) => first(config)?.mountPoint, 'm/', listener],
  ['protocol', 'protocol websockets', (config) => first(config)?.type, 'ws', listener],
  ['socket_domain', 'socket_domain ipv6', (config) => first(config)?.host, 'only-ipv6', 'listener 1887\n'],
  [
    'use_username_as_clientid',
    'use_username_as_clientid true',
    (config) => first(config)?.usernameAsClientId,
    true,
    listener,
  ],
  [
    'websockets_origin',
    'websockets_origin http://a',
    (config) => first(config)?.origins,
    ['http://a'],
    `${listener}protocol websockets\n`,
  ],
  ['cafile', 'cafile /ca', (config) => first(config)?.tls?.ca, '/ca', tls],
  ['capath', 'capath /ca.d', (config) => first(config)?.tls?.ca, '/ca.d', tls],
  ['certfile', 'certfile /c', (config) => first(config)?.tls?.cert, '/c', `${listener}keyfile /k\n`],
  ['keyfile', 'keyfile /k', (config) => first(config)?.tls?.key, '/k', `${listener}certfile /c\n`],
  ['ciphers', 'ciphers A:B', (config) => first(config)?.tls?.ciphers, 'A:B', tls],
  ['ciphers_tls1.3', 'ciphers_tls1.3 C', (config) => first(config)?.tls?.ciphers, 'C:A', `${tls}ciphers A\n`],
  ['crlfile', 'crlfile /crl', (config) => first(config)?.tls?.crl, '/crl', tls],
  [
    'disable_client_cert_date_checks',
    'disable_client_cert_date_checks true',
    (config) => first(config)?.tls?.allowExpiredClients,
    true,
    tls,
  ],
  [
    'require_certificate',
    'require_certificate true',
    (config) => first(config)?.tls?.clientCertificates,
    'require',
    `${tls}cafile /ca\n`,
  ],
  ['tls_version', 'tls_version tlsv1.3', (config) => first(config)?.tls?.minVersion, 'TLSv1.3', tls],
  [
    'use_identity_as_username',
    'use_identity_as_username true',
    (config) => first(config)?.authentication,
    [{ type: 'certificate', username: 'common-name' }],
    tls,
  ],
  [
    'use_subject_as_username',
    'use_subject_as_username true',
    (config) => first(config)?.authentication,
    [{ type: 'certificate', username: 'subject' }],
    tls,
  ],
  ['psk_hint', 'psk_hint h', (config) => first(config)?.tls?.pskHint, 'h', `psk_file /s\n${listener}`],
];

/** Its own tests are in mosquitto.test.ts. */
const shownElsewhere = new Set(['include_dir']);

for (const [option, line, read, expected, before = ''] of rows) {
  if (shownElsewhere.has(option)) continue;
  test(`${option}: ${line}`, () => {
    expect(read(translate(`${before}${line}\n`))).toEqual(expected);
    // Without the line it is not so: the row shows the option and not a default.
    expect(read(translate(before.includes(listener) ? listener : ''))).not.toEqual(expected);
  });
}

test('the table of options has a row here for everything that it calls supported', () => {
  const shown = new Set(rows.map(([option]) => option));
  const missing = mosquittoOptions.filter(
    ({ name, support, scope }) => support === 'supported' && scope !== 'bridge' && !shown.has(name),
  );
  expect(missing.map(({ name }) => name)).toEqual([]);
});

test.each(
  mosquittoOptions
    .filter(({ support }) => support === 'ignored' || support === 'difference')
    .map(({ name, note }) => [name, note]),
)('%s says what is different', (_name, note) => {
  expect(note).toMatch(/\w.*\.$/);
});

test('the defaults are those of Mosquitto 2.1', () => {
  const { limits, throttle, store, sys, http } = translate(listener);
  expect(limits).toMatchObject({
    receiveMaximum: 20,
    inflight: 20,
    packetSize: 2_000_000,
    topicAliases: 10,
    topicAliasesOut: 10,
    queuedMessages: 1000,
    queuedBytes: lasting,
    queueFull: 'drop-newest',
    keepAlive: 0,
  });
  expect(throttle.enabled).toBe(false);
  expect(store.type).toBe('memory');
  expect(sys).toMatchObject({ enabled: true, interval: 10 });
  expect(http.enabled).toBe(false);
});
