// Every bound of the bots layer with its default and the reason for it.

export interface TobyLimits {
  /** User bots on this server. */
  readonly accountsMax: number;
  /** Standard bots of one account. */
  readonly botsPerAccount: number;
  /** Socket bots of one standard bot: they exist only while they are connected, or are about to be. */
  readonly socketsPerBot: number;
  /** Tags that one bot follows. */
  readonly followsPerBot: number;
  /** Tags in one request. */
  readonly tagsPerRequest: number;
  /** Characters of a tag. */
  readonly tagLength: number;
  /** Characters of all bots, tags and sockets that one answer to `info` names: it is written in one go. */
  readonly infoLength: number;
  /** Bytes of a web hook's or a sign-up's body; the same as what most senders of web hooks allow themselves. */
  readonly hookBytes: number;
  /** Messages that one bot may send in a minute; its owner may set less. */
  readonly messagesPerMinute: number;
  /** Sign-ups that one address, or one IPv6 network of 64 bits, may try in an hour. */
  readonly signupsPerHour: number;
  /** Secrets of web hooks that one address may try in an hour: each that is not known to be right costs a slow hash. */
  readonly hookGuessesPerHour: number;
  /** How long a message is kept for an offline bot, in seconds. */
  readonly messageExpiry: number;
  /** How long a socket bot that was created may wait before it connects, in milliseconds; then it is removed. */
  readonly socketWaitMs: number;
  /** How long a connection that takes another one over may wait for its CONNACK, in milliseconds; then the bot has left. */
  readonly takeoverWaitMs: number;
}

export const DEFAULT_TOBY_LIMITS: TobyLimits = {
  accountsMax: 100_000,
  botsPerAccount: 10_000,
  socketsPerBot: 100,
  followsPerBot: 1000,
  tagsPerRequest: 100,
  tagLength: 128,
  infoLength: 8 * 1024 * 1024,
  hookBytes: 1024 * 1024,
  messagesPerMinute: 60_000,
  signupsPerHour: 20,
  hookGuessesPerHour: 600,
  messageExpiry: 7 * 24 * 3600,
  socketWaitMs: 10 * 60 * 1000,
  takeoverWaitMs: 10_000,
};
