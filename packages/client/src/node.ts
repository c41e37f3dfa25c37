// The client for Node: TCP, TLS, Unix sockets and WebSockets by the built-in modules.

import type { Client } from './client.ts';
import { type ConnectTarget, connectOn, createClientOn } from './connect.ts';
import type { ConnectOptions } from './options.ts';
import { nodePlatform } from './transports/node.ts';

export * from './index.ts';
export { type FileStoreOptions, fileStore } from './store/file.ts';

/**
 * Connects to a server. Resolves at CONNACK. A failed attempt is repeated until `signal` says stop or the server says
 * that it is of no use; with `reconnect: false` the first failure rejects.
 *
 * @example
 * await using client = await connect('mqtts://broker.example', { signal: AbortSignal.timeout(15_000) });
 */
export function connect(target: ConnectTarget, options: ConnectOptions = {}): Promise<Client> {
  return connectOn(nodePlatform, target, options);
}

/**
 * Makes a client that connects on its own. Publish and subscribe at once: what has to wait for the network waits.
 *
 * @example
 * const client = createClient('mqtt://localhost');
 */
export function createClient(target: ConnectTarget, options: ConnectOptions = {}): Client {
  return createClientOn(nodePlatform, target, options);
}
