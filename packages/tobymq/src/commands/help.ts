// The help texts, made from the command table.

import { type Command, type CommandOption, commandGroups } from './command.ts';

const width = 100;

/** The list of all commands. */
export function overview(commands: readonly Command[]): string {
  const lines = ['TobyMQ: an MQTT server, and tools for MQTT.', '', 'Usage: tobymq COMMAND [OPTIONS]'];
  const column = Math.max(...commands.map((command) => command.name.length)) + 2;
  for (const group of commandGroups) {
    const members = commands.filter((command) => command.group === group);
    if (members.length === 0) continue;
    lines.push('', `${group}:`);
    for (const { name, summary } of members) lines.push(`  ${name.padEnd(column)}${summary}`);
  }
  lines.push('', '"tobymq COMMAND --help" explains a command. "tobymq --version" prints the version.', '');
  return lines.join('\n');
}

/** The commands whose names begin with a word, for `tobymq config --help`. */
export function groupHelp(word: string, commands: readonly Command[]): string {
  const lines = [`Usage: tobymq ${word} COMMAND`, ''];
  for (const { name, summary } of commands) lines.push(`  tobymq ${name.padEnd(18)}${summary}`);
  return `${lines.join('\n')}\n`;
}

/** Everything about one command. */
export function commandHelp(command: Command): string {
  const args = (command.args ?? []).map((arg) => {
    const name = arg.many ? `${arg.name}...` : arg.name;
    return arg.optional ? `[${name}]` : name;
  });
  const options = command.options ?? [];
  const usage = [
    'tobymq',
    command.name,
    ...(options.length > 0 || command.ownParser ? ['[OPTIONS]'] : []),
    ...args,
  ];
  const lines = [command.summary, '', `Usage: ${usage.join(' ')}`];
  if (command.description) lines.push('', ...wrap(command.description, width));
  if (command.examples?.length) {
    lines.push('', 'Examples:');
    for (const example of command.examples) {
      lines.push(`  # ${example.description}`, `  ${example.command}`);
    }
  }
  if (command.args?.length) {
    lines.push('', 'Arguments:', ...table(command.args.map((arg) => [arg.name, arg.description])));
  }
  if (options.length > 0) {
    lines.push('', 'Options:', ...table(options.map((option) => [signature(option), explain(option)])));
  }
  return `${lines.join('\n')}\n`;
}

function signature(option: CommandOption): string {
  const short = option.short ? `-${option.short}, ` : '    ';
  return `${short}--${option.name}${option.value ? ` ${option.value}` : ''}`;
}

function explain(option: CommandOption): string {
  const notes = [
    ...(option.values ? [`one of ${option.values.join(', ')}`] : []),
    ...(option.multiple ? ['may be repeated'] : []),
    ...(option.default === undefined ? [] : [`default: ${option.default}`]),
  ];
  return notes.length > 0 ? `${option.description} (${notes.join('; ')})` : option.description;
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const column = Math.min(34, Math.max(...rows.map(([name]) => name.length)) + 2);
  return rows.flatMap(([name, text]) => {
    const [first = '', ...more] = wrap(text, width - column - 2);
    const head =
      name.length + 2 > column
        ? [`  ${name}`, `  ${' '.repeat(column)}${first}`]
        : [`  ${name.padEnd(column)}${first}`];
    return [...head, ...more.map((line) => `  ${' '.repeat(column)}${line}`)];
  });
}

function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > columns) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}
