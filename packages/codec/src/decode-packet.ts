// One packet from its bytes: checks who may send it and its flags, then reads the fields of its type.

import { binary, forbid, position, readTopic, startReading, uint, viewOf } from './cursor.ts';
import { UnsupportedProtocolError } from './errors.ts';
import { body as readBody } from './packet-bodies.ts';
import type { Packet, ProtocolVersion } from './packets.ts';
import { fromValues } from './publish-properties.ts';
import { PublishReader } from './publish-reader.ts';
import { cachedText } from './text-cache.ts';

/** The side that receives the packets. */
export type Role = 'server' | 'client';

/** One for all packets: it is read out at once. */
const publish = new PublishReader();

// The types, as bits, that only a server gets: CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ; and only a client: CONNACK,
// SUBACK, UNSUBACK, PINGRESP. In 3.1 and 3.1.1 DISCONNECT is for servers too.
const TO_SERVER = 0b0001_0101_0000_0010;
const TO_CLIENT = 0b0010_1010_0000_0100;
const DISCONNECT = 0b0100_0000_0000_0000;

/** The flags in the first byte of every packet but PUBLISH. [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1] */
export function flagsOf(type: number): number {
  return (0b0101_0100_0000 >> type) & 1 && 2;
}

/**
 * Decodes one packet: `header` is its first byte, `bytes[body..end)` what follows its remaining length. Payloads and
 * other binary fields of the result are views of `bytes`. A CONNECT says its version itself; all others need the
 * version of the connection. Throws a CodecError for everything that the standard forbids and that can be seen from
 * the packet alone; only the syntax of the topic filters in SUBSCRIBE and UNSUBSCRIBE is left to `checkTopicFilter`,
 * because a server can refuse a single filter with reason code 0x8F.
 */
export function decodePacket(
  bytes: Uint8Array,
  header: number,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): Packet {
  const type = header >> 4;
  if (type === 3) {
    publish.read(bytes, header, body, end, version, role === 'server', false);
    const { qos, retain, dup, packetId, topicStart, topicEnd, payloadStart } = publish;
    // Before the topic is read, which begins anew.
    const properties = publish.propertiesStart < publish.propertiesEnd ? fromValues() : undefined;
    return {
      type,
      // An empty topic name has got here, so there is a topic alias.
      topic: topicStart === topicEnd ? '' : readTopic(bytes, topicStart, topicEnd),
      payload: viewOf(bytes, payloadStart, end),
      qos,
      retain,
      dup,
      packetId,
      properties,
    };
  }
  if (type === 1 && role === 'server') version = readProtocolVersion(bytes, body, end);
  else startReading(bytes, body, end, type, version, role === 'server' ? '>' : '<');
  const others = role === 'server' ? TO_CLIENT : version === 5 ? TO_SERVER : TO_SERVER | DISCONNECT;
  if ((others >> type) & 1) forbid('the receiver', role);
  // [MQTT-2.1.3-1]; 3.1.1: [MQTT-2.2.2-2]. MQTT 3.1 leaves bits without meaning unchecked. [MQTT-3.14.1-1], [MQTT-3.15.1-1]
  if ((header & 15) !== flagsOf(type) && version !== 3) forbid('flags', header & 15, 0x81);
  return readBody({});
}

/**
 * The protocol version of a CONNECT whose body is `bytes[body..end)`. Throws an UnsupportedProtocolError for a version
 * or a protocol that is not one of ours. Name and level are judged before anything else in the packet is looked at.
 */
export function readProtocolVersion(bytes: Uint8Array, body: number, end: number): ProtocolVersion {
  startReading(bytes, body, end, 1, 5, '>');
  const bytesOfName = binary('the protocol name', undefined);
  const name = cachedText(bytesOfName, 0, bytesOfName.length);
  const level = uint(1, 'the protocol level', 0);
  const known = name === 'MQTT' || name === 'MQIsdp' ? name : undefined;
  // [MQTT-3.1.2-1], [MQTT-3.1.2-2]
  if (known === undefined || (known === 'MQTT' ? level !== 4 && level !== 5 : level !== 3)) {
    throw new UnsupportedProtocolError(known, level);
  }
  startReading(bytes, position, end, 1, level as ProtocolVersion, '>'); // For the fields that follow.
  return level as ProtocolVersion;
}
