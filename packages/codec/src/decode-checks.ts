// What the decoding functions of several packet types have in common: who may send a packet, its flags, packet
// identifier, reason code, and the property section that may be missing at the end.

import { malformed, protocolError } from './errors.ts';
import { packetName } from './packet-names.ts';
import type { PacketReader } from './packet-reader.ts';
import type { PacketType, ProtocolVersion } from './packets.ts';
import { readProperties } from './property-reader.ts';
import type { PropertySet } from './property-table.ts';
import { isReasonCodeAllowed } from './reason-code-rules.ts';

/** The side that receives the packets. */
export type Role = 'server' | 'client';

export function checkReceiver(header: number, role: Role, receiver: Role): void {
  if (role !== receiver) {
    throw protocolError(`${packetName(header >> 4)} is not sent to a ${role}`);
  }
}

/** [MQTT-2.1.3-1]; 3.1.1: [MQTT-2.2.2-2]. MQTT 3.1 leaves bits without meaning unchecked. */
export function checkFlags(header: number, expected: number, version: ProtocolVersion): void {
  if ((header & 15) !== expected && version !== 3) {
    throw malformed(`${packetName(header >> 4)} has the flags ${header & 15} instead of ${expected}`);
  }
}

export function checkEmpty(header: number, body: number, end: number): void {
  if (body !== end) throw malformed(`${packetName(header >> 4)} has ${end - body} bytes after its length`);
}

export function checkPacketId(packetId: number, packet: string): number {
  if (packetId === 0) throw protocolError(`${packet} has the packet identifier 0`); // [MQTT-2.2.1-3]
  return packetId;
}

export function readReasonCode(reader: PacketReader, type: PacketType, role: Role): number {
  return checkReasonCode(reader.byte('the reason code'), type, role);
}

export function checkReasonCode(code: number, type: PacketType, role: Role): number {
  const sender = role === 'server' ? 'client' : 'server';
  if (!isReasonCodeAllowed(type, code, sender)) {
    throw protocolError(
      `${packetName(type)} from a ${sender} has the reason code 0x${hex(code)}, which it must not have`,
    );
  }
  return code;
}

export function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** The property length of an acknowledgement may be missing at the packet's end. */
export function readAckProperties<T>(reader: PacketReader, set: PropertySet<T>): T | undefined {
  if (reader.remaining === 0) return undefined;
  const properties = readProperties(reader, set);
  reader.expectEnd();
  return properties;
}
