// @tobymq/codec: packets to bytes and bytes to packets, and the rules of topics. See the README for the ideas.

export { patchPacketId, readTopic } from './cursor.ts';
export { decodePacket, type Role } from './decode-packet.ts';
export { Decoder, type DecoderOptions } from './decoder.ts';
export { encode, encodedSize, encodeInto, PINGREQ, PINGRESP, writeAck } from './encoder.ts';
export { CodecError, type CodecErrorCode, UnsupportedProtocolError } from './errors.ts';
export { FrameReader, MAX_PACKET_SIZE } from './frame-reader.ts';
export * from './packets.ts';
export { PublishHead } from './publish-head.ts';
export { PublishReader } from './publish-reader.ts';
export * from './reason-codes.ts';
export {
  checkTopicFilter,
  checkTopicName,
  hasDiscouragedCharacters,
  matches,
  parseSharedFilter,
  type SharedFilter,
  type TopicFilterOptions,
} from './topics.ts';
