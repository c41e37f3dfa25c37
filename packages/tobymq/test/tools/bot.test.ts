// Bots against a real `tobymq serve` with the bots layer on: the command, web hooks over HTTP, and a restart.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type ProcessResult, type TestProcess } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { runTool, startTool } from './tools-harness.ts';

interface Toby {
  readonly url: string;
  readonly http: string;
  bot(...args: string[]): Promise<ProcessResult>;
  startBot(...args: string[]): TestProcess;
  restart(): Promise<void>;
}

async function startToby(toby: object): Promise<Toby> {
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-bots-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [port, wsPort] = [await freePort(), await freePort()];
  const file = join(folder, 'tobymq.yaml');
  const listeners = [{ port }, { type: 'ws', port: wsPort }];
  await writeFile(
    file,
    JSON.stringify({ data: join(folder, 'data'), listeners, http: { port: wsPort }, toby }),
  );
  const start = async (): Promise<TestProcess> => {
    const server = startTool(['serve', '-c', file]);
    await server.line(/is ready/);
    return server;
  };
  let server = await start();
  const env = { TOBYMQ_BOTS: join(folder, 'bots.json'), TOBYMQ_BOT_SECRET: 'secret of everybody' };
  return {
    url: `mqtt://127.0.0.1:${port}`,
    http: `http://127.0.0.1:${wsPort}`,
    bot: (...args) => runTool(['bot', ...args], '', env),
    startBot: (...args) => startTool(['bot', ...args], env),
    restart: async () => {
      await server.stop();
      server = await start();
    },
  };
}

test('an account, its bots, a message, a hook and a restart', async () => {
  const { url, http, bot, startBot, restart } = await startToby({ signup: 'open' });
  expect(await bot('signup', 'ana', '--http', http, '-L', url)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Signed up as ana'),
  });
  expect((await bot('signup', 'ana', '--http', http, '-L', url)).stderr).toContain('taken');
  expect(await bot('create', 'lamp', '--secret', 'shine', '--login', '-L', url)).toMatchObject({
    code: 0,
    stdout: 'lamp\n',
  });
  expect((await bot('follow', '#light #heat')).code).toBe(0);
  expect(JSON.parse((await bot('info')).stdout)).toMatchObject({
    id: 'lamp',
    subscriptions: ['heat', 'light'],
  });

  const lamp = startBot('listen', '--as', 'lamp', '-C', '2');
  await lamp.line(/lamp is listening/);
  expect((await bot('send', '--as', 'ana', 'switch it on #light')).code).toBe(0);
  await lamp.line(/^ana: switch it on #light$/);
  const path = (await bot('hooks-on', '--as', 'lamp', 'hook secret')).stdout.trim();
  expect(path).toBe('/hook/lamp/hook%20secret');
  await lamp.stop();

  await restart();
  const again = startBot('listen', '--as', 'lamp', '--json', '-C', '2');
  await again.line(/lamp is listening/);
  await bot('send', '--as', 'ana', 'still there? #heat');
  await again.line(/still there/);
  const hooked = await fetch(`${http}${path}`, {
    method: 'POST',
    body: 'state=on',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  expect(hooked.status).toBe(200);
  expect(
    (await again.exit()).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { from: 'ana', payload: 'still there? #heat', tags: ['heat'], ack: expect.any(String) },
    { from: 'hook', payload: { state: 'on' }, tags: [], ack: '' },
  ]);
  expect((await bot('bots', '--as', 'ana')).stdout).toBe('lamp  #heat #light  hook\n');
});

test('rules, sockets and refusals end with exit codes', async () => {
  const { url, http, bot } = await startToby({ signup: 'invited', signupToken: 'for friends' });
  expect((await bot('signup', 'ana', '--http', http, '-L', url)).code).toBe(4);
  await bot('signup', 'ana', '--token', 'for friends', '--http', http, '-L', url);
  expect(await bot('follow', '#x')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('user bot may not'),
  });
  const [, secret] = (await bot('create', 'phone')).stdout.trim().split(' ');
  expect((await bot('permit', 'phone', '--follow', '#room*', '--rate', '5')).code).toBe(0);
  expect((await bot('login', 'phone', '--secret', 'wrong', '-L', url)).code).toBe(5);
  expect((await bot('login', 'phone', '--secret', secret as string, '-L', url)).code).toBe(0);
  expect((await bot('follow', '#kitchen')).code).toBe(5);
  expect((await bot('follow', '#room1')).code).toBe(0);
  const [socket] = (await bot('create-socket')).stdout.trim().split(' ');
  expect((await bot('remove-socket', socket as string)).code).toBe(0);
  expect((await bot('remove', '--as', 'ana', 'phone')).code).toBe(0);
  expect((await bot('info', '--as', 'phone')).code).toBe(5);
  expect(await bot('info', '--as', 'nobody')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('"nobody" is not logged in'),
  });
});

test('the console sends what is typed and shows what comes', async () => {
  const { url, http, bot, startBot } = await startToby({ signup: 'open' });
  await bot('signup', 'ana', '--http', http, '-L', url);
  await bot('create', 'lamp', '--secret', 'shine', '--login', '-L', url);
  const talk = startBot('console', '--as', 'lamp');
  await talk.line(/You are lamp/);
  const owner = startBot('listen', '--as', 'ana', '-C', '1');
  await owner.line(/ana is listening/);
  talk.child.stdin.write('hello owner\n');
  await owner.line(/^lamp: hello owner$/);
  talk.child.stdin.write('/follow #light\n/info\n');
  await talk.line(/"subscriptions":\["light"\]/);
  talk.child.stdin.write('/nonsense\n');
  await talk.line(/there is no command \/nonsense/);
  talk.child.stdin.write('/quit\n');
  expect((await talk.exit()).code).toBe(0);
});

test('a bot is created where its owner is, and listening ends with the connection', async () => {
  const { url, http, bot, startBot, restart } = await startToby({ signup: 'open' });
  await bot('signup', 'ana', '--http', http, '-L', url);
  expect((await bot('create', 'lamp', '--login')).code).toBe(0);
  expect(JSON.parse((await bot('info')).stdout)).toMatchObject({ id: 'lamp' });
  const lamp = startBot('listen');
  await lamp.line(/lamp is listening/);
  await restart();
  expect(await lamp.exit()).toMatchObject({ code: 4, stderr: expect.stringContaining('shutting down') });
});
