// The broker's counters: plain fields, because an increment of a field costs a nanosecond and a labelled counter of a
// library a hundred and more. Whoever exports them (`$SYS`, Prometheus, a dashboard) reads this object.

import type { DropReason } from './extension.ts';

/** Everything that is counted since the start; the fields that end in `Now` go down again. */
export interface Metrics {
  readonly startedAt: number;

  bytesReceived: number;
  bytesSent: number;
  /** Control packets of every type. */
  packetsReceived: number;
  packetsSent: number;
  publishReceived: number;
  publishSent: number;
  publishBytesReceived: number;
  publishBytesSent: number;
  publishReceivedByQoS: [number, number, number];
  publishSentByQoS: [number, number, number];
  /** Messages that no subscription matched. */
  publishUnmatched: number;

  /** Sockets that are open now, also those that have not sent CONNECT. */
  socketsNow: number;
  socketsAccepted: number;
  /** Connections turned away before CONNECT: limits, unwelcome addresses, failed handshakes below MQTT. */
  socketsRefused: number;
  /** Clients connected now. */
  connectionsNow: number;
  connectionsMaximum: number;
  connectionsAccepted: number;
  connectionsRefused: number;
  /** Refused CONNECT packets by reason code. */
  refusedByReasonCode: Map<number, number>;
  /** Ends of connections by the reason code of the DISCONNECT that was sent or received. */
  disconnectsByReasonCode: Map<number, number>;
  takeovers: number;
  keepAliveTimeouts: number;
  malformedPackets: number;

  /** Sessions known now, connected or not. */
  sessionsNow: number;
  sessionsExpired: number;
  retainedNow: number;
  retainedBytesNow: number;

  /** Messages that were not delivered, by reason. */
  dropped: Record<DropReason, number>;
  publishRefusedNotAuthorized: number;
  subscribeRefused: number;
  /** Hooks that threw or rejected. */
  extensionFailures: number;
  storeFailures: number;
  /** Commits of the store, and acknowledgements that waited for one. */
  commits: number;
  gatedAcknowledgements: number;
  /** Connections that are slowed down now: by a rate limit, the store, a full outbox, or a turn that was too long. */
  publishersPausedNow: number;
  rateLimited: number;
}

export function createMetrics(startedAt: number): Metrics {
  return {
    startedAt,
    bytesReceived: 0,
    bytesSent: 0,
    packetsReceived: 0,
    packetsSent: 0,
    publishReceived: 0,
    publishSent: 0,
    publishBytesReceived: 0,
    publishBytesSent: 0,
    publishReceivedByQoS: [0, 0, 0],
    publishSentByQoS: [0, 0, 0],
    publishUnmatched: 0,
    socketsNow: 0,
    socketsAccepted: 0,
    socketsRefused: 0,
    connectionsNow: 0,
    connectionsMaximum: 0,
    connectionsAccepted: 0,
    connectionsRefused: 0,
    refusedByReasonCode: new Map(),
    disconnectsByReasonCode: new Map(),
    takeovers: 0,
    keepAliveTimeouts: 0,
    malformedPackets: 0,
    sessionsNow: 0,
    sessionsExpired: 0,
    retainedNow: 0,
    retainedBytesNow: 0,
    dropped: {
      'queue-full': 0,
      expired: 0,
      'packet-too-large': 0,
      'not-authorized': 0,
      'qos0-offline': 0,
      'slow-consumer': 0,
      'session-ended': 0,
      'retained-limit': 0,
      'store-unavailable': 0,
      hook: 0,
    },
    publishRefusedNotAuthorized: 0,
    subscribeRefused: 0,
    extensionFailures: 0,
    storeFailures: 0,
    commits: 0,
    gatedAcknowledgements: 0,
    publishersPausedNow: 0,
    rateLimited: 0,
  };
}

/** Adds one to a counter by reason code. */
export function countByCode(counter: Map<number, number>, code: number): void {
  counter.set(code, (counter.get(code) ?? 0) + 1);
}
