// MQTT over WebSocket as a stream of bytes: every binary frame is a piece of it, however packets and frames fall. A text
// frame is against MQTT-6.0.0-1 and closes the connection.
//
// Frames come whole, and one may be as large as the largest packet. The broker bounds what a client may send before it
// has connected, but hears nothing of a frame that is not complete, so those are bounded here.

import type { Duplex } from 'node:stream';
import { type ByteStream, type ByteStreamHandler, defaultLimits, type PeerInfo } from '@tobymq/broker';
import type { WebSocket } from 'ws';

const unsupportedData = 1003;
/** Above this the broker is asked to wait; the size that Node's own sockets use is 16 KiB, which stops fan-out too often. */
const highWaterBytes = 256 * 1024;
/** Small pieces are joined, because each frame costs a header and a system call. */
const joinBytesMax = 64 * 1024;

/** What may come in one frame before the client was answered: the largest CONNECT, cut into pieces anyhow. */
const strangerBytesMax = 2 * defaultLimits.connectBytesMax;

export interface WebSocketPeer {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly peer: PeerInfo;
  /** Hears why a client was turned away before it was answered. */
  readonly refused: (reason: string) => void;
}

export class WebSocketStream implements ByteStream {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly peer: PeerInfo;
  readonly #socket: WebSocket;
  readonly #network: Duplex;
  readonly #refused: (reason: string) => void;
  #isAnswered = false;
  #handler: ByteStreamHandler | undefined;
  #error: Error | undefined;
  #waiting = false;
  #isPaused = false;
  #isClosed = false;
  #hasTold = false;

  /** `network` is what the frames come from. */
  constructor(
    socket: WebSocket,
    network: Duplex,
    { remoteAddress, remotePort, listener, peer, refused }: WebSocketPeer,
  ) {
    this.#socket = socket;
    this.#network = network;
    this.#refused = refused;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.listener = listener;
    this.peer = peer;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    let frameBytes = 0;
    this.#socket.on('message', (data: Buffer, isBinary: boolean) => {
      frameBytes = 0;
      // [MQTT-6.0.0-1]
      if (isBinary) {
        handler.onData(data);
      } else {
        this.#socket.close(unsupportedData, 'MQTT needs binary frames');
        this.#fail(new Error('a text frame came, and MQTT needs binary frames'));
      }
    });
    const countBytes = (chunk: Uint8Array): void => {
      frameBytes += chunk.length;
      if (this.#isAnswered) {
        this.#network.off('data', countBytes);
      } else if (frameBytes > strangerBytesMax) {
        this.#network.off('data', countBytes);
        this.#fail(new Error(`a frame of more than ${strangerBytesMax} bytes came before CONNECT`));
        this.#socket.terminate();
      }
    };
    this.#network.on('data', countBytes);
    this.#socket.on('error', (error: Error) => this.#fail(error));
    this.#socket.on('close', () => {
      this.#isClosed = true;
      // A WebSocket closes also while it is paused; the broker hears of it when it has handled what came before. Not if it
      // waits for what was written to be taken: that will never be.
      if (!this.#isPaused || this.#waiting) this.#tellClosed();
    });
  }

  /** The first fault says why the connection ends. A client that was not answered is not waited for either. */
  #fail(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    if (this.#isAnswered) return;
    this.#refused(error.message);
    this.#handler?.onEnd();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.#isAnswered = true;
    // [MQTT-6.0.0-2]: packets need not be aligned with frames.
    this.#socket.send(bytes, this.#sent);
    return this.#mayGoOn();
  }

  writev(pieces: readonly Uint8Array[]): boolean {
    if (this.#isClosed) return true;
    this.#isAnswered = true;
    let total = 0;
    for (const piece of pieces) total += piece.length;
    if (total <= joinBytesMax) {
      this.#socket.send(Buffer.concat(pieces, total), this.#sent);
    } else {
      for (const piece of pieces) this.#socket.send(piece, this.#sent);
    }
    return this.#mayGoOn();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
    if (this.#isClosed) this.#tellClosed();
  }

  end(): void {
    this.#socket.close(1000);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  #tellClosed(): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    if (this.#error === undefined) this.#handler?.onEnd();
    this.#handler?.onClose(this.#error);
  }

  #mayGoOn(): boolean {
    this.#waiting = this.#socket.bufferedAmount > highWaterBytes;
    return !this.#waiting;
  }

  // One function for all sends: no closure per message. Errors arrive by the event.
  readonly #sent = (): void => {
    if (!this.#waiting || this.#socket.bufferedAmount > 0) return;
    this.#waiting = false;
    this.#handler?.onDrain();
  };
}
