// An HTTP server that is given its sockets by a front. WebSocket listeners and the HTTP API are put on it by path, so
// that they may share a port.

import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Takes a request to change to WebSocket. Answers false when the path is not its own. */
export type UpgradeHandler = (request: IncomingMessage, socket: Socket, head: Buffer) => boolean;

const requestTimeoutMs = 30_000;
const headersTimeoutMs = 10_000;

export class HttpHost {
  readonly #server: Server;
  #upgrade: UpgradeHandler | undefined;
  #pages: RequestListener | undefined;

  constructor() {
    this.#server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: headersTimeoutMs });
    this.#server.on('request', (request: IncomingMessage, response) => {
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
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (this.#upgrade?.(request, socket as Socket, head)) return;
      refuseUpgrade(socket, 404, 'Not Found', 'there is no WebSocket at this path');
    });
    // Node watches over slow requests, and knows which connections to end, only once a server listens. This one never
    // does, because its sockets come from a front.
    this.#server.emit('listening');
    this.#server.on('clientError', (_error, socket: Duplex) => {
      // The peer did not send HTTP, or gave up; there is nobody to tell more than this.
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
  }

  /** The socket of a front. */
  accept(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  setUpgrade(handler: UpgradeHandler | undefined): void {
    this.#upgrade = handler;
  }

  /** What answers requests that are not WebSocket. */
  setPages(pages: RequestListener | undefined): void {
    this.#pages = pages;
  }

  /** Ends connections that wait for a next request; those that became WebSockets are no longer its own. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Answers an upgrade request with an HTTP error. */
export function refuseUpgrade(socket: Duplex, status: number, name: string, reason: string): void {
  const body = `${reason}\n`;
  const head = `HTTP/1.1 ${status} ${name}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
}
