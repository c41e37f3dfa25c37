// Framing of MQTT for tests: cuts a byte stream into control packets and names them.
// It is written from the wire format alone and shares nothing with @tobymq/codec, so that a fault in the codec
// cannot hide behind the same fault in the tool that judges it.

/** One control packet as it stood on the wire. */
export interface Frame {
  /** Packet type, 0 to 15. */
  readonly type: number;
  /** The low four bits of the first byte. */
  readonly flags: number;
  /** The whole packet. */
  readonly bytes: Buffer;
  /** What follows the fixed header. */
  readonly body: Buffer;
}

/** Packet types by the names that the standard prints. */
export const packetType = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const;

const typeNames = new Map<number, string>(Object.entries(packetType).map(([name, type]) => [type, name]));

/** Name of a packet type, for messages: `nameOfType(3)` is `PUBLISH`. */
export function nameOfType(type: number): string {
  return typeNames.get(type) ?? `type ${type}`;
}

/** A frame in one line, for messages: name and the first 64 bytes in hexadecimal. */
export function describeFrame(frame: Frame): string {
  const shown = frame.bytes.subarray(0, 64).toString('hex');
  const more = frame.bytes.length > 64 ? `... (${frame.bytes.length} bytes)` : '';
  return `${nameOfType(frame.type)} ${shown}${more}`;
}

/** Cuts the stream that is fed to it into frames. Feeding bytes that cannot be MQTT throws. */
export class FrameSplitter {
  #pending: Buffer = Buffer.alloc(0);

  /** Bytes of a packet that has not ended yet. */
  get pending(): Buffer {
    return this.#pending;
  }

  feed(chunk: Buffer): Frame[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const frame = this.#cut();
      if (frame === undefined) {
        return frames;
      }
      frames.push(frame);
    }
  }

  #cut(): Frame | undefined {
    const buffer = this.#pending;
    let remainingLength = 0;
    for (let index = 1; index <= 4; index += 1) {
      const byte = buffer[index];
      if (byte === undefined) {
        return undefined;
      }
      remainingLength += (byte & 0x7f) * 128 ** (index - 1);
      if (byte < 0x80) {
        const start = index + 1;
        const end = start + remainingLength;
        if (buffer.length < end) {
          return undefined;
        }
        const first = buffer.readUInt8(0);
        this.#pending = buffer.subarray(end);
        return {
          type: first >> 4,
          flags: first & 0x0f,
          bytes: buffer.subarray(0, end),
          body: buffer.subarray(start, end),
        };
      }
    }
    throw new Error(
      `the peer sent a Remaining Length of more than four bytes: ${buffer.subarray(0, 8).toString('hex')}`,
    );
  }
}
