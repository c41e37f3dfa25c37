// PUBLISH as an object. The packet is read and validated in place first, as in a server's fast path, so that there is one
// place that knows the rules; the object is then made from the offsets.

import type { Role } from './decode-checks.ts';
import { viewOf } from './packet-reader.ts';
import { PacketType, type ProtocolVersion, type Publish } from './packets.ts';
import { PublishReader, readTopic } from './publish-reader.ts';

/** One for all packets: it is read out at once. */
const reader = new PublishReader();

export function decodePublish(
  bytes: Uint8Array,
  header: number,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): Publish {
  reader.read(bytes, header, body, end, version, role === 'server');
  const { qos, retain, dup, packetId, topicStart, topicEnd } = reader;
  return {
    type: PacketType.Publish,
    // An empty topic name has passed read(), so there is a topic alias.
    topic: topicStart === topicEnd ? '' : readTopic(bytes, topicStart, topicEnd),
    payload: viewOf(bytes, reader.payloadStart, end),
    qos,
    retain,
    dup,
    packetId,
    properties: reader.decodeProperties(bytes),
  };
}
