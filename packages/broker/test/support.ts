// What the tests of this package share: a broker that ends with its test, and clients that speak raw packets.

import { type Frame, packet, packetType, type RawConnect, RawPeer, type RawPublish } from '@tobymq/testkit';
import { onTestFinished } from 'vitest';
import { Broker, type BrokerOptions, type ListenOptions } from '../src/index.ts';

export interface RunningBroker {
  readonly broker: Broker;
  readonly port: number;
}

/** A broker on a free port; it stops when the test is over. */
export async function startBroker(
  options: BrokerOptions = {},
  listen: ListenOptions = {},
): Promise<RunningBroker> {
  const broker = await Broker.start({ sys: { enabled: false }, ...options });
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ port: 0, ...listen });
  return { broker, port };
}

/** A socket that has not sent anything. */
export async function openPeer(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect({ port });
  onTestFinished(() => peer.destroy());
  return peer;
}

/** A client that is connected. */
export async function connectPeer(port: number, options: RawConnect = {}): Promise<RawPeer> {
  const peer = await openPeer(port);
  peer.send(packet.connect({ version: 5, ...options }));
  await peer.expect(packetType.CONNACK);
  return peer;
}

export async function subscribe(
  peer: RawPeer,
  filter: string,
  qos = 0,
  version: 3 | 4 | 5 = 5,
): Promise<Frame> {
  peer.send(packet.subscribe({ version, id: 1, filters: [[filter, qos]] }));
  return peer.expect(packetType.SUBACK);
}

export function publishPacket(topic: string, payload: string, rest: Partial<RawPublish> = {}): Buffer {
  return packet.publish({ version: 5, topic, payload, ...rest });
}

/** Resolves when `condition` holds; looks again after each turn of the event loop, and gives up in the end. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`this did not come true: ${condition.toString()}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
