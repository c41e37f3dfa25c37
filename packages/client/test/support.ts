// What the client's tests share: a client connected to a scripted server, both ended with the test.

import {
  type ConnectRequest,
  decode,
  packet,
  packetType,
  type RawConnack,
  type RawPeer,
  RawServer,
} from '@tobymq/testkit';
import { onTestFinished } from 'vitest';
import { type Client, type ClientError, type ConnectOptions, createClient } from '../src/node.ts';

export interface Scripted {
  readonly server: RawServer;
  readonly client: Client;
  readonly peer: RawPeer;
  readonly connect: ConnectRequest;
  /** What the client reported by `onError`. */
  readonly errors: ClientError[];
  /** The next connection of the client, answered with this CONNACK. */
  readonly again: (connack?: RawConnack) => Promise<RawPeer>;
}

/** Back-off without waiting. */
export const quickly = { min: 1, max: 5 } as const;

/** A scripted server that ends with the test. */
export async function listen(): Promise<RawServer> {
  const server = await RawServer.listen();
  onTestFinished(() => server.close());
  return server;
}

/** A client that ends with the test; it starts to connect. */
export function clientOf(
  server: RawServer,
  options: ConnectOptions = {},
): { client: Client; errors: ClientError[] } {
  const errors: ClientError[] = [];
  const client = createClient(`mqtt://127.0.0.1:${server.port}`, {
    reconnect: quickly,
    onError: (error) => errors.push(error),
    ...options,
  });
  onTestFinished(() => client.close());
  return { client, errors };
}

/** A connected client and the server's end of its connection. */
export async function scripted(options: ConnectOptions = {}, connack: RawConnack = {}): Promise<Scripted> {
  const server = await listen();
  const { client, errors } = clientOf(server, options);
  const { peer, connect } = await server.acceptClient(connack);
  await client.whenConnected();
  const again = async (next: RawConnack = { sessionPresent: true }): Promise<RawPeer> =>
    (await server.acceptClient(next)).peer;
  return { server, client, peer, connect, errors, again };
}

/** Waits until the client is in this state. */
export async function reaches(client: Client, state: Client['state']['state']): Promise<Client['state']> {
  for await (const each of client.states()) if (each.state === state) return each;
  throw new Error(`the client ended as ${client.state.state} and never was ${state}`);
}

/** Answers the next SUBSCRIBE; returns it. */
export async function answerSubscribe(
  peer: RawPeer,
  codes: readonly number[] = [0],
  version: 3 | 4 | 5 = 5,
): Promise<ReturnType<typeof decode.subscribe>> {
  const request = decode.subscribe(await peer.take(packetType.SUBSCRIBE), version);
  peer.send(packet.suback({ version, id: request.id, codes }));
  return request;
}

/** Answers the next UNSUBSCRIBE with the same code for each filter; returns the filters. */
export async function answerUnsubscribe(peer: RawPeer, code = 0): Promise<readonly string[]> {
  const { id, filters } = decode.unsubscribe(await peer.take(packetType.UNSUBSCRIBE), 5);
  peer.send(packet.unsuback({ id, codes: filters.map(() => code) }));
  return filters;
}

/** Nothing but the marker, which the client publishes now, was sent before this call. */
export async function nothingBeforeMarker(client: Client, peer: RawPeer): Promise<void> {
  const publishing = client.publish('marker', 'x');
  await peer.nothingUntil(
    (frame) => frame.type === packetType.PUBLISH && decode.publish(frame, 5).topic === 'marker',
  );
  await publishing;
}

/** What a promise came to, as data. */
export async function outcome<T>(promise: Promise<T>): Promise<T | ClientError> {
  return promise.catch((error: ClientError) => error);
}
