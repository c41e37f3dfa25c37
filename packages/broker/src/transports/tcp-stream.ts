// A TCP connection with less between the socket and the broker than Node puts there.
//
// It is read in place: all connections share one buffer, and the broker takes what it needs out of it before the next
// read. A socket as Node makes it allocates 64 kB for every read and throws most of it away again; reading in place takes
// a tenth off the CPU time of small messages (100 pairs, one message at a time: 9.4 → 8.5 µs on Node 20, 9.9 → 8.0 µs on
// Node 26), and gives the garbage collector nothing to do. And it is written to directly, see direct-write.ts.
//
// Node offers reading in place (`onread`) only when a socket is made, not for those that a server accepts. So an accepted
// socket, which has not read anything yet, gets the properties that the option would have set. They are symbols, found by
// their names; where they are not there, the socket reads as it is. A second socket made with the option for the same
// handle would do it too, for twice the objects of each connection.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import type { ByteStreamHandler } from './byte-stream.ts';
import {
  canWriteDirectly,
  type WriteHandle,
  watchWrites,
  whenWritten,
  writeDirectly,
} from './direct-write.ts';
import { NodeStream, type StreamOrigin } from './node-stream.ts';

/** Room for some messages of 16 kB: what is cut at the end of a read has to be copied an extra time. */
const READ_BUFFER_BYTES = 131_072;
const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
/** Beginnings of the buffer by their length, because a view costs more than reading the small message in it. */
const shortReads: (Uint8Array | undefined)[] = new Array<undefined>(1_024).fill(undefined);

/** What of a socket is not in Node's types. */
interface SocketInternals {
  readonly _handle: (object & Partial<WriteHandle> & { useUserBuffer?(buffer: Uint8Array): void }) | null;
}

/** Where a socket has the buffer that it reads into, and whom it tells of what it has read. */
const bufferKey = keyOfSockets('kBuffer');
const callbackKey = keyOfSockets('kBufferCb');

/** Where a socket's bytes go once the broker is ready for them. */
interface Reader {
  handler: ByteStreamHandler | undefined;
}

export class TcpStream extends NodeStream {
  readonly #reader: Reader;
  /** A direct write that the network has not taken yet. */
  #isWriting = false;

  constructor(accepted: Socket, origin: StreamOrigin) {
    const reader: Reader = { handler: undefined };
    super(accepted, origin);
    this.#reader = reader;
    readInPlace(accepted, reader);
    watchWrites(handleOf(this.stream));
  }

  override start(handler: ByteStreamHandler): void {
    this.#reader.handler = handler;
    super.start(handler);
  }

  override get bufferedBytes(): number {
    return this.#isWriting ? (handleOf(this.stream)?.writeQueueSize ?? 0) : super.bufferedBytes;
  }

  override write(bytes: Uint8Array): boolean {
    const socket = this.stream;
    const handle = handleOf(socket);
    // After end() the stream has to say what goes out last; while something waits, it has to keep the order.
    if (handle === null || this.#isWriting || !canWriteDirectly()) return super.write(bytes);
    if (socket.writableLength > 0 || socket.writableEnded) return super.write(bytes);
    const result = writeDirectly(handle, bytes);
    if (result === 0) return true;
    if (typeof result === 'number') {
      socket.destroy(writeError(result));
      return true;
    }
    this.#isWriting = true;
    whenWritten(result, handle, bytes, (status) => this.#written(status));
    return false;
  }

  override end(isGone: boolean): void {
    // What was written is with the kernel, which sends it all the same: one system call less, and fewer events.
    if (isGone && this.bufferedBytes === 0) this.stream.destroy();
    else super.end(isGone);
  }

  #written(status: number): void {
    this.#isWriting = false;
    if (this.stream.destroyed) return;
    if (status < 0) this.stream.destroy(writeError(status));
    else this.#reader.handler?.onDrain();
  }
}

function handleOf(socket: Duplex): WriteHandle | null {
  return (socket as unknown as SocketInternals)._handle as WriteHandle | null;
}

function writeError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' });
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

/** Makes a socket that has not read anything yet hand over what it reads in the shared buffer. */
function readInPlace(socket: Socket, reader: Reader): void {
  const { _handle: handle } = socket as unknown as SocketInternals;
  if (handle?.useUserBuffer === undefined || bufferKey === undefined || callbackKey === undefined) return;
  handle.useUserBuffer(readBuffer);
  const internals = socket as unknown as Record<symbol, unknown>;
  internals[bufferKey] = readBuffer;
  internals[callbackKey] = (length: number): boolean => {
    reader.handler?.onData(beginningOfBuffer(length));
    return true;
  };
}

function keyOfSockets(name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name);
}
