// What is done at a connection's handle, past Node's sockets, hangs on parts of Node that are not documented: a version of
// Node that has changed them shows here.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { packet } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { acceptDirectly, type ByteStreamHandler, DirectStream } from '../src/index.ts';
import { connectPeer, startBroker, until } from './support.ts';

/** A server that takes its connections directly; each gets a handler of its own. */
class DirectServer {
  readonly streams: DirectStream[] = [];
  readonly #server: Server;
  readonly #makeHandler: (stream: DirectStream) => Partial<ByteStreamHandler>;
  /** Connections that became sockets, which are greeted. */
  sockets = 0;

  constructor(makeHandler: (stream: DirectStream) => Partial<ByteStreamHandler>) {
    this.#makeHandler = makeHandler;
    this.#server = createServer((socket) => {
      this.sockets++;
      socket.end(Buffer.from('socket'));
    });
    onTestFinished(() => void this.#server.close());
  }

  async open(path?: string): Promise<void> {
    this.#server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
    await once(this.#server, 'listening');
    acceptDirectly(this.#server, (handle) => {
      const origin = { remoteAddress: '', remotePort: 0, listener: 'test', peer: { transport: 'tcp' } };
      const stream = new DirectStream(handle, origin);
      this.streams.push(stream);
      stream.start({
        onData: () => {},
        onDrain: () => {},
        onEnd: () => stream.end(true),
        onClose: () => {},
        ...this.#makeHandler(stream),
      });
      return true;
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async client(): Promise<Socket> {
    const address = this.#server.address();
    const socket = typeof address === 'string' ? connect(address) : connect(this.port, '127.0.0.1');
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  }
}

test('not even the first connection of a process becomes a socket', async () => {
  const server = new DirectServer((stream) => ({ onData: () => stream.destroy() }));
  await server.open();
  const client = await server.client();
  client.resume();
  client.write('x');
  await once(client, 'close');
  expect(server.sockets).toBe(0);
  expect(server.streams).toHaveLength(1);
});

test('all connections are read in place, into the same memory', async () => {
  const memories: ArrayBufferLike[] = [];
  const server = new DirectServer((stream) => ({
    onData: (chunk) => {
      memories.push(chunk.buffer);
      stream.write(Buffer.from(chunk));
    },
  }));
  await server.open();
  for (const text of ['one', 'another']) {
    const client = await server.client();
    client.write(text);
    const [answer] = (await once(client, 'data')) as [Buffer];
    expect(answer.toString()).toBe(text);
  }
  expect(memories).toHaveLength(2);
  expect(memories[0]).toBe(memories[1]);
});

test('bursts that fill the buffer arrive whole, in both directions', async () => {
  const server = new DirectServer((stream) => ({ onData: (chunk) => void stream.write(Buffer.from(chunk)) }));
  await server.open();
  const client = await server.client();
  const sent = Buffer.alloc(5_000_000, 'abcdefghij!');
  client.end(sent);
  const received: Buffer[] = [];
  for await (const chunk of client) received.push(chunk as Buffer);
  expect(Buffer.concat(received).equals(sent)).toBe(true);
});

test('a client that has closed its side still reads what it is sent', async () => {
  const server = new DirectServer((stream) => ({
    onEnd: () => {
      stream.writev([Buffer.from('fare'), Buffer.from('well')]);
      stream.end(false);
    },
  }));
  await server.open();
  const client = await server.client();
  client.end();
  const received: Buffer[] = [];
  for await (const chunk of client) received.push(chunk as Buffer);
  expect(Buffer.concat(received).toString()).toBe('farewell');
});

test('a reset is told as what it is', async () => {
  const closed: (Error | undefined)[] = [];
  const server = new DirectServer(() => ({ onClose: (error) => void closed.push(error) }));
  await server.open();
  const client = await server.client();
  await until(() => server.streams.length === 1);
  client.resetAndDestroy();
  await until(() => closed.length === 1);
  expect(closed[0]).toMatchObject({ code: 'ECONNRESET' });
});

test('what a slow reader has not taken is counted, and the stream says when it has', async () => {
  let drained = 0;
  const server = new DirectServer(() => ({ onDrain: () => drained++ }));
  await server.open();
  const client = await server.client();
  await until(() => server.streams.length === 1);
  const stream = server.streams[0]!;
  const size = 20_000_000;
  expect(stream.write(Buffer.alloc(size))).toBe(false);
  expect(stream.bufferedBytes).toBeGreaterThan(0);
  // Written while the other is on its way, and in its order.
  expect(stream.write(Buffer.from('last'))).toBe(false);
  let count = 0;
  let tail = '';
  client.on('data', (chunk: Buffer) => {
    count += chunk.length;
    tail = chunk.subarray(-4).toString();
  });
  await until(() => count === size + 4);
  expect(tail).toBe('last');
  await until(() => drained === 1);
  expect(stream.bufferedBytes).toBe(0);
});

test('a reader that makes room in the midst of a write disturbs neither it nor the next', async () => {
  const server = new DirectServer(() => ({}));
  await server.open();
  const [rounds, size] = [400, 1_000_000];
  // In a thread of its own: only there it reads while the stream writes.
  const reader = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
    let left = workerData.count;
    const onData = ({ length }) => (left -= length) === 0 && parentPort.postMessage('all');
    require('node:net').connect(workerData.port, '127.0.0.1').on('data', onData);`,
    { eval: true, workerData: { port: server.port, count: rounds * (size + 1) } },
  );
  onTestFinished(async () => void (await reader.terminate()));
  const hasAll = once(reader, 'message');
  await until(() => server.streams.length === 1);
  const stream = server.streams[0]!;
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < rounds; i++) {
    stream.write(bytes);
    stream.write(bytes.subarray(0, 1));
    await until(() => stream.bufferedBytes === 0);
  }
  expect(await hasAll).toEqual(['all']);
});

test('a paused stream reads nothing until it is resumed', async () => {
  const received: string[] = [];
  const server = new DirectServer(() => ({
    onData: (chunk) => void received.push(String(Buffer.from(chunk))),
  }));
  await server.open();
  const client = await server.client();
  await until(() => server.streams.length === 1);
  const stream = server.streams[0]!;
  stream.pause();
  client.write('later');
  const other = await server.client();
  other.write('now');
  await until(() => received.length === 1);
  expect(received).toEqual(['now']);
  stream.resume();
  await until(() => received.length === 2);
  expect(received).toEqual(['now', 'later']);
});

test('destroying a stream ends it once, and writes after it go nowhere', async () => {
  let closed = 0;
  const server = new DirectServer(() => ({ onClose: () => closed++ }));
  await server.open();
  const client = await server.client();
  client.resume();
  await until(() => server.streams.length === 1);
  const stream = server.streams[0]!;
  stream.destroy();
  stream.destroy();
  expect(stream.write(Buffer.from('x'))).toBe(true);
  await once(client, 'close');
  await until(() => closed === 1);
  stream.end(false);
  stream.resume();
  expect(closed).toBe(1);
});

test('Unix sockets are taken directly, too', async () => {
  const server = new DirectServer((stream) => ({ onData: (chunk) => void stream.write(Buffer.from(chunk)) }));
  await server.open(join(tmpdir(), `tobymq-direct-${process.pid}.sock`));
  const client = await server.client();
  client.write('hello');
  const [answer] = (await once(client, 'data')) as [Buffer];
  expect(answer.toString()).toBe('hello');
  expect(server.streams).toHaveLength(1);
});

test('a connection that is not taken becomes a socket', async () => {
  const server = createServer((socket) => socket.end('socket'));
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  acceptDirectly(server, () => false);
  const address = server.address();
  const client = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1');
  const [answer] = (await once(client, 'data')) as [Buffer];
  expect(answer.toString()).toBe('socket');
});

test('a client that says DISCONNECT and waits sees an orderly end', async () => {
  const { port, broker } = await startBroker();
  const peer = await connectPeer(port);
  peer.send(packet.disconnect({ version: 5 }));
  await peer.expectClose();
  await until(() => broker.metrics.socketsNow === 0);
});
