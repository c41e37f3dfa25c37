// One packet from its bytes: checks who may send it and its flags, then reads the fields of its type.

import { decodeConnect } from './decode-connect.ts';
import { malformed, protocolError } from './errors.ts';
import { packetName } from './packet-names.ts';
import { PacketReader, viewOf } from './packet-reader.ts';
import {
  type Auth,
  type Connack,
  type Disconnect,
  type Packet,
  PacketType,
  type Pingreq,
  type Pingresp,
  type ProtocolVersion,
  type Puback,
  type Pubcomp,
  type Publish,
  type Pubrec,
  type Pubrel,
  type QoS,
  type RetainHandling,
  type Suback,
  type Subscribe,
  type SubscriptionRequest,
  type Unsuback,
  type Unsubscribe,
} from './packets.ts';
import { readProperties } from './property-reader.ts';
import {
  AUTH_PROPERTIES,
  CONNACK_PROPERTIES,
  DISCONNECT_PROPERTIES,
  PUBACK_PROPERTIES,
  PUBCOMP_PROPERTIES,
  PUBREC_PROPERTIES,
  PUBREL_PROPERTIES,
  SUBACK_PROPERTIES,
  SUBSCRIBE_PROPERTIES,
  UNSUBACK_PROPERTIES,
  UNSUBSCRIBE_PROPERTIES,
} from './property-table.ts';
import { readPublishProperties } from './publish-properties.ts';
import { readTopic } from './publish-reader.ts';
import { isGrantAllowed, isReasonCodeAllowed, isReturnCodeAllowed } from './reason-code-rules.ts';

/** The side that receives the packets. */
export type Role = 'server' | 'client';

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
  switch (header >> 4) {
    case PacketType.Publish:
      return decodePublish(bytes, header, body, end, version, role);
    case PacketType.Puback:
      checkFlags(header, 0, version);
      return decodePuback(bytes, body, end, version, role);
    case PacketType.Pubrec:
      checkFlags(header, 0, version);
      return decodePubrec(bytes, body, end, version, role);
    case PacketType.Pubrel:
      checkFlags(header, 2, version); // [MQTT-3.6.1-1]
      return decodePubrel(bytes, body, end, version, role);
    case PacketType.Pubcomp:
      checkFlags(header, 0, version);
      return decodePubcomp(bytes, body, end, version, role);
    case PacketType.Connect:
      checkReceiver(header, role, 'server');
      return decodeConnect(bytes, header, body, end);
    case PacketType.Connack:
      checkReceiver(header, role, 'client');
      checkFlags(header, 0, version);
      return decodeConnack(new PacketReader(bytes, body, end, 'CONNACK'), version);
    case PacketType.Subscribe:
      checkReceiver(header, role, 'server');
      checkFlags(header, 2, version); // [MQTT-3.8.1-1]
      return decodeSubscribe(new PacketReader(bytes, body, end, 'SUBSCRIBE'), version);
    case PacketType.Suback:
      checkReceiver(header, role, 'client');
      checkFlags(header, 0, version);
      return decodeSuback(new PacketReader(bytes, body, end, 'SUBACK'), version);
    case PacketType.Unsubscribe:
      checkReceiver(header, role, 'server');
      checkFlags(header, 2, version); // [MQTT-3.10.1-1]
      return decodeUnsubscribe(new PacketReader(bytes, body, end, 'UNSUBSCRIBE'), version);
    case PacketType.Unsuback:
      checkReceiver(header, role, 'client');
      checkFlags(header, 0, version);
      return decodeUnsuback(new PacketReader(bytes, body, end, 'UNSUBACK'), version);
    case PacketType.Pingreq:
      checkReceiver(header, role, 'server');
      checkFlags(header, 0, version);
      checkEmpty(header, body, end);
      return PINGREQ_PACKET;
    case PacketType.Pingresp:
      checkReceiver(header, role, 'client');
      checkFlags(header, 0, version);
      checkEmpty(header, body, end);
      return PINGRESP_PACKET;
    case PacketType.Disconnect:
      return decodeDisconnect(bytes, header, body, end, version, role);
    case PacketType.Auth:
      if (version !== 5) throw malformed(`AUTH does not exist in MQTT 3.1 and 3.1.1`);
      checkFlags(header, 0, version); // [MQTT-3.15.1-1]
      return decodeAuth(new PacketReader(bytes, body, end, 'AUTH'), role);
    default:
      throw malformed('the packet type 0 is reserved');
  }
}

const PINGREQ_PACKET: Pingreq = { type: PacketType.Pingreq };
const PINGRESP_PACKET: Pingresp = { type: PacketType.Pingresp };

function checkReceiver(header: number, role: Role, receiver: Role): void {
  if (role !== receiver) {
    throw protocolError(`${packetName(header >> 4)} is not sent to a ${role}`);
  }
}

/** [MQTT-2.1.3-1]; 3.1.1: [MQTT-2.2.2-2]. MQTT 3.1 leaves bits without meaning unchecked. */
function checkFlags(header: number, expected: number, version: ProtocolVersion): void {
  if ((header & 15) !== expected && version !== 3) {
    throw malformed(`${packetName(header >> 4)} has the flags ${header & 15} instead of ${expected}`);
  }
}

function checkEmpty(header: number, body: number, end: number): void {
  if (body !== end) throw malformed(`${packetName(header >> 4)} has ${end - body} bytes after its length`);
}

function checkPacketId(packetId: number, packet: string): number {
  if (packetId === 0) throw protocolError(`${packet} has the packet identifier 0`); // [MQTT-2.2.1-3]
  return packetId;
}

function decodePublish(
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

// PUBACK, PUBREC, PUBREL and PUBCOMP look alike. They are frequent, so the short form with the packet identifier alone
// is read by hand, and each type has its own literal, which gives the result its precise type without a cast.

function decodePuback(
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

function decodePubrec(
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

function decodePubrel(
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

function decodePubcomp(
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

function readReasonCode(reader: PacketReader, type: PacketType, role: Role): number {
  return checkReasonCode(reader.byte('the reason code'), type, role);
}

function checkReasonCode(code: number, type: PacketType, role: Role): number {
  const sender = role === 'server' ? 'client' : 'server';
  if (!isReasonCodeAllowed(type, code, sender)) {
    throw protocolError(
      `${packetName(type)} from a ${sender} has the reason code 0x${hex(code)}, which it must not have`,
    );
  }
  return code;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** The property length of an acknowledgement may be missing at the packet's end. */
function readAckProperties<T>(
  reader: PacketReader,
  set: Parameters<typeof readProperties<T>>[1],
): T | undefined {
  if (reader.remaining === 0) return undefined;
  const properties = readProperties(reader, set);
  reader.expectEnd();
  return properties;
}

function decodeConnack(reader: PacketReader, version: ProtocolVersion): Connack {
  const flags = reader.byte('the connect acknowledge flags');
  // [MQTT-3.2.2-1]; in 3.1 the byte is reserved and not checked.
  if (version !== 3 && flags > 1) throw malformed(`CONNACK has the flags ${flags}; only 0 and 1 are allowed`);
  const code = reader.byte('the reason code');
  const sessionPresent = version !== 3 && flags === 1;
  let reasonCode = code;
  let properties: Connack['properties'];
  if (version === 5 && reader.remaining === 0 && code === 1) {
    // A server that speaks 3.x only refuses a CONNECT of 5.0 in its own form, 20 02 00 01. It is the one answer in
    // another version's form that is right, so it becomes what it means.
    reasonCode = 0x84;
  } else if (version === 5) {
    checkReasonCode(code, PacketType.Connack, 'client'); // [MQTT-3.2.2-8]
    properties = readProperties(reader, CONNACK_PROPERTIES);
  } else if (!isReturnCodeAllowed(code)) {
    throw protocolError(`CONNACK has the return code ${code}, which is reserved`); // 3.1.1: [MQTT-3.2.2-6]
  }
  reader.expectEnd();
  if (sessionPresent && code !== 0) {
    // [MQTT-3.2.2-6]; 3.1.1: [MQTT-3.2.2-4]
    throw protocolError(`CONNACK refuses with 0x${hex(code)} but says that a session is present`);
  }
  return { type: PacketType.Connack, sessionPresent, reasonCode, properties };
}

function decodeSubscribe(reader: PacketReader, version: ProtocolVersion): Subscribe {
  const packetId = checkPacketId(reader.uint16('the packet identifier'), reader.packet);
  const properties = version === 5 ? readProperties(reader, SUBSCRIBE_PROPERTIES) : undefined;
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.remaining > 0) {
    const filter = reader.text('a topic filter'); // [MQTT-3.8.3-1]
    const options = reader.byte('the subscription options');
    subscriptions.push(readSubscription(filter, options, version));
  }
  if (subscriptions.length === 0) throw protocolError('SUBSCRIBE has no topic filter'); // [MQTT-3.8.3-2]
  return { type: PacketType.Subscribe, packetId, subscriptions, properties };
}

function readSubscription(filter: string, options: number, version: ProtocolVersion): SubscriptionRequest {
  const qos = (options & 3) as QoS | 3;
  if (version !== 5) {
    // 3.1.1: [MQTT-3.8.3-4]; 3.1 leaves the upper six bits unchecked.
    if (qos === 3 || (version === 4 && options > 2)) {
      throw malformed(`SUBSCRIBE has the requested QoS byte 0x${hex(options)}`);
    }
    return { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 };
  }
  if (options > 63) throw malformed('SUBSCRIBE has reserved bits set in its options'); // [MQTT-3.8.3-5]
  if (qos === 3) throw protocolError('SUBSCRIBE asks for QoS 3');
  const retainHandling = ((options >> 4) & 3) as RetainHandling | 3;
  if (retainHandling === 3) throw protocolError('SUBSCRIBE has Retain Handling 3');
  const noLocal = (options & 4) !== 0;
  if (noLocal && filter.startsWith('$share/')) {
    throw protocolError('SUBSCRIBE has No Local on a shared subscription'); // [MQTT-3.8.3-4]
  }
  return { filter, qos, noLocal, retainAsPublished: (options & 8) !== 0, retainHandling };
}

function decodeSuback(reader: PacketReader, version: ProtocolVersion): Suback {
  const packetId = checkPacketId(reader.uint16('the packet identifier'), reader.packet);
  const properties = version === 5 ? readProperties(reader, SUBACK_PROPERTIES) : undefined;
  const reasonCodes: number[] = [];
  while (reader.remaining > 0) {
    const code = reader.byte('a reason code');
    if (version === 5)
      checkReasonCode(code, PacketType.Suback, 'client'); // [MQTT-3.9.3-2]
    else if (!isGrantAllowed(code))
      throw protocolError(`SUBACK has the return code 0x${hex(code)}, which is reserved`);
    reasonCodes.push(code);
  }
  if (reasonCodes.length === 0) throw protocolError('SUBACK has no reason code');
  return { type: PacketType.Suback, packetId, reasonCodes, properties };
}

function decodeUnsubscribe(reader: PacketReader, version: ProtocolVersion): Unsubscribe {
  const packetId = checkPacketId(reader.uint16('the packet identifier'), reader.packet);
  const properties = version === 5 ? readProperties(reader, UNSUBSCRIBE_PROPERTIES) : undefined;
  const filters: string[] = [];
  while (reader.remaining > 0) filters.push(reader.text('a topic filter')); // [MQTT-3.10.3-1]
  if (filters.length === 0) throw protocolError('UNSUBSCRIBE has no topic filter'); // [MQTT-3.10.3-2]
  return { type: PacketType.Unsubscribe, packetId, filters, properties };
}

function decodeUnsuback(reader: PacketReader, version: ProtocolVersion): Unsuback {
  const packetId = checkPacketId(reader.uint16('the packet identifier'), reader.packet);
  const reasonCodes: number[] = [];
  if (version !== 5) {
    reader.expectEnd();
    return { type: PacketType.Unsuback, packetId, reasonCodes, properties: undefined };
  }
  const properties = readProperties(reader, UNSUBACK_PROPERTIES);
  while (reader.remaining > 0) reasonCodes.push(readReasonCode(reader, PacketType.Unsuback, 'client')); // [MQTT-3.11.3-2]
  if (reasonCodes.length === 0) throw protocolError('UNSUBACK has no reason code');
  return { type: PacketType.Unsuback, packetId, reasonCodes, properties };
}

function decodeDisconnect(
  bytes: Uint8Array,
  header: number,
  body: number,
  end: number,
  version: ProtocolVersion,
  role: Role,
): Disconnect {
  const type = PacketType.Disconnect;
  if (version !== 5) {
    checkReceiver(header, role, 'server');
    checkFlags(header, 0, version);
    checkEmpty(header, body, end);
    return { type, reasonCode: 0, properties: undefined };
  }
  checkFlags(header, 0, version); // [MQTT-3.14.1-1]
  if (body === end) return { type, reasonCode: 0, properties: undefined };
  const reader = new PacketReader(bytes, body, end, 'DISCONNECT');
  const reasonCode = readReasonCode(reader, type, role); // [MQTT-3.14.2-1]
  const properties = readAckProperties(reader, DISCONNECT_PROPERTIES);
  if (role === 'client' && properties?.sessionExpiryInterval !== undefined) {
    throw protocolError('DISCONNECT from a server has a session expiry interval'); // [MQTT-3.14.2-2]
  }
  if (role === 'server' && properties?.serverReference !== undefined) {
    throw protocolError('DISCONNECT from a client has a server reference');
  }
  return { type, reasonCode, properties };
}

function decodeAuth(reader: PacketReader, role: Role): Auth {
  const reasonCode = reader.remaining === 0 ? 0 : reader.byte('the reason code');
  checkReasonCode(reasonCode, PacketType.Auth, role); // [MQTT-3.15.2-1]
  const properties = readAckProperties(reader, AUTH_PROPERTIES);
  if (properties?.authenticationMethod === undefined) {
    throw protocolError('AUTH has no authentication method'); // [MQTT-4.12.0-5]
  }
  return { type: PacketType.Auth, reasonCode, properties };
}
