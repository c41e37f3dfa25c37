// Every bound of the broker, with its default and the reason for it. All can be changed while the broker runs
// (`broker.configure`), each has a counter in `broker.metrics`, and 0 switches a bound off where this makes sense.

import { optionInvalid } from './errors.ts';
import { type SharedStrategy, sharedStrategies } from './routing/shared-group.ts';

/** What happens to a message for a session whose queue is full. */
export type QueueOverflow = (typeof queueOverflows)[number];

const queueOverflows = [
  /** The oldest waiting message makes room. */
  'drop-oldest',
  /** The new message is not queued, as in Mosquitto. */
  'drop-newest',
  /** The client is disconnected with 0x97 and its session ends. */
  'disconnect',
] as const;

/** The bounds of a broker; `defaultLimits` has all of them. */
export interface Limits {
  /** Open sockets in total; 0 means no bound. Default 100,000: far above what one process serves with comfort. */
  readonly connectionsMax: number;
  /** Open sockets per address; 0 means no bound. Default 0, because thousands of devices may share one address. */
  readonly connectionsPerAddressMax: number;
  /** How long a socket may take to send its whole CONNECT. Default 10,000 ms: slow radio links need some seconds. */
  readonly connectTimeoutMs: number;
  /** The largest CONNECT in bytes. Default 262,144: a Will and a password of the largest size each fit. */
  readonly connectBytesMax: number;
  /** Levels of a topic or filter. Default 200, as in Mosquitto. */
  readonly topicLevelsMax: number;
  /** Bytes of a topic or filter in UTF-8. Default 65,535, the most that MQTT can express. */
  readonly topicBytesMax: number;
  /** Subscriptions per session; 0 means no bound. Default 1,000,000: about 400 MB, one client alone cannot do more. */
  readonly subscriptionsPerClientMax: number;
  /** QoS 1 and 2 messages on their way to a client that announces no lower Receive Maximum. Default 100. */
  readonly inflightMax: number;
  /** Messages that wait for one session. Default 100,000. */
  readonly queueMessagesMax: number;
  /** Bytes of topics, payloads and properties that wait for one session. Default 64 MiB. */
  readonly queueBytesMax: number;
  /** What happens to a message for a session whose queue is full. Default `drop-newest`. */
  readonly queueOverflow: QueueOverflow;
  /** Whether QoS 0 messages wait for persistent sessions that are offline. Default false, as in Mosquitto. */
  readonly queueQoS0: boolean;
  /** Deliver with the subscription's QoS even if that is higher than the message's. Default false, as the standard says. */
  readonly upgradeQoS: boolean;
  /** Messages of a connected persistent session that are kept in memory; the rest waits in the store. Default 200. */
  readonly queueWindowMessages: number;
  /** The same in bytes. Default 1 MiB. */
  readonly queueWindowBytes: number;
  /** Bytes that wait for one slow connection before QoS 0 messages to it are dropped. Default 8 MiB. */
  readonly outboundBytesMax: number;
  /**
   * Bytes that wait for all connections together before each one's bound sinks to a hundredth, so that many slow
   * clients cannot add up. Default 256 MiB.
   */
  readonly outboundTotalBytesMax: number;
  /** Retained messages; 0 means no bound. Default 1,000,000. */
  readonly retainedMessagesMax: number;
  /** Bytes of the topics, payloads and properties of all retained messages; 0 means no bound. Default 1 GiB. */
  readonly retainedBytesMax: number;
  /** Messages a client may publish per second before its socket is slowed down; 0 means no bound. Default 0. */
  readonly publishRateMax: number;
  /** Payload bytes a client may publish per second before its socket is slowed down; 0 means no bound. Default 0. */
  readonly publishBytesRateMax: number;
  /** The longest time that a session is kept without a connection, in seconds. Default: as long as the client asks. */
  readonly sessionExpiryMax: number;
  /** How shared subscriptions choose a member. Default `round-robin`. */
  readonly sharedStrategy: SharedStrategy;
  /**
   * Under load, how long the event loop rests after a turn if that lets it read more at once, see
   * connection/moderation.ts. Default 0, because a program that has the broker inside has other things to do meanwhile;
   * `tobymq serve` takes 0.3 ms.
   */
  readonly moderationMs: number;
  /** How long a socket stays open after our DISCONNECT, so that the client can read it. Default 1,000 ms. */
  readonly lingerMs: number;
}

export const defaultLimits: Limits = {
  connectionsMax: 100_000,
  connectionsPerAddressMax: 0,
  connectTimeoutMs: 10_000,
  connectBytesMax: 262_144,
  topicLevelsMax: 200,
  topicBytesMax: 65_535,
  subscriptionsPerClientMax: 1_000_000,
  inflightMax: 100,
  queueMessagesMax: 100_000,
  queueBytesMax: 64 * 1024 * 1024,
  queueOverflow: 'drop-newest',
  queueQoS0: false,
  upgradeQoS: false,
  queueWindowMessages: 200,
  queueWindowBytes: 1024 * 1024,
  outboundBytesMax: 8 * 1024 * 1024,
  outboundTotalBytesMax: 256 * 1024 * 1024,
  retainedMessagesMax: 1_000_000,
  retainedBytesMax: 1024 * 1024 * 1024,
  publishRateMax: 0,
  publishBytesRateMax: 0,
  sessionExpiryMax: 0xffff_ffff,
  sharedStrategy: 'round-robin',
  moderationMs: 0,
  lingerMs: 1_000,
};

/** The given limits over `base`; refuses what makes no sense, by name and value. */
export function resolveLimits(base: Limits, given: Partial<Limits>): Limits {
  const limits = { ...base };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!(name in base)) throw optionInvalid(`there is no limit "${name}"`);
    const expected = typeof base[name as keyof Limits];
    if (typeof value !== expected || (expected === 'number' && !(Number(value) >= 0))) {
      const kind = expected === 'number' ? 'number of at least 0' : expected;
      throw optionInvalid(`limit ${name} must be a ${kind}, not ${String(value)}`);
    }
    Object.assign(limits, { [name]: value });
  }
  checkOneOf('queueOverflow', limits.queueOverflow, queueOverflows);
  checkOneOf('sharedStrategy', limits.sharedStrategy, sharedStrategies);
  const { queueWindowMessages, inflightMax } = limits;
  // With no window at all nothing would ever be read from the store.
  if (queueWindowMessages < 1) {
    throw optionInvalid(`limit queueWindowMessages must be at least 1, not ${queueWindowMessages}`);
  }
  if (inflightMax < 1 || inflightMax > 65_535) {
    throw optionInvalid(`limit inflightMax must be 1 to 65535, not ${inflightMax}`);
  }
  return limits;
}

function checkOneOf(name: keyof Limits, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw optionInvalid(`limit ${name} must be one of ${allowed.join(', ')}`);
}
