// The $SYS topics, with Mosquitto's names and units, so that what watches a Mosquitto can watch this server. They are
// retained, written every few seconds and only when a value has changed; switched off, they cost nothing.

import type { Core } from './core.ts';
import { routeRaw } from './delivery/publish-request.ts';
import { totals } from './inspect.ts';
import type { SysOptions } from './options.ts';

const PREFIX = '$SYS/broker/';
const WINDOWS = [
  ['1min', 60],
  ['5min', 300],
  ['15min', 900],
] as const;

/** A moving average per minute over three windows, as `load average` does it. */
class Load {
  #last = 0;
  readonly #averages = [0, 0, 0];

  update(total: number, seconds: number): readonly number[] {
    const perMinute = ((total - this.#last) / seconds) * 60;
    this.#last = total;
    for (const [i, [, window]] of WINDOWS.entries()) {
      const keep = Math.exp(-seconds / window);
      this.#averages[i] = this.#averages[i]! * keep + perMinute * (1 - keep);
    }
    return this.#averages;
  }
}

export class SysTopics {
  readonly #core: Core;
  readonly #intervalMs: number;
  readonly #last = new Map<string, string>();
  readonly #loads = new Map<string, Load>();
  #updatedAt: number;

  constructor(core: Core, options: SysOptions) {
    this.#core = core;
    this.#intervalMs = (options.interval ?? 10) * 1000;
    this.#updatedAt = core.clock.now();
    this.#publish('version', options.version ?? 'tobymq version 0.1.0');
    if (this.#intervalMs > 0) this.#update(1);
  }

  /** Called often; does something when the interval is over. */
  tick(): void {
    const now = this.#core.clock.now();
    const elapsedMs = now - this.#updatedAt;
    if (this.#intervalMs === 0 || elapsedMs < this.#intervalMs) return;
    this.#updatedAt = now;
    this.#update(elapsedMs / 1000);
  }

  /** The clock was set: the interval begins anew. */
  clockWasSet(): void {
    this.#updatedAt = this.#core.clock.now();
  }

  #update(seconds: number): void {
    const { metrics, sessions, clock } = this.#core;
    const dropped = Object.values(metrics.dropped).reduce((sum, count) => sum + count, 0);
    const disconnected = sessions.size - metrics.connectionsNow;
    const { subscriptions, sharedSubscriptions, queuedMessages, queuedBytes } = totals(this.#core);
    const values: Readonly<Record<string, number | string>> = {
      uptime: `${Math.floor((clock.now() - metrics.startedAt) / 1000)} seconds`,
      'clients/total': sessions.size,
      'clients/connected': metrics.connectionsNow,
      'clients/active': metrics.connectionsNow,
      'clients/disconnected': disconnected,
      'clients/inactive': disconnected,
      'clients/maximum': metrics.connectionsMaximum,
      'clients/expired': metrics.sessionsExpired,
      'messages/received': metrics.packetsReceived,
      'messages/sent': metrics.packetsSent,
      'messages/stored': metrics.retainedNow + queuedMessages,
      'store/messages/count': metrics.retainedNow + queuedMessages,
      'store/messages/bytes': metrics.retainedBytesNow + queuedBytes,
      'publish/messages/received': metrics.publishReceived,
      'publish/messages/sent': metrics.publishSent,
      'publish/messages/dropped': dropped,
      'publish/bytes/received': metrics.publishBytesReceived,
      'publish/bytes/sent': metrics.publishBytesSent,
      'bytes/received': metrics.bytesReceived,
      'bytes/sent': metrics.bytesSent,
      'subscriptions/count': subscriptions,
      'shared_subscriptions/count': sharedSubscriptions,
      'retained messages/count': metrics.retainedNow,
      'connections/socket/count': metrics.socketsNow,
    };
    for (const [name, value] of Object.entries(values)) this.#publish(name, String(value));
    this.#load('messages/received', metrics.packetsReceived, seconds);
    this.#load('messages/sent', metrics.packetsSent, seconds);
    this.#load('publish/dropped', dropped, seconds);
    this.#load('publish/received', metrics.publishReceived, seconds);
    this.#load('publish/sent', metrics.publishSent, seconds);
    this.#load('bytes/received', metrics.bytesReceived, seconds);
    this.#load('bytes/sent', metrics.bytesSent, seconds);
    this.#load('sockets', metrics.socketsAccepted, seconds);
    this.#load('connections', metrics.connectionsAccepted, seconds);
  }

  #load(name: string, total: number, seconds: number): void {
    let load = this.#loads.get(name);
    if (load === undefined) {
      load = new Load();
      this.#loads.set(name, load);
    }
    const averages = load.update(total, seconds);
    for (const [i, [window]] of WINDOWS.entries()) {
      this.#publish(`load/${name}/${window}`, averages[i]!.toFixed(2));
    }
  }

  #publish(name: string, value: string): void {
    if (this.#last.get(name) === value) return;
    this.#last.set(name, value);
    const payload = Buffer.from(value);
    const topic = PREFIX + name;
    routeRaw(
      this.#core,
      { topic, payload, qos: 0, retain: true, properties: undefined, expirySeconds: -1 },
      '',
      undefined,
    );
  }
}
