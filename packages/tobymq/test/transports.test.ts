// Every transport, with a raw peer on the other side: what arrives is what a client would see.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import {
  freePort,
  makeCertificates,
  packet,
  packetType,
  RawPeer,
  type TestCertificates,
} from '@tobymq/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { ConfigInput } from '../src/config/schema.ts';
import {
  connect,
  type Listeners,
  nextMessage,
  portOf,
  publish,
  startServer,
  subscribe,
  testConfig,
  webSocketPeer,
} from './harness.ts';

let directory: string;
let certificates: TestCertificates;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tobymq-transports-'));
  certificates = await makeCertificates(directory);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const host = '127.0.0.1';

function tlsListener(more: object = {}): Listeners[number] {
  return {
    type: 'tls',
    port: 0,
    tls: { cert: certificates.server.cert, key: certificates.server.key, ...more },
  } as Listeners[number];
}

function client(more: ConnectionOptions = {}): ConnectionOptions {
  return { ca: readFileSync(certificates.ca.cert), servername: 'localhost', ...more };
}

function withCertificate({ cert, key }: { cert: string; key: string }): ConnectionOptions {
  return client({ cert: readFileSync(cert), key: readFileSync(key) });
}

async function roundTrip(peer: RawPeer): Promise<void> {
  expect(await subscribe(peer, 'a/#')).toBe(0);
  expect(await publish(peer, 'a/b', 'hello')).toBe(0);
  expect(await nextMessage(peer)).toEqual({ topic: 'a/b', payload: 'hello' });
}

/** What a WebSocket client sends first. */
function upgradeRequest(path: string): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: mqtt',
    '\r\n',
  ].join('\r\n');
}

/** The server ends the connection without a CONNACK: TLS clients see an error or an end. */
async function isRefused(port: number, tls: ConnectionOptions): Promise<boolean> {
  const socket = connectTls({ host, port, ...tls });
  const ended = new Promise<boolean>((resolve) => {
    socket.on('error', () => resolve(true));
    socket.on('close', () => resolve(true));
    socket.on('data', () => resolve(false));
    socket.on('secureConnect', () => socket.write(packet.connect({ version: 5, clientId: 'c' })));
  });
  const answer = await ended;
  socket.destroy();
  return answer;
}

test('MQTT over TCP', async () => {
  const server = await startServer({});
  const { peer, reason } = await connect({ host, port: portOf(server) });
  expect(reason).toBe(0);
  await roundTrip(peer);
});

test('MQTT over TCP on IPv6, and a client of a listener for both families has its plain address', async () => {
  const server = await startServer({
    listeners: [
      { host: '::1', port: 0 },
      { host: '*', port: 0 },
    ],
    authentication: [{ type: 'anonymous' }],
  });
  await roundTrip((await connect({ host: '::1', port: portOf(server) }, { clientId: 'six' })).peer);
  await roundTrip((await connect({ host, port: portOf(server, 1) }, { clientId: 'four' })).peer);
  expect(server.broker.client('six')?.remoteAddress).toBe('::1');
  expect(server.broker.client('four')?.remoteAddress).toBe('127.0.0.1');
});

test('MQTT over TLS', async () => {
  const server = await startServer({ listeners: [tlsListener()] });
  const { peer } = await connect({ host, port: portOf(server), tls: client() });
  await roundTrip(peer);
});

test('a client that speaks no TLS to a TLS listener is turned away, and others are served', async () => {
  const server = await startServer({ listeners: [tlsListener()] });
  const plain = await RawPeer.connect({ host, port: portOf(server) });
  plain.send(packet.connect({ version: 5, clientId: 'plain' }));
  await plain.expectClose();
  await roundTrip((await connect({ host, port: portOf(server), tls: client() })).peer);
});

test('mutual TLS: only certificates of the authority come in, and the common name is the user name', async () => {
  const server = await startServer({
    listeners: [
      tlsListener({ ca: certificates.ca.cert, clientCertificates: 'require', crl: certificates.crl }),
    ],
    authentication: [{ type: 'certificate' }],
  });
  const port = portOf(server);
  expect((await connect({ host, port, tls: withCertificate(certificates.client) })).reason).toBe(0);
  expect(server.broker.client('test')?.username).toBe('test-client');
  expect(await isRefused(port, client())).toBe(true);
  expect(await isRefused(port, withCertificate(certificates.strangerClient))).toBe(true);
  expect(await isRefused(port, withCertificate(certificates.revokedClient))).toBe(true);
});

test('a requested certificate of a stranger counts as none', async () => {
  const server = await startServer({
    listeners: [tlsListener({ ca: certificates.ca.cert, clientCertificates: 'request' })],
    authentication: [{ type: 'certificate' }],
  });
  const port = portOf(server);
  expect((await connect({ host, port, tls: withCertificate(certificates.client) })).reason).toBe(0);
  expect((await connect({ host, port, tls: withCertificate(certificates.strangerClient) })).reason).toBe(
    0x87,
  );
});

test('the whole subject can be the user name, in the order of RFC 2253', async () => {
  const server = await startServer({
    listeners: [tlsListener({ ca: certificates.ca.cert, clientCertificates: 'require' })],
    authentication: [{ type: 'certificate', username: 'subject' }],
  });
  await connect({ host, port: portOf(server), tls: withCertificate(certificates.client) });
  expect(server.broker.client('test')?.username).toBe('CN=test-client');
});

test('the certificate is chosen by the server name that the client asks for', async () => {
  const { cert, key } = certificates.wrongHost;
  const server = await startServer({
    listeners: [tlsListener({ sni: [{ names: ['*.example'], cert, key }] })],
  });
  const named = async (servername: string): Promise<string | undefined> => {
    const socket = connectTls({
      host,
      port: portOf(server),
      ca: readFileSync(certificates.ca.cert),
      servername,
    });
    await once(socket, 'secureConnect');
    const name = socket.getPeerCertificate().subject.CN as unknown as string;
    socket.destroy();
    return name;
  };
  expect(await named('localhost')).toBe('localhost');
  expect(await named('other.example')).toBe('other.example');
  expect(await named('Other.EXAMPLE'), 'names of hosts have no case').toBe('other.example');
});

test('pre-shared keys: the identity is the user name, a wrong key is refused', async () => {
  const pskFile = join(directory, 'psk');
  writeFileSync(pskFile, '# keys\nlamp:deadbeef\n');
  const server = await startServer({
    listeners: [{ type: 'tls', port: 0, tls: { pskFile, pskHint: 'tobymq' } }],
    authentication: [{ type: 'certificate' }],
  });
  const port = portOf(server);
  const psk = (identity: string, key: string): ConnectionOptions => ({
    ciphers: 'PSK+HIGH',
    pskCallback: () => ({ identity, psk: Buffer.from(key, 'hex') }),
    checkServerIdentity: () => undefined,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
  });
  const { peer } = await connect({ host, port, tls: psk('lamp', 'deadbeef') });
  await roundTrip(peer);
  expect(server.broker.client('test')?.username).toBe('lamp');
  expect(await isRefused(port, psk('lamp', '00000000'))).toBe(true);
  expect(await isRefused(port, psk('stranger', 'deadbeef'))).toBe(true);
});

test('a file with the revocation lists of several authorities counts as a whole', async () => {
  const others = await makeCertificates(mkdtempSync(join(directory, 'others-')), 'Other authority');
  const joined = (name: string, ...paths: string[]): string => {
    const path = join(directory, name);
    writeFileSync(path, paths.map((each) => readFileSync(each, 'utf8')).join(''));
    return path;
  };
  const ca = joined('cas.pem', certificates.ca.cert, others.ca.cert);
  const crl = joined('crls.pem', certificates.crl, others.crl);
  const server = await startServer({ listeners: [tlsListener({ ca, clientCertificates: 'require', crl })] });
  const port = portOf(server);
  for (const { client, revokedClient } of [certificates, others]) {
    expect((await connect({ host, port, tls: withCertificate(client) })).reason).toBe(0);
    expect(await isRefused(port, withCertificate(revokedClient))).toBe(true);
  }
});

test('new certificates are taken on reload, and connections stay', async () => {
  const cert = join(directory, 'live.crt');
  const key = join(directory, 'live.key');
  copyFileSync(certificates.server.cert, cert);
  copyFileSync(certificates.server.key, key);
  const server = await startServer({ listeners: [{ type: 'tls', port: 0, tls: { cert, key } }] });
  const tls = client({ rejectUnauthorized: false });
  const { peer } = await connect({ host, port: portOf(server), tls }, { clientId: 'before' });
  copyFileSync(certificates.wrongHost.cert, cert);
  copyFileSync(certificates.wrongHost.key, key);
  await server.reload();
  const socket = connectTls({ host, port: portOf(server), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  expect(socket.getPeerCertificate().subject.CN).toBe('other.example');
  socket.destroy();
  await roundTrip(peer);
});

test('new certificates for server names are taken on reload', async () => {
  const cert = join(directory, 'named.crt');
  const key = join(directory, 'named.key');
  copyFileSync(certificates.server.cert, cert);
  copyFileSync(certificates.server.key, key);
  const server = await startServer({
    listeners: [tlsListener({ sni: [{ names: ['*.example'], cert, key }] })],
  });
  copyFileSync(certificates.wrongHost.cert, cert);
  copyFileSync(certificates.wrongHost.key, key);
  await server.reload();
  const tls = { servername: 'some.example', rejectUnauthorized: false };
  const socket = connectTls({ host, port: portOf(server), ...tls });
  await once(socket, 'secureConnect');
  expect(socket.getPeerCertificate().subject.CN).toBe('other.example');
  socket.destroy();
});

test('whether clients need a certificate can be changed by a reload', async () => {
  const port = await freePort();
  const withClients = (clientCertificates: string): ConfigInput => ({
    listeners: [{ ...tlsListener({ ca: certificates.ca.cert, clientCertificates }), port }],
    authentication: [{ type: 'anonymous', anyName: true }],
  });
  let config = withClients('none');
  const server = await startServer(config, { readConfig: () => testConfig(config) });
  await roundTrip((await connect({ host, port, tls: client() })).peer);
  config = withClients('require');
  await server.reload();
  expect(await isRefused(port, client())).toBe(true);
  await roundTrip((await connect({ host, port, tls: withCertificate(certificates.client) })).peer);
  config = withClients('none');
  await server.reload();
  await roundTrip((await connect({ host, port, tls: client() })).peer);
});

test('a reload with a key of another certificate changes nothing and says why', async () => {
  const cert = join(directory, 'pair.crt');
  const key = join(directory, 'pair.key');
  copyFileSync(certificates.server.cert, cert);
  copyFileSync(certificates.server.key, key);
  const server = await startServer({ listeners: [{ type: 'tls', port: 0, tls: { cert, key } }] });
  copyFileSync(certificates.wrongHost.key, key);
  await expect(server.reload()).rejects.toThrow(/does not belong to the certificate/);
  await roundTrip((await connect({ host, port: portOf(server), tls: client() })).peer);
});

test('MQTT over WebSocket, with frames split and joined anyhow', async () => {
  const server = await startServer({ listeners: [{ type: 'ws', port: 0 }] });
  const url = `ws://${host}:${portOf(server)}/mqtt`;
  const { peer } = await connect(await webSocketPeer(url));
  await roundTrip(peer);
  const bytes = packet.publish({ version: 5, topic: 'a/c', payload: 'split', qos: 1, id: 3 });
  await peer.sendByteByByte(bytes);
  expect(await nextMessage(peer)).toEqual({ topic: 'a/c', payload: 'split' });
  peer.send(Buffer.concat([bytes, packet.publish({ version: 5, topic: 'a/d', payload: 'joined' })]));
  expect(await nextMessage(peer)).toEqual({ topic: 'a/c', payload: 'split' });
  expect(await nextMessage(peer)).toEqual({ topic: 'a/d', payload: 'joined' });
});

test('a large message over WebSocket arrives whole', async () => {
  const server = await startServer({ listeners: [{ type: 'ws', port: 0 }] });
  const { peer } = await connect(await webSocketPeer(`ws://${host}:${portOf(server)}/mqtt`));
  await subscribe(peer, 'big');
  const payload = 'x'.repeat(3_000_000);
  peer.send(packet.publish({ version: 5, topic: 'big', payload }));
  expect((await nextMessage(peer)).payload.length).toBe(payload.length);
});

test('what a client sends over WebSocket before its end is handled, also while a rule takes its time', async () => {
  const server = await startServer({ listeners: [{ type: 'ws', port: 0 }] });
  const topics: string[] = [];
  server.broker.subscribe('#', ({ topic }) => topics.push(topic));
  const authorizePublish = () => new Promise<boolean>((resolve) => setTimeout(resolve, 50, true));
  await server.broker.addExtension({ name: 'slow', authorizePublish });
  const ended = new Promise<string>((resolve) => {
    const onDisconnected = (_client: unknown, { initiator }: { initiator: string }) => resolve(initiator);
    void server.broker.addExtension({ name: 'witness', onDisconnected });
  });
  const socket = new WebSocket(`ws://${host}:${portOf(server)}/mqtt`, 'mqtt');
  await once(socket, 'open');
  const connack = once(socket, 'message');
  socket.send(packet.connect({ version: 5, clientId: 'c', will: { topic: 'will', payload: 'x' } }));
  await connack;
  const messages = ['a', 'b'].map((topic) =>
    packet.publish({ version: 5, topic, payload: 'x', qos: 1, id: 1 }),
  );
  socket.send(Buffer.concat([...messages, packet.disconnect()]));
  socket.close();
  expect(await ended).toBe('client');
  expect(topics).toEqual(['a', 'b']);
});

test('connections that cannot be accepted are counted and do not end the server', async () => {
  const listening = vi.spyOn(Server.prototype, 'listen');
  const server = await startServer({});
  const accepting = listening.mock.contexts[0] as Server;
  listening.mockRestore();
  // What Node does when the system call fails.
  for (let i = 0; i < 2; i++) accepting.emit('error', new Error('accept ECONNABORTED'));
  expect(server.broker.metrics.socketsRefused).toBe(2);
  await roundTrip((await connect({ host, port: portOf(server) })).peer);
});

test.each([
  [
    'a frame larger than any CONNECT, of which the end never comes,',
    Buffer.alloc(1_000_000),
    'a frame of more than 524288 bytes came before CONNECT',
  ],
  ['a text frame', 'hello', 'a text frame came, and MQTT needs binary frames'],
])('%s ends a WebSocket before CONNECT, counted, and the log says why', async (_name, frame, reason) => {
  const log = join(directory, 'frames.log');
  rmSync(log, { force: true });
  const server = await startServer({
    listeners: [{ type: 'ws', port: 0 }],
    log: { to: [log], format: 'json' },
  });
  const socket = new WebSocket(`ws://${host}:${portOf(server)}/mqtt`, 'mqtt');
  await once(socket, 'open');
  const closed = once(socket, 'close');
  socket.send(frame, { fin: typeof frame === 'string' });
  await closed;
  expect(server.broker.metrics.socketsRefused).toBe(1);
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as object)).toContainEqual(
    expect.objectContaining({ event: 'connection-refused', address: host, reason }),
  );
});

test('a text frame closes the WebSocket [MQTT-6.0.0-1]', async () => {
  const server = await startServer({ listeners: [{ type: 'ws', port: 0 }] });
  const socket = new WebSocket(`ws://${host}:${portOf(server)}/mqtt`, 'mqtt');
  await once(socket, 'open');
  socket.send('hello');
  const [code] = (await once(socket, 'close')) as [number];
  expect(code).toBe(1003);
});

test.each([
  ['without the subprotocol mqtt [MQTT-6.0.0-3]', '/mqtt', [], {}, 400],
  ['at another path', '/other', ['mqtt'], {}, 404],
  ['from another origin', '/mqtt', ['mqtt'], { origin: 'https://evil.example' }, 403],
  ['without an origin', '/mqtt', ['mqtt'], {}, 403],
])('a WebSocket %s is refused before the upgrade', async (_name, path, protocols, options, status) => {
  const server = await startServer({
    listeners: [{ type: 'ws', port: 0, origins: status === 403 ? ['https://good.example'] : [] }],
  });
  const socket = new WebSocket(`ws://${host}:${portOf(server)}${path}`, protocols, options);
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    { statusCode: number; destroy(): void },
  ];
  expect(response.statusCode).toBe(status);
  response.destroy();
});

test.each<[string, 'ws' | 'tls', string, string]>([
  [
    'MQTT to a WebSocket',
    'ws',
    '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0',
    'the client speaks MQTT without WebSocket',
  ],
  ['TLS to a WebSocket', 'ws', '\x16\x03\x01\x02\0\x01\0', 'the client speaks TLS, this listener does not'],
  [
    'a WebSocket at another path',
    'ws',
    'GET /other?token=x HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    'there is no WebSocket at this path: /other',
  ],
  ['MQTT to a TLS port', 'tls', '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0', 'the client does not speak TLS'],
])('%s is refused, counted, and the log says why', async (_name, type, bytes, reason) => {
  const log = join(directory, 'refusals.log');
  rmSync(log, { force: true });
  const listener = type === 'tls' ? tlsListener({}) : { type, port: 0 };
  const server = await startServer({ listeners: [listener], log: { to: [log], format: 'json' } });
  const socket = connectSocket({ host, port: portOf(server) }, () =>
    socket.write(Buffer.from(bytes, 'latin1')),
  );
  await once(socket.resume(), 'close');
  expect(server.broker.metrics.socketsRefused).toBe(1);
  const refusal = readFileSync(log, 'utf8')
    .split('\n')
    .find((line) => line.includes('connection-refused'));
  expect(JSON.parse(refusal ?? '{}')).toMatchObject({
    address: host,
    reason: expect.stringContaining(reason),
  });
});

test('files beside a WebSocket: those that are there, and 404 for whatever else is asked for', async () => {
  const folder = join(directory, 'www');
  mkdirSync(folder);
  writeFileSync(join(folder, 'index.html'), 'hello');
  const server = await startServer({ listeners: [{ type: 'ws', port: 0, httpDir: folder }] });
  const status = async (path: string): Promise<number> =>
    (await fetch(`http://${host}:${portOf(server)}${path}`)).status;
  expect(await status('/')).toBe(200);
  for (const path of ['/none', '/index.html/below', `/${'x'.repeat(300)}`, '/%00']) {
    expect(await status(path), path).toBe(404);
  }
});

test('files beside a WebSocket are served on the port of the HTTP API, too, and what is none by the API', async () => {
  const folder = join(directory, 'pages');
  mkdirSync(folder);
  writeFileSync(join(folder, 'index.html'), 'hello');
  const port = await freePort();
  const http = { port, token: 'a-token-that-is-long-enough' };
  const server = await startServer({ listeners: [{ type: 'ws', port, httpDir: folder }], http });
  const headers = { authorization: `Bearer ${http.token}` };
  const ask = async (path: string): Promise<[number, string]> => {
    const response = await fetch(`${server.httpUrl}${path}`, { headers });
    return [response.status, await response.text()];
  };
  expect(await ask('/')).toEqual([200, 'hello']);
  expect(await ask('/health')).toEqual([200, '{"status":"ok"}']);
  expect((await ask('/api/v1/clients'))[0]).toBe(200);
  const [status, text] = await ask('/none');
  expect([status, JSON.parse(text)]).toMatchObject([404, { code: 'TOBYMQ_NOT_FOUND' }]);
});

test('a WebSocket whose path is no URL is refused, and others are served', async () => {
  const server = await startServer({ listeners: [{ type: 'ws', port: 0 }] });
  const socket = connectSocket(portOf(server), host);
  socket.end(upgradeRequest('//'));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 404 /);
  await roundTrip((await connect(await webSocketPeer(`ws://${host}:${portOf(server)}/mqtt`))).peer);
});

test('a refused WebSocket is closed, also for a client that keeps its side open', async () => {
  const server = await startServer({ listeners: [{ type: 'ws', port: 0 }] });
  const socket = connectSocket({ port: portOf(server), host, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.write(upgradeRequest('/other'));
  socket.resume();
  await once(socket, 'end');
  // Who writes to a connection that is closed is told by a reset.
  const closed = once(socket, 'close').catch(() => undefined);
  const writing = setInterval(() => socket.write('still here'), 10);
  onTestFinished(() => clearInterval(writing));
  await closed;
});

test('the subprotocol that the client offered is answered [MQTT-6.0.0-4]', async () => {
  const server = await startServer({
    listeners: [{ type: 'ws', port: 0, origins: ['https://good.example'] }],
  });
  const socket = new WebSocket(`ws://${host}:${portOf(server)}/mqtt`, ['chat', 'mqtt'], {
    origin: 'https://good.example',
  });
  await once(socket, 'open');
  expect(socket.protocol).toBe('mqtt');
  expect(socket.extensions).toBe('');
  socket.terminate();
});

test('secure WebSocket, with the certificate of the client', async () => {
  const listener = {
    ...tlsListener({ ca: certificates.ca.cert, clientCertificates: 'require' }),
    type: 'wss',
  } as Listeners[number];
  const server = await startServer({ listeners: [listener], authentication: [{ type: 'certificate' }] });
  const url = `wss://${host}:${portOf(server)}/mqtt`;
  const { peer } = await connect(await webSocketPeer(url, withCertificate(certificates.client) as object));
  await roundTrip(peer);
  expect(server.broker.client('test')?.username).toBe('test-client');
});

test('MQTT over a Unix socket with its permissions; a socket file that was left behind is replaced', async () => {
  const path = join(directory, 'mqtt.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(statSync(path).isSocket()).toBe(true);
  const server = await startServer({ listeners: [{ type: 'unix', path, mode: '660' }] });
  expect(statSync(path).mode & 0o777).toBe(0o660);
  const { peer } = await connect({ path });
  await roundTrip(peer);
  expect(server.broker.client('test')?.remoteAddress).toBe('unix');
});

test('a Unix socket that another server uses is not taken away from it', async () => {
  const path = join(directory, 'used.sock');
  await startServer({ listeners: [{ type: 'unix', path }] });
  await expect(startServer({ listeners: [{ type: 'unix', path }] })).rejects.toThrow(
    /another program listens there/,
  );
  await connect({ path });
});

const v1 = 'PROXY TCP4 203.0.113.7 10.0.0.1 51234 1883\r\n';
/** Version 2, TCP over IPv6, with a TLV that says that the client used TLS with a certificate. */
const v2 = Buffer.concat([
  Buffer.from('0d0a0d0a000d0a515549540a2121', 'hex'),
  Buffer.from([0, 36 + 3 + 5 + 3 + 4]),
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('20010db8000000000000000000000002', 'hex'),
  Buffer.from([0xc8, 0x22, 0x07, 0x5b]),
  Buffer.from([0x20, 0, 5 + 3 + 4, 0x07, 0, 0, 0, 0, 0x22, 0, 4]),
  Buffer.from('lamp'),
]);

test.each([
  ['version 1', Buffer.from(v1), '203.0.113.7', 51_234],
  ['version 2 with TLVs', v2, '2001:db8::1', 0xc822],
])('PROXY protocol %s, a byte at a time', async (_name, header, address, port) => {
  const server = await startServer({ listeners: [{ port: 0, proxyProtocol: {} }] });
  const peer = await RawPeer.connect({ host, port: portOf(server) });
  await peer.sendByteByByte(header);
  await connect(peer);
  await roundTrip(peer);
  expect(server.broker.client('test')).toMatchObject({ remoteAddress: address, remotePort: port });
});

test('a header and a CONNECT in one piece are both read', async () => {
  const server = await startServer({ listeners: [{ port: 0, proxyProtocol: {} }] });
  const peer = await RawPeer.connect({ host, port: portOf(server) });
  peer.send(Buffer.concat([Buffer.from(v1), packet.connect({ version: 5, clientId: 'one-piece' })]));
  await peer.expect(packetType.CONNACK);
  expect(server.broker.client('one-piece')?.remoteAddress).toBe('203.0.113.7');
  peer.destroy();
});

test('the certificate that the proxy verified names the user', async () => {
  const server = await startServer({
    listeners: [{ port: 0, proxyProtocol: { version: '2', requireTls: true } }],
    authentication: [{ type: 'certificate' }],
  });
  const peer = await RawPeer.connect({ host, port: portOf(server) });
  peer.send(v2);
  expect((await connect(peer)).reason).toBe(0);
  expect(server.broker.client('test')?.username).toBe('lamp');
});

test('PROXY before TLS and before WebSocket', async () => {
  const server = await startServer({
    listeners: [
      { ...tlsListener(), proxyProtocol: {} },
      { type: 'ws', port: 0, proxyProtocol: {} },
    ],
  });
  const raw = connectSocket({ host, port: portOf(server) });
  await once(raw, 'connect');
  raw.write(v1);
  const secure = connectTls({ socket: raw, ...client() });
  await once(secure, 'secureConnect');
  await connect(new RawPeer(secure), { clientId: 'tls' });
  expect(server.broker.client('tls')?.remoteAddress).toBe('203.0.113.7');

  const proxied = connectSocket({ host, port: portOf(server, 1) });
  await once(proxied, 'connect');
  proxied.write(v1);
  const peer = await webSocketPeer(`ws://${host}:${portOf(server, 1)}/mqtt`, {
    createConnection: () => proxied,
  } as object);
  await connect(peer, { clientId: 'ws' });
  expect(server.broker.client('ws')?.remoteAddress).toBe('203.0.113.7');
  await roundTrip(peer);
});

test('a WebSocket that is refused behind a proxy is told by the address of the client', async () => {
  const log = join(directory, 'proxied-refusal.log');
  const server = await startServer({
    listeners: [{ type: 'ws', port: 0, proxyProtocol: {} }],
    log: { to: [log], format: 'json' },
  });
  const socket = connectSocket({ host, port: portOf(server) });
  const handshake = 'GET /mqtt HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
  socket.write(v1 + handshake);
  await once(socket.resume(), 'close');
  const refusal = readFileSync(log, 'utf8')
    .split('\n')
    .find((line) => line.includes('connection-refused'));
  expect(JSON.parse(refusal ?? '{}')).toMatchObject({ address: '203.0.113.7' });
});

test.each([
  ['has none', {}, packet.connect({ version: 5, clientId: 'none' })],
  ['has a malformed one', {}, Buffer.from('PROXY TCP4 nonsense 10.0.0.1 1 2\r\n')],
  ['has an endless line', {}, Buffer.from(`PROXY ${'x'.repeat(200)}`)],
  ['has a header of another version', { version: '2' }, Buffer.from(v1)],
  ['did not use TLS where that is required', { requireTls: true }, Buffer.from(v1)],
  ['comes from elsewhere than the proxies', { trusted: ['192.0.2.1'] }, Buffer.from(v1)],
] as const)('a connection that %s is closed', async (_name, proxyProtocol, bytes) => {
  const server = await startServer({
    listeners: [
      {
        port: 0,
        proxyProtocol: {
          ...proxyProtocol,
          trusted: [...('trusted' in proxyProtocol ? proxyProtocol.trusted : [])],
        },
      },
    ],
  });
  const peer = await RawPeer.connect({ host, port: portOf(server) });
  peer.send(bytes);
  await peer.expectClose();
  peer.destroy();
});

test('an interface can be listened on by its name', async () => {
  const server = await startServer({ listeners: [{ host: 'interface:lo', port: 0 }] });
  await roundTrip((await connect({ host, port: portOf(server) })).peer);
});

test('more connections than a listener takes are closed', async () => {
  const server = await startServer({ listeners: [{ port: 0, limits: { connections: 1 } }] });
  await connect({ host, port: portOf(server) }, { clientId: 'first' });
  const second = await RawPeer.connect({ host, port: portOf(server) });
  await second.expectClose();
  second.destroy();
});
