// The one error class of the codec. Whatever bytes come in and whatever packet is to be encoded, nothing else is thrown.

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
 *   decoder.push(bytes);
 * } catch (error) {
 *   if (error instanceof CodecError) console.log(error.code, error.reasonCode.toString(16), error.message);
 * }
 */
export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly code: CodecErrorCode;
  /** What a CONNACK or DISCONNECT should carry: 0x81, 0x82, 0x84, 0x93, 0x94, 0x95, 0x9a, 0x9b ... */
  readonly reasonCode: number;

  constructor(code: CodecErrorCode, reasonCode: number, message: string) {
    super(message);
    this.code = code;
    this.reasonCode = reasonCode;
  }
}
