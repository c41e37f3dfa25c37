// Every transport carries the same conversation: CONNECT, SUBSCRIBE, messages of all sizes in both directions, close.

import { createHash } from 'node:crypto';
import dns from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createServer as createTls } from 'node:tls';
import {
  decode,
  freePort,
  makeCertificates,
  packet,
  packetType,
  RawPeer,
  RawServer,
  withTempDir,
} from '@tobymq/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  type BytePipe,
  type Client,
  type ConnectOptions,
  connect,
  createClient,
  memoryPipe,
} from '../src/node.ts';
import { openTcp, openTls } from '../src/transports/tcp.ts';
import { clientFrame, FrameParser, Opcode } from '../src/transports/websocket-frames.ts';
import { answerSubscribe, clientOf, listen, outcome, reaches } from './support.ts';

async function converse(client: Client, peer: RawPeer): Promise<void> {
  await client.whenConnected();
  const subscription = client.subscribe('down');
  await answerSubscribe(peer);
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 300_000]) {
    const payload = Buffer.alloc(size, 'x');
    peer.send(packet.publish({ topic: 'down', payload, qos: 1, id: 1 }));
    const { value } = await subscription.next();
    expect(Buffer.compare(value.payload, payload)).toBe(0);
    value.ack();
    await peer.expect(packetType.PUBACK);
    const publishing = client.publish('up', payload, { qos: 1 });
    const up = decode.publish(await peer.expect(packetType.PUBLISH), 5);
    expect(Buffer.compare(up.payload, payload)).toBe(0);
    peer.send(packet.puback({ id: up.id }));
    await publishing;
  }
  await client.close();
  await peer.take(packetType.DISCONNECT);
  await peer.expectClose();
}

/** A client for any URL that ends with the test. */
function open(url: string, options: ConnectOptions = {}): Client {
  const client = createClient(url, { reconnect: false, ...options });
  onTestFinished(() => client.close());
  return client;
}

test('[MQTT-4.2.0-1] [MQTT-7.1.2-1] TCP, with one byte per segment as well', async () => {
  const server = await listen();
  const { client } = clientOf(server);
  const peer = await server.accept();
  await peer.expect(packetType.CONNECT);
  await peer.sendByteByByte(packet.connack());
  const subscription = client.subscribe('t');
  const { id } = decode.subscribe(await peer.expect(packetType.SUBSCRIBE), 5);
  await peer.sendByteByByte(packet.suback({ id, codes: [1] }));
  await peer.sendByteByByte(packet.publish({ topic: 't', payload: 'hello', qos: 1, id: 5 }));
  expect((await subscription.next()).value.text).toBe('hello');
  await client.close();
});

test('TCP carries small and large messages', async () => {
  const server = await listen();
  const { client } = clientOf(server);
  await converse(client, (await server.acceptClient()).peer);
});

test('B28: sockets have noDelay', async () => {
  const setNoDelay = vi.spyOn(Socket.prototype, 'setNoDelay');
  onTestFinished(() => setNoDelay.mockRestore());
  const server = await listen();
  const { client } = clientOf(server);
  await server.acceptClient();
  await client.whenConnected();
  const ours = setNoDelay.mock.contexts.filter((socket) => (socket as Socket).remotePort === server.port);
  expect(ours).toHaveLength(1);
});

test('a server that goes on sending after DISCONNECT does not keep the socket', async () => {
  const server = createTcp({ allowHalfOpen: true }, (socket) => {
    let sending: NodeJS.Timeout;
    socket.on('error', () => {}).on('close', () => clearInterval(sending));
    socket.once('data', () => {
      socket.write(packet.connack());
      sending = setInterval(() => socket.write(packet.pingresp()), 20);
    });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  const accepted = once(server, 'connection');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = await connect(`mqtt://127.0.0.1:${port}`);
  const [socket] = (await accepted) as [Socket];
  // Writing to who is gone fails first, so this is not for `once`.
  const gone = new Promise((resolve) => socket.on('close', resolve));
  await client.close();
  await gone;
});

test('a Unix socket', async () => {
  await withTempDir(async (directory) => {
    const path = join(directory, 'mqtt.sock');
    const arrived = new Promise<RawPeer>((resolve) => {
      const server = createTcp((socket) => resolve(new RawPeer(socket))).listen(path);
      onTestFinished(() => void server.close());
    });
    const client = open(`unix://${path}`);
    const peer = await arrived;
    await peer.expect(packetType.CONNECT);
    peer.send(packet.connack());
    await converse(client, peer);
  });
});

test('a % in the path of a Unix socket that begins no escape is named, and not tried again', async () => {
  await expect(connect('unix:///run/100%/mqtt.sock')).rejects.toMatchObject({
    code: 'TOBYMQ_OPTION_INVALID',
    message: expect.stringContaining('the path /run/100%/mqtt.sock in url has a %'),
  });
});

test('TLS verifies the server, and can show a client certificate', async () => {
  await withTempDir(async (directory) => {
    const files = await makeCertificates(directory);
    const pem = (path: string): string => readFileSync(path, 'utf8');
    const ca = pem(files.ca.cert);
    const serverFor = async (name: 'server' | 'expired' | 'wrongHost'): Promise<RawServer> => {
      const server = await RawServer.listen({
        tls: {
          cert: pem(files[name].cert),
          key: pem(files[name].key),
          ca,
          requestCert: true,
          rejectUnauthorized: true,
        },
      });
      onTestFinished(() => server.close());
      return server;
    };
    const tls = { ca, cert: pem(files.client.cert), key: pem(files.client.key) };
    const good = await serverFor('server');
    const client = open(`mqtts://localhost:${good.port}`, { tls });
    await converse(client, (await good.acceptClient()).peer);
    const attempts: [string, ConnectOptions][] = [
      [`mqtts://localhost:${good.port}`, { tls: { cert: tls.cert, key: tls.key } }],
      [`mqtts://localhost:${(await serverFor('expired')).port}`, { tls }],
      [`mqtts://localhost:${(await serverFor('wrongHost')).port}`, { tls }],
    ];
    for (const [url, options] of attempts) {
      expect(await outcome(connect(url, { ...options, reconnect: false }))).toMatchObject({
        code: 'TOBYMQ_TRANSPORT_FAILED',
      });
    }
  });
});

function ownCertificate(): Promise<{ key: Buffer; cert: Buffer }> {
  return withTempDir(async (directory) => {
    const { server } = await makeCertificates(directory);
    return { key: readFileSync(server.key), cert: readFileSync(server.cert) };
  });
}

test.each([
  ['TCP', 'mqtt'],
  ['TLS', 'mqtts'],
])('a pipe over %s tells what waits for the network', async (_, scheme) => {
  const reading: Socket[] = [];
  const onSocket = (socket: Socket): void => void reading.push(socket.pause());
  const isTls = scheme === 'mqtts';
  const server = isTls ? createTls(await ownCertificate(), onSocket) : createTcp(onSocket);
  server.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const pipe = await (isTls ? openTls : openTcp)({
    url: new URL(`${scheme}://127.0.0.1:${port}`),
    tls: { rejectUnauthorized: false },
    headers: undefined,
    subprotocol: 'mqtt',
    signal: new AbortController().signal,
  });
  pipe.send(new Uint8Array(64 << 20));
  await expect.poll(() => reading.length).toBe(1);
  await expect.poll(() => pipe.unsentBytes!()).toBeGreaterThan(0);
  const before = pipe.unsentBytes!();
  const [socket] = reading as [Socket];
  socket.on('data', () => {
    if (socket.bytesRead > 32 << 20) socket.pause();
  });
  socket.resume();
  await expect.poll(() => socket.bytesRead).toBeGreaterThan(32 << 20);
  expect(pipe.unsentBytes!()).toBeGreaterThan(0);
  expect(pipe.unsentBytes!()).toBeLessThan(before);
  pipe.close(new Error('enough'));
  socket.destroy();
});

test.each(['mqtt:', 'mqtts:', 'ws:', 'wss:'])(
  '%s a name whose addresses all refuse says so for each of them',
  async (protocol) => {
    // As most machines have it for localhost.
    const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
    type Answer = (error: Error | null, found: typeof addresses) => void;
    const answer = (_name: string, _options: unknown, done: Answer): void =>
      process.nextTick(done, null, addresses);
    vi.spyOn(dns, 'lookup').mockImplementation(answer as unknown as typeof dns.lookup);
    onTestFinished(() => void vi.restoreAllMocks());
    const port = await freePort();
    await expect(connect(`${protocol}//localhost:${port}`, { reconnect: false })).rejects.toMatchObject({
      code: 'TOBYMQ_TRANSPORT_FAILED',
      message: expect.stringMatching(
        /: connect ECONNREFUSED 127.0.0.1:\d+, connect ECONNREFUSED 127.0.0.2:\d+$/,
      ),
    });
  },
);

test.each(['mqtts:', 'wss:'])(
  '%s a server that answers without TLS is named as what it is',
  async (protocol) => {
    const server = createTcp(
      (socket) => void socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    await expect(connect(`${protocol}//127.0.0.1:${port}`, { reconnect: false })).rejects.toThrow(
      /: the server speaks no TLS on this port$/,
    );
  },
);

test('memory, in both directions, with back-pressure', async () => {
  const [ours, theirs] = memoryPipe();
  const client = open('mqtt://memory', { transport: () => ours });
  await converse(client, await acceptFrom(peerOf(theirs)));
});

async function acceptFrom(peer: RawPeer): Promise<RawPeer> {
  await peer.expect(packetType.CONNECT);
  peer.send(packet.connack());
  return peer;
}

/** A raw peer on the other end of a pipe in memory. */
function peerOf(pipe: BytePipe): RawPeer {
  const stream = new PassThrough();
  const write = stream.write.bind(stream);
  pipe.onData = (chunk) => void write(Buffer.from(chunk));
  pipe.onClose = () => void stream.end();
  stream.write = ((chunk: Uint8Array) => pipe.send(chunk)) as typeof stream.write;
  return new RawPeer(stream);
}

interface WebSocketEnd {
  readonly socket: Socket;
  readonly request: IncomingMessage;
  /** MQTT bytes that came, unmasked. */
  readonly bytes: () => Buffer;
  /** Opcodes of the frames that came. */
  readonly opcodes: number[];
  send(opcode: number, payload: Uint8Array, isFinal?: boolean): void;
  waitFor(length: number): Promise<void>;
}

/** A server that does the handshake and shows the frames: independent of the code under test. */
async function webSocketServer(
  options: { tls?: { cert: string; key: string }; protocol?: string; accept?: string } = {},
): Promise<{
  readonly port: number;
  readonly next: Promise<WebSocketEnd>;
}> {
  const http = options.tls === undefined ? createHttp() : createHttps(options.tls);
  const next = new Promise<WebSocketEnd>((resolve) => {
    http.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      const accept =
        options.accept ??
        createHash('sha1')
          .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${options.protocol ?? 'mqtt'}\r\n\r\n`,
      );
      let pending = Buffer.alloc(0);
      let bytes = Buffer.alloc(0);
      const opcodes: number[] = [];
      const watchers = new Set<() => void>();
      socket.on('data', (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk]);
        for (;;) {
          if (pending.length < 6) break;
          const short = pending[1]! & 127;
          expect(pending[1]! & 128).toBe(128);
          const head = short === 126 ? 4 : short === 127 ? 10 : 2;
          if (pending.length < head + 4) break;
          const length =
            short === 126
              ? pending.readUInt16BE(2)
              : short === 127
                ? Number(pending.readBigUInt64BE(2))
                : short;
          if (pending.length < head + 4 + length) break;
          const mask = pending.subarray(head, head + 4);
          const payload = Buffer.from(pending.subarray(head + 4, head + 4 + length));
          for (let i = 0; i < length; i++) payload[i]! ^= mask[i & 3]!;
          opcodes.push(pending[0]! & 15);
          if ((pending[0]! & 15) === 2) bytes = Buffer.concat([bytes, payload]);
          pending = pending.subarray(head + 4 + length);
        }
        for (const watch of watchers) watch();
      });
      socket.on('error', () => {});
      resolve({
        socket,
        request,
        opcodes,
        bytes: () => bytes,
        send: (opcode, payload, isFinal = true) => {
          const size = payload.length;
          const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10);
          head[0] = (isFinal ? 128 : 0) | opcode;
          head[1] = size < 126 ? size : size < 65_536 ? 126 : 127;
          if (head.length === 4) head.writeUInt16BE(size, 2);
          if (head.length === 10) head.writeBigUInt64BE(BigInt(size), 2);
          socket.write(Buffer.concat([head, payload]));
        },
        waitFor: (length) =>
          new Promise((done) => {
            const watch = (): void => {
              if (bytes.length >= length) done();
            };
            watchers.add(watch);
            watch();
          }),
      });
    });
  });
  http.listen(0, '127.0.0.1');
  await new Promise((resolve) => http.once('listening', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  return { port: (http.address() as AddressInfo).port, next };
}

test('[MQTT-6.0.0-3] a WebSocket offers the subprotocol mqtt, or mqttv3.1 for MQTT 3.1, and sends the headers of the options', async () => {
  for (const [protocolVersion, name] of [
    [5, 'mqtt'],
    [3, 'mqttv3.1'],
  ] as const) {
    const server = await webSocketServer({ protocol: name });
    open(`ws://127.0.0.1:${server.port}/mqtt?x=1`, { protocolVersion, headers: { 'X-Test': 'yes' } });
    const { request } = await server.next;
    expect([request.headers['sec-websocket-protocol'], request.url, request.headers['x-test']]).toEqual([
      name,
      '/mqtt?x=1',
      'yes',
    ]);
  }
});

test('[MQTT-6.0.0-1] [MQTT-6.0.0-2] packets survive any cut into binary frames, fragments and control frames', async () => {
  const server = await webSocketServer();
  const client = open(`ws://127.0.0.1:${server.port}`);
  const ws = await server.next;
  await ws.waitFor(10);
  const connack = packet.connack();
  for (const byte of connack) ws.send(Opcode.Binary, Uint8Array.of(byte));
  await client.whenConnected();
  const messages = client.messages();
  const publish = packet.publish({ topic: 'a/b', payload: 'x'.repeat(70_000) });
  ws.send(Opcode.Binary, publish.subarray(0, 3), false);
  ws.send(Opcode.Ping, Buffer.from('beat'));
  ws.send(Opcode.Continuation, publish.subarray(3, 3), false);
  ws.send(
    Opcode.Continuation,
    Buffer.concat([publish.subarray(3), packet.publish({ topic: 'c', payload: 'y' })]),
  );
  expect((await messages.next()).value.payload).toHaveLength(70_000);
  expect((await messages.next()).value.topic).toBe('c');
  await client.publish('up', 'z'.repeat(66_000));
  await ws.waitFor(66_000);
  expect(new Set(ws.opcodes)).toEqual(new Set([Opcode.Binary, Opcode.Pong]));
  ws.send(Opcode.Close, Uint8Array.of(0x03, 0xe8));
  await reaches(client, 'failed');
  expect(ws.opcodes.at(-1)).toBe(Opcode.Close);
});

test.each([
  ['[MQTT-6.0.0-1] a text frame', Opcode.Text, true],
  ['a fragment without a beginning', Opcode.Continuation, true],
  ['an unknown opcode', 5, true],
  ['a fragmented control frame', Opcode.Ping, false],
])('%s from the server closes the connection', async (_, opcode, isFinal) => {
  const server = await webSocketServer();
  const client = open(`ws://127.0.0.1:${server.port}`);
  const ws = await server.next;
  ws.send(Opcode.Binary, packet.connack());
  await client.whenConnected();
  ws.send(opcode, Buffer.from('x'), isFinal);
  expect(await reaches(client, 'failed')).toMatchObject({ reason: { code: 'TOBYMQ_PROTOCOL_VIOLATION' } });
});

test('a WebSocket server that answers wrongly is refused', async () => {
  for (const wrong of [{ accept: 'nonsense' }, { protocol: 'chat' }]) {
    const server = await webSocketServer(wrong);
    const error = await outcome(connect(`ws://127.0.0.1:${server.port}`, { reconnect: false }));
    expect(error).toMatchObject({ code: 'TOBYMQ_TRANSPORT_FAILED' });
  }
  const plain = createHttp((_, response) => response.writeHead(404).end());
  plain.listen(0, '127.0.0.1');
  onTestFinished(() => void plain.close());
  await new Promise((resolve) => plain.once('listening', resolve));
  const error = await outcome(
    connect(`ws://127.0.0.1:${(plain.address() as AddressInfo).port}`, { reconnect: false }),
  );
  expect((error as Error).message).toContain('404');
});

test('a secure WebSocket', async () => {
  await withTempDir(async (directory) => {
    const files = await makeCertificates(directory);
    const tls = {
      cert: readFileSync(files.server.cert, 'utf8'),
      key: readFileSync(files.server.key, 'utf8'),
    };
    const server = await webSocketServer({ tls });
    const client = open(`wss://127.0.0.1:${server.port}`, { tls: { ca: readFileSync(files.ca.cert) } });
    const ws = await server.next;
    ws.send(Opcode.Binary, packet.connack());
    await client.whenConnected();
  });
});

test('masked frames of every length decode to what was sent, whatever the cut', () => {
  for (const length of [0, 1, 2, 3, 4, 5, 125, 126, 127, 65_535, 65_536]) {
    const payload = Uint8Array.from({ length }, (_, i) => i * 7);
    const frame = clientFrame(Opcode.Binary, payload, 0xdeadbeef);
    const start = frame.length - length;
    const mask = frame.subarray(start - 4, start);
    expect(frame.subarray(start).map((byte, i) => byte ^ mask[i & 3]!)).toEqual(payload);
    // The parser reads unmasked frames: clear the mask bit and cut the mask out.
    const plain = Buffer.concat([frame.subarray(0, start - 4), payload]);
    plain[1]! &= 0x7f;
    for (const cut of [1, 2, 3, 7, plain.length]) {
      const parts: Uint8Array[] = [];
      const parser = new FrameParser({
        onPayload: (bytes) => parts.push(bytes.slice()),
        onPing: () => {},
        onClose: () => {},
        onViolation: (what) => expect.unreachable(what),
      });
      if (plain.length / cut > 1000 && cut < 7) continue;
      for (let at = 0; at < plain.length; at += cut) parser.feed(plain.subarray(at, at + cut));
      expect(Buffer.compare(Buffer.concat(parts), payload)).toBe(0);
    }
  }
});
