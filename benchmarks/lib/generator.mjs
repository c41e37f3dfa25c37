// The load generator: built from benchmarks/load when its sources are newer than the binary, then run once per
// measurement.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../load/', import.meta.url));
const binary = fileURLToPath(new URL('../bin/load', import.meta.url));

/** Builds the generator when it is missing or out of date; with TLS if OpenSSL's headers are there. */
export function buildGenerator() {
  if (process.platform !== 'linux') throw new Error('The load generator needs Linux (epoll, /proc).');
  const sources = readdirSync(folder).map((name) => join(folder, name));
  const newest = Math.max(...sources.map((path) => statSync(path).mtimeMs));
  if (existsSync(binary) && statSync(binary).mtimeMs > newest) return;
  mkdirSync(join(binary, '..'), { recursive: true });
  const units = sources.filter((path) => path.endsWith('.c'));
  const common = ['-O2', '-Wall', '-D_GNU_SOURCE', '-o', binary, ...units];
  const withTls = spawnSync('cc', ['-DWITH_TLS', ...common, '-lssl', '-lcrypto'], { stdio: 'ignore' });
  if (withTls.status !== 0) execFileSync('cc', common, { stdio: 'inherit' });
}

const millisecondsMax = 600_000;

/** Runs one scenario against one broker. Answers with the measured phases, or with the error that ended it. */
export function runGenerator({ args, broker, core }) {
  const own = [
    ...args,
    '--host',
    broker.host,
    '--port',
    String(portFor(args, broker)),
    '--pid',
    String(broker.pid ?? 0),
  ];
  if (broker.username) own.push('--username', broker.username, '--password', broker.password);
  const [command, ...rest] = pinned(core, [binary, ...own]);
  return new Promise((resolve) => {
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], timeout: millisecondsMax });
    let output = '';
    let errors = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (errors += data));
    child.on('close', (code) => {
      const phases = output
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
      // Exit code 1 means: measured, but messages were lost or disordered; the phases say how many.
      const error =
        code === 0 || code === 1 ? undefined : errors.trim() || `the generator ended with code ${code}`;
      resolve({ phases, error });
    });
  });
}

/** The port of the transport that a scenario asks for; undefined when the broker does not offer it. */
export function portFor(args, broker) {
  if (args.includes('--tls')) return broker.tlsPort;
  if (args.includes('--websocket')) return broker.websocketPort;
  return broker.port;
}

/** The command that runs a program on one core, where that is possible. */
export function pinned(core, command) {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command];
}
