// Where log lines go: the standard streams, files, syslog.

import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { LogLevel } from './log.ts';
import { LogFile, type OnLinesLost } from './log-file.ts';

export interface Destination {
  write(line: string, level: LogLevel): void;
  close(): void;
}

/**
 * Opens those that lines are written to; `topic` and `none` are none of these. A file or syslog that took no lines
 * for a while tells `onLinesLost`. Throws {@link ConfigError}.
 */
export function openDestinations(names: readonly string[], onLinesLost: OnLinesLost): Destination[] {
  return names.filter((name) => name !== 'none' && name !== 'topic').map((name) => open(name, onLinesLost));
}

function open(name: string, onLinesLost: OnLinesLost): Destination {
  if (name === 'stderr' || name === 'stdout') return standardStream(name);
  if (/^syslog(:\w+)?$/.test(name)) return new Syslog(name, onLinesLost);
  return new LogFile(name, onLinesLost);
}

const guarded = new Set<string>();

function standardStream(name: 'stderr' | 'stdout'): Destination {
  // Whoever read it may be gone (a terminal that was closed, a parent that has ended): no reason to stop serving.
  if (!guarded.has(name)) process[name].on('error', () => {});
  guarded.add(name);
  return { write: (line) => void process[name].write(`${line}\n`), close: () => {} };
}

const priorities: Readonly<Record<LogLevel, string>> = {
  error: '<3>',
  warn: '<4>',
  info: '<6>',
  debug: '<7>',
  trace: '<7>',
};

/** Bytes that may wait for `logger`: some thousand lines. */
const WAITING_BYTES_MAX = 1024 * 1024;

/**
 * Node has no datagram Unix sockets, so lines go through the program `logger`, which every system has. When it hangs, lines
 * are counted and not kept until it has taken all that waits; then the first one tells how many are missing.
 */
export class Syslog implements Destination {
  readonly #name: string;
  readonly #onLinesLost: OnLinesLost;
  readonly #logger: Writable;
  #lostCount = 0;

  /** The name is `syslog` or `syslog:FACILITY`; the tests bring their own `logger`. */
  constructor(name: string, onLinesLost: OnLinesLost, logger: Writable = startLogger(name)) {
    this.#name = name;
    this.#onLinesLost = onLinesLost;
    this.#logger = logger;
    // Without `logger` the lines go nowhere; that must not end the server.
    logger.on('error', () => {});
  }

  write(line: string, level: LogLevel): void {
    const count = this.#lostCount;
    if (this.#logger.writableLength > (count === 0 ? WAITING_BYTES_MAX : 0)) {
      this.#lostCount++;
      return;
    }
    this.#lostCount = 0;
    if (count > 0) this.#onLinesLost({ file: this.#name, count, reason: 'the program logger took no lines' });
    this.#logger.write(`${priorities[level]}${line}\n`);
  }

  close(): void {
    this.#logger.end();
  }
}

function startLogger(name: string): Writable {
  const [, facility = 'daemon'] = name.split(':');
  const args = ['--tag', 'tobymq', '--prio-prefix', '--priority', `${facility}.info`];
  const logger = spawn('logger', args, { stdio: ['pipe', 'ignore', 'ignore'] });
  logger.on('error', () => {});
  logger.unref();
  return logger.stdin;
}
