// RFC 6455 frames for a client: outgoing frames are masked, incoming ones come in any cut, may be fragmented and may
// have control frames between their fragments. MQTT uses binary frames only and ignores where they begin and end, so
// payload bytes are handed on as they come, without waiting for the end of a frame. [MQTT-6.0.0-2]

export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

/** Receives what the reader finds. */
export interface FrameHandler {
  /** Bytes of a binary message. */
  onPayload(bytes: Uint8Array): void;
  onPing(payload: Uint8Array): void;
  onClose(payload: Uint8Array): void;
  /** The server broke the protocol: the connection has to be closed. */
  onViolation(what: string): void;
}

/** One masked frame. The mask protects old proxies from chosen bytes; it is no secret, but it has to be unpredictable. */
export function clientFrame(opcode: number, payload: Uint8Array, mask: number): Uint8Array {
  const length = payload.length;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + lengthBytes + 4;
  const frame = new Uint8Array(start + length);
  const view = new DataView(frame.buffer);
  frame[0] = 0x80 | opcode;
  if (lengthBytes === 0) {
    frame[1] = 0x80 | length;
  } else if (lengthBytes === 2) {
    frame[1] = 0x80 | 126;
    view.setUint16(2, length);
  } else {
    frame[1] = 0x80 | 127;
    view.setBigUint64(2, BigInt(length));
  }
  view.setUint32(start - 4, mask);
  frame.set(payload, start);
  applyMask(view, start, length, mask);
  return frame;
}

// Four bytes at a time: masking was the largest part of sending until then.
function applyMask(view: DataView, start: number, length: number, mask: number): void {
  const wordsEnd = start + (length & ~3);
  let at = start;
  for (; at < wordsEnd; at += 4) view.setUint32(at, view.getUint32(at) ^ mask);
  for (let shift = 24; at < start + length; at++, shift -= 8) {
    view.setUint8(at, view.getUint8(at) ^ (mask >>> shift));
  }
}

/** Takes apart what a server sends. */
export class FrameParser {
  readonly #handler: FrameHandler;
  /** Header bytes of a frame whose header is not complete yet. */
  readonly #header = new Uint8Array(10);
  #headerLength = 0;
  #opcode = -1;
  #remaining = 0;
  #isFragmented = false;
  #control = new Uint8Array(0);
  #controlLength = 0;
  #isBroken = false;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  feed(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#isBroken) {
      if (this.#opcode < 0) {
        this.#header[this.#headerLength++] = chunk[at++]!;
        if (this.#headerLength >= 2 && this.#headerLength === this.#headerSize()) this.#begin();
        continue;
      }
      const end = Math.min(chunk.length, at + this.#remaining);
      const part = chunk.subarray(at, end);
      this.#remaining -= end - at;
      at = end;
      if (this.#opcode >= Opcode.Close) {
        this.#control.set(part, this.#controlLength);
        this.#controlLength += part.length;
      } else {
        this.#handler.onPayload(part);
      }
      if (this.#remaining === 0) this.#finish();
    }
  }

  #headerSize(): number {
    const short = this.#header[1]! & 0x7f;
    return short === 126 ? 4 : short === 127 ? 10 : 2;
  }

  #begin(): void {
    const header = this.#header;
    const first = header[0]!;
    const opcode = first & 0x0f;
    const isFinal = (first & 0x80) !== 0;
    const view = new DataView(header.buffer);
    const size = this.#headerLength;
    this.#headerLength = 0;
    const length =
      size === 4 ? view.getUint16(2) : size === 10 ? Number(view.getBigUint64(2)) : header[1]! & 0x7f;
    if ((first & 0x70) !== 0) {
      this.#violation('reserved bits are set');
      return;
    }
    if ((header[1]! & 0x80) !== 0) {
      this.#violation('a frame from the server is masked');
      return;
    }
    if (opcode >= Opcode.Close) {
      if (opcode > Opcode.Pong || !isFinal || length > 125) {
        this.#violation('a bad control frame');
        return;
      }
      this.#control = new Uint8Array(length);
      this.#controlLength = 0;
    } else {
      // [MQTT-6.0.0-1] Anything but binary frames closes the connection.
      if (opcode === Opcode.Text) {
        this.#violation('a text frame');
        return;
      }
      if (opcode > Opcode.Binary) {
        this.#violation(`unknown opcode ${opcode}`);
        return;
      }
      if ((opcode === Opcode.Continuation) !== this.#isFragmented) {
        this.#violation('a fragment out of order');
        return;
      }
      this.#isFragmented = !isFinal;
    }
    this.#opcode = opcode;
    this.#remaining = length;
    if (length === 0) this.#finish();
  }

  #finish(): void {
    const opcode = this.#opcode;
    this.#opcode = -1;
    if (opcode === Opcode.Ping) this.#handler.onPing(this.#control);
    else if (opcode === Opcode.Close) this.#handler.onClose(this.#control);
  }

  #violation(what: string): void {
    this.#isBroken = true;
    this.#handler.onViolation(what);
  }
}
