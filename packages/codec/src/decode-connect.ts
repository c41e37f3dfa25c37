// CONNECT, the one packet that says itself in which version it is written.

import { malformed, protocolError, UnsupportedProtocolError } from './errors.ts';
import { PacketReader } from './packet-reader.ts';
import { type Connect, PacketType, type ProtocolVersion, type QoS, type Will } from './packets.ts';
import { readProperties } from './property-reader.ts';
import { CONNECT_PROPERTIES, WILL_PROPERTIES } from './property-table.ts';
import { checkTopicName } from './topics.ts';

const MQTT = [0x4d, 0x51, 0x54, 0x54];
const MQISDP = [0x4d, 0x51, 0x49, 0x73, 0x64, 0x70];

/**
 * The protocol version of a CONNECT whose body is `bytes[body..end)`. Throws an UnsupportedProtocolError for a version
 * or a protocol that is not one of ours. Name and level are judged before anything else in the packet is looked at.
 */
export function readProtocolVersion(bytes: Uint8Array, body: number, end: number): ProtocolVersion {
  const reader = new PacketReader(bytes, body, end, 'CONNECT');
  const name = reader.binary('the protocol name');
  const level = reader.byte('the protocol level');
  const isMqtt = isEqual(name, MQTT);
  const isMqisdp = isEqual(name, MQISDP);
  if (isMqtt && (level === 4 || level === 5)) return level;
  if (isMqisdp && level === 3) return level;
  // [MQTT-3.1.2-1], [MQTT-3.1.2-2]
  throw new UnsupportedProtocolError(isMqtt ? 'MQTT' : isMqisdp ? 'MQIsdp' : undefined, level);
}

function isEqual(bytes: Uint8Array, expected: readonly number[]): boolean {
  return bytes.length === expected.length && expected.every((byte, index) => bytes[index] === byte);
}

export function decodeConnect(bytes: Uint8Array, header: number, body: number, end: number): Connect {
  const version = readProtocolVersion(bytes, body, end);
  // 3.1 does not check bits without meaning, here and below.
  if (version !== 3 && (header & 15) !== 0) throw malformed('CONNECT has reserved flags set'); // [MQTT-2.1.3-1]
  const reader = new PacketReader(bytes, body + (version === 3 ? 9 : 7), end, 'CONNECT');
  const flags = reader.byte('the connect flags');
  if (version !== 3 && (flags & 1) !== 0) throw malformed('CONNECT has its reserved flag set'); // [MQTT-3.1.2-3]
  const keepAlive = reader.uint16('the keep alive');
  const properties = version === 5 ? readProperties(reader, CONNECT_PROPERTIES) : undefined;
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolError('CONNECT has authentication data but no authentication method');
  }
  const clientId = reader.text('the client identifier'); // [MQTT-3.1.3-3], [MQTT-3.1.3-4]
  const will = readWill(reader, flags, version);
  const hasUsername = (flags & 0x80) !== 0;
  const hasPassword = (flags & 0x40) !== 0;
  if (hasPassword && !hasUsername && version !== 5) {
    throw malformed('CONNECT has a password but no user name'); // 3.1.1: [MQTT-3.1.2-22]
  }
  // In 3.1 the packet's end outweighs the flags: a field that is not there is not an error.
  const username = hasUsername && !isMissing(reader, version) ? reader.text('the user name') : undefined; // [MQTT-3.1.3-12]
  const password = hasPassword && !isMissing(reader, version) ? reader.binary('the password') : undefined;
  reader.expectEnd(); // [MQTT-3.1.2-16], [MQTT-3.1.2-18]
  return {
    type: PacketType.Connect,
    protocolVersion: version,
    cleanStart: (flags & 2) !== 0,
    keepAlive,
    clientId,
    will,
    username,
    password,
    properties,
  };
}

function isMissing(reader: PacketReader, version: ProtocolVersion): boolean {
  return version === 3 && reader.remaining === 0;
}

function readWill(reader: PacketReader, flags: number, version: ProtocolVersion): Will | undefined {
  const qos = (flags >> 3) & 3;
  const retain = (flags & 0x20) !== 0;
  if ((flags & 4) === 0) {
    // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
    if (version !== 3 && (qos !== 0 || retain))
      throw malformed('CONNECT has Will QoS or Will Retain but no Will');
    return undefined;
  }
  if (qos === 3) throw malformed('CONNECT has a Will with QoS 3'); // [MQTT-3.1.2-12]
  const properties = version === 5 ? readProperties(reader, WILL_PROPERTIES) : undefined;
  const topic = reader.text('the Will topic'); // [MQTT-3.1.3-11]
  const problem = checkTopicName(topic); // [MQTT-4.7.0-1]
  if (problem !== undefined) throw protocolError(`the Will topic ${problem}`);
  const payload = reader.binary('the Will payload'); // [MQTT-3.1.2-9]
  return { topic, payload, qos: qos as QoS, retain, properties };
}
