// PUBLISH as an object. Its other form, in place and without an object, is in publish-reader.ts.

import { checkPacketId, type Role } from './decode-checks.ts';
import { malformed } from './errors.ts';
import { PacketReader, viewOf } from './packet-reader.ts';
import { PacketType, type ProtocolVersion, type Publish, type QoS } from './packets.ts';
import { readPublishProperties } from './publish-properties.ts';
import { readTopic } from './publish-reader.ts';

export function decodePublish(
  bytes: Uint8Array,
  header: number,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): Publish {
  const qos = ((header >> 1) & 3) as QoS | 3;
  const dup = (header & 8) !== 0;
  if (qos === 3) throw malformed('PUBLISH has QoS 3'); // [MQTT-3.3.1-4]
  // [MQTT-3.3.1-2]; MQTT 3.1 does not forbid it.
  if (dup && qos === 0 && version !== 3) throw malformed('PUBLISH has DUP set with QoS 0');
  const topicStart = body + 2;
  const topicEnd = topicStart > end ? topicStart : topicStart + ((bytes[body]! << 8) | bytes[body + 1]!);
  let position = topicEnd;
  if (position > end) throw malformed('PUBLISH ends before the end of the topic name');
  let packetId = 0;
  if (qos !== 0) {
    if (position + 2 > end) throw malformed('PUBLISH ends before the end of the packet identifier');
    packetId = checkPacketId((bytes[position]! << 8) | bytes[position + 1]!, 'PUBLISH');
    position += 2;
  }
  let properties: Publish['properties'];
  if (version === 5) {
    if (position < end && bytes[position] === 0) {
      position += 1;
    } else {
      const reader = new PacketReader(bytes, position, end, 'PUBLISH');
      const length = reader.variableByteInteger('the property length');
      position = reader.position + length;
      if (position > end) throw malformed('the properties of PUBLISH go beyond the packet');
      reader.end = position;
      properties = readPublishProperties(reader, role === 'server');
    }
  }
  let topic = '';
  // An empty topic name is fine with a topic alias only; readTopic() refuses it otherwise.
  if (topicStart !== topicEnd || properties?.topicAlias === undefined)
    topic = readTopic(bytes, topicStart, topicEnd);
  return {
    type: PacketType.Publish,
    topic,
    payload: viewOf(bytes, position, end),
    qos,
    retain: (header & 1) !== 0,
    dup,
    packetId,
    properties,
  };
}
