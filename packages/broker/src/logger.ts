// What the broker tells the people who run it. The library has no opinion on formats and destinations: it names the
// event and its fields, and the program that embeds it writes the line.

/** How much a log line matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The values that come with an event: client ids, addresses, reasons, numbers. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Takes the broker's log lines.
 *
 * @example
 * const logger: Logger = { log: (level, event, fields) => console.log(level, event, fields) };
 * const broker = await Broker.start({ logger });
 */
export interface Logger {
  /**
   * `event` is one of a fixed set of names such as `client-connected`, `client-refused`, `client-disconnected`,
   * `subscribed`, `message-dropped`, `store-failed`, `extension-failed`.
   */
  log(level: LogLevel, event: string, fields: LogFields): void;
}

/** Writes nothing; the default. */
export const noLogger: Logger = { log: () => {} };
