// The commands that administer files: config check, config convert, passwd. They are run as the command line runs them,
// but inside the test.

import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { runProcess } from '@tobymq/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parsePasswordHash, verifyPassword } from '../src/auth/password-hash.ts';
import { readScramFile } from '../src/auth/scram.ts';
import { CommandValues } from '../src/commands/command.ts';
import { commandHelp, overview } from '../src/commands/help.ts';
import { findCommand, parseCommandLine } from '../src/commands/parse.ts';
import { commands } from '../src/commands/table.ts';
import { loadConfig } from '../src/config/load.ts';
import { translateMosquittoFile } from '../src/mosquitto/to-config.ts';
import { cli } from './harness.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tobymq-commands-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function run(
  argv: readonly string[],
  input = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  const found = findCommand(commands, argv);
  if (!found) throw new Error(`there is no command ${argv[0]}`);
  const { options, args } = found.command.ownParser
    ? { options: new CommandValues(), args: found.rest }
    : parseCommandLine(found.command, found.rest);
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end(input);
  const command = await found.command.load();
  const code = await command({ options, args, env: {}, stdin, stdout, stderr });
  const text = (stream: PassThrough): string => String(stream.read() ?? '').replaceAll(`${directory}/`, '');
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

test('config check: a good file, a bad file, and the files that it names', async () => {
  expect(await run(['config', 'check', file('good.yaml', 'listeners: [{port: 1}, {port: 2}]\n')])).toEqual({
    code: 0,
    stdout: 'good.yaml is valid: 2 listeners.\n',
    stderr: '',
  });
  const bad = await run(['config', 'check', file('bad.yaml', 'listeners: [{prot: 1}]\nhttp:\n  port: -1\n')]);
  expect(bad).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'bad.yaml:1: listeners[0].prot: there is no such key\nbad.yaml:3: http.port: expected at least 0, found -1\n',
  });
  const missing = await run([
    'config',
    'check',
    file('users.yaml', 'authentication: [{type: password-file, file: gone}]\n'),
  ]);
  expect(missing).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('gone: the password file cannot be read: there is no such file'),
  });
});

test('config check: of a mosquitto.conf each line is told apart', async () => {
  const path = file('m.conf', 'listener 1883\nallow_anonymous true\nautosave_interval 5\nretry_interval 1\n');
  const { code, stdout } = await run(['config', 'check', path]);
  expect(code).toBe(0);
  expect(stdout).toContain('m.conf:1: listener: supported\n');
  expect(stdout).toContain('m.conf:3: autosave_interval: supported with a difference (');
  expect(stdout).toContain('m.conf:4: retry_interval: ignored (');
  const bridge = await run(['config', 'check', file('b.conf', 'connection far\naddress example.org\n')]);
  expect(bridge).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('b.conf:1: connection: not supported'),
    stderr: expect.stringContaining('TobyMQ has no bridges yet'),
  });
});

test('config convert: the result means the same as the mosquitto.conf', async () => {
  file('pw', '');
  const path = file(
    'convert.conf',
    `per_listener_settings true
listener 1883 127.0.0.1
allow_anonymous true
max_connections 5
listener 1884
password_file ${directory}/pw
acl_file ${directory}/acl
protocol websockets
max_inflight_messages 7
persistent_client_expiration 2w
persistence true
persistence_location ${directory}/store
log_type all
`,
  );
  const output = join(directory, 'converted.yaml');
  expect(await run(['config', 'convert', path, '-o', output])).toMatchObject({ code: 0 });
  expect(loadConfig(output)).toEqual(translateMosquittoFile(path, {}).config);
  await expect(run(['config', 'convert', path, '-o', output])).rejects.toThrow(/EEXIST/);
});

// A name of its own: whoever may write anywhere could have made any other folder.
const absent = join(tmpdir(), `tobymq-absent-${process.pid}`);

test.each([
  [
    'a folder that is missing',
    ['passwd', join(absent, 'users.txt'), 'anna'],
    /^tobymq passwd: ENOENT: .*\n$/,
  ],
  ['a folder instead of a file', ['passwd', tmpdir(), 'anna'], /^tobymq passwd: EISDIR: .*\n$/],
])('%s is told in one line', async (_what, argv, line) => {
  expect(await runProcess(process.execPath, [cli, ...argv], { input: 'geheim\n' })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(line),
  });
});

test('passwd: users are added, changed and removed, and the file is for its owner only', async () => {
  const path = join(directory, 'users.txt');
  expect((await run(['passwd', path, 'anna'], 'geheim\n')).stdout).toMatch(/^Added anna/);
  expect((await run(['passwd', path, 'berta', '--hash', 'sha512-pbkdf2'], 'x\n')).code).toBe(0);
  expect((await run(['passwd', path, 'anna'], 'neu\n')).stdout).toMatch(/^Changed anna/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  expect(lines.map((line) => line.split(':')[0])).toEqual(['anna', 'berta']);
  const hash = parsePasswordHash((lines[0] as string).slice('anna:'.length));
  expect(hash?.kind).toBe('argon2id');
  expect(hash && (await verifyPassword(Buffer.from('neu'), hash))).toBe(true);
  expect(lines[1]).toMatch(/^berta:\$7\$/);
  expect((await run(['passwd', path, 'berta', '--delete'])).stdout).toMatch(/^Removed berta/);
  await expect(run(['passwd', path, 'berta', '--delete'])).rejects.toThrow(/has no user "berta"/);
  await expect(run(['passwd', path, 'a:b'], 'x\n')).rejects.toThrow(/must not contain a colon/);
  for (const name of ['#anna', ' anna', 'anna '])
    await expect(run(['passwd', path, name], 'x\n')).rejects.toThrow(/must not begin with #/);
  await expect(run(['passwd', path, 'carla'], '\n')).rejects.toThrow(/The password is empty/);
});

test.each(['passwd', 'mosquitto_passwd'])(
  '%s leaves the permissions, the owner and a link to the file',
  async (command) => {
    const path = join(directory, `${command}.txt`);
    const link = join(directory, `${command}.link`);
    writeFileSync(path, '# users\n');
    symlinkSync(path, link);
    chmodSync(path, 0o660);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(path, 1234, 4321);
    const args = command === 'passwd' ? [link, 'anna'] : ['-b', link, 'anna', 'geheim'];
    expect((await run([command, ...args], 'geheim\n')).code).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, 'utf8')).toMatch(/^# users\nanna:/);
    const { mode, uid, gid } = statSync(path);
    expect(mode & 0o777).toBe(0o660);
    if (isRoot) expect([uid, gid]).toEqual([1234, 4321]);
  },
);

test('passwd --scram writes what the authenticator reads', async () => {
  const path = join(directory, 'scram.txt');
  await run(['passwd', path, 'anna', '--scram'], 'geheim\n');
  expect([...readScramFile(path).keys()]).toEqual(['anna']);
});

test.each(commands.filter(({ ownParser }) => !ownParser).map((command) => [command.name, command] as const))(
  '%s explains itself',
  (name, command) => {
    expect(command.summary).toMatch(/^[A-Z].*[^.]$/);
    const help = commandHelp(command);
    expect(help).toContain(`Usage: tobymq ${name}`);
    for (const option of command.options ?? []) expect(help).toContain(`--${option.name}`);
    for (const example of command.examples ?? []) expect(help).toContain(example.command);
  },
);

test('the overview lists every command once', () => {
  const text = overview(commands);
  for (const { name } of commands)
    expect(text.split('\n').filter((line) => line.startsWith(`  ${name} `))).toHaveLength(1);
});

test('no command has an option or a letter twice', () => {
  for (const { options = [] } of commands) {
    const names = options.map(({ name }) => name);
    const letters = options.flatMap(({ short }) => short ?? []);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(letters).size).toBe(letters.length);
  }
});
