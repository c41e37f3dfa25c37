// What a command of `tobymq` is. One table of these (table.ts) feeds the argument parser, `--help`, the shell
// completion and the reference pages, so that none of them can disagree with another.
//
// A command's code is behind `load()`: `tobymq pub` must not pay for the server's libraries.

import type { Readable, Writable } from 'node:stream';

/** An option of a command. It takes a value if `value` is set, and is a switch otherwise. */
export interface CommandOption {
  /** Without dashes: `ws-port`. */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  /** What stands for the value in the help: `PORT`. */
  readonly value?: string;
  readonly description: string;
  /** Shown in the help. The command itself applies it. */
  readonly default?: string;
  /** May be given more than once. */
  readonly multiple?: boolean;
  /** The only values allowed; also offered by the completion. */
  readonly values?: readonly string[];
}

export interface CommandArgument {
  readonly name: string;
  readonly description: string;
  readonly optional?: boolean;
  /** Takes all the arguments that follow. */
  readonly many?: boolean;
}

export interface CommandExample {
  readonly command: string;
  readonly description: string;
}

/** What a command works with. Tests give their own streams. */
export interface CommandContext {
  /** The options given, by name: a string, a list (`multiple`) or true. */
  readonly options: CommandValues;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Answers with the exit code of the process. */
export type CommandRun = (context: CommandContext) => Promise<number>;

export interface Command {
  /** One word, or two for a group: `config check`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs for the command's own help. */
  readonly description?: string;
  readonly args?: readonly CommandArgument[];
  readonly options?: readonly CommandOption[];
  readonly examples?: readonly CommandExample[];
  /** The command parses its arguments itself (Mosquitto's own flags); it gets all of them in `args`. */
  readonly ownParser?: boolean;
  /** The heading under which the list of commands shows it. */
  readonly group: CommandGroup;
  readonly load: () => Promise<CommandRun>;
}

export const commandGroups = [
  'Server',
  'Administration',
  'Messages',
  'Diagnosis',
  'Bots',
  'Mosquitto',
  'Shell',
] as const;
export type CommandGroup = (typeof commandGroups)[number];

/** The values of a command's options, with the questions that commands ask of them. */
export class CommandValues {
  readonly #values: ReadonlyMap<string, string | boolean | readonly string[]>;

  constructor(values: ReadonlyMap<string, string | boolean | readonly string[]> = new Map()) {
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  list(name: string): readonly string[] {
    const value = this.#values.get(name);
    if (typeof value === 'string') return [value];
    return Array.isArray(value) ? (value as readonly string[]) : [];
  }

  /** A whole number within bounds, or a {@link UsageError} that says what was expected. */
  integer(name: string, min: number, max: number): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) {
      throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, but is "${value}".`);
    }
    return number;
  }
}

/** The command line itself is wrong. It ends with exit code 2 and a hint at `--help`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'TOBYMQ_USAGE';
}

/** A failure that is told in one line, without a stack: a wrong setting, a server that does not answer. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, message: string, exitCode = 1) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}
