// `connect()` for any platform: Node and browsers bind it to theirs.

import { Client } from './client.ts';
import { abortError } from './core.ts';
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
  if (signal === undefined) {
    await client.whenConnected();
    return client;
  }
  let onAbort = (): void => {};
  try {
    await Promise.race([
      client.whenConnected(),
      new Promise<never>((_, reject) => {
        onAbort = () => reject(abortError(signal));
        signal.addEventListener('abort', onAbort);
        if (signal.aborted) onAbort();
      }),
    ]);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
