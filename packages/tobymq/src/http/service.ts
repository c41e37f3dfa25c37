// Where the HTTP API is served: beside a WebSocket listener of the same address, or on a port of its own.

import { getRequestListener } from '@hono/node-server';
import type { HttpConfig } from '../config/schema.ts';
import { endpoint } from '../listeners/addresses.ts';
import { Front } from '../listeners/front.ts';
import { HttpHost } from '../listeners/http-host.ts';
import type { OpenListener } from '../listeners/listener.ts';
import type { Server } from '../server.ts';
import { createApp } from './app.ts';

export type ServedHttp = HttpConfig & { readonly token: string };

export class HttpService {
  readonly #config: ServedHttp;
  readonly #listener: ReturnType<typeof getRequestListener>;
  #front: Front | undefined;
  #host: HttpHost | undefined;
  #url = '';

  constructor(server: Server, config: ServedHttp) {
    this.#config = config;
    this.#listener = getRequestListener(createApp(server, config).fetch);
  }

  get url(): string {
    return this.#url;
  }

  /** Called again after a reload, because the listener that it shared may be gone. */
  async open(listeners: readonly OpenListener[]): Promise<void> {
    const { host, port } = this.#config;
    const shared = listeners.find(({ listener, addresses }) => {
      return (
        listener.type === 'ws' &&
        listener.host === host &&
        addresses.some((address) => port === listener.port || address.port === port)
      );
    });
    for (const listener of listeners) listener.setPages(listener === shared ? this.#listener : undefined);
    if (shared) {
      await this.#closeOwn();
      this.#url = `http://${endpoint(host, shared.addresses[0]?.port ?? port)}`;
    } else if (!this.#front) {
      const httpHost = new HttpHost();
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
      this.#front = await Front.open(
        place,
        { proxyProtocol: undefined, noDelay: true, isPaused: false },
        { socket: (socket) => httpHost.accept(socket), refused: () => {} },
      );
      this.#host = httpHost;
      this.#url = `http://${endpoint(host, this.#front.addresses[0]?.port ?? port)}`;
    }
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
