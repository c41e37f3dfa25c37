// Every bound of the client with its default and the reason for it. Those of `optionDefaults` can be changed by options of
// `connect()`.

/** What counts unless the options say something else. */
export const optionDefaults = {
  /** Half of it is the ping period, so that timers which a browser holds back by a minute still keep the connection. */
  keepAlive: '60 s',
  /** From a PINGREQ to any sign of life. */
  pingTimeout: '10 s',
  /** From the start of an attempt to CONNACK. */
  connectTimeout: '20 s',
  protocolVersion: 5,
  redirects: true,
  /** How many QoS 1 and 2 messages the server may have open towards us. */
  receiveMaximum: 1_024,
  /**
   * How many of our own QoS 1 and 2 messages are open at once, whatever the server would allow. The packet identifiers
   * above it are for SUBSCRIBE and UNSUBSCRIBE.
   */
  sendMaximum: 60_000,
  /** The largest packet that we accept: 64 MiB. */
  maximumPacketSize: 64 << 20,
  /** How many topics the server may abbreviate towards us. */
  topicAliasMaximum: 64,
  requestProblemInformation: true,
  requestResponseInformation: false,
  unclaimed: 'hold',
} as const;

/** What waits for the network. */
export const offlineDefaults = {
  maxMessages: 50_000,
  maxBytes: 64 << 20,
  whenFull: 'reject',
  qos0: true,
} as const;

/** QoS 0 messages that wait for one slow consumer, those that wait for any, and changes of a view that wait for a loop. */
export const inHandMax = 10_000;
/** The same in bytes of payload, those of QoS 1 and 2 among them: 64 MiB, as for what waits for the network. */
export const inHandBytesMax = 64 << 20;

/** Time that `close({ drain: true })` grants to unacknowledged messages. */
export const defaultDrainMs = 10_000;

/** How long the server keeps the session over a lost connection when the application did not ask for longer. */
export const shortSession = '5 min';
/** The same with a session store. */
export const storedSession = '1 day';

/** How many topics we abbreviate towards the server, if it allows as many. */
export const outgoingAliasesMax = 256;

/** Back-off: a random time up to `min * 2^attempt`, at most `max`. */
export const reconnectMinMs = 250;
export const reconnectMaxMs = 30_000;

/** A connection that lived this long was a good one: the back-off starts again from its minimum. */
export const stableConnectionMs = 5_000;

/** A redirect that leads to a redirect, and so on, ends here. */
export const redirectsMax = 8;

/** How long `close()` waits for the transport to be gone, so that DISCONNECT leaves before a process exits. */
export const farewellMs = 1_500;

/** How long the end of the client waits for the session store to write and close. */
export const storeCloseMs = 10_000;
