// From the command line to a command with its options, by means of `node:util` parseArgs and the table.

import { parseArgs } from 'node:util';
import { type Command, CommandValues, UsageError } from './command.ts';

/** The command that the first one or two words name, and the arguments that remain. */
export function findCommand(
  commands: readonly Command[],
  argv: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  const pair = commands.find((command) => command.name === `${argv[0]} ${argv[1]}`);
  if (pair) return { command: pair, rest: argv.slice(2) };
  const single = commands.find((command) => command.name === argv[0]);
  return single && { command: single, rest: argv.slice(1) };
}

/** Checks options and arguments against the table; `help` is true when `--help` or `-h` alone was asked for. */
export function parseCommandLine(
  command: Command,
  argv: readonly string[],
): { readonly options: CommandValues; readonly args: readonly string[]; readonly help: boolean } {
  const options = command.options ?? [];
  const takesHost = options.some((option) => option.short === 'h');
  const known: Record<string, { type: 'string' | 'boolean'; short?: string; multiple?: boolean }> = {
    help: takesHost ? { type: 'boolean' } : { type: 'boolean', short: 'h' },
  };
  for (const { name, short, value, multiple } of options) {
    known[name] = {
      type: value === undefined ? 'boolean' : 'string',
      ...(short === undefined ? {} : { short }),
      ...(multiple ? { multiple } : {}),
    };
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...argv], options: known, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(explainParseError(error, command));
  }
  const help = parsed.values.help === true;
  if (!help) {
    checkValues(command, parsed.values);
    checkArguments(command, parsed.positionals);
  }
  const values = new Map(Object.entries(parsed.values) as [string, string | boolean | string[]][]);
  return { options: new CommandValues(values), args: parsed.positionals, help };
}

function explainParseError(error: unknown, command: Command): string {
  const text = error instanceof Error ? error.message : String(error);
  const unknown = /^Unknown option '(.+?)'/.exec(text)?.[1];
  if (unknown === undefined) return text.split('. To specify')[0] as string;
  const names = (command.options ?? []).map((option) => `--${option.name}`);
  const near = closest(unknown, names);
  return `${unknown} is not an option of "tobymq ${command.name}"${near ? `; did you mean ${near}?` : '.'}`;
}

function checkValues(command: Command, values: Readonly<Record<string, unknown>>): void {
  for (const { name, values: allowed } of command.options ?? []) {
    const given = values[name];
    if (allowed && typeof given === 'string' && !allowed.includes(given)) {
      throw new UsageError(`--${name} must be one of ${allowed.join(', ')}, but is "${given}".`);
    }
  }
}

function checkArguments(command: Command, args: readonly string[]): void {
  const wanted = command.args ?? [];
  const missing = wanted[args.length];
  if (missing && !missing.optional) {
    throw new UsageError(`${missing.name} is missing: ${missing.description}`);
  }
  const extra = args[wanted.length];
  if (extra !== undefined && !wanted.at(-1)?.many) {
    throw new UsageError(`"${extra}" is not expected here.`);
  }
}

/** The candidate that differs least from a mistyped word, if it is near enough to be meant. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
