// The client for browsers: WebSockets only.

import type { Client } from './client.ts';
import { type ConnectTarget, connectOn, createClientOn } from './connect.ts';
import type { ConnectOptions } from './options.ts';
import type { Platform } from './transports/transport.ts';
import { openBrowserWebSocket } from './transports/websocket-browser.ts';

export * from './index.ts';

const pending: (() => void)[] = [];
let channel: MessageChannel | undefined;

/** A turn of the event loop without the delay that browsers put on timers, which in a background tab is a second. */
function defer(callback: () => void): void {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => {
      for (const each of pending.splice(0)) each();
    };
  }
  pending.push(callback);
  if (pending.length === 1) channel.port2.postMessage(0);
}

/** The network comes and goes; a tab that is shown again may have slept. */
function watchNetwork(onChange: (isOnline: boolean) => void): () => void {
  const scope: EventTarget = globalThis;
  const notify = (): void => onChange(navigator.onLine !== false);
  const events = ['online', 'offline', 'visibilitychange', 'pageshow'];
  for (const event of events) scope.addEventListener(event, notify);
  return () => {
    for (const event of events) scope.removeEventListener(event, notify);
  };
}

const browser: Platform = {
  transports: { 'ws:': openBrowserWebSocket, 'wss:': openBrowserWebSocket },
  defer,
  watchNetwork,
};

/**
 * Connects to a server. Resolves at CONNACK. A failed attempt is repeated until `signal` says stop or the server says
 * that it is of no use; with `reconnect: false` the first failure rejects.
 *
 * @example
 * const client = await connect('wss://broker.example/mqtt');
 */
export function connect(target: ConnectTarget, options: ConnectOptions = {}): Promise<Client> {
  return connectOn(browser, target, options);
}

/** Makes a client that connects on its own. Publish and subscribe at once: what has to wait for the network waits. */
export function createClient(target: ConnectTarget, options: ConnectOptions = {}): Client {
  return createClientOn(browser, target, options);
}
