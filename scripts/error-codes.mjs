// Makes docs/reference/errors.md from the sources: every error code with the sentence that stands above it in its union
// type, or, for codes of single places in the program, with the sentence below. `--check` only compares.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './run.mjs';

const page = join(root, 'docs/reference/errors.md');

/** Codes of the program and its HTTP API that have no union type of their own. */
const program = {
  TOBYMQ_API_FAILED: 'The HTTP API of a running server answered with an error.',
  TOBYMQ_BACKUP_FAILED: 'The backup could not be written.',
  TOBYMQ_BAN_UNKNOWN: 'There is no such ban.',
  TOBYMQ_BOT: 'A command of bots cannot go on: nobody is logged in, or the sign-up was refused.',
  TOBYMQ_CLIENT_UNKNOWN: 'No client with that identifier is connected.',
  TOBYMQ_COMMAND: 'A command that answers requests could not be run, or failed.',
  TOBYMQ_CONFIG_INVALID:
    'The configuration is wrong; each problem names file, line, key and what was expected.',
  TOBYMQ_FILE: 'A file of the tools cannot be read, or others can read it.',
  TOBYMQ_INPUT: 'A line of the input is not what was expected.',
  TOBYMQ_INTERNAL: 'The server could not answer; its log says why.',
  TOBYMQ_INTERRUPTED: 'The question was answered by Ctrl-C.',
  TOBYMQ_NOT_FOUND: 'There is nothing under that name.',
  TOBYMQ_PASSWORD_EMPTY: 'A password must not be empty.',
  TOBYMQ_PASSWORD_MISMATCH: 'The two passwords that were typed are not the same.',
  TOBYMQ_PROFILE: 'There is no such connection profile.',
  TOBYMQ_REQUEST_INVALID: 'A request to the HTTP API is wrong; the answer says where.',
  TOBYMQ_RETAINED_UNKNOWN: 'Nothing is retained on that topic.',
  TOBYMQ_SERVER_NOT_FOUND: 'No running server was found in the data folder.',
  TOBYMQ_SERVER_UNREACHABLE: 'The HTTP API of the server does not answer.',
  TOBYMQ_SESSION_UNKNOWN: 'There is no session of that client.',
  TOBYMQ_TOKEN_INVALID: 'The token of the HTTP API is missing or wrong.',
  TOBYMQ_TOBY_REFUSED: 'The server refused a request of a bot; `status` says how.',
  TOBYMQ_USAGE: 'The command line is wrong; `--help` tells what is expected.',
  TOBYMQ_USER_UNKNOWN: 'The password file has no such user.',
};

/** Names in the sources that look like codes and are environment variables or beginnings of codes. */
const others = /^TOBYMQ_(URL|USERNAME|PASSWORD|CA|PROFILES|BOTS|BOT_SECRET|TOKEN|SEED|STORE_)$/;

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield readFileSync(path, 'utf8');
  }
}

/** Code → the packages that have it, and its sentence. */
function collect() {
  const codes = new Map();
  for (const name of readdirSync(join(root, 'packages'))) {
    if (name === 'testkit') continue;
    for (const text of sources(join(root, 'packages', name, 'src'))) {
      for (const [, code] of text.matchAll(/'(TOBYMQ_[A-Z0-9_]+)'/g)) {
        if (others.test(code)) continue;
        const known = codes.get(code) ?? { packages: new Set(), sentence: program[code] };
        known.packages.add(name);
        codes.set(code, known);
      }
      for (const [, comment, code] of text.matchAll(
        /\/\*\*\s*((?:(?!\*\/)[\s\S])*?)\s*\*\/\s*\n\s*\|\s*'(TOBYMQ_[A-Z0-9_]+)'/g,
      )) {
        const known = codes.get(code);
        if (known !== undefined) known.sentence ??= comment.replaceAll(/\s*\n\s*\*\s*/g, ' ');
      }
    }
  }
  return codes;
}

const codes = collect();
const silent = [...codes].filter(([, { sentence }]) => sentence === undefined).map(([code]) => code);
const rows = [...codes]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(
    ([code, { packages, sentence }]) =>
      `| \`${code}\` | ${sentence ?? ''} | ${[...packages].sort().join(', ')} |\n`,
  );
const text = `# Error codes

<!-- Made from the sources by "node scripts/error-codes.mjs". Do not edit. -->

Errors are instances of a few classes with a stable \`code\`. Programs test the code; the message is for people and may change.
Errors that stand for an answer of the other side carry its \`reasonCode\` as well.

| code | meaning | packages |
| --- | --- | --- |
${rows.join('')}`;

if (silent.length > 0) {
  console.error(`these codes have no sentence: ${silent.join(', ')}`);
  process.exitCode = 1;
} else if (process.argv.includes('--check')) {
  const isCurrent = readFileSync(page, 'utf8') === text;
  if (!isCurrent) console.error('docs/reference/errors.md is not current: node scripts/error-codes.mjs');
  process.exitCode = isCurrent ? 0 : 1;
} else {
  writeFileSync(page, text);
}
