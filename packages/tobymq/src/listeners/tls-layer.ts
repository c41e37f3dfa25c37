// TLS on top of a front: a TLS server that never listens itself, but is given the sockets of the front.

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { TlsConfig } from '../config/schema-listener.ts';
import type { LoadedTls } from './certificates.ts';

const handshakeTimeoutMs = 10_000;

export interface TlsHandler {
  secured(socket: TLSSocket, facts: TlsFacts): void;
  failed(socket: TLSSocket | Socket, reason: string): void;
  readonly onKey: ((line: Buffer) => void) | undefined;
}

export interface TlsFacts {
  readonly pskIdentity: string | undefined;
  readonly isVerified: boolean;
}

/** What Node calls the one fault that `allowExpiredClients` forgives. */
const expired = 'CERT_HAS_EXPIRED';

export class TlsLayer {
  readonly #handler: TlsHandler;
  readonly #identities = new WeakMap<TLSSocket, string>();
  #config: TlsConfig;
  #loaded: LoadedTls;
  #server: Server;

  constructor(config: TlsConfig, loaded: LoadedTls, handler: TlsHandler) {
    this.#config = config;
    this.#loaded = loaded;
    this.#handler = handler;
    this.#server = this.#createServer();
  }

  #createServer(): Server {
    const handler = this.#handler;
    const server = createServer({
      ...this.options(),
      allowHalfOpen: true,
      handshakeTimeout: handshakeTimeoutMs,
    });
    server.on('secureConnection', (socket) => {
      const isVerified = this.isVerified(socket);
      const isPsk = this.#identities.has(socket);
      if (this.#config.clientCertificates === 'require' && !isVerified && !isPsk) {
        handler.failed(socket, `its certificate was not accepted: ${String(socket.authorizationError)}`);
        socket.destroy();
        return;
      }
      handler.secured(socket, { pskIdentity: this.#identities.get(socket), isVerified });
    });
    const { onKey } = handler;
    if (onKey) server.on('keylog', (line) => onKey(line));
    server.on('tlsClientError', (error, socket) => {
      handler.failed(socket, `the TLS handshake failed: ${explainHandshake(error)}`);
      socket.destroy();
    });
    return server;
  }

  /** Options for a server; also what HTTPS servers use. */
  options(): TlsOptions {
    const { pskKeys } = this.#loaded;
    if (!pskKeys) return this.#loaded.options;
    return {
      ...this.#loaded.options,
      pskCallback: (socket, identity) => {
        const key = this.#loaded.pskKeys?.get(identity);
        if (key) this.#identities.set(socket, identity);
        return key ?? null;
      },
      ...(this.#config.pskHint === undefined ? {} : { pskIdentityHint: this.#config.pskHint }),
    };
  }

  isVerified(socket: TLSSocket): boolean {
    const fault = socket.authorizationError as unknown as string | null | undefined;
    return socket.authorized || (this.#config.allowExpiredClients && fault === expired);
  }

  /**
   * New certificates count for the handshakes that follow; connections that are open stay as they are. The server is made
   * anew, because `setSecureContext` leaves out whom it asks for a certificate, the server names, and pre-shared keys.
   */
  reload(config: TlsConfig, loaded: LoadedTls): void {
    this.#config = config;
    this.#loaded = loaded;
    this.#server = this.#createServer();
  }

  accept(socket: Socket): void {
    this.#server.emit('connection', socket);
  }
}

function explainHandshake(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ERR_SSL_HTTP_REQUEST':
      return 'the client speaks HTTP without TLS';
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return 'the client does not speak TLS';
    case 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE':
      return 'the client has no certificate';
    case 'ERR_SSL_NO_SHARED_CIPHER':
      return 'client and server have no cipher in common';
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
      return 'the TLS version of the client is too low';
    case 'ECONNRESET':
      return 'the client broke it off; it may not trust the certificate of the server';
    case 'ERR_SSL_BINDER_DOES_NOT_VERIFY':
    case 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC':
    case 'ERR_SSL_PSK_IDENTITY_NOT_FOUND':
      return 'the pre-shared key is wrong or unknown';
    default:
      // OpenSSL writes `...:SSL routines:where:what:file:line`.
      return /:SSL routines:[^:]*:([^:]+):/.exec(error.message)?.[1] ?? error.message;
  }
}
