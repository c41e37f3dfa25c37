// Writes docs/reference/errors.md: every stable error code and what it means. `node scripts/error-reference.mjs` writes
// the page; a test checks that it is current.
//
// The codes of a library are the members of a union in its errors.ts, each with a comment, which is what the page says.
// Those of the command and of the HTTP API are made where the fault is found, and are described here.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './run.mjs';

const page = join(root, 'docs/reference/errors.md');

const libraries = [
  { name: '@tobymq/codec', folder: 'packages/codec' },
  { name: '@tobymq/client', folder: 'packages/client' },
  { name: '@tobymq/broker', folder: 'packages/broker' },
  { name: '@tobymq/store-sqlite', folder: 'packages/store-sqlite' },
  { name: '@tobymq/toby', folder: 'packages/toby' },
];

const ofTheCommand = {
  TOBYMQ_API_FAILED: "The server's HTTP API answered with an error.",
  TOBYMQ_BACKUP_FAILED: 'The backup could not be written.',
  TOBYMQ_BAN_UNKNOWN: 'There is no such ban.',
  TOBYMQ_BOT: 'The account cannot do what was asked, or its login is missing or wrong.',
  TOBYMQ_CLIENT_UNKNOWN: 'No client with this id is connected.',
  TOBYMQ_COMMAND: 'A program that was to answer a request did not start or failed.',
  TOBYMQ_CONFIG_INVALID:
    'The configuration is wrong; the message names file, line and key, what was expected and found.',
  TOBYMQ_FILE: 'A file of the command cannot be read or written, or others may read what is secret in it.',
  TOBYMQ_INPUT: 'A line of the input is not what the command expects.',
  TOBYMQ_INTERNAL: "A fault of the server's own; its log says more.",
  TOBYMQ_INTERRUPTED: 'The user broke off; nothing was changed.',
  TOBYMQ_NOT_DURABLE: 'The store is in memory, so there is nothing to back up.',
  TOBYMQ_NOT_FOUND: 'The HTTP API has no such path.',
  TOBYMQ_PASSWORD_EMPTY: 'An empty password is not accepted.',
  TOBYMQ_PASSWORD_MISMATCH: 'The password and its repetition differ.',
  TOBYMQ_REQUEST_INVALID: 'A request to the HTTP API is not as its description says.',
  TOBYMQ_RETAINED_UNKNOWN: 'There is no retained message with this topic.',
  TOBYMQ_SERVER_NOT_FOUND: 'No running server was found in the data folder.',
  TOBYMQ_SERVER_UNREACHABLE: 'The HTTP API of the server does not answer.',
  TOBYMQ_SESSION_UNKNOWN: 'There is no session with this client id.',
  TOBYMQ_TOKEN_INVALID: 'The token of the HTTP API is missing or wrong.',
  TOBYMQ_USAGE: 'The command line is wrong; the message says what was expected.',
  TOBYMQ_USER_UNKNOWN: 'The password file has no such user.',
};

// Names of environment variables look like codes.
const variables = new Set(
  ['CA', 'PASSWORD', 'PROFILE', 'TOKEN', 'URL', 'USERNAME'].map((name) => `TOBYMQ_${name}`),
);

function sourcesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourcesBelow(path);
    return /\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

/** Code → meaning, from the unions of a library. */
function codesOf(folder) {
  const codes = new Map();
  for (const path of sourcesBelow(join(root, folder, 'src')).filter((file) => file.endsWith('errors.ts'))) {
    for (const match of readFileSync(path, 'utf8').matchAll(
      /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*\| '(TOBYMQ_\w+)'/g,
    )) {
      codes.set(match[2], match[1].replace(/\s*\n\s*\*?\s*/g, ' ').trim());
    }
  }
  return codes;
}

/** The codes that the sources mention and that the page would not describe. */
export function undescribedCodes() {
  const described = new Set([
    ...libraries.flatMap(({ folder }) => [...codesOf(folder).keys()]),
    ...Object.keys(ofTheCommand),
  ]);
  const used = sourcesBelow(join(root, 'packages'))
    .filter((path) => /[\\/]src[\\/]/.test(path) && !path.includes('node_modules'))
    .flatMap((path) => readFileSync(path, 'utf8').match(/'TOBYMQ_\w*[A-Z0-9]'/g) ?? [])
    .map((text) => text.slice(1, -1));
  return [...new Set(used)].filter((code) => !described.has(code) && !variables.has(code)).sort();
}

/** The page as it should be. */
export function errorReference() {
  const sections = libraries.map(({ name, folder }) => section(name, codesOf(folder)));
  sections.push(section('The `tobymq` command and its HTTP API', new Map(Object.entries(ofTheCommand))));
  return [
    '# Error codes',
    'Every error that TobyMQ throws or answers with has a `code` that stays the same from version to version. Test the\n' +
      'code; the message is for people and may change. What a peer does wrong on the wire ends as an MQTT reason code, a log\n' +
      'line and a counter instead.',
    ...sections.filter(Boolean),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

function section(title, codes) {
  if (codes.size === 0) return '';
  const rows = [...codes].map(([code, meaning]) => `| \`${code}\` | ${meaning.replaceAll('|', '\\|')} |`);
  return [`## ${title}`, '', '| code | meaning |', '| --- | --- |', ...rows].join('\n');
}

/** The page as it is. */
export function writtenReference() {
  return readFileSync(page, 'utf8');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(page, errorReference());
