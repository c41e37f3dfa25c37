// An HTTP server that is given its sockets by a front. WebSocket listeners and the HTTP API are put on it by path, so
// that they may share a port.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Takes a request to change to WebSocket. Answers false when the path is not its own. */
export type UpgradeHandler = (request: IncomingMessage, socket: Socket, head: Buffer) => boolean;

const requestTimeoutMs = 30_000;
const headersTimeoutMs = 10_000;

interface HostOptions extends ServerOptions {
  /** From Node 22.21 and 24.9 on: whether a request is for 'upgrade'; before, all that offer another protocol are. */
  readonly shouldUpgradeCallback: (request: IncomingMessage) => boolean;
}

/** Hears why a connection was refused. */
export type RefusalListener = (socket: Duplex, reason: string) => void;

export class HttpHost {
  readonly #server: Server;
  #upgrade: UpgradeHandler | undefined;
  #pages: RequestListener | undefined;

  constructor(refused: RefusalListener = () => {}) {
    const options: HostOptions = {
      requestTimeout: requestTimeoutMs,
      headersTimeout: headersTimeoutMs,
      shouldUpgradeCallback: offersWebSocket,
    };
    this.#server = createServer(options);
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
      if (!offersWebSocket(request)) {
        // An older Node, which asks nobody.
        putBack(withoutUpgrade(request), socket as Socket, head);
        this.accept(socket as Socket);
        return;
      }
      if (this.#upgrade?.(request, socket as Socket, head)) return;
      const reason = 'there is no WebSocket at this path';
      refused(socket, `${reason}: ${request.url?.split('?', 1)[0]}`);
      refuseUpgrade(socket, 404, 'Not Found', reason);
    });
    // Node watches over slow requests, and knows which connections to end, only once a server listens. This one never
    // does, because its sockets come from a front.
    this.#server.emit('listening');
    this.#server.on('clientError', (error: ClientError, socket: Duplex) => {
      // The peer has gone: there is nobody to tell.
      if (error.code === 'ECONNRESET' || !socket.writable) {
        socket.destroy();
        return;
      }
      refused(socket, explainBadRequest(error));
      endWith(socket, 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
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

/** What Node gives to 'clientError'. */
interface ClientError extends NodeJS.ErrnoException {
  /** What was received, if it was no HTTP. */
  readonly rawPacket?: Uint8Array;
}

function explainBadRequest({ code, message, rawPacket }: ClientError): string {
  if (rawPacket?.[0] === 0x10) return 'the client speaks MQTT without WebSocket';
  if (rawPacket?.[0] === 0x16) return 'the client speaks TLS, this listener does not';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'no HTTP request in time' : `no HTTP request: ${message}`;
}

/**
 * Other protocols than WebSocket are not ours. Java offers HTTP/2 with the first request of each connection, and is to be
 * answered as if it had not. [RFC 9110 7.8]
 */
function offersWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** The head of a request as it came, without its offer. */
function withoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.toLowerCase() !== 'upgrade') head += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  return `${head}\r\n`;
}

/** What was read of a socket is read from it once more. */
function putBack(head: string, socket: Socket, rest: Buffer): void {
  socket.unshift(Buffer.concat([Buffer.from(head, 'latin1'), rest]));
}

/** Answers an upgrade request with an HTTP error. */
export function refuseUpgrade(socket: Duplex, status: number, name: string, reason: string): void {
  const body = `${reason}\n`;
  const head = `HTTP/1.1 ${status} ${name}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}`;
  endWith(socket, `${head}\r\nConnection: close\r\n\r\n${body}`);
}

/** A last answer. The connection is over with it, also for a peer that leaves its own side open. */
function endWith(socket: Duplex, answer: string): void {
  // Node has taken its own listeners from a socket that is to be upgraded; a reset must not end the process.
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.end(answer);
}
