// Where log lines go: the standard streams, files, syslog.

import { type ChildProcess, spawn } from 'node:child_process';
import type { LogLevel } from './log.ts';
import { LogFile, type OnLinesLost } from './log-file.ts';

export interface Destination {
  write(line: string, level: LogLevel): void;
  close(): void;
}

/**
 * Opens those that lines are written to; `topic` and `none` are none of these. A file that could not be written for a
 * while tells `onLinesLost`. Throws {@link ConfigError}.
 */
export function openDestinations(names: readonly string[], onLinesLost: OnLinesLost): Destination[] {
  return names.filter((name) => name !== 'none' && name !== 'topic').map((name) => open(name, onLinesLost));
}

function open(name: string, onLinesLost: OnLinesLost): Destination {
  if (name === 'stderr' || name === 'stdout') return standardStream(name);
  if (name === 'syslog') return new Syslog('daemon');
  if (/^syslog:\w+$/.test(name)) return new Syslog(name.slice('syslog:'.length));
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

/** Node has no datagram Unix sockets, so lines go through the program `logger`, which every system has. */
class Syslog implements Destination {
  readonly #logger: ChildProcess;

  constructor(facility: string) {
    this.#logger = spawn('logger', ['--tag', 'tobymq', '--prio-prefix', '--priority', `${facility}.info`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // Without `logger` the lines go nowhere; that must not end the server.
    this.#logger.on('error', () => {});
    this.#logger.stdin?.on('error', () => {});
    this.#logger.unref();
  }

  write(line: string, level: LogLevel): void {
    this.#logger.stdin?.write(`${priorities[level]}${line}\n`);
  }

  close(): void {
    this.#logger.stdin?.end();
  }
}
