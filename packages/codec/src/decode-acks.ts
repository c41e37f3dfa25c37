// PUBACK, PUBREC, PUBREL and PUBCOMP, which look alike. They are frequent, so the short form with the packet identifier
// alone is read by hand, and each type has its own literal, which gives the result its precise type without a cast.

import { checkPacketId, type Role, readAckProperties, readReasonCode } from './decode-checks.ts';
import { protocolError } from './errors.ts';
import { packetName } from './packet-names.ts';
import { PacketReader } from './packet-reader.ts';
import {
  PacketType,
  type ProtocolVersion,
  type Puback,
  type Pubcomp,
  type Pubrec,
  type Pubrel,
} from './packets.ts';
import {
  PUBACK_PROPERTIES,
  PUBCOMP_PROPERTIES,
  PUBREC_PROPERTIES,
  PUBREL_PROPERTIES,
} from './property-table.ts';

export function decodePuback(
  bytes: Uint8Array,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): Puback {
  const type = PacketType.Puback;
  if (end - body === 2)
    return { type, packetId: ackPacketId(bytes, body, type), reasonCode: 0, properties: undefined };
  const reader = new PacketReader(bytes, body, end, 'PUBACK');
  const packetId = readAckPacketId(reader, version);
  const reasonCode = readReasonCode(reader, type, role); // [MQTT-3.4.2-1]
  return { type, packetId, reasonCode, properties: readAckProperties(reader, PUBACK_PROPERTIES) };
}

export function decodePubrec(
  bytes: Uint8Array,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): Pubrec {
  const type = PacketType.Pubrec;
  if (end - body === 2)
    return { type, packetId: ackPacketId(bytes, body, type), reasonCode: 0, properties: undefined };
  const reader = new PacketReader(bytes, body, end, 'PUBREC');
  const packetId = readAckPacketId(reader, version);
  const reasonCode = readReasonCode(reader, type, role); // [MQTT-3.5.2-1]
  return { type, packetId, reasonCode, properties: readAckProperties(reader, PUBREC_PROPERTIES) };
}

export function decodePubrel(
  bytes: Uint8Array,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): Pubrel {
  const type = PacketType.Pubrel;
  if (end - body === 2)
    return { type, packetId: ackPacketId(bytes, body, type), reasonCode: 0, properties: undefined };
  const reader = new PacketReader(bytes, body, end, 'PUBREL');
  const packetId = readAckPacketId(reader, version);
  const reasonCode = readReasonCode(reader, type, role); // [MQTT-3.6.2-1]
  return { type, packetId, reasonCode, properties: readAckProperties(reader, PUBREL_PROPERTIES) };
}

export function decodePubcomp(
  bytes: Uint8Array,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): Pubcomp {
  const type = PacketType.Pubcomp;
  if (end - body === 2)
    return { type, packetId: ackPacketId(bytes, body, type), reasonCode: 0, properties: undefined };
  const reader = new PacketReader(bytes, body, end, 'PUBCOMP');
  const packetId = readAckPacketId(reader, version);
  const reasonCode = readReasonCode(reader, type, role); // [MQTT-3.7.2-1]
  return { type, packetId, reasonCode, properties: readAckProperties(reader, PUBCOMP_PROPERTIES) };
}

function ackPacketId(bytes: Uint8Array, body: number, type: PacketType): number {
  const packetId = (bytes[body]! << 8) | bytes[body + 1]!;
  if (packetId === 0) throw protocolError(`${packetName(type)} has the packet identifier 0`);
  return packetId;
}

/** The packet identifier of an acknowledgement that is not of the short form, which 3.1 and 3.1.1 do not know. */
function readAckPacketId(reader: PacketReader, version: ProtocolVersion): number {
  const packetId = reader.uint16('the packet identifier');
  if (version !== 5) reader.expectEnd();
  return checkPacketId(packetId, reader.packet);
}
