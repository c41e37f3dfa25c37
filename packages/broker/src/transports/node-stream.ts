// Makes a ByteStream of any duplex stream of Node: a TCP or TLS socket, a Unix socket, a WebSocket's stream.

import type { Duplex } from 'node:stream';
import type { ByteStream, ByteStreamHandler, PeerInfo } from './byte-stream.ts';

/** What is known of the other side. */
export interface StreamOrigin {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly peer: PeerInfo;
}

/**
 * A duplex stream as the broker wants it.
 *
 * @example
 * broker.attach(new NodeStream(tlsSocket, { remoteAddress, remotePort, listener: 'tls:8883', peer }));
 */
export class NodeStream implements ByteStream {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly peer: PeerInfo;
  readonly #stream: Duplex;
  #error: Error | undefined;

  constructor(stream: Duplex, origin: StreamOrigin) {
    this.#stream = stream;
    this.remoteAddress = origin.remoteAddress;
    this.remotePort = origin.remotePort;
    this.listener = origin.listener;
    this.peer = origin.peer;
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  start(handler: ByteStreamHandler): void {
    const stream = this.#stream;
    stream.on('error', (error) => {
      this.#error = error;
    });
    stream.on('drain', () => handler.onDrain());
    stream.on('end', () => handler.onEnd());
    stream.on('close', () => handler.onClose(this.#error));
    stream.on('data', (chunk: Uint8Array) => handler.onData(chunk));
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  writev(pieces: readonly Uint8Array[]): boolean {
    const stream = this.#stream;
    let goesOn = true;
    stream.cork();
    for (let i = 0; i < pieces.length; i++) goesOn = stream.write(pieces[i]!);
    stream.uncork();
    // Corked pieces count as waiting until uncork() has handed them over.
    return goesOn || stream.writableLength === 0;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }
}
