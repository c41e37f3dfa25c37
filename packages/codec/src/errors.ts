// The error class of the codec. Whatever bytes come in and whatever packet is to be encoded, nothing else is thrown.

/** Tells apart what went wrong, for programs; the message is for people. */
export type CodecErrorCode =
  /** Bytes that cannot be parsed as the standard says, or that carry something it forbids. */
  | 'TOBYMQ_PACKET_INVALID'
  /** A packet larger than the decoder's maximum packet size. */
  | 'TOBYMQ_PACKET_TOO_LARGE'
  /** A CONNECT of a protocol name or level that is not MQTT 3.1, 3.1.1 or 5.0. */
  | 'TOBYMQ_PROTOCOL_UNSUPPORTED'
  /** A packet given to the encoder that no valid bytes exist for. */
  | 'TOBYMQ_PACKET_NOT_ENCODABLE';

/**
 * Thrown by the decoder for bad bytes and by the encoder for packets that cannot be encoded.
 *
 * @example
 * try {
 *   encode({ type: PacketType.Publish, topic: 'a/#' }, 5);
 * } catch (error) {
 *   if (error instanceof CodecError) console.log(error.code, error.reasonCode.toString(16), error.message);
 * }
 */
export class CodecError extends Error {
  override readonly name: string = 'CodecError';
  declare readonly code: CodecErrorCode;
  /** What a CONNACK or DISCONNECT should carry: 0x81, 0x82, 0x84, 0x94, 0x95 ... */
  declare readonly reasonCode: number;

  constructor(code: CodecErrorCode, reasonCode: number, message: string) {
    super(message);
    this.code = code;
    this.reasonCode = reasonCode;
  }
}

/**
 * Thrown for a CONNECT whose protocol name and level are not MQTT 3.1, 3.1.1 or 5.0; its code is
 * `TOBYMQ_PROTOCOL_UNSUPPORTED`. It carries what a server needs to answer in a form that the client understands.
 */
export class UnsupportedProtocolError extends CodecError {
  override readonly name = 'UnsupportedProtocolError';
  /** The protocol name if it is one of MQTT's two, else `undefined`. */
  declare readonly protocolName: 'MQTT' | 'MQIsdp' | undefined;
  /** The level byte as received. */
  declare readonly level: number;
  /**
   * The version whose CONNACK form tells the client: 4 means `20 02 00 01`, 5 means `20 03 00 84 00`. It is
   * `undefined` for a foreign protocol name, which gets no answer at all: the peer does not speak MQTT.
   */
  declare readonly answerVersion: 4 | 5 | undefined;

  constructor(protocolName: 'MQTT' | 'MQIsdp' | undefined, level: number) {
    super('TOBYMQ_PROTOCOL_UNSUPPORTED', 0x84, `CONNECT: ${protocolName} ${level} is unsupported`);
    this.protocolName = protocolName;
    this.level = level;
    this.answerVersion = protocolName && (protocolName === 'MQTT' && level > 5 ? 5 : 4);
  }
}

/** The error for received bytes: 0x81 if they cannot be parsed, 0x82 if they parse but say something forbidden. */
export function invalid(reasonCode: number, message: string): CodecError {
  return new CodecError('TOBYMQ_PACKET_INVALID', reasonCode, message);
}
