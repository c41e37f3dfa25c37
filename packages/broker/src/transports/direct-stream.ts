// A TCP or Unix connection without a socket of Node: the broker reads and writes at the handle itself.
//
// It is read in place: all connections share one buffer, and the broker takes what it needs out of it before the next
// read. A socket allocates 64 kB for every read and throws most of it away again; reading in place takes a tenth off the
// CPU time of small messages, and gives the garbage collector nothing to do. For writing see direct-write.ts, for how a
// connection gets here direct-accept.ts.
//
// Only what happens all the time is done here. When the peer ends, when reading fails, and for an orderly end, a socket is
// made of the connection after all; what is written goes past it as before.

import { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { type ByteStream, type ByteStreamHandler, ignoreEvents, type PeerInfo } from './byte-stream.ts';
import type { ConnectionHandle } from './direct-accept.ts';
import { whenWritten, writeDirectly } from './direct-write.ts';
import type { StreamOrigin } from './node-stream.ts';

/** Room for some messages of 16 kB: what is cut at the end of a read has to be copied an extra time. */
const READ_BUFFER_BYTES = 131_072;
const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
/** Beginnings of the buffer by their length, because a view costs more than reading the small message in it. */
const shortReads: (Uint8Array | undefined)[] = new Array<undefined>(1_024).fill(undefined);

/** Which stream a handle belongs to, so that all of them share their functions. */
const OWNER = Symbol('the stream of a handle');

type OwnedHandle = ConnectionHandle & { [OWNER]?: DirectStream | undefined };

/** A connection that was accepted without a socket; the example of `acceptDirectly()` makes one. */
export class DirectStream implements ByteStream {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly peer: PeerInfo;
  readonly #handle: OwnedHandle;
  #handler = ignoreEvents;
  /** What the handle had read before. */
  #bytesRead = 0;
  /** Writes that the network has not taken yet. */
  #writing = 0;
  #isPaused = false;
  #isDestroyed = false;
  #error: Error | undefined = undefined;
  /** The socket that was made of the connection. */
  #socket: Socket | undefined = undefined;

  constructor(handle: ConnectionHandle, origin: StreamOrigin) {
    this.remoteAddress = origin.remoteAddress;
    this.remotePort = origin.remotePort;
    this.listener = origin.listener;
    this.peer = origin.peer;
    this.#handle = handle;
    this.#handle[OWNER] = this;
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    const handle = this.#handle;
    handle.useUserBuffer(readBuffer);
    handle.onread = onRead;
    this.#readStart();
  }

  get bufferedBytes(): number {
    return this.#writing === 0 ? 0 : this.#handle.writeQueueSize;
  }

  write(bytes: Uint8Array): boolean {
    return this.#write(bytes);
  }

  writev(pieces: readonly Uint8Array[]): boolean {
    return this.#write(pieces);
  }

  pause(): void {
    if (this.#isPaused || this.isDestroyed) return;
    this.#isPaused = true;
    if (this.#socket !== undefined) {
      this.#socket.pause();
      return;
    }
    this.#handle.reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (!this.#isPaused || this.isDestroyed) return;
    this.#isPaused = false;
    if (this.#socket === undefined) this.#readStart();
    else this.#socket.resume();
  }

  end(isGone: boolean): void {
    // What was written is with the kernel, which sends it all the same: one system call less, and fewer events.
    if (isGone && this.bufferedBytes === 0) this.destroy();
    else if (!this.isDestroyed) this.asSocket().end();
  }

  destroy(): void {
    if (this.#socket !== undefined) {
      this.#socket.destroy();
    } else if (!this.#isDestroyed) {
      this.#isDestroyed = true;
      this.#handle.close(onClosed);
    }
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed || this.#socket?.destroyed === true;
  }

  #readStart(): void {
    this.#handle.reading = true;
    const failure = this.#handle.readStart();
    if (failure < 0) this.#fail('read', failure);
  }

  #write(bytes: Uint8Array | readonly Uint8Array[]): boolean {
    if (this.isDestroyed) return true;
    const handle = this.#handle;
    const result = writeDirectly(handle, bytes);
    if (result === 0) return true;
    if (typeof result === 'number') {
      this.#fail('write', result);
      return true;
    }
    this.#writing++;
    whenWritten(result, handle, bytes, (status) => this.#written(status));
    return false;
  }

  #written(status: number): void {
    this.#writing--;
    if (this.isDestroyed) return;
    if (status < 0) this.#fail('write', status);
    else if (this.#writing === 0) this.#handler.onDrain();
  }

  #fail(call: string, status: number): void {
    const code = getSystemErrorName(status);
    this.#error ??= Object.assign(new Error(`${call} ${code}`), { code, errno: status, syscall: call });
    this.destroy();
  }

  /** The handle has read so many bytes in all. False if none of them are new: then it was called for something else. */
  hasRead(bytesRead: number): boolean {
    const length = bytesRead - this.#bytesRead;
    this.#bytesRead = bytesRead;
    if (length > 0) this.#handler.onData(beginningOfBuffer(length));
    return length > 0;
  }

  hasClosed(): void {
    this.#handle[OWNER] = undefined;
    this.#handler.onClose(this.#error);
  }

  /** Makes a socket of the connection, which reads in place as well, and ends as sockets do. */
  asSocket(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const handler = this.#handler;
    // Not all of this is in Node's types: what a server gives to its sockets, and `onread` of a socket that connects.
    const options: object = {
      handle: this.#handle,
      allowHalfOpen: true,
      pauseOnCreate: this.#isPaused,
      onread: {
        buffer: readBuffer,
        callback: (length: number) => {
          handler.onData(beginningOfBuffer(length));
          return true;
        },
      },
    };
    const socket = new Socket(options);
    this.#socket = socket;
    socket.on('error', (error) => (this.#error ??= error));
    socket.on('end', () => handler.onEnd());
    socket.on('close', () => handler.onClose(this.#error));
    if (!this.#isPaused) socket.resume();
    return socket;
  }
}

// One function for the handles of all streams.

function onRead(this: OwnedHandle, ...given: never[]): void {
  const stream = this[OWNER];
  if (stream === undefined || stream.isDestroyed || stream.hasRead(this.bytesRead)) return;
  // There was no more for the moment, the peer has ended, or reading has failed. The socket's own function finds out
  // which, now and from now on.
  stream.asSocket();
  this.onread(...given);
}

function onClosed(this: OwnedHandle): void {
  this[OWNER]?.hasClosed();
}

function beginningOfBuffer(length: number): Uint8Array {
  if (length >= shortReads.length) return readBuffer.subarray(0, length);
  let bytes = shortReads[length];
  if (bytes === undefined) {
    bytes = readBuffer.subarray(0, length);
    shortReads[length] = bytes;
  }
  return bytes;
}
