// The log of the server. Everything that happens arrives here as an event with fields, from the broker and from the
// server itself; a format makes a line of it, and the line goes to each destination.
//
// The level, and the clients whose every event is written, can be changed while the server runs.

import type { LogFields, Logger } from '@tobymq/broker';
import type { LogConfig } from '../config/schema.ts';
import { type Destination, openDestinations } from './destinations.ts';
import { jsonFormat } from './json.ts';
import type { LostLines } from './log-file.ts';
import { mosquittoFormat } from './mosquitto.ts';
import { prettyFormat } from './pretty.ts';

export type LogLevel = LogConfig['level'];

export interface LogEvent {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
  readonly time: number;
}

/** Makes lines of an event: one, several, or none when the format has no line for it. */
export type LogFormat = (event: LogEvent) => readonly LogLine[];

export interface LogLine {
  /** Without the line end. */
  readonly text: string;
  /** Below which topic of `$SYS/broker/log/` it goes: `E`, `W`, `N`, `I`, `D`, `M/subscribe`, `M/unsubscribe`. */
  readonly topic: string;
}

const ranks: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3, trace: 4 };

/** Events of single connections, which `log.connections: false` leaves out. */
const connectionEvents = new Set(['client-connected', 'client-disconnected', 'connection-opened']);

export class Log implements Logger {
  #config: LogConfig;
  #rank: number;
  #clients: ReadonlySet<string>;
  #format: LogFormat;
  #destinations: readonly Destination[];
  /** Lines for the destination `topic`; set once the broker runs. */
  publish: ((topic: string, line: string) => void) | undefined;
  /** Told after {@link Log.adjust}. */
  onAdjusted: (() => void) | undefined;
  #isPublishing = false;

  /** Opens the destinations; throws when a file cannot be written. */
  constructor(config: LogConfig) {
    this.#config = config;
    this.#destinations = openDestinations(config.to, this.#tellLost);
    this.#rank = ranks[config.level];
    this.#clients = new Set(config.clients);
    this.#format = formatOf(config);
  }

  get level(): LogLevel {
    return this.#config.level;
  }

  get clients(): readonly string[] {
    return this.#config.clients;
  }

  /** Somebody wants a line for each message: by level, by client, or as Mosquitto's `log_type debug`. */
  get tracesPublishes(): boolean {
    const { format, types, level } = this.#config;
    return (
      this.#clients.size > 0 ||
      (format === 'mosquitto' ? (types?.includes('debug') ?? false) : level === 'trace')
    );
  }

  /**
   * Opens the destinations of other settings, which may fail, and leaves the rest to `commit()`, which may not. Files are
   * opened anew, so that a rotated log goes on in a new file.
   */
  prepare(config: LogConfig): { commit(): void; abort(): void } {
    const destinations = openDestinations(config.to, this.#tellLost);
    const close = (list: readonly Destination[]): void => {
      for (const destination of list) destination.close();
    };
    return {
      abort: () => close(destinations),
      commit: () => {
        close(this.#destinations);
        this.#destinations = destinations;
        this.#config = config;
        this.#rank = ranks[config.level];
        this.#clients = new Set(config.clients);
        this.#format = formatOf(config);
      },
    };
  }

  /** Changes what is written without touching where. */
  adjust(change: {
    readonly level?: LogLevel | undefined;
    readonly clients?: readonly string[] | undefined;
  }): void {
    const { level = this.#config.level, clients = this.#config.clients } = change;
    this.#config = { ...this.#config, level, clients: [...clients] };
    this.#rank = ranks[level];
    this.#clients = new Set(clients);
    this.onAdjusted?.();
  }

  log(level: LogLevel, event: string, fields: LogFields): void {
    if (!this.#isWanted(level, event, fields)) return;
    for (const line of this.#format({ level, event, fields, time: Date.now() })) {
      for (const destination of this.#destinations) destination.write(line.text, level);
      if (this.#config.to.includes('topic')) this.#publish(line);
    }
  }

  readonly #tellLost = (lost: LostLines): void => this.log('warn', 'log-lines-lost', { ...lost });

  #isWanted(level: LogLevel, event: string, fields: LogFields): boolean {
    // The format of Mosquitto has kinds of its own and decides itself.
    if (this.#config.format !== 'mosquitto' && ranks[level] > this.#rank) {
      return this.#clients.size > 0 && this.#clients.has(fields.clientId as string);
    }
    return this.#config.connections || !connectionEvents.has(event);
  }

  /** To publish a line may itself cause lines; those are not published. */
  #publish({ text, topic }: LogLine): void {
    if (this.#isPublishing) return;
    this.#isPublishing = true;
    try {
      this.publish?.(`$SYS/broker/log/${topic}`, text);
    } finally {
      this.#isPublishing = false;
    }
  }

  /** Writes out what waits. */
  close(): void {
    for (const destination of this.#destinations) destination.close();
    this.#destinations = [];
  }
}

function formatOf(config: LogConfig): LogFormat {
  switch (config.format) {
    case 'json':
      return jsonFormat();
    case 'pretty':
      return prettyFormat(wantsColours(config));
    case 'mosquitto':
      return mosquittoFormat(config);
    case 'auto':
      return process.stderr.isTTY ? prettyFormat(wantsColours(config)) : jsonFormat();
  }
}

function wantsColours({ to }: LogConfig): boolean {
  return (
    process.env.NO_COLOR === undefined &&
    process.stderr.isTTY === true &&
    to.every((name) => name === 'stderr')
  );
}
