// Every bound of the client with its default and the reason for it. All can be changed by options of `connect()`.

export const defaults = {
  /** Half of it is the ping period, so that timers which a browser holds back by a minute still keep the connection. */
  keepAliveSeconds: 60,
  /** From the start of an attempt to CONNACK. */
  connectTimeoutMs: 20_000,
  /** From a PINGREQ to any sign of life. */
  pingTimeoutMs: 10_000,
  /** Back-off: a random time up to `min * 2^attempt`, at most `max`. */
  reconnectMinMs: 250,
  reconnectMaxMs: 30_000,
  /** A connection that lived this long was a good one: the back-off starts again from its minimum. */
  stableConnectionMs: 5_000,
  /** How long the server keeps the session over a lost connection when the application did not ask for longer. */
  sessionExpirySeconds: 300,
  /** How many QoS 1 and 2 messages the server may have open towards us. */
  receiveMaximum: 1_024,
  /** The largest packet that we accept: 64 MiB. */
  maximumPacketSize: 64 << 20,
  /** How many topics the server may abbreviate towards us. */
  topicAliasMaximum: 64,
  /** How many topics we abbreviate towards the server, if it allows as many. */
  outgoingTopicAliases: 256,
  /**
   * How many of our own QoS 1 and 2 messages are open at once, whatever the server would allow. The packet identifiers
   * above it are for SUBSCRIBE and UNSUBSCRIBE.
   */
  sendMaximum: 60_000,
  /** Messages and bytes that wait for the network. */
  queueMessages: 50_000,
  queueBytes: 64 << 20,
  /** QoS 0 messages that wait for one slow consumer, and those that wait for any consumer. */
  inHand: 10_000,
  /** Time that `close({ drain: true })` grants to unacknowledged messages. */
  drainMs: 10_000,
  /** How long `close()` waits for the transport to be gone, so that DISCONNECT leaves before a process exits. */
  farewellMs: 1_500,
  /** A redirect that leads to a redirect, and so on, ends here. */
  redirects: 8,
} as const;
