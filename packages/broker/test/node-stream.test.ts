// Streams of Node as connections: TLS, and whatever else a program accepts itself.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { packet, packetType } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { type Broker, NodeStream } from '../src/index.ts';
import { openPeer, publishPacket, startBroker, until } from './support.ts';

async function listen(broker: Broker): Promise<number> {
  const origin = { remoteAddress: '127.0.0.1', remotePort: 1, listener: 'own', peer: { transport: 'tcp' } };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    broker.attach(new NodeStream(socket, origin));
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

test('what a client sends before its end is handled, also while a rule takes its time', async () => {
  const asked: (() => void)[] = [];
  const authorizePublish = () => new Promise<boolean>((resolve) => asked.push(() => resolve(true)));
  const { broker } = await startBroker({ extensions: [{ name: 'slow', authorizePublish }] });
  const topics: string[] = [];
  broker.subscribe('#', ({ topic }) => topics.push(topic));
  const peer = await openPeer(await listen(broker));
  peer.send(packet.connect({ version: 5, clientId: 'c', will: { topic: 'will', payload: 'x' } }));
  await peer.expect(packetType.CONNACK);
  peer.send(Buffer.concat([publishPacket('a', 'x'), publishPacket('b', 'x'), packet.disconnect()]));
  peer.end();
  await until(() => asked.length === 1);
  // Its end is seen here, if it is looked for while nothing is read.
  await new Promise<void>((resolve) => setTimeout(resolve, 50));
  asked[0]!();
  await until(() => asked.length === 2 || broker.client('c') === undefined);
  asked[1]?.();
  await until(() => broker.client('c') === undefined);
  expect(topics).toEqual(['a', 'b']);
});
