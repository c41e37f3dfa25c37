// The sockets of one listener that accept connections: one per address. A front knows nothing of TLS, HTTP or MQTT; it
// reads the PROXY header if there is to be one, and hands the socket on.

import { createServer, type Server, type Socket } from 'node:net';
import { acceptDirectly, type ConnectionHandle } from '@tobymq/broker';
import type { NamedListener } from '../policies.ts';
import { bindAddresses, endpoint } from './addresses.ts';
import { bindDescriptor, bindTcp, bindUnix, ListenError } from './bind.ts';
import type { ProxyHeader } from './proxy-protocol.ts';
import { ProxyGate } from './proxy-socket.ts';
import { systemdSocket } from './systemd.ts';

export type Place = Pick<NamedListener, 'type' | 'host' | 'port' | 'path' | 'ipv6Only' | 'systemd' | 'mode'>;

/** An address that is open. */
export interface OpenAddress {
  /** `127.0.0.1:1883`, or the path of a Unix socket. */
  readonly text: string;
  readonly host: string | undefined;
  readonly port: number;
}

/** How sockets are accepted. */
export type FrontOptions = Pick<NamedListener, 'proxyProtocol' | 'noDelay'>;

export interface FrontHandler {
  /** Takes a connection that needs no socket; false if it does need one, as all do without this. */
  handle?(handle: ConnectionHandle): boolean;
  socket(socket: Socket, proxy: ProxyHeader | undefined): void;
  /** A connection was turned away before it came to anything. */
  refused(address: string, reason: string): void;
}

export class Front {
  readonly #options: FrontOptions;
  readonly #handler: FrontHandler;
  readonly #servers: Server[] = [];
  readonly addresses: OpenAddress[] = [];
  #gate: ProxyGate | undefined;

  private constructor(options: FrontOptions, handler: FrontHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  /** Opens everything or nothing. */
  static async open(place: Place, options: FrontOptions, handler: FrontHandler): Promise<Front> {
    const front = new Front(options, handler);
    front.configure(options);
    try {
      await front.#bind(place);
      return front;
    } catch (error) {
      await front.close();
      throw error;
    }
  }

  configure({ proxyProtocol }: Pick<NamedListener, 'proxyProtocol'>): void {
    this.#gate = proxyProtocol && new ProxyGate(proxyProtocol);
  }

  async #bind(place: Place): Promise<void> {
    if (place.systemd !== undefined) {
      const text = await bindDescriptor(this.#server(), systemdSocket(place.systemd, process.env));
      this.addresses.push({ text, host: undefined, port: 0 });
    } else if (place.type === 'unix') {
      const path = place.path as string;
      await bindUnix(
        this.#server(),
        path,
        place.mode === undefined ? undefined : Number.parseInt(place.mode, 8),
      );
      this.addresses.push({ text: path, host: undefined, port: 0 });
    } else {
      await this.#bindAddresses(place);
    }
  }

  async #bindAddresses({ host, port, ipv6Only }: Place): Promise<void> {
    let chosen = port;
    for (const address of bindAddresses(host, ipv6Only)) {
      try {
        // With port 0 the second address gets the port that the first was given.
        chosen = await bindTcp(this.#server(), address.host, chosen, address.ipv6Only);
        this.addresses.push({ text: endpoint(address.host, chosen), host: address.host, port: chosen });
      } catch (error) {
        const isAbsent =
          error instanceof ListenError && ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(error.systemCode ?? '');
        if (!address.optional || !isAbsent) throw error;
      }
    }
  }

  #server(): Server {
    const { noDelay } = this.#options;
    // allowHalfOpen: a client that has closed its side may still read what we send.
    const server = createServer({ allowHalfOpen: true, noDelay }, (socket) => this.#accept(socket));
    server.once('listening', () => {
      acceptDirectly(server, (handle) => this.#acceptDirectly(handle));
      // From now on each error is one connection that could not be accepted; without a listener it would end the process.
      server.on('error', (error) => this.#handler.refused('unknown', error.message));
    });
    this.#servers.push(server);
    return server;
  }

  #acceptDirectly(handle: ConnectionHandle): boolean {
    if (this.#gate || this.#handler.handle?.(handle) !== true) return false;
    if (this.#options.noDelay) handle.setNoDelay?.(true);
    return true;
  }

  #accept(socket: Socket): void {
    if (!this.#gate) {
      this.#handler.socket(socket, undefined);
      return;
    }
    const address = socket.remoteAddress ?? 'unix';
    this.#gate.read(
      socket,
      (header) => this.#handler.socket(socket, header.local ? undefined : header),
      (reason) => this.#handler.refused(address, reason),
    );
  }

  /** Stops accepting; connections that are open stay open. */
  async close(): Promise<void> {
    // close() calls back when the last connection is gone, which nobody waits for here.
    for (const server of this.#servers) server.close();
    await Promise.resolve();
  }
}
