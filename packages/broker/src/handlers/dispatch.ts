// Which handler takes a packet. Acknowledgements in their usual form of four bytes, PINGREQ and DISCONNECT without fields
// are read right here, without an object; all other packets but PUBLISH are decoded by the codec, which checks them
// completely.

import {
  type Disconnect,
  decodePacket,
  type FrameReader,
  PacketType,
  type ProtocolVersion,
} from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';
import { handleAuth } from './auth.ts';
import { handleConnect } from './connect.ts';
import { handleDisconnect } from './disconnect.ts';
import { protocolError } from './faults.ts';
import { limitFilters } from './filter-count.ts';
import { handlePing } from './ping.ts';
import { limitProperties } from './property-size.ts';
import { handlePuback } from './puback.ts';
import { handlePubcomp } from './pubcomp.ts';
import { handlePublish } from './publish.ts';
import { handlePubrec } from './pubrec.ts';
import { handlePubrel } from './pubrel.ts';
import { handleSubscribe } from './subscribe.ts';
import { handleUnsubscribe } from './unsubscribe.ts';

const PLAIN_DISCONNECT: Disconnect = { type: PacketType.Disconnect, reasonCode: 0, properties: undefined };

/** Handles the packet that `reader` has found. A promise suspends reading until it resolves. */
export function dispatch(connection: Connection, reader: FrameReader): Promise<void> | undefined {
  const { header, body, end, bytes } = reader;
  if (connection.state !== 'connected') return beforeConnected(connection, reader);
  switch (header) {
    case 0x40:
      if (end - body === 2) return void handlePuback(connection, (bytes[body]! << 8) | bytes[body + 1]!);
      break;
    case 0x50:
      if (end - body === 2) return void handlePubrec(connection, (bytes[body]! << 8) | bytes[body + 1]!, 0);
      break;
    case 0x62:
      if (end - body === 2) return void handlePubrel(connection, (bytes[body]! << 8) | bytes[body + 1]!);
      break;
    case 0x70:
      if (end - body === 2) return void handlePubcomp(connection, (bytes[body]! << 8) | bytes[body + 1]!);
      break;
    case 0xc0:
      if (end === body) return void handlePing(connection);
      break;
    case 0xe0:
      if (end === body) return void handleDisconnect(connection, PLAIN_DISCONNECT);
      break;
  }
  if (connection.sender.isV5) limitProperties(reader);
  if (header >> 4 === PacketType.Publish) return handlePublish(connection, reader);
  return dispatchDecoded(connection, reader);
}

function dispatchDecoded(connection: Connection, reader: FrameReader): Promise<void> | undefined {
  // [MQTT-3.1.0-2], whatever stands in it.
  if (reader.header >> 4 === PacketType.Connect)
    throw protocolError('a second CONNECT came on the same connection');
  const { version, isV5 } = connection.sender;
  limitFilters(reader, isV5);
  // Of all packets that come here, only AUTH brings bytes that outlive the chunk they came in.
  const packet =
    reader.header >> 4 === PacketType.Auth ? decodeOwned(reader, version) : decodeInPlace(reader, version);
  switch (packet.type) {
    case PacketType.Puback:
      return void handlePuback(connection, packet.packetId);
    case PacketType.Pubrec:
      return void handlePubrec(connection, packet.packetId, packet.reasonCode);
    case PacketType.Pubrel:
      return void handlePubrel(connection, packet.packetId);
    case PacketType.Pubcomp:
      return void handlePubcomp(connection, packet.packetId);
    case PacketType.Subscribe:
      return handleSubscribe(connection, packet);
    case PacketType.Unsubscribe:
      return handleUnsubscribe(connection, packet);
    case PacketType.Pingreq:
      return void handlePing(connection);
    case PacketType.Disconnect:
      return void handleDisconnect(connection, packet);
    case PacketType.Auth:
      return handleAuth(connection, packet);
    default:
      throw protocolError(`a client cannot send packets of type ${packet.type}`);
  }
}

function beforeConnected(connection: Connection, reader: FrameReader): Promise<void> | undefined {
  if (connection.state === 'new') {
    const packet = decodeOwned(reader, 5);
    // The connection lets nothing else come this far. [MQTT-3.1.0-1]
    if (packet.type !== PacketType.Connect) throw protocolError('the first packet is not CONNECT');
    return handleConnect(connection, packet);
  }
  // Between CONNECT and CONNACK only the packets of enhanced authentication come this far: for all else, reading is
  // suspended. [MQTT-3.1.2-30]
  const packet = decodeOwned(reader, connection.sender.version);
  if (packet.type === PacketType.Auth) return handleAuth(connection, packet);
  if (packet.type === PacketType.Disconnect) return void handleDisconnect(connection, packet);
  throw protocolError('only AUTH and DISCONNECT may come before CONNACK');
}

/** Decodes a packet whose fields are numbers and texts. */
function decodeInPlace(reader: FrameReader, version: ProtocolVersion): ReturnType<typeof decodePacket> {
  const { bytes, header, body, end } = reader;
  return decodePacket(bytes, header, body, end, version, 'server');
}

/** Decodes from a copy: these packets are rare, and passwords, Wills and authentication data outlive the chunk. */
function decodeOwned(reader: FrameReader, version: ProtocolVersion): ReturnType<typeof decodePacket> {
  const { bytes, header, start, body, end } = reader;
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return decodePacket(copy, header, body - start, end - start, version, 'server');
}
