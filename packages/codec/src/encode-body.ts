// The bodies of all packets but PUBLISH and the short acknowledgements. Each function runs twice, with a writer that
// counts and with one that writes (see byte-writer.ts), and refuses what the standard has no bytes for.

import type { ByteWriter } from './byte-writer.ts';
import { notEncodable } from './errors.ts';
import { packetName } from './packet-names.ts';
import {
  type AuthInput,
  type ConnackInput,
  type ConnectInput,
  type DisconnectInput,
  type PacketInput,
  PacketType,
  type ProtocolVersion,
  type PublishAckInput,
  type SubackInput,
  type SubscribeInput,
  type SubscriptionInput,
  type UnsubackInput,
  type UnsubscribeInput,
  type WillInput,
} from './packets.ts';
import {
  ACK_PROPERTIES,
  AUTH_PROPERTIES,
  CONNACK_PROPERTIES,
  CONNECT_PROPERTIES,
  DISCONNECT_PROPERTIES,
  type PropertySet,
  SUBSCRIBE_PROPERTIES,
  UNSUBSCRIBE_PROPERTIES,
  WILL_PROPERTIES,
} from './property-table.ts';
import { checkedInteger, writeProperties } from './property-writer.ts';
import { isGrantAllowed, isReasonCodeAllowed, isReturnCodeAllowed } from './reason-code-rules.ts';
import { checkTopicFilter, checkTopicName } from './topics.ts';

const NO_BYTES = new Uint8Array(0);

/** The flags in the first byte of every packet but PUBLISH [MQTT-2.1.3-1]. */
export function bodyFlags(type: PacketType): number {
  // [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]
  return type === PacketType.Pubrel || type === PacketType.Subscribe || type === PacketType.Unsubscribe
    ? 2
    : 0;
}

/** Writes what follows the remaining length. */
export function writeBody(writer: ByteWriter, packet: PacketInput, version: ProtocolVersion): void {
  switch (packet.type) {
    case PacketType.Connect:
      writeConnect(writer, packet, version);
      break;
    case PacketType.Connack:
      writeConnack(writer, packet, version);
      break;
    case PacketType.Puback:
    case PacketType.Pubrec:
    case PacketType.Pubrel:
    case PacketType.Pubcomp:
      writeAckBody(writer, packet);
      break;
    case PacketType.Subscribe:
      writeSubscribe(writer, packet, version);
      break;
    case PacketType.Suback:
      writeSuback(writer, packet, version);
      break;
    case PacketType.Unsubscribe:
      writeUnsubscribe(writer, packet, version);
      break;
    case PacketType.Unsuback:
      writeUnsuback(writer, packet, version);
      break;
    case PacketType.Pingreq:
    case PacketType.Pingresp:
      break;
    case PacketType.Disconnect:
      writeDisconnect(writer, packet, version);
      break;
    case PacketType.Auth:
      writeAuth(writer, packet, version);
      break;
    default:
      throw notEncodable(`${packetName(packet.type)} cannot be encoded`);
  }
}

/** Writes a property section in 5.0, nothing otherwise; properties for 3.1 and 3.1.1 are refused. */
function writePropertiesIn5<T extends object>(
  writer: ByteWriter,
  version: ProtocolVersion,
  packet: string,
  set: PropertySet<T>,
  properties: T | undefined,
): void {
  if (version === 5) writeProperties(writer, packet, set, properties);
  else refuseProperties(properties, packet);
}

/** 3.1 and 3.1.1 have no properties: leaving them out silently would lose what the caller wanted to say. */
export function refuseProperties(properties: object | undefined, packet: string): void {
  if (properties !== undefined) {
    throw notEncodable(`${packet} has properties, which MQTT 3.1 and 3.1.1 do not have`);
  }
}

function writePacketId(writer: ByteWriter, packetId: number, type: PacketType): void {
  writer.uint16(checkedInteger(packetId, 1, 65_535, `the packet identifier of ${packetName(type)}`)); // [MQTT-2.2.1-3]
}

function checkCode(code: number, type: PacketType): number {
  if (!isReasonCodeAllowed(type, code, 'either')) {
    throw notEncodable(`${packetName(type)} cannot have the reason code ${String(code)}`);
  }
  return code;
}

function writeConnect(writer: ByteWriter, packet: ConnectInput, version: ProtocolVersion): void {
  const { clientId, will, username, password, keepAlive = 60, cleanStart = true, properties } = packet;
  if (packet.protocolVersion !== undefined && packet.protocolVersion !== version) {
    throw notEncodable(
      `CONNECT has the protocol version ${packet.protocolVersion}, but is encoded for ${version}`,
    );
  }
  if (password !== undefined && username === undefined && version !== 5) {
    throw notEncodable('CONNECT has a password but no user name'); // 3.1.1: [MQTT-3.1.2-22]
  }
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw notEncodable('CONNECT has authentication data but no authentication method');
  }
  writer.text(version === 3 ? 'MQIsdp' : 'MQTT', 'the protocol name'); // [MQTT-3.1.2-1]
  writer.byte(version);
  writer.byte(
    (username === undefined ? 0 : 0x80) |
      (password === undefined ? 0 : 0x40) |
      (will === undefined ? 0 : willFlags(will)) |
      (cleanStart ? 2 : 0),
  );
  writer.uint16(checkedInteger(keepAlive, 0, 65_535, 'the keep alive of CONNECT'));
  writePropertiesIn5(writer, version, 'CONNECT', CONNECT_PROPERTIES, properties);
  // [MQTT-3.1.3-1]: client identifier, Will, user name, password.
  writer.text(clientId, 'the client identifier');
  if (will !== undefined) writeWill(writer, will, version);
  if (username !== undefined) writer.text(username, 'the user name');
  if (password !== undefined) writer.binary(password, 'the password');
}

function willFlags(will: WillInput): number {
  const qos = checkedInteger(will.qos ?? 0, 0, 2, 'the QoS of the Will'); // [MQTT-3.1.2-12]
  return 4 | (qos << 3) | (will.retain === true ? 0x20 : 0);
}

function writeWill(writer: ByteWriter, will: WillInput, version: ProtocolVersion): void {
  writePropertiesIn5(writer, version, 'the Will', WILL_PROPERTIES, will.properties); // [MQTT-3.1.2-9]
  const problem = typeof will.topic === 'string' ? checkTopicName(will.topic) : 'is not a string';
  if (problem !== undefined) throw notEncodable(`the Will topic ${problem}`); // [MQTT-4.7.0-1]
  writer.text(will.topic, 'the Will topic');
  writer.binary(will.payload ?? NO_BYTES, 'the Will payload');
}

function writeConnack(writer: ByteWriter, packet: ConnackInput, version: ProtocolVersion): void {
  const { sessionPresent = false, reasonCode = 0, properties } = packet;
  if (version === 5)
    checkCode(reasonCode, PacketType.Connack); // [MQTT-3.2.2-8]
  else if (!isReturnCodeAllowed(reasonCode)) {
    throw notEncodable(`CONNACK cannot have the return code ${String(reasonCode)}; 0 to 5 are defined`);
  }
  if (sessionPresent && reasonCode !== 0) {
    // [MQTT-3.2.2-6]; 3.1.1: [MQTT-3.2.2-4]
    throw notEncodable('CONNACK refuses the connection but says that a session is present');
  }
  // [MQTT-3.2.2-1]. In 3.1 the byte is reserved: Session Present is not told.
  writer.byte(sessionPresent && version !== 3 ? 1 : 0);
  writer.byte(reasonCode);
  writePropertiesIn5(writer, version, 'CONNACK', CONNACK_PROPERTIES, properties);
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP with properties; the encoder has checked the packet and written the short forms. */
function writeAckBody(writer: ByteWriter, packet: PublishAckInput): void {
  writer.uint16(packet.packetId);
  writer.byte(packet.reasonCode ?? 0);
  writeProperties(writer, packetName(packet.type), ACK_PROPERTIES, packet.properties);
}

function writeSubscribe(writer: ByteWriter, packet: SubscribeInput, version: ProtocolVersion): void {
  writePacketId(writer, packet.packetId, packet.type);
  writePropertiesIn5(writer, version, 'SUBSCRIBE', SUBSCRIBE_PROPERTIES, packet.properties);
  if (packet.subscriptions.length === 0) throw notEncodable('SUBSCRIBE has no topic filter'); // [MQTT-3.8.3-2]
  for (const subscription of packet.subscriptions) {
    writeFilter(writer, subscription.filter);
    writer.byte(subscriptionOptions(subscription, version));
  }
}

function writeFilter(writer: ByteWriter, filter: string): void {
  const problem = typeof filter === 'string' ? checkTopicFilter(filter) : 'is not a string';
  if (problem !== undefined) throw notEncodable(`the topic filter "${filter}" ${problem}`);
  writer.text(filter, 'a topic filter'); // [MQTT-3.8.3-1], [MQTT-3.10.3-1]
}

function subscriptionOptions(subscription: SubscriptionInput, version: ProtocolVersion): number {
  const { filter, noLocal = false, retainAsPublished = false } = subscription;
  const qos = checkedInteger(subscription.qos ?? 0, 0, 2, `the QoS for the topic filter "${filter}"`);
  const retainHandling = checkedInteger(
    subscription.retainHandling ?? 0,
    0,
    2,
    'the Retain Handling of SUBSCRIBE',
  );
  if (version !== 5) {
    if (noLocal || retainAsPublished || retainHandling !== 0) {
      throw notEncodable(`the topic filter "${filter}" has options that MQTT 3.1 and 3.1.1 do not have`);
    }
    return qos;
  }
  if (noLocal && filter.startsWith('$share/')) {
    throw notEncodable(`the shared topic filter "${filter}" has No Local`); // [MQTT-3.8.3-4]
  }
  return qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4);
}

function writeSuback(writer: ByteWriter, packet: SubackInput, version: ProtocolVersion): void {
  writePacketId(writer, packet.packetId, packet.type);
  writePropertiesIn5(writer, version, 'SUBACK', ACK_PROPERTIES, packet.properties);
  if (packet.reasonCodes.length === 0) throw notEncodable('SUBACK has no reason code');
  for (const code of packet.reasonCodes) {
    if (version === 5)
      checkCode(code, packet.type); // [MQTT-3.9.3-2]
    else if (!isGrantAllowed(code) || (version === 3 && code === 0x80)) {
      throw notEncodable(`SUBACK cannot have the return code ${String(code)} in this version`);
    }
    writer.byte(code);
  }
}

function writeUnsubscribe(writer: ByteWriter, packet: UnsubscribeInput, version: ProtocolVersion): void {
  writePacketId(writer, packet.packetId, packet.type);
  writePropertiesIn5(writer, version, 'UNSUBSCRIBE', UNSUBSCRIBE_PROPERTIES, packet.properties);
  if (packet.filters.length === 0) throw notEncodable('UNSUBSCRIBE has no topic filter'); // [MQTT-3.10.3-2]
  for (const filter of packet.filters) writeFilter(writer, filter);
}

function writeUnsuback(writer: ByteWriter, packet: UnsubackInput, version: ProtocolVersion): void {
  writePacketId(writer, packet.packetId, packet.type);
  writePropertiesIn5(writer, version, 'UNSUBACK', ACK_PROPERTIES, packet.properties);
  const { reasonCodes = [] } = packet;
  if (version !== 5) {
    if (reasonCodes.length > 0)
      throw notEncodable('UNSUBACK has reason codes, which MQTT 3.1 and 3.1.1 do not have');
    return;
  }
  if (reasonCodes.length === 0) throw notEncodable('UNSUBACK has no reason code');
  for (const code of reasonCodes) writer.byte(checkCode(code, packet.type)); // [MQTT-3.11.3-2]
}

function writeDisconnect(writer: ByteWriter, packet: DisconnectInput, version: ProtocolVersion): void {
  const { reasonCode = 0, properties } = packet;
  if (version !== 5) {
    refuseProperties(properties, 'DISCONNECT');
    if (reasonCode !== 0)
      throw notEncodable('DISCONNECT has a reason code, which MQTT 3.1 and 3.1.1 do not have');
    return;
  }
  checkCode(reasonCode, packet.type); // [MQTT-3.14.2-1]
  if (properties === undefined) {
    if (reasonCode !== 0) writer.byte(reasonCode); // The short forms: nothing at all, or the code alone.
    return;
  }
  if (properties.sessionExpiryInterval !== undefined && properties.serverReference !== undefined) {
    throw notEncodable(
      'DISCONNECT has a session expiry interval (clients only) and a server reference (servers only)',
    );
  }
  writer.byte(reasonCode);
  writeProperties(writer, 'DISCONNECT', DISCONNECT_PROPERTIES, properties);
}

function writeAuth(writer: ByteWriter, packet: AuthInput, version: ProtocolVersion): void {
  if (version !== 5) throw notEncodable('AUTH does not exist in MQTT 3.1 and 3.1.1');
  if (packet.properties?.authenticationMethod === undefined) {
    throw notEncodable('AUTH has no authentication method'); // [MQTT-4.12.0-5]
  }
  writer.byte(checkCode(packet.reasonCode ?? 0, packet.type)); // [MQTT-3.15.2-1]
  writeProperties(writer, 'AUTH', AUTH_PROPERTIES, packet.properties);
}
