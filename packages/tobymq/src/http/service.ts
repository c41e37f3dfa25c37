// Where the HTTP API is served: beside a WebSocket listener of the same address, or on a port of its own.

import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { plainAddress } from '../authz/addresses.ts';
import { ConfigError } from '../config/errors.ts';
import type { HttpConfig } from '../config/schema.ts';
import { endpoint, isLoopback } from '../listeners/addresses.ts';
import { Front } from '../listeners/front.ts';
import { HttpHost } from '../listeners/http-host.ts';
import type { OpenListener } from '../listeners/listener.ts';
import type { Server } from '../server.ts';
import { createApp } from './app.ts';

export type ServedHttp = HttpConfig & { readonly token: string };

export class HttpService {
  readonly #server: Server;
  readonly #config: ServedHttp;
  readonly #listener: ReturnType<typeof getRequestListener>;
  /** The listener whose port is shared. */
  #shared: OpenListener | undefined;
  #front: Front | undefined;
  #host: HttpHost | undefined;
  #url = '';

  constructor(server: Server, config: ServedHttp) {
    this.#server = server;
    this.#config = config;
    // HTTP/1.0 knows requests without a host, and health checks are made with it.
    const app = createApp(server, config, (socket) => this.#addressOf(socket));
    this.#listener = getRequestListener(app.fetch, { hostname: 'localhost' });
  }

  get url(): string {
    return this.#url;
  }

  /** Called again after a reload, because the listener that it shared may be gone. */
  async open(listeners: readonly OpenListener[]): Promise<void> {
    const { host, port } = this.#config;
    const shared = listeners.find((listener) => shares(listener, host, port));
    this.#shared = shared;
    // A listener for everybody that shares its port serves the API to this machine only, if that was asked for.
    const pages = shared && shared.listener.host !== host ? this.#onlyLocal : this.#listener;
    for (const listener of listeners) listener.setPages(listener === shared ? pages : undefined);
    if (shared) {
      await this.#closeOwn();
      this.#url = `http://${endpoint(host, shared.addresses[0]?.port ?? port)}`;
    } else if (!this.#front) {
      const refused = (address: string, reason: string): void =>
        this.#server.connectionRefused('http', address, reason);
      const httpHost = new HttpHost((socket, reason) =>
        refused(plainAddress((socket as Socket).remoteAddress ?? 'unknown'), reason),
      );
      httpHost.setPages(this.#listener);
      const place = {
        type: 'tcp' as const,
        host,
        port,
        path: undefined,
        ipv6Only: false,
        systemd: undefined,
        mode: undefined,
      };
      const rival = listeners.find((listener) => collides(listener, host, port));
      if (rival) {
        throw ConfigError.of(
          `http: the listener ${rival.listener.name} has the port ${port} on ${rival.listener.host}; set http.port to another one, or http.host to ${rival.listener.host}`,
        );
      }
      this.#front = await Front.open(
        place,
        { proxyProtocol: undefined, noDelay: true },
        { socket: (socket) => httpHost.accept(socket), refused },
      );
      this.#host = httpHost;
      this.#url = `http://${endpoint(host, this.#front.addresses[0]?.port ?? port)}`;
    }
  }

  /** Lets requests of this machine through, and nobody else's. */
  readonly #onlyLocal: RequestListener = (request, response) => {
    const address = plainAddress(request.socket.remoteAddress ?? '');
    if (isLoopback(address)) return this.#listener(request, response);
    const reason = 'the HTTP API is served to this machine only';
    this.#server.requestRefused({ via: 'api', status: 403, reason, address });
    response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' });
    response.end('The HTTP API is served to this machine only; set http.host to change that.\n');
    return undefined;
  };

  #addressOf(socket: Socket): string {
    return this.#shared?.addressOf(socket) ?? plainAddress(socket.remoteAddress ?? '');
  }

  async #closeOwn(): Promise<void> {
    await this.#front?.close();
    this.#host?.close();
    this.#front = undefined;
    this.#host = undefined;
  }

  close(): Promise<void> {
    return this.#closeOwn();
  }
}

const everyAddress = new Set(['*', '0.0.0.0', '::']);

/** Whether the API has to share the port of a listener: it is the same address, or one that the listener covers. */
function shares({ listener, addresses }: OpenListener, host: string, port: number): boolean {
  if (listener.type !== 'ws') return false;
  const covers = everyAddress.has(listener.host) && isLoopback(host) && listener.proxyProtocol === undefined;
  if (listener.host !== host && !covers) return false;
  return port === listener.port || addresses.some((address) => address.port === port);
}

/** Whether a listener has the address that the API is to have. */
function collides({ listener, addresses }: OpenListener, host: string, port: number): boolean {
  const isSame = listener.host === host || everyAddress.has(listener.host) || everyAddress.has(host);
  return isSame && port !== 0 && addresses.some((address) => address.port === port);
}
