// What `tobymq serve` does with a data folder that it cannot use, and how `--repair` and `backup` help.

import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProcess, TestProcess } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-data-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function serveArguments(folder: string, ...more: readonly string[]): string[] {
  return [cli, 'serve', '--data', folder, '--port', '0', '--ws-port', '0', '--no-http', ...more];
}

async function startServer(folder: string, ...more: readonly string[]): Promise<TestProcess> {
  const server = TestProcess.start(process.execPath, serveArguments(folder, ...more));
  onTestFinished(async () => void (await server.stop()));
  await server.line(/is ready: /);
  return server;
}

test('a second server on one data folder is refused, and the first goes on', async () => {
  const folder = await dataFolder();
  const first = await startServer(folder);
  const second = await runProcess(process.execPath, serveArguments(folder));
  expect(second.code).not.toBe(0);
  expect(second.stderr + second.stdout).toContain(`the data folder ${folder} is used by another server`);
  expect((await first.stop()).code).toBe(0);
  await startServer(folder);
});

test('a damaged store stops the start, and --repair sets it aside and starts', async () => {
  const folder = await dataFolder();
  await (await startServer(folder)).stop();
  const file = await open(join(folder, 'tobymq.db'), 'r+');
  await file.write(Buffer.alloc(60, 0x5a), 0, 60, 20);
  await file.close();

  const refused = await runProcess(process.execPath, serveArguments(folder));
  expect(refused.code).not.toBe(0);
  expect(refused.stderr + refused.stdout).toMatch(/tobymq\.db.*--repair/s);

  const repaired = await startServer(folder, '--repair', '--log-format', 'json');
  await repaired.line(/"event":"store-repaired"/);
  await repaired.stop();
  expect((await readdir(folder)).some((name) => name.startsWith('tobymq.db.damaged-'))).toBe(true);
  await startServer(folder);
});

test('a foreign file in the place of the store stops the start and stays as it is', async () => {
  const folder = await dataFolder();
  await writeFile(join(folder, 'tobymq.db'), 'a letter to my aunt, which is not a database');
  const refused = await runProcess(process.execPath, serveArguments(folder));
  expect(refused.code).not.toBe(0);
  expect(refused.stderr + refused.stdout).toContain('does not begin like a TobyMQ store');
});
