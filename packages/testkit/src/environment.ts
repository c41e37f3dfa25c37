// Places for a test to work in: a free port and a directory that disappears.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Below the ports that systems give to outgoing connections and to listeners on port 0, so that nothing else takes one
// between our finding it free and its use.
const PORT_FIRST = 15_000;
const PORT_COUNT = 15_000;
const PORT_TRIES = 100;

/** A TCP port of 127.0.0.1 that was free a moment ago. Prefer port 0 wherever the program under test can take it. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < PORT_TRIES; i++) {
    const port = PORT_FIRST + Math.floor(Math.random() * PORT_COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`none of ${PORT_TRIES} ports was free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    // All addresses: a program may listen on more than loopback.
    server.listen(port);
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Runs something with a fresh directory and removes it afterwards, whatever happened. */
export async function withTempDir<T>(run: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'tobymq-test-'));
  try {
    return await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
