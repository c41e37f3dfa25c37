// A connection inside the process, without a socket: for tests, and for applications that talk to their own broker with
// the ordinary client.
//
//     client's BytePipe ──send──▶ ByteStream of the broker
//                       ◀─onData─
//
// Bytes change sides in a later turn of the event loop, as they would on a network.

import type { ByteStream, ByteStreamHandler, PeerInfo } from './byte-stream.ts';

/** The client's end; the same shape as the transports of `@tobymq/client`. */
export interface BytePipe {
  /** Sends bytes, which must not change afterwards. False means: wait for `onDrain`; the bytes were taken nevertheless. */
  send(bytes: Uint8Array): boolean;
  /** Without an error: flush and end. With one: drop everything at once. `onClose` follows in both cases, once. */
  close(error?: Error): void;
  onData: (chunk: Uint8Array) => void;
  onDrain: () => void;
  onClose: (error?: Error) => void;
}

const HIGH_WATER_BYTES = 262_144;

/** One direction: chunks that wait to be delivered, in order. */
class Channel {
  readonly #deliver: (chunk: Uint8Array) => void;
  readonly #onEmpty: (wasFull: boolean) => void;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #isScheduled = false;
  isPaused = false;

  constructor(deliver: (chunk: Uint8Array) => void, onEmpty: (wasFull: boolean) => void) {
    this.#deliver = deliver;
    this.#onEmpty = onEmpty;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.schedule();
    return this.#bytes < HIGH_WATER_BYTES;
  }

  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }

  schedule(): void {
    if (this.#isScheduled || this.isPaused) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    const wasFull = this.#bytes >= HIGH_WATER_BYTES;
    while (!this.isPaused && this.#chunks.length > 0) {
      const chunk = this.#chunks.shift()!;
      this.#bytes -= chunk.length;
      this.#deliver(chunk);
    }
    if (this.#chunks.length === 0) this.#onEmpty(wasFull);
  }
}

/** Both ends of a connection in memory. */
export class MemoryConnection implements ByteStream {
  readonly remoteAddress = 'memory';
  readonly remotePort = 0;
  readonly listener: string;
  readonly peer: PeerInfo = { transport: 'memory' };
  readonly keepsBytes = true;
  readonly pipe: BytePipe;
  readonly #toBroker: Channel;
  readonly #toClient: Channel;
  #handler: ByteStreamHandler | undefined;
  #hasClientEnded = false;
  #hasBrokerEnded = false;
  #isGone = false;

  constructor(listener: string) {
    this.listener = listener;
    this.#toBroker = new Channel(
      (chunk) => this.#handler?.onData(chunk),
      (wasFull) => {
        if (wasFull && !this.#isGone) this.pipe.onDrain();
        // The broker still has something to do before it hears of the end, as with a socket that is not read.
        if (this.#hasClientEnded && !this.#toBroker.isPaused) this.#handler?.onEnd();
        this.#finishIfDone();
      },
    );
    this.#toClient = new Channel(
      (chunk) => this.pipe.onData(chunk),
      (wasFull) => {
        if (wasFull && !this.#isGone) this.#handler?.onDrain();
        this.#finishIfDone();
      },
    );
    this.pipe = {
      send: (bytes) => !this.#isGone && !this.#hasClientEnded && this.#toBroker.push(bytes),
      close: (error) => this.#closeByClient(error),
      onData: () => {},
      onDrain: () => {},
      onClose: () => {},
    };
  }

  get bufferedBytes(): number {
    return this.#toClient.bytes;
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isGone || this.#hasBrokerEnded) return true;
    return this.#toClient.push(bytes);
  }

  writev(pieces: readonly Uint8Array[]): boolean {
    let goesOn = true;
    for (const piece of pieces) goesOn = this.write(piece);
    return goesOn;
  }

  pause(): void {
    this.#toBroker.isPaused = true;
  }

  resume(): void {
    this.#toBroker.isPaused = false;
    this.#toBroker.schedule();
  }

  end(): void {
    this.#hasBrokerEnded = true;
    this.#toClient.schedule();
  }

  destroy(): void {
    this.#gone(undefined);
  }

  #closeByClient(error: Error | undefined): void {
    if (error !== undefined) {
      this.#gone(error);
      return;
    }
    this.#hasClientEnded = true;
    this.#toBroker.schedule();
  }

  /** A pipe is closed as a whole when the broker has said its last word. */
  #finishIfDone(): void {
    if (this.#hasBrokerEnded && this.#toClient.bytes === 0) this.#gone(undefined);
  }

  #gone(error: Error | undefined): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#toBroker.clear();
    this.#toClient.clear();
    setImmediate(() => {
      this.pipe.onClose(error);
      this.#handler?.onClose(error);
    });
  }
}
