// `tobymq doctor` names the fault in set-ups that are broken on purpose, each in one way.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Broker, type BrokerOptions, type Extension } from '@tobymq/broker';
import { connect } from '@tobymq/client';
import {
  freePort,
  makeCertificates,
  packet,
  RawServer,
  type RawServerOptions,
  type TestCertificates,
} from '@tobymq/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseCommandLine } from '../../src/commands/parse.ts';
import { diagnosisCommands } from '../../src/tools/diagnosis-commands.ts';
import type { Finding } from '../../src/tools/doctor/finding.ts';
import { run } from '../../src/tools/doctor/run.ts';
import { portOf, startServer } from '../harness.ts';
import { runTool } from './tools-harness.ts';

let folder: string;
let certificates: TestCertificates;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tobymq-doctor-'));
  certificates = await makeCertificates(folder);
});

afterAll(() => rm(folder, { recursive: true }));

interface Examination {
  readonly code: number;
  readonly fault: string | null;
  readonly findings: readonly Finding[];
  /** The finding that names the fault. */
  readonly culprit: Finding | undefined;
}

/** Runs the command in this process, with short times. */
async function examine(...args: readonly string[]): Promise<Examination> {
  const command = diagnosisCommands.find(({ name }) => name === 'doctor');
  if (command === undefined) throw new Error('there is no command doctor');
  const stdout = new PassThrough();
  const given = parseCommandLine(command, ['--timeout', '1', '--idle', '0', '--json', ...args]);
  const code = await run({
    options: given.options,
    args: given.args,
    env: { HOME: '/nonexistent' },
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
  });
  const { fault, findings } = JSON.parse(String(stdout.read()));
  return { code, fault, findings, culprit: findings.find(({ verdict }: Finding) => verdict === 'fault') };
}

async function startBroker(
  extension: Omit<Extension, 'name'> = {},
  options: BrokerOptions = {},
): Promise<string> {
  const broker = await Broker.start({ ...options, extensions: [{ name: 'test', ...extension }] });
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  return `mqtt://127.0.0.1:${port}`;
}

async function rawServer(options: RawServerOptions = {}): Promise<RawServer> {
  const server = await RawServer.listen(options);
  onTestFinished(() => server.close());
  return server;
}

/** A TCP server that does one thing with each connection. */
async function tcpServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

async function tlsServer(
  files: { readonly cert: string; readonly key: string },
  more: RawServerOptions['tls'] = {},
): Promise<string> {
  const server = await rawServer({
    tls: { cert: await readFile(files.cert), key: await readFile(files.key), ...more },
  });
  return `mqtts://localhost:${server.port}`;
}

const ca = (): string[] => ['--ca', certificates.ca.cert];

test('a healthy server has no fault, and its capabilities and round trips are told', async () => {
  const url = await startBroker(
    {},
    { listenerDefaults: { maximumQoS: 1, sharedSubscriptionAvailable: false } },
  );
  const { code, fault, findings } = await examine(url, '--idle', '1');
  expect(fault).toBeNull();
  expect(code).toBe(0);
  const text = findings.map(({ step, verdict, text: said }) => `${step} ${verdict} ${said}`).join('\n');
  expect(text).toMatch(/TCP ok 127\.0\.0\.1:\d+ accepts/);
  expect(text).toContain('MQTT 5.0 accepted');
  expect(text).toContain('MQTT 3.1.1 accepted');
  expect(text).toContain('MQTT 3.1 accepted');
  expect(text).toContain('capabilities ok QoS up to 1');
  expect(text).toContain('capabilities warning the server does not offer QoS above 1, shared subscriptions');
  expect(text).toMatch(/round trip ok 64 bytes on tobymq\/doctor\/\w+: QoS 0 [\d.]+ ms, QoS 1 [\d.]+ ms$/m);
  expect(text).toContain('keep-alive ok');
});

test('a healthy TLS server shows its chain, a healthy WebSocket server its upgrade', async () => {
  const { cert, key } = certificates.server;
  const server = await startServer({
    listeners: [{ type: 'wss', host: '127.0.0.1', port: 0, path: '/mqtt', tls: { cert, key } }],
  });
  const { fault, findings } = await examine(`wss://localhost:${portOf(server)}/mqtt`, ...ca());
  expect(fault).toBeNull();
  const text = findings.map(({ text: said }) => said).join('\n');
  expect(text).toMatch(/TLSv1\.3, localhost < TobyMQ test authority, valid for \d+ more days/);
  expect(text).toContain('/mqtt is upgraded to the subprotocol mqtt');
});

test('a name that does not resolve', async () => {
  const { code, fault, culprit } = await examine('mqtt://no-such-host.invalid');
  expect(fault).toBe('HOST_UNKNOWN');
  expect(culprit?.text).toContain('no-such-host.invalid');
  expect(code).toBe(3);
});

test('a wrong port, with the ports that are open', async () => {
  const { code, fault, culprit } = await examine(`mqtt://127.0.0.1:${await freePort()}`);
  expect(fault).toBe('PORT_CLOSED');
  expect(culprit).toMatchObject({ step: 'TCP', cause: expect.stringContaining('No server listens') });
  expect(code).toBe(3);
});

test('TLS on a plain port', async () => {
  const url = await startBroker();
  const { code, fault, culprit } = await examine(url.replace('mqtt:', 'mqtts:'));
  expect(fault).toBe('TLS_ON_PLAIN_PORT');
  expect(culprit?.text).toContain('speaks plain MQTT');
  expect(code).toBe(8);
});

test('plain on a TLS port', async () => {
  const url = await tlsServer(certificates.server);
  const { fault, culprit } = await examine(url.replace('mqtts:', 'mqtt:'));
  expect(fault).toBe('PLAIN_ON_TLS_PORT');
  expect(culprit?.remedy).toContain('mqtts://');
});

test('an expired certificate, with its date', async () => {
  const { code, fault, culprit } = await examine(await tlsServer(certificates.expired), ...ca());
  expect(fault).toBe('CERTIFICATE_EXPIRED');
  expect(culprit?.text).toContain('Jan  1 00:00:00 2020');
  expect(code).toBe(8);
});

test('a certificate for another host, with both names', async () => {
  const { fault, culprit } = await examine(await tlsServer(certificates.wrongHost), ...ca());
  expect(fault).toBe('CERTIFICATE_WRONG_HOST');
  expect(culprit?.text).toBe('the certificate is for DNS:other.example, not for localhost');
});

test('a missing authority, and a warning only with --insecure', async () => {
  const url = await tlsServer(certificates.server);
  const { fault, culprit } = await examine(url);
  expect(fault).toBe('CERTIFICATE_UNTRUSTED');
  expect(culprit?.remedy).toContain('--ca FILE');
  const insecure = await examine(url, '--insecure');
  expect(insecure.findings).toContainEqual(
    expect.objectContaining({
      step: 'TLS',
      verdict: 'warning',
      text: expect.stringContaining('not trusted'),
    }),
  );
});

test.each(['TLSv1.3', 'TLSv1.2'] as const)(
  'a client certificate that is required (%s)',
  async (maxVersion) => {
    const authority = await readFile(certificates.ca.cert);
    const demanding = { ca: authority, requestCert: true, rejectUnauthorized: true, maxVersion };
    const url = await tlsServer(certificates.server, demanding);
    expect((await examine(url, ...ca())).fault).toBe('CLIENT_CERTIFICATE_REQUIRED');
    const { cert, key } = certificates.strangerClient;
    expect((await examine(url, ...ca(), '--cert', cert, '--key', key)).fault).toBe(
      'CLIENT_CERTIFICATE_REFUSED',
    );
  },
);

test('a wrong WebSocket path, with the one that works', async () => {
  const server = await startServer({
    listeners: [{ type: 'ws', host: '127.0.0.1', port: 0, path: '/mqtt' }],
  });
  const { fault, culprit } = await examine(`ws://127.0.0.1:${portOf(server)}/socket`);
  expect(fault).toBe('WEBSOCKET_PATH_WRONG');
  expect(culprit?.remedy).toContain('The path /mqtt works.');
  expect((await examine(`mqtt://127.0.0.1:${portOf(server)}`)).fault).toBe('WEBSOCKET_PORT');
});

test('WebSocket on a plain MQTT port', async () => {
  const url = await startBroker();
  const { fault } = await examine(`${url.replace('mqtt:', 'ws:')}/mqtt`);
  expect(fault).toBe('WEBSOCKET_ON_MQTT_PORT');
});

test('a web server, asked for MQTT and for a WebSocket', async () => {
  const http = createHttpServer((_request, response) => response.end('hello'));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close());
  const { port } = http.address() as { port: number };
  expect((await examine(`mqtt://127.0.0.1:${port}`)).fault).toBe('HTTP_SERVER');
  expect((await examine(`ws://127.0.0.1:${port}/mqtt`)).fault).toBe('HTTP_SERVER');
});

test.each([
  ['wrong credentials', 0x86, ['-u', 'ana', '-P', 'x'], 'BAD_CREDENTIALS', 5],
  ['wrong credentials in 3.1.1', 0x86, ['-u', 'ana', '-P', 'x', '-V', '3.1.1'], 'BAD_CREDENTIALS', 5],
  ['an anonymous client that is not admitted', 0x87, [], 'ANONYMOUS_REFUSED', 5],
  ['an anonymous client that is not admitted, in 3.1', 0x87, ['-V', '3.1'], 'ANONYMOUS_REFUSED', 5],
  ['a user who is not admitted', 0x87, ['-u', 'ana', '-P', 'x'], 'NOT_AUTHORIZED', 5],
  ['a client id that is refused', 0x85, ['-i', 'bad id'], 'CLIENT_ID_REFUSED', 4],
  ['a ban', 0x8a, [], 'BANNED', 5],
  ['a busy server', 0x89, [], 'SERVER_BUSY', 4],
  ['a server that has moved', 0x9d, [], 'SERVER_MOVED', 4],
] as const)('%s', async (_name, reasonCode, args, wanted, exitCode) => {
  const url = await startBroker({ authenticate: () => ({ allow: false, reasonCode }) });
  const { code, fault } = await examine(url, ...args);
  expect(fault).toBe(wanted);
  expect(code).toBe(exitCode);
});

test('a version that is refused, with one that works', async () => {
  const url = await startBroker({}, { listenerDefaults: { acceptedVersions: [4] } });
  const { fault, culprit } = await examine(url);
  expect(fault).toBe('VERSION_REFUSED');
  expect(culprit?.remedy).toContain('MQTT 3.1.1 works: --protocol 3.1.1.');
});

test('a version that an old server answers by closing', async () => {
  const port = await tcpServer((socket) => {
    socket.on('data', (data) => {
      if (data[8] === 4) socket.write(packet.connack({ version: 4 }));
      else socket.destroy();
    });
  });
  expect((await examine(`mqtt://127.0.0.1:${port}`)).culprit).toMatchObject({
    fault: 'VERSION_REFUSED',
    remedy: expect.stringContaining('--protocol 3.1.1'),
  });
});

test.each(['5', '3.1.1'])('a packet that is too large (MQTT %s)', async (version) => {
  const url = await startBroker({}, { listenerDefaults: { maximumPacketSize: 1000 } });
  const { code, fault, culprit } = await examine(url, '--size', '5000', '-V', version);
  expect(fault).toBe('PACKET_TOO_LARGE');
  if (version === '5') expect(culprit?.remedy).toContain('up to 1000 bytes');
  expect(code).toBe(9);
});

test.each(['closes an idle connection', 'swallows pings'])('a proxy that %s', async (fault_) => {
  const { port: serverPort } = new URL(await startBroker());
  const port = await tcpServer((inbound) => {
    const outbound = connectTcp(Number(serverPort), '127.0.0.1');
    outbound.pipe(inbound);
    inbound.on('close', () => outbound.destroy());
    inbound.on('data', (data) => {
      if (data[0] !== 0xc0) outbound.write(data);
      else if (fault_ === 'closes an idle connection') inbound.destroy();
    });
  });
  const { code, fault, culprit } = await examine(`mqtt://127.0.0.1:${port}`, '--idle', '3');
  expect(fault).toBe('KEEP_ALIVE_KILLED');
  expect(culprit?.step).toBe('keep-alive');
  expect(code).toBe(3);
});

test.each(['5', '3.1.1'])('a publish that a rule denies (MQTT %s)', async (version) => {
  const url = await startBroker({ authorizePublish: () => false });
  const { code, fault, culprit } = await examine(url, '--topic', 'secret/door', '-V', version);
  expect(fault).toBe('PUBLISH_DENIED');
  expect(culprit?.text).toContain('secret/door');
  expect(code).toBe(5);
});

test.each(['5', '3.1.1'])('a subscription that a rule denies (MQTT %s)', async (version) => {
  const url = await startBroker({ authorizeSubscribe: () => false });
  const { code, fault } = await examine(url, '-V', version);
  expect(fault).toBe('SUBSCRIBE_DENIED');
  expect(code).toBe(5);
});

test('a message that is acknowledged and not delivered', async () => {
  const url = await startBroker({ authorizeDelivery: () => false });
  expect(['PUBLISH_DENIED', 'NOT_DELIVERED']).toContain((await examine(url)).fault);
});

test('a server that accepts and says nothing', async () => {
  const port = await tcpServer(() => {});
  expect((await examine(`mqtt://127.0.0.1:${port}`)).fault).toBe('SILENT_SERVER');
  expect((await examine(`mqtts://127.0.0.1:${port}`)).fault).toBe('SILENT_SERVER');
  expect((await examine(`ws://127.0.0.1:${port}/mqtt`)).fault).toBe('SILENT_SERVER');
});

test('a server that closes at once', async () => {
  const port = await tcpServer((socket) => socket.destroy());
  expect((await examine(`mqtt://127.0.0.1:${port}`)).fault).toBe('CLOSED_AT_ONCE');
});

test('a server that is no MQTT server', async () => {
  const port = await tcpServer((socket) => socket.write('220 mail.example ESMTP\r\n'));
  expect((await examine(`mqtt://127.0.0.1:${port}`)).fault).toBe('NOT_MQTT');
});

test('a session that another client takes over', async () => {
  const url = await startBroker();
  const rival = await connect(url, {
    clientId: 'twin',
    reconnect: { decide: () => 20 },
    onError: () => {},
  });
  onTestFinished(() => rival.close());
  const { fault } = await examine(url, '-i', 'twin', '--idle', '2');
  expect(fault).toBe('SESSION_TAKEN_OVER');
});

test('a socket file that is missing', async () => {
  expect((await examine('unix:///nonexistent/tobymq.sock')).fault).toBe('SOCKET_MISSING');
});

test('people read steps, fault, cause and remedy, and the exit code tells the kind', async () => {
  const url = await startBroker({ authenticate: () => ({ allow: false, reasonCode: 0x86 }) });
  const { code, stdout } = await runTool(['doctor', url.slice('mqtt://'.length), '-u', 'ana', '-P', 'hush']);
  expect(code).toBe(5);
  expect(stdout).toMatch(/^ok {7}TCP/m);
  expect(stdout).toMatch(
    /^FAULT {4}MQTT .*BadUserNameOrPassword|^FAULT {4}MQTT .*bad user name or password/im,
  );
  expect(stdout).toContain('name:   BAD_CREDENTIALS');
  expect(stdout).toContain('remedy: Check both');
  expect(stdout).toContain('The fault: ');
  expect(stdout).not.toContain('hush');
  expect(await runTool(['doctor', 'not an address'])).toMatchObject({ code: 2 });
});
