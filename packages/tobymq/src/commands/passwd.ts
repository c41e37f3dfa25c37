// `tobymq passwd`: adds, changes and removes users of a password file.

import { existsSync, readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { type HashKind, hashPassword } from '../auth/password-hash.ts';
import { makeScramSecret } from '../auth/scram.ts';
import { replaceFile } from '../replace-file.ts';
import { CommandError, type CommandRun, UsageError } from './command.ts';

export const passwd: CommandRun = async ({ args, options, stdin, stdout, stderr }) => {
  const [file = '', name = ''] = args;
  if (name === '' || /[:\r\n]/.test(name))
    throw new UsageError('NAME must not be empty and must not contain a colon.');
  // Such a line would be a comment of the file, and spaces around it are not part of it.
  if (name.startsWith('#') || name !== name.trim())
    throw new UsageError('NAME must not begin with # and have no space around it.');
  const lines = existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];
  const index = lines.findIndex((line) => line.startsWith(`${name}:`));
  if (options.flag('delete')) {
    if (index < 0) throw new CommandError('TOBYMQ_USER_UNKNOWN', `${file} has no user "${name}".`);
    lines.splice(index, 1);
    replaceFile(file, lines);
    stdout.write(`Removed ${name} from ${file}.\n`);
    return 0;
  }
  const password = await readPassword(stdin, stderr, name);
  if (password === '') throw new CommandError('TOBYMQ_PASSWORD_EMPTY', 'The password is empty.');
  const hash = options.flag('scram')
    ? await makeScramSecret(password)
    : await hashPassword(password, kindOf(options.text('hash')));
  const line = `${name}:${hash}`;
  if (index < 0) lines.push(line);
  else lines[index] = line;
  replaceFile(file, lines);
  stdout.write(
    `${index < 0 ? 'Added' : 'Changed'} ${name} in ${file}. "tobymq reload" makes a running server take it.\n`,
  );
  return 0;
};

function kindOf(text: string | undefined): HashKind | undefined {
  return text === 'sha512-pbkdf2' ? 'pbkdf2' : (text as HashKind | undefined);
}

/** On a terminal the password is asked for twice and not shown; otherwise it is the first line of the input. */
export async function readPassword(stdin: Readable, stderr: Writable, name: string): Promise<string> {
  const terminal = stdin as Partial<NodeJS.ReadStream> & Readable;
  if (!terminal.isTTY) {
    let text = '';
    for await (const chunk of stdin) text += String(chunk);
    return (text.split(/\r?\n/)[0] as string).normalize('NFC');
  }
  const first = await askHidden(terminal as NodeJS.ReadStream, stderr, `Password for ${name}: `);
  const second = await askHidden(terminal as NodeJS.ReadStream, stderr, 'Once more: ');
  if (first !== second)
    throw new CommandError('TOBYMQ_PASSWORD_MISMATCH', 'The two passwords are not the same.');
  return first.normalize('NFC');
}

function askHidden(terminal: NodeJS.ReadStream, stderr: Writable, prompt: string): Promise<string> {
  stderr.write(prompt);
  terminal.setRawMode(true);
  terminal.setEncoding('utf8');
  terminal.resume();
  return new Promise((resolve, reject) => {
    let text = '';
    const finish = (): void => {
      terminal.off('data', take);
      terminal.setRawMode(false);
      terminal.pause();
      stderr.write('\n');
    };
    const take = (chunk: string): void => {
      for (const character of chunk) {
        if (character === '\r' || character === '\n') {
          finish();
          resolve(text);
          return;
        }
        if (character === '\u0003') {
          finish();
          reject(new CommandError('TOBYMQ_INTERRUPTED', 'Interrupted; nothing was changed.', 130));
          return;
        }
        text = character === '\u007f' || character === '\b' ? text.slice(0, -1) : text + character;
      }
    };
    terminal.on('data', take);
  });
}
