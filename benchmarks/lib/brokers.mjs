// Starting and stopping the brokers that are compared. Each knows how to make its configuration in an empty folder and
// which command starts it; all listen on 127.0.0.1 only, on ports that were free a moment ago.

import { execFileSync, spawn } from 'node:child_process';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pinned } from './generator.mjs';
import { controlPath } from './inside.mjs';
import { tobymq } from './tobymq.mjs';

const startMilliseconds = 20_000;

const mosquitto = {
  version: () => firstLine('mosquitto', ['-h']).replace(/^mosquitto version /, ''),
  prepare({ folder, ports, certificate }) {
    const file = join(folder, 'mosquitto.conf');
    // Debian's defaults apart from the listeners, no log, and a queue that holds what the scenario puts into it.
    writeFileSync(
      file,
      [
        `listener ${ports.port} 127.0.0.1`,
        `listener ${ports.tlsPort} 127.0.0.1`,
        `certfile ${certificate.cert}`,
        `keyfile ${certificate.key}`,
        `listener ${ports.websocketPort} 127.0.0.1`,
        'protocol websockets',
        'allow_anonymous true',
        'log_dest stderr',
        'log_type error',
        // Started by root, it would become a user who may not read the key of the certificate.
        ...(process.getuid?.() === 0 ? ['user root'] : []),
        'max_queued_messages 0',
      ].join('\n'),
    );
    return [findCommand('mosquitto'), '-c', file];
  },
};

const aedes = {
  version: () =>
    JSON.parse(readFileSync(new URL('../../node_modules/aedes/package.json', import.meta.url))).version,
  transports: ['port'],
  prepare({ ports, node }) {
    const script = fileURLToPath(new URL('../brokers/aedes.mjs', import.meta.url));
    return [node, script, String(ports.port)];
  },
};

/** The brokers that can be named without a command. `@PATH` behind the name of a Node program chooses the Node. */
export const builtIn = { tobymq, mosquitto, aedes };

function findCommand(name) {
  return (
    ['/usr/sbin', '/usr/bin', '/usr/local/sbin'].map((path) => join(path, name)).find(existsSync) ?? name
  );
}

function firstLine(command, args) {
  try {
    return execFileSync(findCommand(command), args, { encoding: 'utf8' }).split('\n')[0];
  } catch (error) {
    return String(error.stdout ?? 'unknown').split('\n')[0];
  }
}

/** A broker given by its command; {port}, {tlsPort}, {websocketPort} and {dir} stand for what it is to use. */
export function brokerFromCommand(text) {
  return {
    version: () => 'as given',
    transports: ['port', 'tlsPort', 'websocketPort'].filter((name) => text.includes(`{${name}}`)),
    prepare({ folder, ports }) {
      const values = { ...ports, dir: folder };
      return ['sh', '-c', `exec ${text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole)}`];
    },
  };
}

/** A broker that runs already, somewhere: its CPU and memory are not seen. */
export function runningBroker(url) {
  const { hostname, port, username, password } = new URL(url);
  const address = { host: hostname === 'localhost' ? '127.0.0.1' : hostname, port: Number(port || 1883) };
  return { ...address, username, password, stop: async () => {} };
}

/** Starts a broker on a core and waits until it accepts connections. */
export async function startBroker(name, definition, { node, core, certificate }) {
  const folder = mkdtempSync(join(tmpdir(), `tobymq-bench-${name.replace(/\W/g, '-')}-`));
  const [port, tlsPort, websocketPort] = await freePorts(3);
  const ports = { port, tlsPort, websocketPort };
  const command = definition.prepare({ folder, ports, certificate, node });
  const [program, ...args] = pinned(core, command);
  const logFile = join(folder, 'output.log');
  const env = { ...process.env, BENCH_CONTROL: controlPath(folder) };
  const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const ended = new Promise((resolve) => child.on('close', resolve));
  child.on('error', () => {});
  const stop = async () => {
    child.kill('SIGTERM');
    const insist = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(insist);
    log.end();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const wanted of definition.transports ?? ['port', 'tlsPort', 'websocketPort']) {
    if (!(await listens(ports[wanted], child))) {
      const output = readFileSync(logFile, 'utf8').slice(-2000);
      await stop();
      throw new Error(`${name} does not accept connections. It printed:\n${output}`);
    }
  }
  const offered = Object.fromEntries(
    (definition.transports ?? Object.keys(ports)).map((key) => [key, ports[key]]),
  );
  return { ...offered, host: '127.0.0.1', pid: child.pid, folder, stop, ...definition.credentials };
}

async function listens(port, child) {
  const end = performance.now() + startMilliseconds;
  while (performance.now() < end && child.exitCode === null) {
    const accepted = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (accepted) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A certificate for the TLS scenarios, made fresh in a folder. */
export function makeCertificate(folder) {
  mkdirSync(folder, { recursive: true });
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const files = ['-subj', '/CN=localhost', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'ignore' });
  return { cert, key };
}
