// `tobymq serve` as a process: what it does without options, what it says when it is ready, and that nothing is left half
// started when something is wrong.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  freePort,
  makeCertificates,
  packet,
  packetType,
  RawPeer,
  runProcess,
  type TestCertificates,
  TestProcess,
  withTempDir,
} from '@tobymq/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { CommandError, CommandValues } from '../src/commands/command.ts';
import { serve } from '../src/commands/serve.ts';
import { cli, connect, publish, startCommand, subscribe, webSocketPeer } from './harness.ts';

let directory: string;
let certificates: TestCertificates;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tobymq-serve-'));
  certificates = await makeCertificates(directory);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const host = '127.0.0.1';
const anyPorts = ['--port', '0', '--ws-port', '0'];

/** The ready line of a server with its ports. */
const ready = /is ready: mqtt:\/\/127\.0\.0\.1:(\d+) {2}ws:\/\/127\.0\.0\.1:(\d+)\/mqtt/;

test('without a configuration: MQTT, WebSocket and HTTP on loopback, data in ./data, and one ready line', async () => {
  await withTempDir(async (cwd) => {
    const server = startCommand(['serve', ...anyPorts], { cwd });
    const [, port, wsPort] = await server.line(ready);
    expect(server.stdout).toContain('Only this machine can connect');
    const { peer } = await connect({ host, port: Number(port) });
    expect(await subscribe(peer, 'a')).toBe(0);
    expect((await fetch(`http://${host}:${wsPort}/ready`)).status).toBe(200);
    expect(existsSync(join(cwd, 'data/tobymq.db'))).toBe(true);
    expect(statSync(join(cwd, 'data/api-token')).mode & 0o777).toBe(0o600);
    const result = await server.stop();
    expect(result.code).toBe(0);
    expect(existsSync(join(cwd, 'data/server.json'))).toBe(false);
  });
});

test('where the open files end, connections are refused, counted and logged, and the API still answers', async () => {
  await withTempDir(async (cwd) => {
    const args = [cli, 'serve', ...anyPorts];
    const server = TestProcess.start(
      '/bin/sh',
      ['-c', 'ulimit -n 160; exec "$0" "$@"', process.execPath, ...args],
      {
        cwd,
      },
    );
    onTestFinished(async () => void (await server.stop()));
    const [, port, wsPort] = await server.line(ready);
    expect(server.stdout + server.stderr).toContain('no more files than for 96 connections');
    for (let i = 0; i < 96; i++) await connect({ host, port: Number(port) }, { clientId: `client-${i}` });
    const refused = await RawPeer.connect({ host, port: Number(port) });
    await refused.expectClose();
    await server.line(/"reason":"the system lets this process open no more files than for 96 connections/);
    await expect(webSocketPeer(`ws://${host}:${wsPort}/mqtt`)).rejects.toThrow('503');
    const token = readFileSync(join(cwd, 'data/api-token'), 'utf8').trim();
    const metrics = await fetch(`http://${host}:${wsPort}/metrics`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await metrics.text()).toContain('tobymq_sockets_refused_total 2\n');
  });
});

test('the default addresses are those that are documented', async () => {
  const help = await runProcess(process.execPath, [cli, 'serve', '--help']);
  expect(help.stdout).toContain('default: 127.0.0.1');
  expect(help.stdout).toContain('default: 1883');
  expect(help.stdout).toContain('default: 18083');
});

test('what was acknowledged is there after a restart, and clients are told that the server stops', async () => {
  await withTempDir(async (cwd) => {
    const first = startCommand(['serve', ...anyPorts], { cwd });
    const [, port] = await first.line(ready);
    const { peer } = await connect({ host, port: Number(port) });
    expect(await publish(peer, 'kept', 'value', true)).toBe(0x10);
    const stopped = first.stop();
    const disconnect = await peer.expect(packetType.DISCONNECT);
    expect(disconnect.body[0]).toBe(0x8b);
    await stopped;
    const second = startCommand(['serve', ...anyPorts], { cwd });
    const [, nextPort] = await second.line(ready);
    const again = await connect({ host, port: Number(nextPort) });
    again.peer.send(packet.subscribe({ version: 5, id: 1, filters: [['kept', 0]] }));
    expect((await again.peer.take(packetType.PUBLISH)).body.toString()).toContain('value');
  });
});

test('--memory leaves no folder behind', async () => {
  await withTempDir(async (cwd) => {
    const server = startCommand(['serve', ...anyPorts, '--memory'], { cwd });
    await server.line(ready);
    await server.stop();
    expect(existsSync(join(cwd, 'data'))).toBe(false);
  });
});

test('the log is JSON where nobody watches, and pretty on demand', async () => {
  await withTempDir(async (cwd) => {
    const server = startCommand(['serve', ...anyPorts, '--memory'], { cwd });
    const [, port] = await server.line(ready);
    (await connect({ host, port: Number(port) }, { clientId: 'logged', username: 'anna' })).peer.destroy();
    await server.line(/"event":"client-disconnected"/);
    const lines = server.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ event }) => event === 'ready')).toMatchObject({ level: 'info', data: 'memory' });
    expect(lines.find(({ event }) => event === 'client-connected')).toMatchObject({
      clientId: 'logged',
      username: 'anna',
      address: host,
    });
    expect(lines.find(({ event }) => event === 'client-disconnected')).toMatchObject({
      clientId: 'logged',
      initiator: 'network',
    });
    const pretty = startCommand(['serve', ...anyPorts, '--memory', '--log-format', 'pretty'], { cwd });
    await pretty.line(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}ready version=/);
  });
});

test('a mosquitto.conf is taken as well', async () => {
  const port = await freePort();
  const path = join(directory, 'm.conf');
  writeFileSync(path, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
  const server = startCommand(['serve', '-c', path, '--log-format', 'json']);
  await server.line(/"event":"ready"/);
  expect((await connect({ host, port })).reason).toBe(0);
});

test('--check says that a configuration is valid, and starts nothing', async () => {
  const path = join(directory, 'good.yaml');
  writeFileSync(path, 'listeners: [{port: 0}]\n');
  const result = await runProcess(process.execPath, [cli, 'serve', '-c', path, '--check']);
  expect(result).toMatchObject({ code: 0, stdout: 'The configuration is valid.\n' });
});

test('a command or option that does not exist is named, with the one that was probably meant', async () => {
  expect(await runProcess(process.execPath, [cli, 'serv'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('did you mean "serve"?'),
  });
  expect(await runProcess(process.execPath, [cli, 'serve', '--prot', '1'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('did you mean --port?'),
  });
  expect(await runProcess(process.execPath, [cli, 'serve', '--port', 'x'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--port must be a whole number from 0 to 65535, but is "x"'),
  });
});

interface BadInput {
  readonly yaml: string;
  readonly message: RegExp;
}

const tls = (cert: string, key: string, more = ''): string =>
  `listeners: [{type: tls, port: 0, tls: {cert: ${cert}, key: ${key}${more}}}]\n`;

const badInputs: Readonly<Record<string, () => BadInput>> = {
  'other machines may connect and nobody said who': () => ({
    yaml: 'listeners: [{host: 0.0.0.0, port: 0}]\n',
    message: /so it must be said who may connect: set "authentication"/,
  }),
  'an address that this machine does not have': () => ({
    yaml: 'listeners: [{host: 192.0.2.1, port: 0}]\nauthentication: [{type: anonymous}]\n',
    message: /cannot listen on 192\.0\.2\.1:0: this machine does not have the address/,
  }),
  'an interface that does not exist': () => ({
    yaml: 'listeners: [{host: "interface:nope", port: 0}]\nauthentication: [{type: anonymous}]\n',
    message: /there is no network interface "nope"; this machine has/,
  }),
  'a certificate that does not exist': () => ({
    yaml: tls('/nowhere.crt', certificates.server.key),
    message: /\/nowhere\.crt: listener tls:0: the server certificate cannot be read: there is no such file/,
  }),
  'a certificate that is none': () => ({
    yaml: tls(certificates.server.key, certificates.server.key),
    message: /is not a certificate in PEM form/,
  }),
  'a key that is none': () => ({
    yaml: tls(certificates.server.cert, certificates.server.cert),
    message: /the server key is not a private key in PEM form/,
  }),
  'a key of another certificate': () => ({
    yaml: tls(certificates.server.cert, certificates.client.key),
    message: /does not belong to the certificate/,
  }),
  'a certificate whose time is over': () => ({
    yaml: tls(certificates.expired.cert, certificates.expired.key),
    message: /the certificate expired on .*; renew it/,
  }),
  'a key that is encrypted': () => {
    const key = join(directory, 'encrypted.key');
    execFileSync('openssl', [
      'pkcs8',
      '-topk8',
      '-in',
      certificates.server.key,
      '-out',
      key,
      '-passout',
      'pass:secret',
    ]);
    return {
      yaml: tls(certificates.server.cert, key),
      message: /the server key is encrypted; set "passphrase"/,
    };
  },
  'authorities that are none': () => ({
    yaml: tls(
      certificates.server.cert,
      certificates.server.key,
      `, clientCertificates: require, ca: ${join(directory, 'index.txt')}`,
    ),
    message: /there are no authorities in PEM form/,
  }),
  'a revocation list that is none': () => ({
    yaml: tls(certificates.server.cert, certificates.server.key, `, crl: ${certificates.ca.cert}`),
    message: /expected a revocation list in PEM form/,
  }),
  'ciphers that do not exist': () => ({
    yaml: tls(certificates.server.cert, certificates.server.key, ', ciphers: NONSENSE'),
    message: /TLS cannot be set up/,
  }),
  'pre-shared keys that are not hexadecimal': () => {
    writeFileSync(join(directory, 'psk.bad'), 'lamp:xyz\n');
    return {
      yaml: `listeners: [{type: tls, port: 0, tls: {pskFile: ${join(directory, 'psk.bad')}}}]\n`,
      message: /psk\.bad:1: .*expected "identity:key"/,
    };
  },
  'a password file that does not exist': () => ({
    yaml: 'authentication: [{type: password-file, file: /nowhere}]\n',
    message:
      /\/nowhere: the password file cannot be read: there is no such file; "tobymq passwd FILE NAME" makes it/,
  }),
  'a password that is not hashed': () => {
    writeFileSync(join(directory, 'plain.txt'), 'anna:geheim\n');
    return {
      yaml: `authentication: [{type: password-file, file: ${join(directory, 'plain.txt')}}]\n`,
      message:
        /plain\.txt:1: the password of "anna" is not a hash that can be read; make it with "tobymq passwd/,
    };
  },
  'a user given twice': () => {
    const line = readFileSync('/usr/share/doc/mosquitto/examples/pwfile.example', 'utf8').split('\n')[0];
    writeFileSync(join(directory, 'twice.txt'), `${line}\n${line}\n`);
    return {
      yaml: `authentication: [{type: password-file, file: ${join(directory, 'twice.txt')}}]\n`,
      message: /twice\.txt:2: the user "roger" is in the file twice/,
    };
  },
  'a token authenticator without a key': () => ({
    yaml: 'authentication: [{type: jwt}]\n',
    message: /expected exactly one of secret, publicKeyFile and jwks/,
  }),
  'a public key that is none': () => ({
    yaml: `authentication: [{type: jwt, publicKeyFile: ${certificates.server.key}}]\n`,
    message: /expected a public key in PEM form/,
  }),
  'a SCRAM file of another form': () => {
    writeFileSync(join(directory, 'scram.bad'), 'anna:secret\n');
    return {
      yaml: `authentication: [{type: scram, file: ${join(directory, 'scram.bad')}}]\n`,
      message: /scram\.bad:1: expected "name:SCRAM-SHA-256\$\.\.\."/,
    };
  },
  'a rule file that does not exist': () => ({
    yaml: 'access: {file: /nowhere.yaml}\n',
    message: /\/nowhere\.yaml: cannot be read: there is no such file/,
  }),
  'a rule with a filter that is none': () => ({
    yaml: 'access: {rules: [{allow: all, topics: "a/#/b"}]}\n',
    message: /rule 1: "a\/#\/b" is not a topic filter/,
  }),
  'a network that is none': () => ({
    yaml: 'access: {rules: [{allow: all, topics: a, addresses: 10.0.0.0/99}]}\n',
    message: /"10\.0\.0\.0\/99" is not a network/,
  }),
  'a log file in a folder that does not exist': () => ({
    yaml: 'log: {to: [/nowhere/at/all.log]}\n',
    message: /\/nowhere\/at\/all\.log: the log file cannot be written/,
  }),
  'a data folder that is a file': () => {
    writeFileSync(join(directory, 'not-a-folder'), '');
    return {
      yaml: `data: ${join(directory, 'not-a-folder')}\n`,
      message: /the data folder .* cannot be made: a file is where a folder should be/,
    };
  },
  'an account that does not exist': () => ({
    yaml: `data: x\nstore: {type: memory}\nuser: nobody-at-all\nlisteners: [{port: 0}]\nhttp: {enabled: false}\n`,
    message: /the account "nobody-at-all" does not exist/,
  }),
  'a Unix socket in a folder that does not exist': () => ({
    yaml: 'listeners: [{type: unix, path: /nowhere/x.sock}]\nhttp: {enabled: false}\n',
    message: /cannot listen on \/nowhere\/x\.sock: there is no such folder/,
  }),
  'a socket from systemd that was not passed': () => ({
    yaml: 'listeners: [{systemd: mqtt}]\nauthentication: [{type: anonymous}]\nhttp: {enabled: false}\n',
    message: /systemd passed no sockets \(asked for "mqtt"\)/,
  }),
};

test.each(Object.keys(badInputs))('%s: one line that says so, and nothing started', async (name) => {
  const { yaml, message } = badInputs[name]!();
  const index = Object.keys(badInputs).indexOf(name);
  const path = join(directory, `bad-${index}.yaml`);
  writeFileSync(path, yaml.includes('data:') ? yaml : `store: {type: memory}\n${yaml}`);
  const options = new CommandValues(new Map([['config', path]]));
  const stream = new PassThrough();
  const started = serve({ options, args: [], env: {}, stdin: stream, stdout: stream, stderr: stream });
  const error = await started.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CommandError);
  expect(error).toMatchObject({ exitCode: 1, message: expect.stringMatching(message) });
  expect((error as CommandError).message).not.toContain('\n');
  expect(stream.read()).toBeNull();
});

test('a process with a wrong configuration prints that line and ends with 1', async () => {
  const path = join(directory, 'wrong.yaml');
  writeFileSync(path, 'listeners:\n  - port: 70000\n');
  const result = await runProcess(process.execPath, [cli, 'serve', '-c', path]);
  expect(result).toMatchObject({
    code: 1,
    stdout: '',
    stderr: `tobymq serve: ${path}:2: listeners[0].port: expected at most 65535, found 70000\n`,
  });
});

test('a port that is in use: one line that says so, and the other port is not left open', async () => {
  const blocker = createServer().listen(0, host);
  await once(blocker, 'listening');
  const { port } = blocker.address() as { port: number };
  const free = await freePort();
  const result = await runProcess(process.execPath, [
    cli,
    'serve',
    '--memory',
    '--port',
    String(free),
    '--ws-port',
    String(port),
  ]);
  expect(result.code).toBe(1);
  expect(result.stderr).toContain(
    `cannot listen on 127.0.0.1:${port}: another program uses the port; stop it, or choose another port`,
  );
  const socket = connectSocket({ host, port: free });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  blocker.close();
});

test('a second server on the same data is refused, and the first goes on', async () => {
  await withTempDir(async (cwd) => {
    const first = startCommand(['serve', ...anyPorts], { cwd });
    const [, port] = await first.line(ready);
    const second = await runProcess(process.execPath, [cli, 'serve', ...anyPorts], { cwd });
    expect(second.code).toBe(1);
    expect(
      second.stderr
        .trim()
        .split('\n')
        .filter((line) => !line.startsWith('{')),
    ).toHaveLength(1);
    expect((await connect({ host, port: Number(port) })).reason).toBe(0);
  });
});

test('sockets from systemd are taken over', async () => {
  const path = join(directory, 'systemd.yaml');
  writeFileSync(
    path,
    `store: {type: memory}\nhttp: {enabled: false}\nauthentication: [{type: anonymous}]\nlisteners: [{systemd: mqtt}, {systemd: "1"}]\n`,
  );
  // What systemd does: open sockets as descriptors 3 and 4, name them, and become the server.
  const launcher = `
    const { spawn } = require('node:child_process');
    const net = require('node:net');
    const a = net.createServer().listen(0, '127.0.0.1', () => {
      const b = net.createServer().listen(0, '127.0.0.1', () => {
        console.log('PORTS ' + a.address().port + ' ' + b.address().port);
        const script = 'export LISTEN_PID=$$; exec "$0" "$@"';
        const child = spawn('sh', ['-c', script, process.execPath, ${JSON.stringify(cli)}, 'serve', '-c', ${JSON.stringify(path)}], {
          stdio: ['ignore', 'inherit', 'inherit', a._handle, b._handle],
          env: { ...process.env, LISTEN_FDS: '2', LISTEN_FDNAMES: 'mqtt:other' },
        });
        a.close();
        b.close();
        process.on('SIGTERM', () => child.kill());
        child.on('exit', (code) => process.exit(code));
      });
    });`;
  const { TestProcess } = await import('@tobymq/testkit');
  const launched = TestProcess.start(process.execPath, ['-e', launcher]);
  try {
    const [, first, second] = await launched.line(/PORTS (\d+) (\d+)/);
    await launched.line(/is ready/);
    for (const port of [first, second]) {
      const peer = await RawPeer.connect({ host, port: Number(port) });
      expect((await connect(peer, { clientId: `c${port}` })).reason).toBe(0);
    }
  } finally {
    await launched.stop();
  }
});
