// Where a connection really comes from: from the PROXY header if there was one, else from the socket.
//
// TLS and HTTP servers hand out sockets of their own, so what the header said is kept by address and port of the proxy's
// socket, which no other open connection can have.

import type { Socket } from 'node:net';
import { plainAddress } from '../authz/addresses.ts';
import type { ProxyHeader } from './proxy-protocol.ts';

export interface Origin {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly proxy: ProxyHeader | undefined;
}

export class Origins {
  readonly #headers = new Map<string, ProxyHeader>();

  /** Keeps what a header said until its socket closes. */
  add(socket: Socket, header: ProxyHeader): void {
    const key = keyOf(socket);
    this.#headers.set(key, header);
    socket.once('close', () => this.#headers.delete(key));
  }

  /** Undefined if the peer is gone already. */
  of(socket: Socket, proxy = this.#headerOf(socket)): Origin | undefined {
    const address = proxy?.sourceAddress ?? socket.remoteAddress;
    const port = proxy?.sourcePort ?? socket.remotePort;
    if (address === undefined) return undefined;
    return { remoteAddress: plainAddress(address), remotePort: port ?? 0, proxy };
  }

  #headerOf(socket: Socket): ProxyHeader | undefined {
    return this.#headers.size === 0 ? undefined : this.#headers.get(keyOf(socket));
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
