// Writes the fields of the rarer packets. The same code runs twice: first with a writer that only counts, which gives
// the exact size and refuses what cannot be written before a byte is touched, then with one that writes. So size and
// bytes cannot disagree. (PUBLISH and the acknowledgements, on the hot path, are written by hand in encoder.ts.)

import { notEncodable } from './errors.ts';
import { checkedTextSize, MAX_STRING_BYTES, writeTextField } from './utf8.ts';
import { variableByteIntegerSize, writeVariableByteInteger } from './variable-byte-integer.ts';

export class ByteWriter {
  readonly #target: Uint8Array | undefined;
  /** Where the next byte goes, or the count so far. */
  position: number;

  /** Without a target the writer only counts. */
  constructor(target?: Uint8Array, position = 0) {
    this.#target = target;
    this.position = position;
  }

  byte(value: number): void {
    if (this.#target !== undefined) this.#target[this.position] = value;
    this.position += 1;
  }

  uint16(value: number): void {
    this.byte(value >>> 8);
    this.byte(value & 255);
  }

  uint32(value: number): void {
    this.uint16(value >>> 16);
    this.uint16(value & 65_535);
  }

  variableByteInteger(value: number): void {
    if (this.#target !== undefined) writeVariableByteInteger(this.#target, this.position, value);
    this.position += variableByteIntegerSize(value);
  }

  /** A string with its length of two bytes. */
  text(value: unknown, what: string): void {
    if (typeof value !== 'string') throw notEncodable(`${what} is not a string`);
    const size = checkedTextSize(value, what);
    if (this.#target !== undefined) writeTextField(this.#target, this.position, value);
    this.position += 2 + size;
  }

  /** Bytes with their length of two bytes. */
  binary(value: unknown, what: string): void {
    if (!(value instanceof Uint8Array)) throw notEncodable(`${what} is not a Uint8Array`);
    if (value.length > MAX_STRING_BYTES) {
      throw notEncodable(`${what} takes ${value.length} bytes, more than 65,535`);
    }
    this.uint16(value.length);
    if (this.#target !== undefined) this.#target.set(value, this.position);
    this.position += value.length;
  }

  /** What `write` writes, after its size as a Variable Byte Integer. */
  lengthPrefixed(write: () => void): void {
    const start = this.position;
    if (this.#target === undefined) {
      write();
      this.position += variableByteIntegerSize(this.position - start);
      return;
    }
    // The size is small nearly always: leave one byte, and move what was written if it needs more.
    this.position = start + 1;
    write();
    const size = this.position - start - 1;
    const sizeBytes = variableByteIntegerSize(size);
    this.#target.copyWithin(start + sizeBytes, start + 1, this.position);
    writeVariableByteInteger(this.#target, start, size);
    this.position = start + sizeBytes + size;
  }
}
