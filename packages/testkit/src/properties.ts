// Properties of MQTT 5.0 for tests: written in any order, as often as wanted, with right or wrong values, and read
// into a plain map from identifier to all values. Nothing is checked on purpose when writing.

/** What a test may write as the value of a property. A Buffer stands for the bytes of a string or of binary data. */
export type PropertyValue = number | string | Buffer | readonly [string | Buffer, string | Buffer];

/** One property to be written: identifier and value. */
export type RawProperty = readonly [id: number, value: PropertyValue];

/** Properties that were read: identifier to every value in the order of arrival. */
export type PropertyMap = ReadonlyMap<number, readonly PropertyValue[]>;

/** Property identifiers by the names of the standard. */
export const property = {
  payloadFormatIndicator: 0x01,
  messageExpiryInterval: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  sessionExpiryInterval: 0x11,
  assignedClientIdentifier: 0x12,
  serverKeepAlive: 0x13,
  authenticationMethod: 0x15,
  authenticationData: 0x16,
  requestProblemInformation: 0x17,
  willDelayInterval: 0x18,
  requestResponseInformation: 0x19,
  responseInformation: 0x1a,
  serverReference: 0x1c,
  reasonString: 0x1f,
  receiveMaximum: 0x21,
  topicAliasMaximum: 0x22,
  topicAlias: 0x23,
  maximumQoS: 0x24,
  retainAvailable: 0x25,
  userProperty: 0x26,
  maximumPacketSize: 0x27,
  wildcardSubscriptionAvailable: 0x28,
  subscriptionIdentifierAvailable: 0x29,
  sharedSubscriptionAvailable: 0x2a,
} as const;

type WireType = 'byte' | 'two' | 'four' | 'variable' | 'string' | 'binary' | 'pair';

const wireTypes = new Map<number, WireType>([
  [0x01, 'byte'],
  [0x02, 'four'],
  [0x03, 'string'],
  [0x08, 'string'],
  [0x09, 'binary'],
  [0x0b, 'variable'],
  [0x11, 'four'],
  [0x12, 'string'],
  [0x13, 'two'],
  [0x15, 'string'],
  [0x16, 'binary'],
  [0x17, 'byte'],
  [0x18, 'four'],
  [0x19, 'byte'],
  [0x1a, 'string'],
  [0x1c, 'string'],
  [0x1f, 'string'],
  [0x21, 'two'],
  [0x22, 'two'],
  [0x23, 'two'],
  [0x24, 'byte'],
  [0x25, 'byte'],
  [0x26, 'pair'],
  [0x27, 'four'],
  [0x28, 'byte'],
  [0x29, 'byte'],
  [0x2a, 'byte'],
]);

/** A Two Byte Integer. */
export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** A Variable Byte Integer in its shortest form. */
export function variableByteInteger(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** A string or binary field: Two Byte length, then the bytes. A Buffer may hold bytes that are no valid UTF-8. */
export function field(value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value);
  return Buffer.concat([uint16(bytes.length), bytes]);
}

/** Properties with their Property Length. Ready bytes are taken as they are, without adding a length. */
export function encodeProperties(properties: readonly RawProperty[] | Buffer): Buffer {
  if (Buffer.isBuffer(properties)) {
    return properties;
  }
  const body = Buffer.concat(
    properties.map(([id, value]) => Buffer.concat([Buffer.from([id]), encodeValue(id, value)])),
  );
  return Buffer.concat([variableByteInteger(body.length), body]);
}

function encodeValue(id: number, value: PropertyValue): Buffer {
  if (typeof value === 'number') {
    return encodeNumber(wireTypes.get(id) ?? 'byte', value);
  }
  if (typeof value === 'string' || Buffer.isBuffer(value)) {
    return field(value);
  }
  return Buffer.concat([field(value[0]), field(value[1])]);
}

function encodeNumber(type: WireType, value: number): Buffer {
  if (type === 'variable') {
    return variableByteInteger(value);
  }
  const bytes = Buffer.alloc(type === 'four' ? 4 : type === 'two' ? 2 : 1);
  bytes.writeUIntBE(value, 0, bytes.length);
  return bytes;
}

/** Reads a body from front to back and complains about everything that runs past its end. */
export class BodyReader {
  readonly #body: Buffer;
  #offset = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get left(): number {
    return this.#body.length - this.#offset;
  }

  take(length: number): Buffer {
    if (length > this.left) {
      throw new Error(
        `a field of ${length} bytes does not fit into ${this.left} bytes of ${this.#body.toString('hex')}`,
      );
    }
    const bytes = this.#body.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return bytes;
  }

  byte(): number {
    return this.take(1).readUInt8();
  }

  uint16(): number {
    return this.take(2).readUInt16BE();
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }

  variable(): number {
    let value = 0;
    for (let index = 0; index < 4; index += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * 128 ** index;
      if (byte < 0x80) {
        return value;
      }
    }
    throw new Error(`a Variable Byte Integer of more than four bytes in ${this.#body.toString('hex')}`);
  }

  binary(): Buffer {
    return this.take(this.uint16());
  }

  string(): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.binary());
  }

  rest(): Buffer {
    return this.take(this.left);
  }

  /** Property Length and properties, by identifier. */
  properties(): PropertyMap {
    const inner = new BodyReader(this.take(this.variable()));
    const map = new Map<number, PropertyValue[]>();
    while (inner.left > 0) {
      const id = inner.variable();
      const values = map.get(id) ?? [];
      values.push(inner.propertyValue(id));
      map.set(id, values);
    }
    return map;
  }

  private propertyValue(id: number): PropertyValue {
    switch (wireTypes.get(id)) {
      case 'byte':
        return this.byte();
      case 'two':
        return this.uint16();
      case 'four':
        return this.uint32();
      case 'variable':
        return this.variable();
      case 'string':
        return this.string();
      case 'binary':
        return this.binary();
      case 'pair':
        return [this.string(), this.string()];
      default:
        throw new Error(`unknown property 0x${id.toString(16)} in ${this.#body.toString('hex')}`);
    }
  }
}
