// Writes a line for each message that clients publish, while somebody wants to see that: at level `trace`, for single
// clients that are watched, or with Mosquitto's `-v`. The hook is there only as long, because every message pays for it.

import type { Broker, Extension } from '@tobymq/broker';
import type { Log } from './log.ts';

export class PublishTrace {
  readonly #log: Log;
  readonly #broker: Broker;
  #isInstalled = false;
  readonly #extension: Extension;

  constructor(log: Log, broker: Broker) {
    this.#log = log;
    this.#broker = broker;
    this.#extension = {
      name: 'publish-trace',
      onPublish: ({ topic, payload, qos, retain }, client) => {
        const fields = { clientId: client?.clientId, topic, qos, retain, bytes: payload.length };
        log.log('trace', 'publish-received', fields);
        return undefined;
      },
    };
  }

  /** Puts the hook in or takes it out, as the log now wants it. */
  async update(): Promise<void> {
    const isWanted = this.#log.tracesPublishes;
    if (isWanted === this.#isInstalled) return;
    this.#isInstalled = isWanted;
    if (isWanted) await this.#broker.addExtension(this.#extension);
    else await this.#broker.removeExtension(this.#extension);
  }
}
