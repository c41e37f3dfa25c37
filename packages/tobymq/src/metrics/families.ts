// The table of all metrics: name, kind, meaning, and where the value is read. The page that Prometheus scrapes and
// docs/reference/metrics.md are both made from it.

import type { Broker } from '@tobymq/broker';
import type { ServerGauges } from './gauges.ts';

type Kind = 'counter' | 'gauge' | 'summary';
export type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels?: Labels;
  /** Behind the name: `_sum`, `_count`. */
  readonly suffix?: string;
  readonly value: number;
}

export interface MetricFamily {
  readonly name: string;
  readonly kind: Kind;
  readonly help: string;
  /** The labels that its samples have. */
  readonly labels?: readonly string[];
  read(broker: Broker, gauges: ServerGauges): readonly Sample[] | number;
}

const qosLevels = ['0', '1', '2'] as const;

function byKey(label: string, counts: Iterable<readonly [string, number]>): Sample[] {
  return [...counts].map(([key, value]) => ({ labels: { [label]: key }, value }));
}

function byQoS(counts: readonly number[]): Sample[] {
  return qosLevels.map((qos, index) => ({ labels: { qos }, value: counts[index] ?? 0 }));
}

function byReasonCode(counts: ReadonlyMap<number, number>): Sample[] {
  return byKey(
    'reason_code',
    [...counts].map(([code, count]) => [`0x${code.toString(16).padStart(2, '0')}`, count] as const),
  );
}

export const metricFamilies: readonly MetricFamily[] = [
  {
    name: 'tobymq_info',
    kind: 'gauge',
    help: 'Always 1; the version is in the label.',
    labels: ['version'],
    read: (_, { version }) => [{ labels: { version }, value: 1 }],
  },
  {
    name: 'tobymq_start_time_seconds',
    kind: 'gauge',
    help: 'When the server was started.',
    read: ({ metrics }) => metrics.startedAt / 1000,
  },
  {
    name: 'tobymq_connections',
    kind: 'gauge',
    help: 'Clients that are connected.',
    read: ({ metrics }) => metrics.connectionsNow,
  },
  {
    name: 'tobymq_connections_max',
    kind: 'gauge',
    help: 'The most clients that were connected at once.',
    read: ({ metrics }) => metrics.connectionsMaximum,
  },
  {
    name: 'tobymq_connections_accepted_total',
    kind: 'counter',
    help: 'Clients whose CONNECT was accepted.',
    read: ({ metrics }) => metrics.connectionsAccepted,
  },
  {
    name: 'tobymq_connections_refused_total',
    kind: 'counter',
    help: 'Clients whose CONNECT was refused.',
    labels: ['reason_code'],
    read: ({ metrics }) => byReasonCode(metrics.refusedByReasonCode),
  },
  {
    name: 'tobymq_disconnects_total',
    kind: 'counter',
    help: 'Ends of connections by the reason code of the DISCONNECT.',
    labels: ['reason_code'],
    read: ({ metrics }) => byReasonCode(metrics.disconnectsByReasonCode),
  },
  {
    name: 'tobymq_takeovers_total',
    kind: 'counter',
    help: 'Sessions that were taken over by a new connection.',
    read: ({ metrics }) => metrics.takeovers,
  },
  {
    name: 'tobymq_keep_alive_timeouts_total',
    kind: 'counter',
    help: 'Clients that fell silent.',
    read: ({ metrics }) => metrics.keepAliveTimeouts,
  },
  {
    name: 'tobymq_malformed_packets_total',
    kind: 'counter',
    help: 'Packets that could not be decoded.',
    read: ({ metrics }) => metrics.malformedPackets,
  },
  {
    name: 'tobymq_sockets',
    kind: 'gauge',
    help: 'Sockets that are open, also before CONNECT.',
    read: ({ metrics }) => metrics.socketsNow,
  },
  {
    name: 'tobymq_sockets_refused_total',
    kind: 'counter',
    help: 'Connections turned away before CONNECT: by limits and bans, or for a failed TLS, WebSocket or PROXY handshake.',
    read: ({ metrics }) => metrics.socketsRefused,
  },
  {
    name: 'tobymq_listener_connections',
    kind: 'gauge',
    help: 'Clients that are connected, by listener.',
    labels: ['listener'],
    read: (_, { connectionsByListener }) => byKey('listener', connectionsByListener),
  },
  {
    name: 'tobymq_listener_connections_accepted_total',
    kind: 'counter',
    help: 'Clients whose CONNECT was accepted, by listener.',
    labels: ['listener'],
    read: (_, { acceptedByListener }) => byKey('listener', acceptedByListener),
  },
  {
    name: 'tobymq_bans',
    kind: 'gauge',
    help: 'Addresses, clients and users that are banned.',
    read: (_, { bans }) => bans,
  },
  {
    name: 'tobymq_banned_attempts_total',
    kind: 'counter',
    help: 'Connections and logins that bans turned away.',
    read: (_, { refusedByBan }) => refusedByBan,
  },
  {
    name: 'tobymq_requests_refused_total',
    kind: 'counter',
    help: 'Requests that were refused: to the HTTP API, web hooks, sign-ups, and those of bots.',
    labels: ['via', 'status'],
    read: (_, { refusedRequests }) =>
      [...refusedRequests].flatMap(([via, byStatus]) =>
        [...byStatus].map(([status, value]) => ({ labels: { via, status: String(status) }, value })),
      ),
  },
  {
    name: 'tobymq_sessions',
    kind: 'gauge',
    help: 'Sessions, connected or not.',
    read: ({ metrics }) => metrics.sessionsNow,
  },
  {
    name: 'tobymq_sessions_expired_total',
    kind: 'counter',
    help: 'Sessions whose time was over.',
    read: ({ metrics }) => metrics.sessionsExpired,
  },
  {
    name: 'tobymq_subscriptions',
    kind: 'gauge',
    help: 'Subscriptions.',
    labels: ['shared'],
    read: (_, { totals }) => [
      { labels: { shared: 'false' }, value: totals.subscriptions },
      { labels: { shared: 'true' }, value: totals.sharedSubscriptions },
    ],
  },
  {
    name: 'tobymq_subscribes_refused_total',
    kind: 'counter',
    help: 'Topic filters that were refused.',
    read: ({ metrics }) => metrics.subscribeRefused,
  },
  {
    name: 'tobymq_retained_messages',
    kind: 'gauge',
    help: 'Retained messages.',
    read: ({ metrics }) => metrics.retainedNow,
  },
  {
    name: 'tobymq_retained_bytes',
    kind: 'gauge',
    help: 'Bytes of topics, payloads and properties of retained messages.',
    read: ({ metrics }) => metrics.retainedBytesNow,
  },
  {
    name: 'tobymq_queued_messages',
    kind: 'gauge',
    help: 'Messages that wait in the queues of all sessions.',
    read: (_, { totals }) => totals.queuedMessages,
  },
  {
    name: 'tobymq_queued_bytes',
    kind: 'gauge',
    help: 'Bytes of topics, payloads and properties that wait in the queues of all sessions.',
    read: (_, { totals }) => totals.queuedBytes,
  },
  {
    name: 'tobymq_received_bytes_total',
    kind: 'counter',
    help: 'Bytes from clients.',
    read: ({ metrics }) => metrics.bytesReceived,
  },
  {
    name: 'tobymq_sent_bytes_total',
    kind: 'counter',
    help: 'Bytes to clients.',
    read: ({ metrics }) => metrics.bytesSent,
  },
  {
    name: 'tobymq_received_packets_total',
    kind: 'counter',
    help: 'Control packets from clients.',
    read: ({ metrics }) => metrics.packetsReceived,
  },
  {
    name: 'tobymq_sent_packets_total',
    kind: 'counter',
    help: 'Control packets to clients.',
    read: ({ metrics }) => metrics.packetsSent,
  },
  {
    name: 'tobymq_publish_received_total',
    kind: 'counter',
    help: 'Messages from clients.',
    labels: ['qos'],
    read: ({ metrics }) => byQoS(metrics.publishReceivedByQoS),
  },
  {
    name: 'tobymq_publish_sent_total',
    kind: 'counter',
    help: 'Messages to clients.',
    labels: ['qos'],
    read: ({ metrics }) => byQoS(metrics.publishSentByQoS),
  },
  {
    name: 'tobymq_publish_received_bytes_total',
    kind: 'counter',
    help: 'Payload bytes from clients.',
    read: ({ metrics }) => metrics.publishBytesReceived,
  },
  {
    name: 'tobymq_publish_sent_bytes_total',
    kind: 'counter',
    help: 'Payload bytes to clients.',
    read: ({ metrics }) => metrics.publishBytesSent,
  },
  {
    name: 'tobymq_publish_unmatched_total',
    kind: 'counter',
    help: 'Messages that nobody had subscribed to.',
    read: ({ metrics }) => metrics.publishUnmatched,
  },
  {
    name: 'tobymq_publish_not_authorized_total',
    kind: 'counter',
    help: 'Messages that rules refused.',
    read: ({ metrics }) => metrics.publishRefusedNotAuthorized,
  },
  {
    name: 'tobymq_dropped_messages_total',
    kind: 'counter',
    help: 'Messages that were not delivered, by reason.',
    labels: ['reason'],
    read: ({ metrics }) => byKey('reason', Object.entries(metrics.dropped)),
  },
  {
    name: 'tobymq_publishers_paused',
    kind: 'gauge',
    help: 'Clients that are slowed down now.',
    read: ({ metrics }) => metrics.publishersPausedNow,
  },
  {
    name: 'tobymq_rate_limited_total',
    kind: 'counter',
    help: 'Times that a client was slowed down by a rate limit.',
    read: ({ metrics }) => metrics.rateLimited,
  },
  {
    name: 'tobymq_extension_failures_total',
    kind: 'counter',
    help: 'Extensions that failed to answer.',
    read: ({ metrics }) => metrics.extensionFailures,
  },
  {
    name: 'tobymq_store_commits_total',
    kind: 'counter',
    help: 'Commits of the store.',
    read: ({ metrics }) => metrics.commits,
  },
  {
    name: 'tobymq_store_failures_total',
    kind: 'counter',
    help: 'Commits that failed.',
    read: ({ metrics }) => metrics.storeFailures,
  },
  {
    name: 'tobymq_store_commit_seconds',
    kind: 'summary',
    help: 'How long commits take.',
    labels: ['quantile'],
    read: (_, { commit }) => summary(commit),
  },
  {
    name: 'tobymq_event_loop_delay_seconds',
    kind: 'summary',
    help: 'How late the event loop is.',
    labels: ['quantile'],
    read: (_, { eventLoop }) => summary(eventLoop),
  },
  {
    name: 'tobymq_resident_memory_bytes',
    kind: 'gauge',
    help: 'Memory of the process.',
    read: () => process.memoryUsage.rss(),
  },
  {
    name: 'tobymq_cpu_seconds_total',
    kind: 'counter',
    help: 'CPU time of the process.',
    read: () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
  },
];

/** Seconds at some quantiles, with sum and count. */
export interface Quantiles {
  readonly quantiles: readonly (readonly [string, number])[];
  readonly sum: number;
  readonly count: number;
}

function summary({ quantiles, sum, count }: Quantiles): Sample[] {
  return [
    ...byKey('quantile', quantiles),
    { suffix: '_sum', value: sum },
    { suffix: '_count', value: count },
  ];
}
