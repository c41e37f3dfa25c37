// The client for browsers: WebSockets only.

import type { Client } from './client.ts';
import { type ConnectTarget, connectOn, createClientOn } from './connect.ts';
import type { ConnectOptions } from './options.ts';
import { browserPlatform } from './transports/browser.ts';

export * from './index.ts';

/**
 * Connects to a server. Resolves at CONNACK. A failed attempt is repeated until `signal` says stop or the server says
 * that it is of no use; with `reconnect: false` the first failure rejects.
 *
 * @example
 * const client = await connect('wss://broker.example/mqtt');
 */
export function connect(target: ConnectTarget, options: ConnectOptions = {}): Promise<Client> {
  return connectOn(browserPlatform, target, options);
}

/** Makes a client that connects on its own. Publish and subscribe at once: what has to wait for the network waits. */
export function createClient(target: ConnectTarget, options: ConnectOptions = {}): Client {
  return createClientOn(browserPlatform, target, options);
}
