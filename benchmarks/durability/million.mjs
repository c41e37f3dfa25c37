// How long a server takes to start on a store with a million offline sessions, and how much memory it needs.
//
//   node benchmarks/durability/million.mjs [--sessions 1000000] [--messages 2] [--payload 64] [--node PATH]
//
// Makes a store in which each session has one subscription and some queued messages, then starts `tobymq serve` on it
// twice: the first start meets a store that was just written, the second one a store as a restart meets it.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SqliteStore } from '@tobymq/store-sqlite';

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '1000000' },
    messages: { type: 'string', default: '2' },
    payload: { type: 'string', default: '64' },
    node: { type: 'string', default: process.execPath },
  },
});
const cli = fileURLToPath(new URL('../../packages/tobymq/dist/cli.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tobymq-million-'));

try {
  await fill(Number(values.sessions), Number(values.messages), Number(values.payload));
  for (const start of ['first', 'second']) {
    const { seconds, residentMb } = await startServer();
    console.log(`${start} start: ready after ${seconds.toFixed(1)} s, resident memory ${residentMb} MB`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function fill(sessions, messages, payloadBytes) {
  const started = performance.now();
  const store = new SqliteStore({ folder, durability: 'commit' });
  await store.open();
  const payload = Buffer.alloc(payloadBytes, 1);
  const now = Date.now();
  let id = 0;
  for (let key = 1; key <= sessions; key++) {
    store.putSession({
      key,
      clientId: `device-${key}`,
      username: undefined,
      protocolVersion: 5,
      expiryInterval: 0xffff_ffff,
      createdAt: now,
      disconnectedAt: now,
      will: undefined,
    });
    store.putSubscription(key, {
      filter: `devices/${key}/commands/#`,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      subscriptionId: 0,
    });
    for (let i = 0; i < messages; i++) {
      const message = {
        id: ++id,
        topic: `devices/${key}/commands/update`,
        payload,
        qos: 1,
        retain: false,
        properties: undefined,
        expiresAt: 0,
        publishedAt: now,
        publisher: 'backend',
      };
      store.enqueue(message, [{ sessionKey: key, qos: 1, retain: false, subscriptionIds: [], packetId: 0 }]);
    }
    if (key % 5000 === 0) await store.commit();
  }
  await store.close();
  const megabytes = Math.round(statSync(join(folder, 'tobymq.db')).size / 1e6);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${sessions} sessions with ${messages} messages each: ${megabytes} MB on disk, written in ${seconds} s`,
  );
}

async function startServer() {
  const started = performance.now();
  const args = [cli, 'serve', '--port', '0', '--ws-port', '0', '--no-http', '--data', folder];
  const server = spawn(values.node, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout });
  for await (const line of lines) if (line.includes('ready')) break;
  server.stdout.resume();
  const seconds = (performance.now() - started) / 1000;
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  const residentMb = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024);
  const ended = new Promise((resolve) => server.on('exit', resolve));
  server.kill('SIGTERM');
  await ended;
  return { seconds, residentMb };
}
