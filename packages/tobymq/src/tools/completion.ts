// `tobymq completion bash|zsh|fish`: shell scripts made from the table of commands, so that they know every option there is.

import { type Command, type CommandContext, UsageError } from '../commands/command.ts';
import { ExitCode } from './exit-codes.ts';

export async function run(context: CommandContext): Promise<number> {
  // Loaded here, because the table refers to this file.
  const { commands } = await import('../commands/table.ts');
  const [shell] = context.args;
  const make = shell === undefined ? undefined : SHELLS[shell];
  if (make === undefined) throw new UsageError(`SHELL must be one of ${Object.keys(SHELLS).join(', ')}.`);
  context.stdout.write(make(commands));
  return ExitCode.Success;
}

const SHELLS: Readonly<Record<string, (commands: readonly Command[]) => string>> = { bash, zsh, fish };

function optionWords(command: Command): string {
  const words = (command.options ?? []).map(({ name }) => `--${name}`);
  return [...words, '--help'].join(' ');
}

function firstWords(commands: readonly Command[]): string[] {
  return [...new Set(commands.map(({ name }) => name.split(' ')[0] as string))];
}

function secondWords(commands: readonly Command[], first: string): string[] {
  return commands.flatMap(({ name }) => (name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : []));
}

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) => `    "${command.name}") words="${optionWords(command)}" ;;`);
  const groups = firstWords(commands)
    .filter((first) => secondWords(commands, first).length > 0)
    .map((first) => `    "${first}") words="${secondWords(commands, first).join(' ')}" ;;`);
  return `# Completion of tobymq for bash. Put it into ~/.bashrc: source <(tobymq completion bash)
_tobymq() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${firstWords(commands).join(' ')}" -- "$current"))
    return
  fi
  if [ "$COMP_CWORD" -eq 2 ] && [[ "$current" != -* ]]; then
    case "\${COMP_WORDS[1]}" in
${groups.join('\n')}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    [ \${#COMPREPLY[@]} -gt 0 ] && return
  fi
  case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${cases.filter((line) => /"[^"]+ [^"]+"\)/.test(line)).join('\n')}
    *) case "\${COMP_WORDS[1]}" in
${cases.filter((line) => !/^ {4}"[^"]+ [^"]+"\)/.test(line)).join('\n')}
    esac ;;
  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _tobymq tobymq
`;
}

function zsh(commands: readonly Command[]): string {
  return `#compdef tobymq
# Completion of tobymq for zsh, by way of the one for bash. Put it into ~/.zshrc: source <(tobymq completion zsh)
autoload -U +X bashcompinit && bashcompinit
${bash(commands)}`;
}

function fish(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const lines = [
    '# Completion of tobymq for fish: tobymq completion fish > ~/.config/fish/completions/tobymq.fish',
  ];
  for (const first of firstWords(commands)) {
    const single = commands.find(({ name }) => name === first);
    const summary = single?.summary ?? secondWords(commands, first).join(', ');
    lines.push(`complete -c tobymq -n __fish_use_subcommand -a ${first} -d ${quote(summary)}`);
  }
  for (const command of commands) {
    const [first = '', second] = command.name.split(' ');
    const within = `__fish_seen_subcommand_from ${first}`;
    if (second !== undefined)
      lines.push(`complete -c tobymq -n ${quote(within)} -a ${second} -d ${quote(command.summary)}`);
    const condition = second === undefined ? within : `${within}; and __fish_seen_subcommand_from ${second}`;
    for (const { name, short, value, description } of command.options ?? []) {
      const letter = short === undefined ? '' : ` -s ${short}`;
      lines.push(
        `complete -c tobymq -n ${quote(condition)} -l ${name}${letter}${value === undefined ? '' : ' -r'} -d ${quote(description)}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
