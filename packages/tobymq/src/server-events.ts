// What the broker tells is passed on to the log here, with what only the server knows added to it: the port of a
// listener, and each subscription.

import type { Extension, LogFields, Logger } from '@tobymq/broker';
import type { OpenAddress } from './listeners/front.ts';
import type { Log } from './logging/log.ts';
import type { NamedListener } from './policies.ts';

export class ServerEvents implements Logger {
  readonly #log: Log;
  listeners: ReadonlyMap<string, NamedListener> = new Map();

  constructor(log: Log) {
    this.#log = log;
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', event: string, fields: LogFields): void {
    if (event === 'connection-opened') {
      const listenerPort = this.listeners.get(String(fields.listener))?.port;
      this.#log.log(level, event, { ...fields, listenerPort });
    } else {
      this.#log.log(level, event, fields);
    }
  }

  opened(listener: NamedListener, addresses: readonly OpenAddress[]): void {
    for (const { text, host, port } of addresses) {
      const path = host === undefined ? text : undefined;
      const base = { listener: listener.name, address: text, port, path };
      // One socket for both families shows as two lines, as Mosquitto opens two.
      for (const family of familiesOf(host, listener.ipv6Only))
        this.#log.log('info', 'listener-opened', { ...base, family });
    }
  }

  /** Tells of each subscription. */
  readonly extension: Extension = {
    name: 'log',
    onSubscribed: ({ clientId }, filter, qos) =>
      this.#log.log('debug', 'subscribed', { clientId, filter, qos }),
    onUnsubscribed: ({ clientId }, filter) => this.#log.log('debug', 'unsubscribed', { clientId, filter }),
  };
}

function familiesOf(host: string | undefined, ipv6Only: boolean): string[] {
  if (host === undefined) return ['unix'];
  if (!host.includes(':')) return ['ipv4'];
  return host === '::' && !ipv6Only ? ['ipv4', 'ipv6'] : ['ipv6'];
}
