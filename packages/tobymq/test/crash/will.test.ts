// A Will survives a kill of the server, with its delay, and is published when the server is back.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, packet, packetType, property, RawPeer } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { Server } from './server.mjs';

test('the Will of a client that was connected at the kill is published after the restart', async () => {
  const server = new Server(mkdtempSync(join(tmpdir(), 'tobymq-will-')), 'fsync');
  onTestFinished(async () => {
    await server.kill();
    server.remove();
  });
  await server.start();
  const watcher = await connect(server.port, 'watcher');
  watcher.send(packet.subscribe({ version: 5, id: 1, filters: [['wills/#', 2]] }));
  await watcher.expect(packetType.SUBACK);
  await connect(server.port, 'mortal', {
    topic: 'wills/mortal',
    payload: 'gone',
    qos: 2,
    properties: [[property.willDelayInterval, 1]],
  });
  await server.kill();

  await server.start();
  const back = await connect(server.port, 'watcher');
  const will = decode.publish(await back.take(packetType.PUBLISH, { timeout: 15_000 }), 5);
  expect([will.topic, Buffer.from(will.payload).toString(), will.qos]).toEqual(['wills/mortal', 'gone', 2]);
}, 60_000);

async function connect(
  port: number,
  clientId: string,
  will?: NonNullable<Parameters<typeof packet.connect>[0]>['will'],
): Promise<RawPeer> {
  const peer = await RawPeer.connect({ port });
  onTestFinished(() => peer.destroy());
  const properties = [[property.sessionExpiryInterval, 3600] as const];
  peer.send(packet.connect({ version: 5, clientId, clean: false, properties, ...(will && { will }) }));
  expect(decode.connack(await peer.expect(packetType.CONNACK), 5).reason).toBe(0);
  return peer;
}
