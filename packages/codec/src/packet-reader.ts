// A cursor over the body of one packet. Every read checks that the packet has the bytes, so that whoever reads fields
// with it cannot run past the end, whatever the lengths in the packet claim.

import { type CodecError, malformed } from './errors.ts';
import { TextCache } from './text-cache.ts';
import { decodeText } from './utf8.ts';

const texts = new TextCache(decodeText);

export class PacketReader {
  readonly bytes: Uint8Array;
  position: number;
  /** Reading stops here: the packet's end, or the end of the property section while that is read. */
  end: number;
  /** How errors call the packet. */
  readonly packet: string;

  constructor(bytes: Uint8Array, position: number, end: number, packet: string) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
    this.packet = packet;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  byte(what: string): number {
    if (this.position >= this.end) throw this.#cutShort(what);
    return this.bytes[this.position++]!;
  }

  uint16(what: string): number {
    const at = this.position;
    if (at + 2 > this.end) throw this.#cutShort(what);
    this.position = at + 2;
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  uint32(what: string): number {
    const high = this.uint16(what);
    return high * 65_536 + this.uint16(what);
  }

  variableByteInteger(what: string): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte(what);
      value |= (byte & 127) << shift;
      if (byte < 128) {
        // [MQTT-1.5.5-1]
        if (byte === 0 && shift > 0) throw malformed(`${what} of ${this.packet} is not in its shortest form`);
        return value;
      }
    }
    throw malformed(`${what} of ${this.packet} has more than 4 bytes`);
  }

  /** A string with its length; well-formed UTF-8 without U+0000. */
  text(what: string): string {
    const start = this.#field(what);
    return texts.get(this.bytes, start, this.position, what);
  }

  /** Bytes with their length, as a view of the packet's memory. */
  binary(what: string): Uint8Array {
    const start = this.#field(what);
    return viewOf(this.bytes, start, this.position);
  }

  /** Steps over a field with a length and returns where its content starts; `position` is where it ends. */
  #field(what: string): number {
    const length = this.uint16(what);
    const start = this.position;
    if (start + length > this.end) throw this.#cutShort(what);
    this.position = start + length;
    return start;
  }

  /** A packet ends with its last field. */
  expectEnd(): void {
    if (this.position !== this.end) {
      throw malformed(`${this.packet} has ${this.end - this.position} bytes after its last field`);
    }
  }

  #cutShort(what: string): CodecError {
    return malformed(`${this.packet} ends before the end of ${what}`);
  }
}

/** A view that is a plain Uint8Array even if the memory is a Node Buffer; also faster to make than by subarray(). */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
