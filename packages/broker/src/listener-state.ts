// What the connections of one listener share: its settings, its extensions, and who is connected.

import { Connection } from './connection/connection.ts';
import type { Core } from './core.ts';
import type { Extension } from './extension.ts';
import { Hooks, type ReportFault } from './hooks.ts';
import type { ListenerSettings } from './options.ts';
import { type ByteStream, ignoreEvents } from './transports/byte-stream.ts';

let serial = 0;

export class ListenerState {
  readonly name: string;
  settings: ListenerSettings;
  hooks: Hooks;
  /** No listener of this name is open any more; its connections may be. */
  isClosed = false;
  readonly connections = new Set<Connection>();
  readonly #core: Core;
  readonly #perAddress: Map<string, number>;

  constructor(
    core: Core,
    name: string,
    settings: ListenerSettings,
    hooks: Hooks,
    perAddress: Map<string, number>,
  ) {
    this.#core = core;
    this.name = name;
    this.settings = settings;
    this.hooks = hooks;
    this.#perAddress = perAddress;
  }

  /** Makes a stream a connection, unless there are too many or the address is not welcome. */
  accept(stream: ByteStream): Connection | undefined {
    const refusal = this.#refusal(stream);
    const { metrics, logger } = this.#core;
    if (refusal !== undefined) {
      this.refused(refusal, stream.remoteAddress);
      // The stream tells of its end, and has to have somebody to tell.
      stream.start(ignoreEvents);
      stream.destroy();
      return undefined;
    }
    metrics.socketsAccepted++;
    metrics.socketsNow++;
    const address = stream.remoteAddress;
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    logger.log('debug', 'connection-opened', { address, port: stream.remotePort, listener: this.name });
    const connection = new Connection(this.#core, stream, this, ++serial);
    this.connections.add(connection);
    return connection;
  }

  /** A connection was turned away, or could not be accepted at all. */
  refused(reason: string, address?: string): void {
    this.#core.metrics.socketsRefused++;
    this.#core.logger.log('warn', 'connection-refused', { address, listener: this.name, reason });
  }

  /** A connection's stream is gone. */
  closed(connection: Connection): void {
    if (!this.connections.delete(connection)) return;
    this.#core.metrics.socketsNow--;
    const address = connection.stream.remoteAddress;
    const count = (this.#perAddress.get(address) ?? 1) - 1;
    if (count <= 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, count);
  }

  /** Takes the extensions as they are now. */
  rebuildHooks(extensions: readonly Extension[], report: ReportFault): void {
    this.hooks = new Hooks([...this.settings.extensions, ...extensions], report);
    for (const { sender } of this.connections) if (sender.hooks !== undefined) sender.hooks = this.hooks;
  }

  #refusal(stream: ByteStream): string | undefined {
    const { limits, metrics, isStopping } = this.#core;
    if (isStopping) return 'the server is stopping';
    if (limits.connectionsMax > 0 && metrics.socketsNow >= limits.connectionsMax) {
      return `the limit connectionsMax of ${limits.connectionsMax} is reached`;
    }
    if (this.settings.connectionsMax > 0 && this.connections.size >= this.settings.connectionsMax) {
      return `the listener's limit of ${this.settings.connectionsMax} connections is reached`;
    }
    const perAddress = limits.connectionsPerAddressMax;
    if (perAddress > 0 && (this.#perAddress.get(stream.remoteAddress) ?? 0) >= perAddress) {
      return `the limit connectionsPerAddressMax of ${perAddress} is reached`;
    }
    return this.hooks.accepts(stream.remoteAddress, this.name)
      ? undefined
      : 'an extension refuses the address';
  }
}
