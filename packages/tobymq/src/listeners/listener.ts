// One listener: a front, on it TLS or not, on that HTTP and WebSocket or not, and at the end the broker, which gets a
// stream of bytes and knows nothing of all this.

import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { type ByteStream, type ConnectionHandle, DirectStream, NodeStream, peerOf } from '@tobymq/broker';
import { plainAddress } from '../authz/addresses.ts';
import type { NamedListener } from '../policies.ts';
import type { LoadedTls } from './certificates.ts';
import { Front, type OpenAddress } from './front.ts';
import { HttpHost } from './http-host.ts';
import { Origins } from './origin.ts';
import { peerInfo } from './peer-info.ts';
import type { ProxyHeader } from './proxy-protocol.ts';
import { staticFiles } from './static-files.ts';
import { type TlsFacts, TlsLayer } from './tls-layer.ts';
import { webSocketUpgrade } from './websocket.ts';
import { WebSocketStream } from './websocket-stream.ts';

/** What a listener needs of the server. */
export interface ListenerTarget {
  attach(stream: ByteStream, listener: NamedListener): void;
  /** Whether this address may connect at all. Asked before TLS costs anything. */
  accepts(address: string): boolean;
  /** Why there is no room for another connection, if so. */
  crowding(): string | undefined;
  refused(listener: string, address: string, reason: string): void;
  packetSizeOf(listener: NamedListener): number;
  readonly onTlsKey: ((line: Buffer) => void) | undefined;
}

const noFacts: TlsFacts = { pskIdentity: undefined, isVerified: false };

export class OpenListener {
  #listener: NamedListener;
  readonly #target: ListenerTarget;
  readonly #origins = new Origins();
  readonly #facts = new WeakMap<Socket, TlsFacts>();
  readonly #tls: TlsLayer | undefined;
  #loadedTls: LoadedTls | undefined;
  readonly #http: HttpHost | undefined;
  #front: Front | undefined;

  private constructor(listener: NamedListener, tls: LoadedTls | undefined, target: ListenerTarget) {
    this.#listener = listener;
    this.#target = target;
    this.#loadedTls = tls;
    if (listener.tls && tls) {
      this.#tls = new TlsLayer(listener.tls, tls, {
        onKey: target.onTlsKey,
        secured: (socket, facts) => {
          this.#facts.set(socket, facts);
          this.#pass(socket, undefined);
        },
        failed: (socket, reason) => this.#refusedSocket(socket, reason),
      });
    }
    if (listener.type === 'ws' || listener.type === 'wss') {
      this.#http = new HttpHost((socket, reason) => this.#refusedSocket(socket as Socket, reason));
      this.#setUpgrade();
      this.setPages(undefined);
    }
  }

  static async open(
    listener: NamedListener,
    tls: LoadedTls | undefined,
    target: ListenerTarget,
  ): Promise<OpenListener> {
    const opened = new OpenListener(listener, tls, target);
    opened.#front = await Front.open(listener, listener, {
      handle: (handle) => opened.#acceptDirectly(handle),
      socket: (socket, proxy) => opened.#accept(socket, proxy),
      refused: (address, reason) => opened.#refused(address, reason),
    });
    return opened;
  }

  /** The same listener on a new socket, after it was closed. */
  openAgain(): Promise<OpenListener> {
    return OpenListener.open(this.#listener, this.#loadedTls, this.#target);
  }

  get listener(): NamedListener {
    return this.#listener;
  }

  get addresses(): readonly OpenAddress[] {
    return this.#front?.addresses ?? [];
  }

  /** Takes settings that need no new socket. Connections that are open stay as they are. */
  reconfigure(listener: NamedListener, tls: LoadedTls | undefined): void {
    this.#listener = listener;
    this.#loadedTls = tls;
    this.#front?.configure(listener);
    if (listener.tls && tls) this.#tls?.reload(listener.tls, tls);
    if (this.#http) this.#setUpgrade();
  }

  /** Serves pages beside the WebSocket, and the files of `httpDir`, if there is one. */
  setPages(pages: RequestListener | undefined): void {
    const { httpDir } = this.#listener;
    this.#http?.setPages(httpDir === undefined ? pages : staticFiles(httpDir, pages));
  }

  /** Where a connection comes from, by the PROXY header if there was one. */
  addressOf(socket: Socket): string | undefined {
    return this.#origins.of(socket)?.remoteAddress;
  }

  async close(): Promise<void> {
    await this.#front?.close();
    this.#http?.close();
  }

  /** Nothing stands between the network and the broker, so no socket is needed, which costs less. */
  #acceptDirectly(handle: ConnectionHandle): boolean {
    if (this.#tls || this.#http) return false;
    const { name, type } = this.#listener;
    const peer = type === 'unix' ? UNIX_PEER : peerOf(handle);
    if (peer === undefined) return false;
    const remoteAddress = plainAddress(peer.address);
    const refusal = this.#refusalOf(remoteAddress);
    if (refusal !== undefined) {
      handle.close(() => {});
      this.#refused(remoteAddress, refusal);
      return true;
    }
    const origin = { remoteAddress, remotePort: peer.port, listener: name, peer: { transport: type } };
    this.#target.attach(new DirectStream(handle, origin), this.#listener);
    return true;
  }

  #accept(socket: Socket, proxy: ProxyHeader | undefined): void {
    // A fault before anybody else listens must not end the process; the layers above have listeners of their own.
    socket.on('error', ignoreEarlyFault);
    const address = plainAddress(proxy?.sourceAddress ?? socket.remoteAddress ?? 'unix');
    const refusal = this.#refusalOf(address);
    if (refusal !== undefined) {
      socket.destroy();
      this.#refused(address, refusal);
      return;
    }
    if (proxy) this.#origins.add(socket, proxy);
    if (this.#tls) this.#tls.accept(socket);
    else this.#pass(socket, proxy);
  }

  #refusalOf(address: string): string | undefined {
    if (!this.#target.accepts(address)) return 'the address is banned';
    // The API may share the port of a WebSocket, which is asked about its room when it is opened.
    return this.#http ? undefined : this.#target.crowding();
  }

  #pass(socket: Socket, proxy: ProxyHeader | undefined): void {
    if (this.#http) this.#http.accept(socket);
    else this.#attach(socket, proxy);
  }

  #attach(socket: Socket, proxy: ProxyHeader | undefined): void {
    const listener = this.#listener;
    const { name, type } = listener;
    const origin = this.#originOf(socket, proxy);
    if (!origin) {
      socket.destroy();
      return;
    }
    const { remoteAddress, remotePort } = origin;
    const facts = { ...(this.#facts.get(socket) ?? noFacts), proxy: origin.proxy };
    const peer = peerInfo(type, socket, facts);
    const from = { remoteAddress, remotePort, listener: name, peer };
    this.#target.attach(new NodeStream(socket, from), listener);
  }

  #originOf(socket: Socket, proxy: ProxyHeader | undefined) {
    if (this.#listener.type !== 'unix') return this.#origins.of(socket, proxy);
    return { remoteAddress: proxy?.sourceAddress ?? 'unix', remotePort: proxy?.sourcePort ?? 0, proxy };
  }

  #setUpgrade(): void {
    const listener = this.#listener;
    const handler = webSocketUpgrade(
      {
        path: listener.path ?? '/mqtt',
        origins: listener.origins,
        compression: listener.compression,
        crowding: () => this.#target.crowding(),
        packetSize: this.#target.packetSizeOf(listener),
      },
      (webSocket, request) => {
        const { socket } = request;
        const origin = this.#origins.of(socket);
        if (!origin) {
          webSocket.terminate();
          return;
        }
        const { remoteAddress, remotePort, proxy } = origin;
        const peer = peerInfo(listener.type, socket, { ...(this.#facts.get(socket) ?? noFacts), proxy });
        const stream = new WebSocketStream(webSocket, socket, {
          remoteAddress,
          remotePort,
          listener: listener.name,
          peer,
          refused: (reason) => this.#refused(remoteAddress, reason),
        });
        this.#target.attach(stream, this.#listener);
      },
      ({ socket }, reason) => this.#refusedSocket(socket, reason),
    );
    this.#http?.setUpgrade(handler);
  }

  #refusedSocket(socket: Socket, reason: string): void {
    this.#refused(this.addressOf(socket) ?? 'unknown', reason);
  }

  #refused(address: string, reason: string): void {
    this.#target.refused(this.#listener.name, address, reason);
  }
}

const UNIX_PEER = { address: 'unix', port: 0 };

function ignoreEarlyFault(): void {}
