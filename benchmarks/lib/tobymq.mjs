// TobyMQ as it is measured: the ordinary `tobymq serve` of this repository with everything switched on that a real
// server has on: passwords, access rules, metrics, $SYS, and the durable store, which flushes to the disk.

import { pbkdf2Sync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../packages/tobymq/dist/cli.js', import.meta.url));
const manifest = new URL('../../packages/tobymq/package.json', import.meta.url);
const inside = new URL('../brokers/inside.mjs', import.meta.url).href;
const credentials = { username: 'bench', password: 'side-by-side' };

export const tobymq = {
  version: () => JSON.parse(readFileSync(manifest, 'utf8')).version,
  onNode: true,
  credentials,
  prepare({ folder, ports, certificate, node }) {
    const passwords = join(folder, 'passwords');
    writeFileSync(passwords, `${credentials.username}:${hash(credentials.password)}\n`, { mode: 0o600 });
    const file = join(folder, 'tobymq.yaml');
    writeFileSync(file, configuration({ folder, ports, certificate, passwords }));
    return [node, '--import', inside, cli, 'serve', '--config', file];
  },
};

// JSON is YAML, and it needs no writer.
function configuration({ folder, ports, certificate, passwords }) {
  const host = '127.0.0.1';
  const everything = ['plant/#', 'site/#', 'fleet/#', 'orders/#', 'office/#'];
  return JSON.stringify({
    data: join(folder, 'data'),
    listeners: [
      { type: 'tcp', host, port: ports.port },
      { type: 'tls', host, port: ports.tlsPort, tls: certificate },
      { type: 'ws', host, port: ports.websocketPort, path: '/mqtt' },
    ],
    authentication: [{ type: 'password-file', file: passwords }],
    access: {
      rules: [
        { deny: 'all', topics: ['plant/secret/#'] },
        { allow: 'all', topics: everything, users: credentials.username },
      ],
    },
    // The queue of one offline session has to hold what the scenario puts into it.
    limits: { queuedMessages: 1_000_000, queuedBytes: 1_000_000_000 },
    http: { host, port: 0 },
    // As for Mosquitto: no line for each of 20,000 connections.
    log: { level: 'warn' },
  });
}

// The form of mosquitto_passwd, so that the benchmark needs no tool to make it.
function hash(password) {
  const salt = Buffer.from('toby-bench-salt');
  const key = pbkdf2Sync(password, salt, 101, 64, 'sha512');
  return `$7$101$${salt.toString('base64')}$${key.toString('base64')}`;
}
