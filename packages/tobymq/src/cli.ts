#!/usr/bin/env node
// The entry point of the `tobymq` command: finds the command in the table, parses its options, runs it, and turns
// what went wrong into one line and an exit code. Nothing heavy is imported here.

import { type Command, CommandError, CommandValues, UsageError } from './commands/command.ts';
import { commandHelp, groupHelp, overview } from './commands/help.ts';
import { closest, findCommand, parseCommandLine } from './commands/parse.ts';
import { commands } from './commands/table.ts';
import { endWithoutOutput } from './lost-output.ts';
import { packageVersion } from './version.ts';

const internalError = 70;
const fileFaults = new Set(['EACCES', 'EEXIST', 'EISDIR', 'ENOENT', 'ENOSPC', 'ENOTDIR', 'EPERM', 'EROFS']);

process.stdout.on('error', (error) => {
  // Unless the command looks after it itself: a subscription ends in order, and a server goes on.
  if (process.stdout.listenerCount('error') === 1) endWithoutOutput(error);
});
// Where even errors cannot be told, the exit code has to do.
process.stderr.on('error', () => {});
process.exitCode = await main(process.argv.slice(2));
// After a fault of ours, something may still be open that would keep the process alive for ever.
if (process.exitCode === internalError) process.exit();

async function main(argv: readonly string[]): Promise<number> {
  const [first] = argv;
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
    process.stdout.write(overview(commands));
    return 0;
  }
  if (first === '--version' || first === '-V') {
    process.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  const found = findCommand(commands, argv);
  if (!found) return unknownCommand(argv);
  try {
    return await runCommand(found.command, found.rest);
  } catch (error) {
    return tell(error, found.command);
  }
}

async function runCommand(command: Command, rest: readonly string[]): Promise<number> {
  const streams = { env: process.env, stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
  if (command.ownParser) {
    const run = await command.load();
    return run({ ...streams, options: new CommandValues(), args: rest });
  }
  const { options, args, help } = parseCommandLine(command, rest);
  if (help) {
    process.stdout.write(commandHelp(command));
    return 0;
  }
  const run = await command.load();
  return run({ ...streams, options, args });
}

function unknownCommand(argv: readonly string[]): number {
  const [first = '', second] = argv;
  const members = commands.filter((command) => command.name.startsWith(`${first} `));
  if (members.length > 0) {
    if (second === undefined || second === '--help' || second === '-h') {
      process.stdout.write(groupHelp(first, members));
      return second === undefined ? 2 : 0;
    }
    const names = members.map((command) => command.name.slice(first.length + 1));
    process.stderr.write(
      `tobymq: "${first} ${second}" is not a command; there is ${first} ${names.join(', ')}.\n`,
    );
    return 2;
  }
  const near = closest(first, [...new Set(commands.map((command) => command.name.split(' ')[0] as string))]);
  process.stderr.write(
    `tobymq: "${first}" is not a command${near ? `; did you mean "${near}"?` : '.'} "tobymq --help" lists them all.\n`,
  );
  return 2;
}

function tell(error: unknown, command: Command): number {
  if (error instanceof UsageError) {
    process.stderr.write(`tobymq ${command.name}: ${error.message}\nTry "tobymq ${command.name} --help".\n`);
    return 2;
  }
  if (error instanceof CommandError) {
    process.stderr.write(`tobymq ${command.name}: ${error.message}\n`);
    return error.exitCode;
  }
  if (isFileFault(error)) {
    process.stderr.write(`tobymq ${command.name}: ${error.message}\n`);
    return 1;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return internalError;
}

/** A file or folder that is missing, is there already, or may not be touched: nothing is wrong with the program. */
function isFileFault(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error &&
    'syscall' in error &&
    fileFaults.has(String((error as NodeJS.ErrnoException).code))
  );
}
