// Two pipe ends joined in memory, for a server in the same process and for tests. Bytes change sides by reference, in
// a later turn, as they would on a network; a side that is not drained sees back-pressure after `highWaterMark` bytes.

import type { BytePipe } from './transport.ts';

const highWaterMark = 256 * 1024;

class MemoryPipeEnd implements BytePipe {
  onData: (chunk: Uint8Array) => void = () => {};
  onDrain: () => void = () => {};
  onClose: (error?: Error) => void = () => {};
  peer: MemoryPipeEnd | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isScheduled = false;
  #isEnding = false;
  #isClosed = false;

  send(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#isEnding) return false;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#schedule();
    return this.#waitingBytes < highWaterMark;
  }

  close(error?: Error): void {
    if (this.#isClosed) return;
    this.#isEnding = true;
    if (error !== undefined) this.#waiting = [];
    this.#schedule(error);
  }

  #schedule(error?: Error): void {
    if (this.#isScheduled && error === undefined) return;
    this.#isScheduled = true;
    // A promise job would run before other events get their turn and could starve them.
    setTimeout(() => this.#deliver(), 0);
  }

  #deliver(): void {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    const chunks = this.#waiting;
    const wasFull = this.#waitingBytes >= highWaterMark;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const chunk of chunks) this.peer?.onData(chunk);
    if (this.#isEnding && this.#waiting.length === 0) {
      this.#finish();
      if (this.peer !== undefined) this.peer.#finish();
    } else if (wasFull) {
      this.onDrain();
    }
  }

  #finish(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onClose();
  }
}

/**
 * Both ends of a connection inside this process.
 *
 * @example
 * const [forClient, forServer] = memoryPipe();
 */
export function memoryPipe(): [BytePipe, BytePipe] {
  const left = new MemoryPipeEnd();
  const right = new MemoryPipeEnd();
  left.peer = right;
  right.peer = left;
  return [left, right];
}
