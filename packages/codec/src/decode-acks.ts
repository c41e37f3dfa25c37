// PUBACK, PUBREC, PUBREL and PUBCOMP, which look alike. They are frequent, so the short form with the packet identifier
// alone is read by hand.

import { checkPacketId, type Role, readAckProperties, readReasonCode } from './decode-checks.ts';
import { packetName } from './packet-names.ts';
import { PacketReader } from './packet-reader.ts';
import type { ProtocolVersion, Puback, Pubcomp, Pubrec, Pubrel } from './packets.ts';
import { ACK_PROPERTIES } from './property-table.ts';

type PublishAck = Puback | Pubrec | Pubrel | Pubcomp;

export function decodeAck(
  type: PublishAck['type'],
  bytes: Uint8Array,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): PublishAck {
  if (end - body === 2) {
    const packetId = (bytes[body]! << 8) | bytes[body + 1]!;
    if (packetId !== 0) return { type, packetId, reasonCode: 0, properties: undefined };
  }
  const reader = new PacketReader(bytes, body, end, packetName(type));
  const packetId = checkPacketId(reader.uint16('the packet identifier'), reader.packet);
  if (version !== 5) reader.expectEnd(); // 3.1 and 3.1.1 know the short form only.
  // [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]
  const reasonCode = readReasonCode(reader, type, role);
  return { type, packetId, reasonCode, properties: readAckProperties(reader, ACK_PROPERTIES) };
}
