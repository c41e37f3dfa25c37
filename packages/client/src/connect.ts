// `connect()` for any platform: Node and browsers bind it to theirs.

import { abortError, onAbort } from './call-limits.ts';
import { Client } from './client.ts';
import { type ConnectOptions, settingsOf } from './options.ts';
import type { Platform } from './transports/transport.ts';

/** A URL or several, or options that contain it. */
export type ConnectTarget = string | readonly string[] | ConnectOptions;

function optionsOf(target: ConnectTarget, options: ConnectOptions): ConnectOptions {
  return typeof target === 'string' || Array.isArray(target)
    ? { ...options, url: target as string }
    : (target as ConnectOptions);
}

/** Makes a client that starts to connect; nothing is waited for. */
export function createClientOn(platform: Platform, target: ConnectTarget, options: ConnectOptions): Client {
  return new Client(settingsOf(optionsOf(target, options), platform));
}

/** Makes a client and waits for its first connection. */
export async function connectOn(
  platform: Platform,
  target: ConnectTarget,
  options: ConnectOptions,
): Promise<Client> {
  const client = createClientOn(platform, target, options);
  const { signal } = optionsOf(target, options);
  const forgetSignal = onAbort(signal, () => void client.close());
  try {
    await client.whenConnected();
    return client;
  } catch (error) {
    await client.close();
    throw signal?.aborted ? abortError(signal) : error;
  } finally {
    forgetSignal();
  }
}
