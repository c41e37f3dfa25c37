// Reads the PROXY header of a new socket, before TLS, HTTP or MQTT see a byte of it. What came after the header is put
// back, so that the next layer finds the stream as if there had been none.

import type { Socket } from 'node:net';
import { AddressSet, plainAddress } from '../authz/addresses.ts';
import type { ListenerConfig } from '../config/schema-listener.ts';
import { type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts';

export type ProxyConfig = NonNullable<ListenerConfig['proxyProtocol']>;

const headerTimeoutMs = 5_000;
/** Where proxies stand if nobody said otherwise: this machine and private networks. */
const privateNetworks = [
  '127.0.0.0/8',
  '::1',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
  'fe80::/10',
  'unix',
];

export class ProxyGate {
  readonly #config: ProxyConfig;
  readonly #trusted: AddressSet;

  constructor(config: ProxyConfig) {
    this.#config = config;
    this.#trusted = new AddressSet(config.trusted.length > 0 ? config.trusted : privateNetworks);
  }

  /** Calls `accept` with the header once it is there; destroys the socket and calls `refuse` when it is not as it should be. */
  read(socket: Socket, accept: (header: ProxyHeader) => void, refuse: (reason: string) => void): void {
    if (!this.#trusted.has(plainAddress(socket.remoteAddress ?? 'unix'))) {
      socket.destroy();
      refuse('its address is not among the trusted proxies');
      return;
    }
    const fail = (reason: string): void => {
      stop();
      socket.destroy();
      refuse(reason);
    };
    const timer = setTimeout(() => fail('no complete PROXY header came in time'), headerTimeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
      socket.off('readable', take);
      socket.off('end', ended);
      socket.off('error', failed);
    };
    const ended = (): void => fail('it was closed before its PROXY header was complete');
    const failed = (error: Error): void => fail(error.message);
    let received: Buffer = Buffer.alloc(0);
    const take = (): void => {
      for (
        let chunk = socket.read() as Buffer | null;
        chunk !== null;
        chunk = socket.read() as Buffer | null
      ) {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        const result = parseProxyHeader(received);
        if (result === undefined) continue;
        const fault = 'fault' in result ? result.fault : this.#objection(result.header);
        if (fault !== undefined || 'fault' in result) {
          fail(fault ?? '');
          return;
        }
        stop();
        if (received.length > result.length) socket.unshift(received.subarray(result.length));
        accept(result.header);
        return;
      }
    };
    socket.on('readable', take);
    socket.once('end', ended);
    socket.once('error', failed);
  }

  #objection({ version, local, tls }: ProxyHeader): string | undefined {
    const { version: wanted, requireTls } = this.#config;
    if (wanted !== 'any' && String(version) !== wanted)
      return `its PROXY header has version ${version}, not ${wanted}`;
    if (requireTls && !local && tls === undefined) return 'the client did not use TLS at the proxy';
    return undefined;
  }
}
