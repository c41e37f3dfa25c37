// Writes to the handle of a TCP connection, past everything that a stream adds (its own queue, callbacks, a tick for each
// write), which is 0.6 µs for each write of 14 µs in all.
//
// How a handle takes bytes is not documented and has changed: up to some version of Node the caller makes the request
// object, later the handle returns one if it needs one. So nothing is guessed: the first write of the process goes
// through an ordinary socket and is watched, and others do what Node did. If that is neither of the two, nothing is
// written here.

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

/** How Node calls `writeBuffer`: with a request of this class, or with null. Undefined until it was seen. */
let convention: MakeRequest | 'returned' | 'unknown' | undefined;
/** Requests are used again as long as the handle takes everything at once. */
let spareRequest: WriteRequest | undefined;

/** Whether writeDirectly() can be used. */
export function canWriteDirectly(): boolean {
  return convention !== undefined && convention !== 'unknown';
}

/** Watches how the next write through a socket calls its handle, unless that is known already. */
export function watchWrites(handle: object | null): void {
  if (convention !== undefined || !isWriteHandle(handle)) return;
  handle.writeBuffer = function watched(this: WatchedHandle, ...given: [object | null, Uint8Array]) {
    // The property hides the method of the prototype, which is there again without it.
    delete (this as Partial<WatchedHandle>).writeBuffer;
    convention = conventionOf(given);
    return this.writeBuffer(...given);
  };
}

type WatchedHandle = { -readonly [K in keyof WriteHandle]: WriteHandle[K] };

function isWriteHandle(handle: object | null): handle is WatchedHandle {
  return handle !== null && 'writeBuffer' in handle && 'writev' in handle && 'writeQueueSize' in handle;
}

function conventionOf(given: readonly unknown[]): typeof convention {
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
  spareRequest ??= new (convention as MakeRequest)();
  const request = spareRequest;
  const result = call(handle, request, bytes);
  if (result === 0 && handle.writeQueueSize === 0) return 0;
  spareRequest = undefined;
  return result === 0 ? request : result;
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
