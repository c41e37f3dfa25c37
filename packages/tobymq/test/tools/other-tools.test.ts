// request, respond, retained, kv, profile and completion as a person types them.

import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { commands } from '../../src/commands/table.ts';
import { runTool, startToolServer } from './tools-harness.ts';

test('respond answers requests by a command, and request prints the answer', async () => {
  const server = await startToolServer();
  server.start(['respond', 'text/upper', 'tr', 'a-z', 'A-Z']);
  await server.subscribed('text/upper');
  expect(await server.run(['request', 'text/upper', 'hello'])).toMatchObject({ code: 0, stdout: 'HELLO\n' });
  const timed = await server.run(
    ['request', '--latency', '--no-newline', 'text/upper', '--stdin'],
    'from stdin',
  );
  expect(timed).toMatchObject({ code: 0, stdout: 'FROM STDIN' });
  expect(timed.stderr).toMatch(/^\d+\.\d{3} ms\n$/);
});

test('a request that nobody serves ends with 7, an error of the responder with 1', async () => {
  const server = await startToolServer();
  expect(await server.run(['request', 'nobody', 'x'])).toMatchObject({
    code: 7,
    stderr: expect.stringContaining('nobody serves'),
  });
  server.start(['respond', '-C', '1', 'broken', 'false']);
  await server.subscribed('broken');
  expect(await server.run(['request', 'broken', 'x'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('exit code 1'),
  });
});

test('respond ends after --count, with its last answer delivered', async () => {
  const server = await startToolServer();
  const responder = server.start(['respond', '--reply', 'pong', '-C', '1', 'ping']);
  await server.subscribed('ping');
  expect((await server.run(['request', 'ping'])).stdout).toBe('pong\n');
  expect((await responder.exit()).code).toBe(0);
});

test('retained messages are set, listed, read and cleared', async () => {
  const server = await startToolServer();
  expect((await server.run(['retained', 'set', 'home/lamp', 'on'])).code).toBe(0);
  await server.run(['retained', 'set', 'home/heat', '21']);
  expect((await server.run(['retained', 'list'])).stdout).toBe('home/heat 21\nhome/lamp on\n');
  expect((await server.run(['retained', 'get', 'home/lamp'])).stdout).toBe('on');
  expect(await server.run(['retained', 'get', 'home/none'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nothing is retained'),
  });
  expect(await server.run(['retained', 'clear', 'home/#'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--yes'),
  });
  expect((await server.run(['retained', 'clear', '-y', 'home/#'])).stdout).toBe(
    '2 retained messages deleted.\n',
  );
  expect((await server.run(['retained', 'list'])).stdout).toBe('');
});

test('a name of a group that is none does not answer other topics', async () => {
  const server = await startToolServer();
  expect(await server.run(['respond', 'a', '--reply', 'x', '--share', 'g/b'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--share must be a name'),
  });
});

test('one retained message is got by its topic and not by a filter', async () => {
  const server = await startToolServer();
  await server.run(['retained', 'set', 'home/lamp', 'on']);
  expect(await server.run(['retained', 'get', 'home/#'])).toMatchObject({ code: 2, stdout: '' });
});

test('retained messages are listed while others are published without end', async () => {
  const server = await startToolServer();
  await server.run(['retained', 'set', 'home/lamp', 'on']);
  const busy = setInterval(
    () => void server.broker.publish({ topic: 'home/power', payload: '1', retain: true }),
    50,
  );
  onTestFinished(() => clearInterval(busy));
  expect((await server.run(['retained', 'list', 'home/#'])).stdout).toContain('home/lamp on\n');
});

test('kv watch prints what is there and each change', async () => {
  const server = await startToolServer();
  await server.run(['retained', 'set', 'cfg/a', '1']);
  const watcher = server.start(['kv', 'watch', 'cfg/+']);
  await watcher.line(/^cfg\/a 1$/);
  await server.run(['retained', 'set', 'cfg/a', '2']);
  await watcher.line(/^cfg\/a 1 -> 2$/);
  await server.run(['retained', 'clear', '-y', 'cfg/a']);
  await watcher.line(/^cfg\/a 2 -> deleted$/);
});

test('a profile is saved for its owner only, used by name and by default, and never shows its password', async () => {
  const server = await startToolServer();
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-profile-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const env = { TOBYMQ_PROFILES: join(folder, 'deep', 'profiles.json') };
  const run = (...args: string[]) => runTool(args, '', env);
  await run(
    'profile',
    'save',
    'home',
    '-h',
    '127.0.0.1',
    '-p',
    String(server.port),
    '-u',
    'ana',
    '-P',
    'hush',
  );
  expect((await stat(env.TOBYMQ_PROFILES)).mode & 0o777).toBe(0o600);
  await run('profile', 'save', 'away', '-L', 'mqtts://ana:hush@example.invalid', '--insecure');
  expect((await run('profile', 'show', 'away')).stdout).not.toContain('hush');
  expect((await run('profile', 'list')).stdout).toBe(
    `* home  mqtt://127.0.0.1:${server.port}\n  away  mqtts://example.invalid\n`,
  );
  const shown = (await run('profile', 'show', 'home')).stdout;
  expect(shown).toContain('username: ana');
  expect(shown).not.toContain('hush');
  expect((await run('retained', 'set', 'a', 'b')).code).toBe(0);
  await run('profile', 'use', 'away');
  await run('profile', 'remove', 'home');
  expect(JSON.parse(await readFile(env.TOBYMQ_PROFILES, 'utf8'))).toMatchObject({
    default: 'away',
    profiles: { away: { insecure: true } },
  });
  expect((await run('profile', 'show', 'home')).code).toBe(1);
});

test.each([
  ['an empty name', [''], 'NAME is missing'],
  ['a host that is none', ['home', '-h', 'localhost:1884'], '--host must be'],
  ['an address that no tool can open', ['home', '-L', 'mqqt://localhost'], 'is no address such as'],
])('a profile with %s is not saved', async (_what, args, why) => {
  const env = { TOBYMQ_PROFILES: '/nonexistent/profiles.json' };
  const result = await runTool(['profile', 'save', ...args], '', env);
  expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(why) });
});

test('an address that no tool can open is no other one', async () => {
  const server = await startToolServer();
  const url = `mqqt://127.0.0.1:${server.port}`;
  for (const args of [
    ['doctor', url],
    ['pub', '-L', url, 'a', 'x'],
  ])
    expect(await runTool(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('is no address') });
});

test('the completion for bash knows every command and its options', async () => {
  const { stdout } = await runTool(['completion', 'bash']);
  const complete = (line: string): string[] => {
    const words = line.split(' ');
    const script = `${stdout}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _tobymq; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
  };
  const names = [...new Set(commands.map(({ name }) => name.split(' ')[0]))];
  expect(complete('tobymq ').sort()).toEqual([...names].sort());
  expect(complete('tobymq retained ').sort()).toEqual(['clear', 'get', 'list', 'set']);
  expect(complete('tobymq pub --ret')).toEqual(['--retain']);
  expect(complete('tobymq retained clear --y')).toEqual(['--yes']);
  expect((await runTool(['completion', 'fish'])).stdout).toContain(
    "complete -c tobymq -n '__fish_seen_subcommand_from pub' -l retain",
  );
  expect((await runTool(['completion', 'tcsh'])).code).toBe(2);
});
