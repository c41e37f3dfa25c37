// One packet from its bytes: checks who may send it and its flags, then reads the fields of its type.

import { decodeAck } from './decode-acks.ts';
import {
  checkEmpty,
  checkFlags,
  checkPacketId,
  checkReasonCode,
  checkReceiver,
  hex,
  type Role,
  readAckProperties,
  readReasonCode,
} from './decode-checks.ts';
import { decodeConnect } from './decode-connect.ts';
import { decodePublish } from './decode-publish.ts';
import { malformed, protocolError } from './errors.ts';
import { PacketReader } from './packet-reader.ts';
import {
  type Auth,
  type Connack,
  type Disconnect,
  type Packet,
  PacketType,
  type Pingreq,
  type Pingresp,
  type ProtocolVersion,
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
  ACK_PROPERTIES,
  AUTH_PROPERTIES,
  CONNACK_PROPERTIES,
  DISCONNECT_PROPERTIES,
  SUBSCRIBE_PROPERTIES,
  UNSUBSCRIBE_PROPERTIES,
} from './property-table.ts';
import { isGrantAllowed, isReturnCodeAllowed } from './reason-code-rules.ts';

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
      return decodeAck(PacketType.Puback, bytes, body, end, version, role);
    case PacketType.Pubrec:
      checkFlags(header, 0, version);
      return decodeAck(PacketType.Pubrec, bytes, body, end, version, role);
    case PacketType.Pubrel:
      checkFlags(header, 2, version); // [MQTT-3.6.1-1]
      return decodeAck(PacketType.Pubrel, bytes, body, end, version, role);
    case PacketType.Pubcomp:
      checkFlags(header, 0, version);
      return decodeAck(PacketType.Pubcomp, bytes, body, end, version, role);
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
      if (version !== 5) throw malformed('AUTH does not exist in MQTT 3.1 and 3.1.1');
      checkFlags(header, 0, version); // [MQTT-3.15.1-1]
      return decodeAuth(new PacketReader(bytes, body, end, 'AUTH'), role);
    default:
      throw malformed('the packet type 0 is reserved');
  }
}

const PINGREQ_PACKET: Pingreq = { type: PacketType.Pingreq };
const PINGRESP_PACKET: Pingresp = { type: PacketType.Pingresp };

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
  const properties = version === 5 ? readProperties(reader, ACK_PROPERTIES) : undefined;
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
  const properties = readProperties(reader, ACK_PROPERTIES);
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
