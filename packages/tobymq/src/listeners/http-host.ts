// One HTTP server on one address and port. WebSocket listeners and the HTTP API are put on it by path, so that they may
// share a port.

import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';

/** Takes a request to change to WebSocket. Answers false when the path is not its own. */
export type UpgradeHandler = (request: IncomingMessage, socket: Socket, head: Buffer) => boolean;

const requestTimeoutMs = 30_000;
const headersTimeoutMs = 10_000;

export class HttpHost {
  readonly server: Server | TlsServer;
  readonly #upgrades: UpgradeHandler[] = [];
  #pages: RequestListener | undefined;

  constructor(tls: TlsOptions | undefined) {
    const options = { requestTimeout: requestTimeoutMs, headersTimeout: headersTimeoutMs };
    this.server = tls ? createTlsServer({ ...options, ...tls }) : createServer(options);
    this.server.on('request', (request: IncomingMessage, response) => {
      if (this.#pages) {
        void this.#pages(request, response);
      } else {
        response.writeHead(426, {
          'content-type': 'text/plain',
          upgrade: 'websocket',
          connection: 'upgrade',
        });
        response.end('MQTT over WebSocket is served here: connect with a WebSocket client.\n');
      }
    });
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (!this.#upgrades.some((handler) => handler(request, socket as Socket, head))) {
        refuseUpgrade(socket, 404, 'Not Found', 'there is no WebSocket at this path');
      }
    });
    this.server.on('clientError', (_error, socket: Duplex) => {
      // The peer did not send HTTP, or gave up; there is nobody to tell more than this.
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
  }

  addUpgrade(handler: UpgradeHandler): void {
    this.#upgrades.push(handler);
  }

  removeUpgrade(handler: UpgradeHandler): void {
    const index = this.#upgrades.indexOf(handler);
    if (index >= 0) this.#upgrades.splice(index, 1);
  }

  /** What answers requests that are not WebSocket. */
  setPages(pages: RequestListener | undefined): void {
    this.#pages = pages;
  }

  get isUsed(): boolean {
    return this.#upgrades.length > 0 || this.#pages !== undefined;
  }
}

/** Answers an upgrade request with an HTTP error. */
export function refuseUpgrade(socket: Duplex, status: number, name: string, reason: string): void {
  const body = `${reason}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${name}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
