// `tobymq mosquitto_passwd`: password files in Mosquitto's form, by its flags.
//
//     mosquitto_passwd [-c] FILE USER         asks for the password
//     mosquitto_passwd [-c] -b FILE USER PASSWORD
//     mosquitto_passwd -D FILE USER           deletes a user
//     mosquitto_passwd -U FILE                hashes a file with plain passwords

import { existsSync, readFileSync } from 'node:fs';
import { type HashKind, hashPassword, parsePasswordHash } from '../../auth/password-hash.ts';
import type { CommandContext } from '../../commands/command.ts';
import { replaceFile } from '../../replace-file.ts';
import { MosquittoUsageError } from './errors.ts';

const KINDS: Readonly<Record<string, HashKind>> = {
  argon2id: 'argon2id',
  'sha512-pbkdf2': 'pbkdf2',
  sha512: 'sha512',
};

const USAGE = `Usage: mosquitto_passwd [-H argon2id|sha512-pbkdf2|sha512] [-c | -D] passwordfile username
       mosquitto_passwd [-H hash] [-c] -b passwordfile username password
       mosquitto_passwd [-H hash] -U passwordfile
`;

export async function run(context: CommandContext): Promise<number> {
  try {
    return await change(context);
  } catch (error) {
    if (!(error instanceof MosquittoUsageError)) throw error;
    context.stderr.write(`${error.message}\n`);
    return 1;
  }
}

async function change({ args, stdin, stdout, stderr }: CommandContext): Promise<number> {
  const flags = new Set<string>();
  const words: string[] = [];
  let kind: HashKind | undefined;
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word === '-H') {
      kind = KINDS[args[++i] ?? ''];
      if (kind === undefined) throw new MosquittoUsageError(`Error: Unknown hash type: ${args[i]}.`);
    } else if (/^-[cbDU]$/.test(word)) {
      flags.add(word);
    } else if (word === '--help' || word === '-h') {
      stdout.write(USAGE);
      return 1;
    } else if (word.startsWith('-') && word !== '-') {
      throw new MosquittoUsageError(`Error: Unknown option '${word}'.\n${USAGE}`);
    } else {
      words.push(word);
    }
  }
  const [file, user, password] = words;
  if (file === undefined) throw new MosquittoUsageError(USAGE.trimEnd());
  if (flags.has('-U')) {
    replaceFile(file, await Promise.all(read(file).map((line) => hashLine(line, kind))));
    return 0;
  }
  if (user === undefined) throw new MosquittoUsageError(USAGE.trimEnd());
  if (user.includes(':'))
    throw new MosquittoUsageError("Error: Username must not contain the ':' character.");
  if (flags.has('-D')) {
    const lines = read(file);
    const rest = lines.filter((line) => !line.startsWith(`${user}:`));
    if (rest.length === lines.length)
      throw new MosquittoUsageError(`Error: User ${user} not found in password file.`);
    replaceFile(file, rest);
    return 0;
  }
  const secret = flags.has('-b') ? password : await askPassword(stdin, stderr);
  if (secret === undefined || secret === '') throw new MosquittoUsageError('Error: Empty password.');
  const line = `${user}:${await hashPassword(secret, kind)}`;
  if (file === '-') {
    stdout.write(`${line}\n`);
    return 0;
  }
  const lines = flags.has('-c') ? [] : read(file);
  const index = lines.findIndex((each) => each.startsWith(`${user}:`));
  if (index === -1) lines.push(line);
  else lines[index] = line;
  replaceFile(file, lines);
  return 0;
}

async function hashLine(line: string, kind: HashKind | undefined): Promise<string> {
  const colon = line.indexOf(':');
  const hash = line.slice(colon + 1);
  if (colon < 1 || line.startsWith('#') || parsePasswordHash(hash) !== undefined) return line;
  return `${line.slice(0, colon)}:${await hashPassword(hash, kind)}`;
}

function read(file: string): string[] {
  if (!existsSync(file))
    throw new MosquittoUsageError(
      `Error: Unable to open password file ${file} for reading. No such file or directory.`,
    );
  return readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line !== '');
}

async function askPassword(
  stdin: CommandContext['stdin'],
  stderr: CommandContext['stderr'],
): Promise<string> {
  const { readPassword } = await import('../../commands/passwd.ts');
  return readPassword(stdin, stderr, 'the user');
}
