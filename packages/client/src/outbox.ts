// The bytes on their way out. Packets are encoded one behind the other into one buffer, which is handed to the
// transport once per turn of the event loop: a system call costs more than everything else that happens to a small
// packet. What was handed out is never written again, so the transport needs no copy; when a buffer is used up a new
// one begins.
//
// With a session store the bytes of a turn wait until the store has written what they depend on.

import { encodedSize, encodeInto, type PacketInput, type ProtocolVersion } from '@tobymq/codec';
import type { Traffic } from './keep-alive.ts';
import type { BytePipe } from './transports/transport.ts';

const smallestBuffer = 4 * 1024;
const largestBuffer = 64 * 1024;

/** What an outbox needs of the connection's owner. */
export interface OutboxOwner {
  /** Counts what was handed to the transport. */
  readonly traffic: Traffic;
  /** What the bytes written so far have to wait for. */
  gate(): Promise<void> | undefined;
}

export class Outbox {
  readonly #pipe: BytePipe;
  readonly #defer: (callback: () => void) => void;
  readonly #owner: OutboxOwner;
  #buffer = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #isScheduled = false;
  #isClosed = false;
  /** The last bytes that wait for the store. */
  #gated: Promise<void> | undefined;
  /** The transport wants a break: nothing but the small packets of the protocol should be added. */
  isCongested = false;

  constructor(pipe: BytePipe, defer: (callback: () => void) => void, owner: OutboxOwner) {
    this.#pipe = pipe;
    this.#defer = defer;
    this.#owner = owner;
  }

  /** Adds a packet whose encoded size is known. */
  write(packet: PacketInput, version: ProtocolVersion, size = encodedSize(packet, version)): void {
    const at = this.#reserve(size);
    this.#end = encodeInto(packet, version, this.#buffer, at);
  }

  #reserve(size: number): number {
    if (this.#end + size > this.#buffer.length) {
      this.flush();
      // Larger buffers for those who fill them; a quiet client keeps a small one.
      const larger = Math.min(this.#buffer.length * 2, largestBuffer);
      this.#buffer = new Uint8Array(Math.max(smallestBuffer, larger, size));
      this.#start = 0;
      this.#end = 0;
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#defer(() => {
        this.#isScheduled = false;
        this.flush();
      });
    }
    return this.#end;
  }

  /** Hands everything written so far to the transport. */
  flush(): void {
    if (this.#start === this.#end) return;
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    // The store finishes its writes in order, so what waits for a later one does not overtake.
    const gate = this.#owner.gate() ?? this.#gated;
    if (gate === undefined) {
      this.#send(bytes);
      return;
    }
    const gated = gate.then(() => {
      if (this.#gated === gated) this.#gated = undefined;
      this.#send(bytes);
    });
    this.#gated = gated;
  }

  #send(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#owner.traffic.sent += bytes.length;
    if (!this.#pipe.send(bytes)) this.isCongested = true;
  }

  /** Resolves when what was written has been handed to the transport. */
  async finish(): Promise<void> {
    this.flush();
    await this.#gated;
  }

  /** Nothing is sent any more, not even what was written. */
  close(): void {
    this.#isClosed = true;
  }
}
