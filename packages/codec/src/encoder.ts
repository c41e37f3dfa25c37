// Packets to bytes. prepare() finds the exact size, which also refuses what cannot be written; then the bytes are
// written in one go. PUBLISH and the acknowledgements, which are nearly all packets, are written straight into the
// target (publish-head.ts, writeAck()); the others are written into scratch memory first (packet-bodies.ts).

import {
  checkedLength,
  fail,
  forbid,
  inRange,
  NEEDS_5,
  startChecking,
  startWriting,
  topicBytes,
  type,
  written,
} from './cursor.ts';
import { flagsOf } from './decode-packet.ts';
import { allocate, NO_BYTES } from './memory.ts';
import { body } from './packet-bodies.ts';
import type { PacketInput, ProtocolVersion, PublishAckInput, PublishInput } from './packets.ts';
import { writeProperties } from './properties.ts';
import { PUBLISH_PROPERTIES } from './property-table.ts';
import { PublishHead } from './publish-head.ts';
import { toValues } from './publish-properties.ts';
import { writeBytes } from './utf8.ts';
import { variableByteIntegerSize, writeVariableByteInteger } from './variable-byte-integer.ts';

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
  const target = allocate(prepare(packet, version));
  write(packet, target, 0);
  return target;
}

/** The number of bytes that encode() gives; refuses the same packets. */
export function encodedSize(packet: PacketInput, version: ProtocolVersion): number {
  return prepare(packet, version);
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
  const size = prepare(packet, version);
  if (offset + size > target.length) fail(`${size} bytes are more than the buffer has`);
  return write(packet, target, offset);
}

/** PINGREQ, the same in all versions. */
export const PINGREQ: Uint8Array = Uint8Array.of(0xc0, 0x00);
/** PINGRESP, the same in all versions. */
export const PINGRESP: Uint8Array = Uint8Array.of(0xd0, 0x00);

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
  target[offset] = (type << 4) | flagsOf(type); // [MQTT-3.6.1-1]
  target[offset + 1] = reasonCode === 0 ? 2 : 3;
  target[offset + 2] = packetId >>> 8;
  target[offset + 3] = packetId & 255;
  if (reasonCode === 0) return offset + 4;
  target[offset + 4] = reasonCode;
  return offset + 5;
}

// What prepare() has made ready for write(), which follows at once: the head of a PUBLISH, or the bytes of another packet.
// They are variables because a program's packets have many shapes, so that each reading of a field costs 5 ns or more on
// Node 20: so they are read once.
const head = new PublishHead();
let whole: Uint8Array = NO_BYTES;
const shortAck = new Uint8Array(4);

/** The size of a packet; refuses packets that cannot be encoded. */
function prepare(packet: PacketInput, version: ProtocolVersion): number {
  if (packet.type === 3) return preparePublish(packet, version);
  startWriting(packet.type, version);
  if (isPublishAck(packet) && packet.properties === undefined && !packet.reasonCode) {
    whole = shortAck;
    return writeAck(whole, 0, packet.type, inRange('packetId', packet.packetId, 1, 65_535));
  }
  body(packet);
  const remaining = checkedLength(written(0).length);
  whole = written(1 + variableByteIntegerSize(remaining));
  // [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]
  whole[0] = (type << 4) | flagsOf(type);
  writeVariableByteInteger(whole, 1, remaining);
  return whole.length;
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP are 4 to 7. */
function isPublishAck(packet: PacketInput): packet is PublishAckInput {
  return packet.type >> 2 === 1;
}

/** Writes the packet that is prepared. */
function write(packet: PacketInput, target: Uint8Array, offset: number): number {
  if (packet.type !== 3) return writeBytes(target, offset, whole);
  return writeBytes(target, head.write(target, offset), packet.payload ?? NO_BYTES);
}

function preparePublish(packet: PublishInput, version: ProtocolVersion): number {
  startChecking(3);
  const {
    topic,
    qos = 0,
    dup = false,
    retain = false,
    packetId = 0,
    payload = NO_BYTES,
    properties,
  } = packet;
  inRange('qos', qos, 0, 2); // [MQTT-3.3.1-4]
  if (!(payload instanceof Uint8Array)) forbid('payload', typeof payload);
  // [MQTT-2.2.1-3], [MQTT-2.2.1-2]
  inRange('packetId', packetId, qos && 1, qos && 65_535);
  if (dup && qos === 0) forbid('dup', dup); // [MQTT-3.3.1-2]
  // Only a topic alias makes up for a missing topic name.
  head.topic = topic === '' && properties?.topicAlias !== undefined ? NO_BYTES : topicBytes('topic', topic);
  head.properties = NO_BYTES;
  if (properties !== undefined) {
    if (version !== 5) fail(NEEDS_5);
    startWriting(3, version);
    toValues(properties);
    writeProperties(PUBLISH_PROPERTIES);
    head.properties = written(0);
  }
  head.version = version;
  head.qos = qos;
  head.retain = retain;
  head.dup = dup;
  head.packetId = packetId;
  head.payloadSize = payload.length;
  return head.size() + payload.length;
}
