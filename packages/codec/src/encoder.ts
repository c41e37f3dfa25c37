// Packets to bytes. The exact size is computed first, which also refuses what cannot be written; then the bytes are
// written in one go. PUBLISH and the acknowledgements, which are nearly all packets, are measured and written by hand;
// the others go through ByteWriter (encode-body.ts).

import { ByteWriter } from './byte-writer.ts';
import { bodyFlags, refuseProperties, writeBody } from './encode-body.ts';
import { notEncodable } from './errors.ts';
import { packetName } from './packet-names.ts';
import {
  type PacketInput,
  PacketType,
  type ProtocolVersion,
  type PublishAckInput,
  type PublishInput,
  type PublishProperties,
} from './packets.ts';
import { checkedInteger } from './property-writer.ts';
import { publishPropertiesSize, writePublishProperties } from './publish-properties.ts';
import { isReasonCodeAllowed } from './reason-code-rules.ts';
import { topicBytes } from './topic-bytes.ts';
import { writeBytes } from './utf8.ts';
import {
  MAX_VARIABLE_BYTE_INTEGER,
  variableByteIntegerSize,
  writeVariableByteInteger,
} from './variable-byte-integer.ts';

const NO_BYTES = new Uint8Array(0);

// Small packets are cut from shared blocks: 90 bytes of memory of their own cost 400 to 700 ns on Node, a view 20 ns.
const BLOCK_SIZE = 16_384;
const SMALL_PACKET = 2048;
let block = NO_BYTES;
let blockUsed = 0;

/**
 * The bytes of a packet. Fields that are left out have these defaults: QoS 0, flags false, payload empty, Keep Alive
 * 60, Clean Start true, reason code 0. Throws a CodecError with the code `TOBYMQ_PACKET_NOT_ENCODABLE` if the standard
 * has no bytes for the packet: bad strings and topics, values out of range, packet identifier 0, reason codes that the
 * packet cannot carry, properties that it cannot have. Properties are refused for 3.1 and 3.1.1, as they would be lost.
 * Small results are views of a larger buffer, like Node's own small Buffers.
 *
 * @example
 * const bytes = encode({ type: PacketType.Publish, topic: 'rooms/kitchen', payload: new Uint8Array([1]) }, 5);
 */
export function encode(packet: PacketInput, version: ProtocolVersion): Uint8Array {
  const remaining = measure(packet, version);
  const target = allocate(1 + variableByteIntegerSize(remaining) + remaining);
  write(packet, version, remaining, target, 0);
  return target;
}

/** The number of bytes that encode() gives; refuses the same packets. */
export function encodedSize(packet: PacketInput, version: ProtocolVersion): number {
  const remaining = measure(packet, version);
  payload = NO_BYTES;
  return 1 + variableByteIntegerSize(remaining) + remaining;
}

/**
 * Writes a packet into a buffer of the caller's, from `offset` on; returns the offset after it. Throws a CodecError if
 * the packet cannot be encoded or does not fit; nothing is written then.
 */
export function encodeInto(
  packet: PacketInput,
  version: ProtocolVersion,
  target: Uint8Array,
  offset: number,
): number {
  const remaining = measure(packet, version);
  const size = 1 + variableByteIntegerSize(remaining) + remaining;
  if (offset + size > target.length) {
    throw notEncodable(
      `${packetName(packet.type)} takes ${size} bytes, but the buffer has ${target.length - offset} left`,
    );
  }
  return write(packet, version, remaining, target, offset);
}

/** PINGREQ, the same in all versions. */
export const PINGREQ: Uint8Array = Uint8Array.of(0xc0, 0x00);
/** PINGRESP, the same in all versions. */
export const PINGRESP: Uint8Array = Uint8Array.of(0xd0, 0x00);

/** The size of an acknowledgement that writeAck() writes. */
export function ackSize(reasonCode: number): number {
  return reasonCode === 0 ? 4 : 5;
}

/**
 * Writes PUBACK, PUBREC, PUBREL or PUBCOMP without properties into a buffer; returns the offset after it. This is for
 * a server's hot path and checks nothing: the reason code must be 0 in 3.1 and 3.1.1.
 */
export function writeAck(
  target: Uint8Array,
  offset: number,
  type: 4 | 5 | 6 | 7,
  packetId: number,
  reasonCode = 0,
): number {
  target[offset] = type === PacketType.Pubrel ? 0x62 : type << 4; // [MQTT-3.6.1-1]
  target[offset + 1] = reasonCode === 0 ? 2 : 3;
  target[offset + 2] = packetId >>> 8;
  target[offset + 3] = packetId & 255;
  if (reasonCode === 0) return offset + 4;
  target[offset + 4] = reasonCode;
  return offset + 5;
}

function allocate(size: number): Uint8Array {
  if (size > SMALL_PACKET) return new Uint8Array(size);
  if (blockUsed + size > block.length) {
    block = new Uint8Array(BLOCK_SIZE);
    blockUsed = 0;
  }
  const start = blockUsed;
  blockUsed += size;
  return new Uint8Array(block.buffer, start, size);
}

// What measure() found out about a PUBLISH or a short acknowledgement, for write(), which always follows at once. They
// are variables because a program's packets have many shapes, so that each reading of a field costs 5 ns or more on
// Node 20: reading all fields once instead of twice, and measuring properties once, takes a third off an encoding.
let firstByte = 0;
let packetId = 0;
let reasonCode = 0;
let topic: Uint8Array = NO_BYTES;
let payload: Uint8Array = NO_BYTES;
let properties: PublishProperties | undefined;
let propertiesSize = 0;

/**
 * The remaining length of a packet; refuses packets that cannot be encoded. Sets `firstByte`, which is 0 if the packet
 * is one of the rarer ones, for writeBody().
 */
function measure(packet: PacketInput, version: ProtocolVersion): number {
  let size: number;
  switch (packet.type) {
    case PacketType.Publish:
      size = measurePublish(packet, version);
      break;
    case PacketType.Puback:
    case PacketType.Pubrec:
    case PacketType.Pubrel:
    case PacketType.Pubcomp:
      size = measureAck(packet, version);
      break;
    default:
      size = measureBody(packet, version);
  }
  if (size > MAX_VARIABLE_BYTE_INTEGER) {
    throw notEncodable(
      `${packetName(packet.type)} has ${size} bytes after its length, more than 268,435,455`,
    );
  }
  return size;
}

/** Writes a packet that measure() has measured and found good. */
function write(
  packet: PacketInput,
  version: ProtocolVersion,
  remaining: number,
  target: Uint8Array,
  offset: number,
): number {
  if (firstByte >> 4 === PacketType.Publish) return writePublish(version, remaining, target, offset);
  if (firstByte !== 0) return writeShortAck(target, offset);
  target[offset] = (packet.type << 4) | bodyFlags(packet.type); // [MQTT-2.1.3-1]
  const writer = new ByteWriter(target, writeVariableByteInteger(target, offset + 1, remaining));
  writeBody(writer, packet, version);
  return writer.position;
}

function measureBody(packet: PacketInput, version: ProtocolVersion): number {
  firstByte = 0;
  const counter = new ByteWriter();
  writeBody(counter, packet, version);
  return counter.position;
}

function measurePublish(packet: PublishInput, version: ProtocolVersion): number {
  const { qos = 0, dup = false, retain = false } = packet;
  packetId = packet.packetId ?? 0;
  payload = packet.payload ?? NO_BYTES;
  properties = packet.properties;
  if (qos !== 0 && qos !== 1 && qos !== 2) throw notEncodable(`PUBLISH has the QoS ${String(qos)}`); // [MQTT-3.3.1-4]
  if (!(payload instanceof Uint8Array)) throw notEncodable('the payload of PUBLISH is not a Uint8Array');
  if (version !== 5) refuseProperties(properties, 'PUBLISH');
  // Only a topic alias makes up for a missing topic name.
  const name = packet.topic;
  const hasNoTopic = name === '' && properties?.topicAlias !== undefined;
  topic = hasNoTopic ? NO_BYTES : topicBytes(name, 'the topic name of PUBLISH');
  let size = 2 + topic.length + payload.length;
  if (qos !== 0) {
    checkedInteger(packetId, 1, 65_535, 'the packet identifier of PUBLISH'); // [MQTT-2.2.1-3]
    size += 2;
  } else if (dup) {
    throw notEncodable('PUBLISH has DUP set with QoS 0'); // [MQTT-3.3.1-2]
  } else if (packetId !== 0) {
    throw notEncodable(`PUBLISH has the packet identifier ${packetId} with QoS 0`); // [MQTT-2.2.1-2]
  }
  if (version === 5) {
    propertiesSize = properties === undefined ? 0 : publishPropertiesSize(properties);
    size += variableByteIntegerSize(propertiesSize) + propertiesSize;
  }
  firstByte = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return size;
}

function writePublish(
  version: ProtocolVersion,
  remaining: number,
  target: Uint8Array,
  offset: number,
): number {
  target[offset] = firstByte;
  offset = writeVariableByteInteger(target, offset + 1, remaining);
  target[offset] = topic.length >>> 8;
  target[offset + 1] = topic.length & 255;
  offset = writeBytes(target, offset + 2, topic); // [MQTT-3.3.2-1]
  if (packetId !== 0) {
    target[offset] = packetId >>> 8;
    target[offset + 1] = packetId & 255;
    offset += 2;
  }
  if (version === 5) {
    offset = writeVariableByteInteger(target, offset, propertiesSize); // [MQTT-2.2.2-1]
    if (properties !== undefined) offset = writePublishProperties(target, offset, properties);
  }
  offset = writeBytes(target, offset, payload);
  payload = NO_BYTES; // It may be large: do not hold on to it.
  return offset;
}

function measureAck(packet: PublishAckInput, version: ProtocolVersion): number {
  const { type } = packet;
  packetId = packet.packetId;
  reasonCode = packet.reasonCode ?? 0;
  const ackProperties = packet.properties;
  if (!(Number.isInteger(packetId) && packetId >= 1 && packetId <= 65_535)) {
    checkedInteger(packetId, 1, 65_535, `the packet identifier of ${packetName(type)}`);
  }
  firstByte = type << 4;
  if (ackProperties === undefined && reasonCode === 0) return 2;
  const name = packetName(type);
  if (version !== 5) {
    refuseProperties(ackProperties, name);
    throw notEncodable(`${name} has a reason code, which MQTT 3.1 and 3.1.1 do not have`);
  }
  if (!isReasonCodeAllowed(type, reasonCode, 'either')) {
    throw notEncodable(`${name} cannot have the reason code ${String(reasonCode)}`);
  }
  return ackProperties === undefined ? 3 : measureBody(packet, version);
}

function writeShortAck(target: Uint8Array, offset: number): number {
  return writeAck(target, offset, (firstByte >> 4) as PublishAckInput['type'], packetId, reasonCode);
}
