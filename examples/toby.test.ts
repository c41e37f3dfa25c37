// The examples about bots, run as a stranger would run them, the page in a real browser.

import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { freePort, TestProcess } from '../packages/testkit/src/index.ts';
import { connectBot } from '../packages/toby/src/index.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const cli = join(here, '../packages/tobymq/dist/cli.js');
let server: TestProcess;
let folder: string;
let mqtt: string;
let ws: string;
let http: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tobymq-examples-'));
  const [port, wsPort] = [await freePort(), await freePort()];
  const file = join(folder, 'toby.yaml');
  const listeners = [{ port }, { type: 'ws', port: wsPort }];
  await writeFile(
    file,
    JSON.stringify({
      data: join(folder, 'data'),
      listeners,
      http: { port: wsPort },
      toby: { signup: 'open' },
    }),
  );
  server = TestProcess.start(process.execPath, [cli, 'serve', '-c', file]);
  await server.line(/is ready/);
  mqtt = `mqtt://127.0.0.1:${port}`;
  ws = `ws://127.0.0.1:${wsPort}/mqtt`;
  http = `http://127.0.0.1:${wsPort}`;
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function example(name: string, ...args: string[]): TestProcess {
  const program = TestProcess.start(process.execPath, [join(here, name), ...args]);
  onTestFinished(async () => void (await program.stop()));
  return program;
}

async function account(name: string, ...bots: string[]): Promise<void> {
  const body = JSON.stringify({ username: name, password: 'secret' });
  await fetch(`${http}/signup`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  const owner = await connectBot(mqtt, { id: name, secret: 'secret' });
  for (const id of bots) await owner.createBot(id, 'secret');
  await owner.close();
}

test('three devices talk to each other', async () => {
  const { code, stdout, stderr } = await example('toby-three-devices/devices.mjs', mqtt, http).exit();
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'lamp: on, in a warm colour\n', stderr: '' });
});

test('a web hook makes the lamp blink', async () => {
  await account('hooked', 'blinker');
  const lamp = example('toby-web-hook/lamp.mjs', 'blinker', 'secret', mqtt, http);
  const [address] = await lamp.line(/^http.*$/);
  const body = JSON.stringify({ pusher: { name: 'ana' } });
  const { status } = await fetch(address, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  expect(status).toBe(200);
  await lamp.line(/^\* blink \* ana has pushed$/);
});

test('a bot in a web page sends and receives', async () => {
  await account('pages', 'page', 'other');
  const files = join(folder, 'page');
  await build({
    entryPoints: [join(here, 'toby-browser/bot.mjs')],
    bundle: true,
    format: 'iife',
    outfile: join(files, 'bot.bundle.js'),
  });
  await copyFile(join(here, 'toby-browser/index.html'), join(files, 'index.html'));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  onTestFinished(() => browser.close());
  const tab = await browser.newPage();
  // Opened as a file, as a stranger opens it.
  await tab.goto(`${pathToFileURL(join(files, 'index.html'))}?server=${encodeURIComponent(ws)}`);
  await tab.fill('[name=id]', 'page');
  await tab.fill('[name=secret]', 'secret');
  await tab.click('#login button');
  await tab.waitForSelector('#talk:not([hidden])');
  const other = await connectBot(mqtt, { id: 'other', secret: 'secret' });
  onTestFinished(() => other.close());
  await other.follow(['all']);
  const heard = other.messages().next();
  await tab.fill('[name=text]', 'hello #all');
  await tab.click('#talk button');
  expect((await heard).value).toMatchObject({ from: 'page', payload: 'hello #all', tags: ['all'] });
  await other.send('hello page', ['all']);
  const item = await tab.waitForSelector('#messages li');
  expect(await item.textContent()).toBe('otherhello page');
}, 60_000);
