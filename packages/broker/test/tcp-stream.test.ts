// What a TCP stream does with the socket below it, which hangs on parts of Node that are not documented: a version of Node
// that has changed them shows here.

import { createServer, type Server, type Socket } from 'node:net';
import { packet, RawPeer } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { TcpStream } from '../src/index.ts';
import { connectPeer, startBroker, until } from './support.ts';

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('all connections are read in place, into the same memory', async () => {
  const memories: ArrayBufferLike[] = [];
  const accept = (socket: Socket): void => {
    const origin = { remoteAddress: '', remotePort: 0, listener: 'test', peer: { transport: 'tcp' } };
    new TcpStream(socket, origin).start({
      onData: (chunk) => void memories.push(chunk.buffer),
      onDrain: () => {},
      onEnd: () => {},
      onClose: () => {},
    });
  };
  const port = await portOf(createServer(accept));
  for (const _ of ['one', 'another']) {
    const peer = await RawPeer.connect({ port });
    onTestFinished(() => peer.destroy());
    peer.send(Buffer.from('hello'));
  }
  await until(() => memories.length === 2);
  expect(memories[0]).toBe(memories[1]);
});

test('a client that says DISCONNECT and waits sees an orderly end', async () => {
  const { port, broker } = await startBroker();
  const peer = await connectPeer(port);
  peer.send(packet.disconnect({ version: 5 }));
  await peer.expectClose();
  await until(() => broker.metrics.socketsNow === 0);
});
