// MQTT over WebSocket as a stream of bytes: every binary frame is a piece of it, however packets and frames fall. A text
// frame is against MQTT-6.0.0-1 and closes the connection.

import type { ByteStream, ByteStreamHandler, PeerInfo } from '@tobymq/broker';
import type { WebSocket } from 'ws';

const unsupportedData = 1003;
/** Above this the broker is asked to wait; the size that Node's own sockets use is 16 KiB, which stops fan-out too often. */
const highWaterBytes = 256 * 1024;
/** Small pieces are joined, because each frame costs a header and a system call. */
const joinBytesMax = 64 * 1024;

export interface WebSocketPeer {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly peer: PeerInfo;
}

export class WebSocketStream implements ByteStream {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly peer: PeerInfo;
  readonly #socket: WebSocket;
  #handler: ByteStreamHandler | undefined;
  #error: Error | undefined;
  #waiting = false;
  #isPaused = false;
  #isClosed = false;
  #hasTold = false;

  constructor(socket: WebSocket, { remoteAddress, remotePort, listener, peer }: WebSocketPeer) {
    this.#socket = socket;
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
    this.#socket.on('message', (data: Buffer, isBinary: boolean) => {
      // [MQTT-6.0.0-1]
      if (isBinary) {
        handler.onData(data);
      } else {
        this.#error ??= new Error('a text frame came, and MQTT needs binary frames');
        this.#socket.close(unsupportedData, 'MQTT needs binary frames');
      }
    });
    this.#socket.on('error', (error: Error) => {
      this.#error = error;
    });
    this.#socket.on('close', () => {
      this.#isClosed = true;
      // A WebSocket closes also while it is paused; the broker hears of it when it has handled what came before. Not if it
      // waits for what was written to be taken: that will never be.
      if (!this.#isPaused || this.#waiting) this.#tellClosed();
    });
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true;
    // [MQTT-6.0.0-2]: packets need not be aligned with frames.
    this.#socket.send(bytes, this.#sent);
    return this.#mayGoOn();
  }

  writev(pieces: readonly Uint8Array[]): boolean {
    if (this.#isClosed) return true;
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
    this.#handler?.onEnd();
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
