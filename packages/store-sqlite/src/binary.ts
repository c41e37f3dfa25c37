// Writing and reading the bytes that go to the worker, come back from it, and lie in the records of the database.
//
// A batch crosses to the worker as one buffer because a structured clone of its thousands of small objects would cost
// the event loop more than everything else that happens to a stored message.

/** Appends to a buffer that grows; `take()` gives the bytes away and starts again. */
export class ByteWriter {
  #bytes: Buffer;
  #view: DataView;
  length = 0;

  constructor(capacity = 64 * 1024) {
    this.#bytes = Buffer.alloc(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): void {
    this.#ensure(1);
    this.#bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.#ensure(4);
    this.#view.setUint32(this.length, value);
    this.length += 4;
  }

  /** Any number, as a double: keys, ids and points in time, which all stay below 2 to the 53rd. */
  number(value: number): void {
    this.#ensure(8);
    this.#view.setFloat64(this.length, value);
    this.length += 8;
  }

  /** A length or another small number: seven bits to a byte, the lowest first. */
  varint(value: number): void {
    this.#ensure(5);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.length++] = rest;
  }

  /** Milliseconds since the epoch in six bytes, which last until the year 10889. */
  time(value: number): void {
    this.#ensure(6);
    this.#view.setUint16(this.length, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(this.length + 2, value >>> 0);
    this.length += 6;
  }

  raw(bytes: Uint8Array): void {
    this.#ensure(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Bytes with their length before them. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** A text as UTF-8 with its length before it. */
  text(text: string): void {
    const start = this.length;
    this.#ensure(text.length + 5);
    this.varint(text.length);
    // Names are nearly always ASCII and short; a loop is then faster than a call into the runtime.
    const bytes = this.#bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        this.#longText(text, start);
        return;
      }
      bytes[at++] = unit;
    }
    this.length = at;
  }

  #longText(text: string, start: number): void {
    this.length = start;
    const size = Buffer.byteLength(text);
    this.varint(size);
    this.#ensure(size);
    this.#bytes.write(text, this.length);
    this.length += size;
  }

  /** Puts a number into a place that was left for it. */
  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** A copy of everything written, in an ArrayBuffer of its own that can be transferred. */
  take(): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(this.length);
    copy.set(this.#bytes.subarray(0, this.length));
    this.length = 0;
    // One huge message must not hold its size in memory for ever.
    if (this.#bytes.length > 8 * 1024 * 1024) this.#grow(64 * 1024);
    return copy;
  }

  #ensure(count: number): void {
    const needed = this.length + count;
    if (needed > this.#bytes.length) this.#grow(Math.max(needed, this.#bytes.length * 2));
  }

  #grow(capacity: number): void {
    const larger = Buffer.alloc(capacity);
    larger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Reads what `ByteWriter` wrote. Byte arrays are views on the buffer, not copies. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.position >= this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.position++);
  }

  u32(): number {
    const value = this.#view.getUint32(this.position);
    this.position += 4;
    return value;
  }

  number(): number {
    const value = this.#view.getFloat64(this.position);
    this.position += 8;
    return value;
  }

  varint(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
      shift += 7;
    }
  }

  time(): number {
    const value =
      this.#view.getUint16(this.position) * 0x1_0000_0000 + this.#view.getUint32(this.position + 2);
    this.position += 6;
    return value;
  }

  raw(length: number): Buffer {
    const end = this.position + length;
    if (end > this.#bytes.length)
      throw new RangeError(`a record ends after ${this.#bytes.length} bytes, not ${end}`);
    const bytes = this.#bytes.subarray(this.position, end);
    this.position = end;
    return bytes;
  }

  bytes(): Buffer {
    return this.raw(this.varint());
  }

  text(): string {
    return this.fixedText(this.varint());
  }

  /** A text whose length is known from elsewhere. */
  fixedText(length: number): string {
    const start = this.position;
    this.position += length;
    return this.#bytes.toString('utf8', start, this.position);
  }
}
