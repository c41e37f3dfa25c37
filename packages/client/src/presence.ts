// Whether a client is there, as a retained message that is always true: `online` after each CONNACK, `offline` by the
// will when the connection is lost, and `offline` by the client itself when it closes. Others look with `view()`.

import type { Duration } from './duration.ts';
import type { PresenceOptions } from './options.ts';
import type { PublishOptions } from './outgoing-message.ts';
import type { TopicAddress } from './topic.ts';

/** What is said, and how. */
export interface PresenceValues<V> extends Pick<PublishOptions, 'qos' | 'userProperties'> {
  readonly online: V;
  readonly offline: V;
  /** How long the server waits with `offline` after the connection is lost, in case we come back. 5.0 only. */
  readonly delay?: Duration;
}

/**
 * Birth, will and farewell by one declaration, as options for `connect()`. Retained, and with QoS 1 unless given.
 *
 * @example
 * const status = topic('device/{id}/status', text);
 * const client = await connect('mqtt://localhost', {
 *   ...presence(status.at({ id: 'gateway-7' }), { online: 'online', offline: 'offline', delay: '10 s' }),
 * });
 * // Elsewhere:
 * const devices = await other.view(status);
 * for await (const { key, value } of devices.changes()) console.log(key.id, value);
 */
export function presence<V>(
  address: TopicAddress<V>,
  { online, offline, delay = 0, ...options }: PresenceValues<V>,
): PresenceOptions {
  const retained = { qos: 1, ...options, retain: true } as const;
  const farewell = address.message(offline, retained);
  return { birth: address.message(online, retained), will: { ...farewell, delay }, farewell };
}
