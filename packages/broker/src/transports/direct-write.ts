// Writes to the handle of a TCP connection, past everything that a stream adds (its own queue, callbacks, a tick for each
// write), which is 0.6 µs for each write of 14 µs in all.
//
// How a handle takes bytes is not documented and has changed: up to some version of Node the caller makes the request
// object, later the handle returns one if it needs one. So nothing is guessed: a socket of Node is given a handle that
// only notes how it is called, and writes do what that socket did. If that is neither of the two, nothing is written here.

import { Socket } from 'node:net';

/** What of a connection's handle is needed for writing. */
export interface WriteHandle {
  writeBuffer(request: object | null, bytes: Uint8Array): number | WriteRequest;
  writev(request: object | null, pieces: readonly Uint8Array[], areBuffers: true): number | WriteRequest;
  readonly writeQueueSize: number;
}

/** A write that the network has not taken at once. */
export interface WriteRequest {
  handle?: WriteHandle;
  oncomplete?: (status: number) => void;
  /** Keeps the bytes alive until they are written. */
  buffer?: Uint8Array | readonly Uint8Array[];
  /** Set if it was completed before `oncomplete` was there to be called. */
  writeStatus?: number | null;
}

type MakeRequest = new () => WriteRequest;

/** How Node calls `writeBuffer`: with a request of this class, or with null. */
type Convention = MakeRequest | 'returned' | 'unknown';
/** Undefined until it is needed. */
let convention: Convention | undefined;

/** Whether writeDirectly() can be used. */
export function canWriteDirectly(): boolean {
  convention ??= learnConvention();
  return convention !== 'unknown';
}

function learnConvention(): Convention {
  let given: readonly unknown[] = [];
  // All that a socket asks of its handle from here until it is destroyed.
  const handle = {
    reading: false,
    readStop: () => 0,
    writeBuffer: (...args: unknown[]) => {
      given = args;
      return 0;
    },
    close: () => {},
  };
  try {
    // `handle` is what a server gives to its sockets; it is not in Node's types.
    const options: object = { handle, pauseOnCreate: true };
    const socket = new Socket(options);
    socket.on('error', () => {});
    socket.write(Uint8Array.of(0));
    socket.destroy();
  } catch {
    // A version of Node whose sockets need more of a handle is one that is not known here.
  }
  return conventionOf(given);
}

function conventionOf(given: readonly unknown[]): Convention {
  const [request, bytes] = given;
  if (given.length !== 2 || !(bytes instanceof Uint8Array)) return 'unknown';
  if (request === null) return 'returned';
  return typeof request === 'object' && request !== undefined
    ? (request.constructor as MakeRequest)
    : 'unknown';
}

/**
 * Writes bytes, or several pieces with one system call. Returns 0 if the network took all of them, a negative error
 * number, or the request of a write that goes on.
 */
export function writeDirectly(
  handle: WriteHandle,
  bytes: Uint8Array | readonly Uint8Array[],
): number | WriteRequest {
  if (convention === 'returned') return call(handle, null, bytes);
  // A request is used for one write only, although most are not needed. When the network takes the first part, and
  // meanwhile has room for the rest, Node holds the request until a later turn, and nothing shows it: the queue is empty.
  // Another write with that request would abort the process.
  const request = new (convention as MakeRequest)();
  const result = call(handle, request, bytes);
  if (result !== 0) return result;
  return handle.writeQueueSize === 0 ? 0 : request;
}

function call(handle: WriteHandle, request: object | null, bytes: Uint8Array | readonly Uint8Array[]) {
  return bytes instanceof Uint8Array
    ? handle.writeBuffer(request, bytes)
    : handle.writev(request, bytes, true);
}

/** Calls `onDone` with 0 or an error number when a write that goes on is over. */
export function whenWritten(
  request: WriteRequest,
  handle: WriteHandle,
  bytes: Uint8Array | readonly Uint8Array[],
  onDone: (status: number) => void,
): void {
  request.handle = handle;
  request.buffer = bytes;
  request.oncomplete = onDone;
  const { writeStatus } = request;
  if (typeof writeStatus === 'number') setImmediate(onDone, writeStatus);
}
