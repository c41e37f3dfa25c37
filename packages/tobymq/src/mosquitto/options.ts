// Every option of Mosquitto 2.1's configuration file: where it may stand, what its value is, and what TobyMQ makes of
// it. The parser, `tobymq config check` and docs/reference/mosquitto-conf.md read this table.

export type OptionScope = 'global' | 'listener' | 'security' | 'bridge';
export type OptionType = 'boolean' | 'integer' | 'text' | 'texts' | 'words';
export type Support = 'supported' | 'difference' | 'not supported' | 'ignored';

export interface MosquittoOption {
  readonly name: string;
  /**
   * `global`: for the whole server. `listener`: for the last `listener`. `security`: global, or for the last listener
   * when `per_listener_settings` is true. `bridge`: for the last `connection`.
   */
  readonly scope: OptionScope;
  readonly type: OptionType;
  /** What Mosquitto 2.1 does without it. */
  readonly default: string;
  readonly support: Support;
  /** What is different, or why it does nothing here. */
  readonly note: string;
  readonly min: number;
  readonly max: number;
}

type Row = readonly [
  name: string,
  type: OptionType,
  defaultValue: string,
  support?: Support,
  note?: string,
  bounds?: readonly [number, number],
];

const anyInteger = [0, 2 ** 31 - 1] as const;
const bridges =
  'Bridges come in a later version of TobyMQ. The server does not start with one, instead of leaving it out silently.';
const noPlugins = 'TobyMQ has no plugins of Mosquitto; use its authenticators, rules or extensions.';

const globalRows: readonly Row[] = [
  [
    'allow_duplicate_messages',
    'boolean',
    'true',
    'ignored',
    'A client with overlapping subscriptions gets one copy with all subscription identifiers.',
  ],
  [
    'autosave_interval',
    'integer',
    '1800',
    'difference',
    'TobyMQ stores each message before it acknowledges it; there is nothing to save from time to time.',
    [0, 2 ** 31 - 1],
  ],
  ['autosave_on_changes', 'boolean', 'false', 'difference', 'See autosave_interval.'],
  [
    'check_retain_source',
    'boolean',
    'false',
    'difference',
    'Not needed: what a client may not write is never retained.',
  ],
  ['clientid_prefixes', 'text', '', 'supported'],
  ['connection_messages', 'boolean', 'true'],
  ['enable_control_api', 'boolean', 'false', 'not supported', 'Use the HTTP API.'],
  ['global_max_clients', 'integer', '-1', 'supported', '', [-1, 2 ** 31 - 1]],
  ['global_max_connections', 'integer', '-1', 'supported', '', [-1, 2 ** 31 - 1]],
  ['include_dir', 'text', ''],
  ['log_dest', 'texts', 'stderr', 'difference', '`dlt` and `android` are not available.'],
  ['log_facility', 'integer', '0', 'supported', '', [0, 7]],
  ['log_timestamp', 'boolean', 'true'],
  ['log_timestamp_format', 'text', ''],
  ['log_type', 'texts', 'error, warning, notice, information', 'supported'],
  [
    'max_inflight_bytes',
    'integer',
    '0',
    'difference',
    'The window is counted in messages (max_inflight_messages).',
    [0, 2 ** 31 - 1],
  ],
  ['max_inflight_messages', 'integer', '20', 'supported', '', [0, 65_535]],
  ['max_keepalive', 'integer', '0', 'supported', '', [0, 65_535]],
  ['max_packet_size', 'integer', '2000000', 'supported', '', [20, 268_435_455]],
  ['max_queued_bytes', 'integer', '0'],
  ['max_queued_messages', 'integer', '1000'],
  [
    'memory_limit',
    'integer',
    '0',
    'difference',
    'Bounds the memory of the process, not only the heap of messages; above it new connections are refused.',
  ],
  ['message_size_limit', 'integer', '0'],
  ['per_listener_settings', 'boolean', 'false'],
  [
    'persistence',
    'boolean',
    'false',
    'difference',
    'With true, everything acknowledged is in a database on disk; with false, in memory.',
  ],
  ['retained_persistence', 'boolean', 'false', 'difference', 'Another name of persistence.'],
  [
    'persistence_file',
    'text',
    'mosquitto.db',
    'difference',
    "The file of TobyMQ's store has its own name; Mosquitto's file is neither read nor changed.",
  ],
  ['persistence_location', 'text', '', 'difference', "The folder of TobyMQ's store."],
  ['persistent_client_expiration', 'text', ''],
  ['pid_file', 'text', ''],
  ['queue_qos0_messages', 'boolean', 'false'],
  ['retain_available', 'boolean', 'true'],
  ['retain_expiry_interval', 'integer', '0', 'supported', '', [0, 10_000_000]],
  ['retry_interval', 'integer', '', 'ignored', 'Removed from Mosquitto too.'],
  ['set_tcp_nodelay', 'boolean', 'false'],
  ['sys_interval', 'integer', '10', 'supported', '', [0, 65_535]],
  ['upgrade_outgoing_qos', 'boolean', 'false'],
  ['user', 'text', 'mosquitto', 'difference', 'The account is changed only if the option is set.'],
  ['websockets_headers_size', 'integer', '4096', 'ignored', 'Node bounds the headers at 16 KiB.'],
  ['packet_buffer_size', 'integer', '4096', 'ignored', 'Buffers grow with the packet.'],
  ['websockets_log_level', 'integer', '0', 'ignored', 'Belongs to a library that TobyMQ does not use.'],
  ['plugin_load', 'text', '', 'not supported', noPlugins],
  ['plugin_use', 'text', '', 'not supported', noPlugins],
  ['global_plugin', 'text', '', 'not supported', noPlugins],
];

const securityRows: readonly Row[] = [
  ['allow_anonymous', 'boolean', 'false (true while only this machine can connect)'],
  ['allow_zero_length_clientid', 'boolean', 'true'],
  ['auto_id_prefix', 'text', 'auto-'],
  ['password_file', 'text', ''],
  ['acl_file', 'text', ''],
  ['psk_file', 'text', ''],
  ['plugin', 'texts', '', 'not supported', noPlugins],
  ['auth_plugin', 'texts', '', 'not supported', noPlugins],
  ['auth_plugin_deny_special_chars', 'boolean', 'true', 'ignored', 'Belongs to plugins.'],
];

const listenerRows: readonly Row[] = [
  ['listener', 'words', ''],
  ['port', 'integer', '1883', 'supported', '', [1, 65_535]],
  ['bind_address', 'text', ''],
  ['bind_interface', 'text', ''],
  ['accept_protocol_versions', 'text', '3, 4, 5'],
  ['listener_allow_anonymous', 'boolean', ''],
  ['listener_auto_id_prefix', 'text', 'auto-'],
  ['enable_proxy_protocol', 'integer', '', 'supported', '', [1, 2]],
  ['proxy_protocol_v2_require_tls', 'boolean', 'false'],
  ['http_dir', 'text', ''],
  ['max_connections', 'integer', '-1', 'supported', '', [-1, 2 ** 31 - 1]],
  ['max_qos', 'integer', '2', 'supported', '', [0, 2]],
  ['maximum_qos', 'integer', '2', 'supported', '', [0, 2]],
  ['max_topic_alias', 'integer', '10', 'supported', '', [0, 65_535]],
  ['max_topic_alias_broker', 'integer', '10', 'supported', '', [0, 65_535]],
  ['mount_point', 'text', ''],
  [
    'protocol',
    'text',
    'mqtt',
    'difference',
    '`http_api` is part of the HTTP API of TobyMQ and has another form.',
  ],
  ['socket_domain', 'text', ''],
  ['use_username_as_clientid', 'boolean', 'false'],
  ['websockets_origin', 'texts', ''],
  ['cafile', 'text', ''],
  ['capath', 'text', ''],
  ['certfile', 'text', ''],
  ['keyfile', 'text', ''],
  ['ciphers', 'text', ''],
  ['ciphers_tls1.3', 'text', ''],
  ['crlfile', 'text', ''],
  ['dhparamfile', 'text', '', 'ignored', 'Ignored by Mosquitto too.'],
  ['disable_client_cert_date_checks', 'boolean', 'false'],
  ['require_certificate', 'boolean', 'false'],
  ['tls_engine', 'text', '', 'not supported', 'Node has no key engines.'],
  ['tls_engine_kpass_sha1', 'text', '', 'not supported', 'Node has no key engines.'],
  ['tls_keyform', 'text', 'pem', 'not supported', 'Only `pem`.'],
  ['tls_version', 'text', 'tlsv1.2'],
  ['use_identity_as_username', 'boolean', 'false'],
  ['use_subject_as_username', 'boolean', 'false'],
  ['psk_hint', 'text', ''],
];

const bridgeNames = [
  'connection',
  'address',
  'addresses',
  'topic',
  'bridge_alpn',
  'bridge_attempt_unsubscribe',
  'bridge_bind_address',
  'bridge_cafile',
  'bridge_capath',
  'bridge_certfile',
  'bridge_keyfile',
  'bridge_ciphers',
  'bridge_ciphers_tls1.3',
  'bridge_identity',
  'bridge_psk',
  'bridge_insecure',
  'bridge_max_packet_size',
  'bridge_max_topic_alias',
  'bridge_outgoing_retain',
  'bridge_protocol_version',
  'bridge_receive_maximum',
  'bridge_reload_type',
  'bridge_require_ocsp',
  'bridge_session_expiry_interval',
  'bridge_tcp_keepalive',
  'bridge_tcp_user_timeout',
  'bridge_tls_use_os_certs',
  'bridge_tls_version',
  'cleansession',
  'local_cleansession',
  'clientid',
  'remote_clientid',
  'local_clientid',
  'local_username',
  'local_password',
  'username',
  'remote_username',
  'password',
  'remote_password',
  'keepalive_interval',
  'idle_timeout',
  'notifications',
  'notifications_local_only',
  'notification_topic',
  'restart_timeout',
  'round_robin',
  'start_type',
  'threshold',
  'try_private',
] as const;

function option(scope: OptionScope, row: Row): MosquittoOption {
  const [name, type, defaultValue, support = 'supported', note = '', [min, max] = anyInteger] = row;
  return { name, scope, type, default: defaultValue, support, note, min, max };
}

export const mosquittoOptions: readonly MosquittoOption[] = [
  ...globalRows.map((row) => option('global', row)),
  ...securityRows.map((row) => option('security', row)),
  ...listenerRows.map((row) => option('listener', row)),
  ...bridgeNames.map((name) =>
    option('bridge', [
      name,
      name === 'topic' || name === 'address' ? 'texts' : 'text',
      '',
      'not supported',
      bridges,
    ]),
  ),
];

const byName = new Map(mosquittoOptions.map((entry) => [entry.name, entry]));

/** The option of a name. Options of plugins (`plugin_opt_...`) all have one entry. */
export function findOption(name: string): MosquittoOption | undefined {
  if (name.startsWith('plugin_opt_') || name.startsWith('auth_opt_')) return pluginOption;
  return byName.get(name);
}

const pluginOption = option('security', ['plugin_opt_*', 'texts', '', 'not supported', noPlugins]);
