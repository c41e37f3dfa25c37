// What the tests of the server share: a server inside the test with its data in memory and free ports, and clients that
// show how the server answers them.

import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  decode,
  packet,
  packetType,
  property,
  type RawConnect,
  RawPeer,
  type RawTarget,
  TestProcess,
} from '@tobymq/testkit';
import { onTestFinished } from 'vitest';
import { createWebSocketStream, WebSocket } from 'ws';
import { withAbsolutePaths } from '../src/config/load.ts';
import { type ConfigInput, configSchema } from '../src/config/schema.ts';
import { Server, type ServerOptions } from '../src/server.ts';

/** The built command; tests that start processes use it. */
export const cli = join(fileURLToPath(new URL('..', import.meta.url)), 'dist/cli.js');

export type Listeners = NonNullable<ConfigInput['listeners']>;

/** A server for one test; it stops when the test ends. */
export async function startServer(input: ConfigInput, options: Partial<ServerOptions> = {}): Promise<Server> {
  const server = await Server.start({ config: testConfig(input), version: 'test', ...options });
  onTestFinished(() => server.stop());
  return server;
}

/** Settings with everything in memory, no log and no HTTP, unless the test says otherwise. */
export function testConfig(input: ConfigInput) {
  const config = configSchema.parse({
    store: { type: 'memory' },
    log: { to: ['none'] },
    http: { enabled: false },
    sys: { enabled: false },
    throttle: { enabled: false },
    listeners: [{ type: 'tcp', port: 0 }],
    stopDeadline: 1,
    ...input,
  });
  return withAbsolutePaths(config, process.cwd());
}

/** The port of the listener at an index. */
export function portOf(server: Server, index = 0): number {
  return server.listeners[index]?.addresses[0]?.port as number;
}

/** What became of a CONNECT. */
export interface Attempt {
  readonly peer: RawPeer;
  /** The reason code of CONNACK. */
  readonly reason: number;
  readonly reasonString: string | undefined;
}

/** Connects and waits for CONNACK. */
export async function connect(target: RawTarget | RawPeer, options: RawConnect = {}): Promise<Attempt> {
  const version = options.version ?? 5;
  const peer = target instanceof RawPeer ? target : await RawPeer.connect(target);
  onTestFinished(() => peer.destroy());
  peer.send(packet.connect({ clientId: 'test', ...options, version }));
  const connack = decode.connack(await peer.expect(packetType.CONNACK), version);
  return {
    peer,
    reason: connack.reason,
    reasonString: connack.properties.get(property.reasonString)?.[0] as string | undefined,
  };
}

/** A raw peer over WebSocket. */
export async function webSocketPeer(
  url: string,
  options: ConstructorParameters<typeof WebSocket>[2] = {},
): Promise<RawPeer> {
  const socket = new WebSocket(url, 'mqtt', options);
  await once(socket, 'open');
  return new RawPeer(createWebSocketStream(socket));
}

/** Subscribes and returns the reason code. */
export async function subscribe(peer: RawPeer, filter: string, qos = 0): Promise<number> {
  peer.send(packet.subscribe({ version: 5, id: 9, filters: [[filter, qos]] }));
  const [code] = decode.codes(await peer.take(packetType.SUBACK), 5).codes;
  return code as number;
}

/** Publishes with QoS 1 and returns the reason code of PUBACK. */
export async function publish(peer: RawPeer, topic: string, payload = 'x', retain = false): Promise<number> {
  peer.send(packet.publish({ version: 5, topic, payload, qos: 1, id: 7, retain }));
  return decode.ack(await peer.take(packetType.PUBACK), 5).reason;
}

/** The next message that arrives, as topic and payload. */
export async function nextMessage(peer: RawPeer): Promise<{ topic: string; payload: string }> {
  const { topic, payload } = decode.publish(await peer.take(packetType.PUBLISH), 5);
  return { topic, payload: payload.toString() };
}

/** Starts the built command and stops it when the test ends. */
export function startCommand(
  args: readonly string[],
  options: Parameters<typeof TestProcess.start>[2] = {},
): TestProcess {
  const process_ = TestProcess.start(process.execPath, [cli, ...args], options);
  onTestFinished(async () => void (await process_.stop()));
  return process_;
}
