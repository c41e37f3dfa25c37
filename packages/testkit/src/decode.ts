// Reads the packets that a test receives. Independent of the codec, and strict about lengths: a packet with bytes
// left over or cut short throws, because both sides of a test have to send packets that are right to the byte.

import { type Frame, nameOfType, packetType } from './frames.ts';
import type { MqttVersion } from './packet.ts';
import { BodyReader, type PropertyMap } from './properties.ts';

export interface Connack {
  readonly flags: number;
  readonly sessionPresent: boolean;
  readonly reason: number;
  readonly properties: PropertyMap;
}

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  /** Packet Identifier; 0 at QoS 0. */
  readonly id: number;
  readonly properties: PropertyMap;
}

export interface Ack {
  readonly id: number;
  readonly reason: number;
  readonly properties: PropertyMap;
}

export interface Codes {
  readonly id: number;
  readonly codes: readonly number[];
  readonly properties: PropertyMap;
}

export interface Reason {
  readonly reason: number;
  readonly properties: PropertyMap;
}

export interface ConnectRequest {
  readonly protocolName: string;
  readonly level: number;
  readonly flags: number;
  readonly clean: boolean;
  readonly keepAlive: number;
  readonly clientId: string;
  readonly will:
    | {
        readonly topic: string;
        readonly payload: Buffer;
        readonly qos: number;
        readonly retain: boolean;
        readonly properties: PropertyMap;
      }
    | undefined;
  readonly username: string | undefined;
  readonly password: Buffer | undefined;
  readonly properties: PropertyMap;
}

export interface SubscribeRequest {
  readonly id: number;
  readonly filters: readonly (readonly [filter: string, options: number])[];
  readonly properties: PropertyMap;
}

export interface UnsubscribeRequest {
  readonly id: number;
  readonly filters: readonly string[];
  readonly properties: PropertyMap;
}

const noProperties: PropertyMap = new Map();

function readerOf(frame: Frame, ...types: readonly number[]): BodyReader {
  if (!types.includes(frame.type)) {
    throw new Error(
      `expected ${types.map(nameOfType).join(' or ')}, got ${nameOfType(frame.type)} ${frame.bytes.toString('hex')}`,
    );
  }
  return new BodyReader(frame.body);
}

function finish<T>(frame: Frame, reader: BodyReader, value: T): T {
  if (reader.left > 0) {
    throw new Error(
      `${reader.left} bytes left over at the end of ${nameOfType(frame.type)} ${frame.bytes.toString('hex')}`,
    );
  }
  return value;
}

function propertiesFor(version: MqttVersion, reader: BodyReader): PropertyMap {
  return version === 5 ? reader.properties() : noProperties;
}

function optionalReason(version: MqttVersion, reader: BodyReader): Reason {
  const reason = version === 5 && reader.left > 0 ? reader.byte() : 0;
  const properties = version === 5 && reader.left > 0 ? reader.properties() : noProperties;
  return { reason, properties };
}

/** Decoders by packet. Before 5.0 properties are empty and reason codes are 0. */
export const decode = {
  connect(frame: Frame): ConnectRequest {
    const reader = readerOf(frame, packetType.CONNECT);
    const protocolName = reader.string();
    const level = reader.byte();
    const version: MqttVersion = level === 5 ? 5 : 4;
    const flags = reader.byte();
    const keepAlive = reader.uint16();
    const properties = propertiesFor(version, reader);
    const clientId = reader.string();
    let will: ConnectRequest['will'];
    if (flags & 0x04) {
      const willProperties = propertiesFor(version, reader);
      will = {
        properties: willProperties,
        topic: reader.string(),
        payload: reader.binary(),
        qos: (flags >> 3) & 3,
        retain: (flags & 0x20) !== 0,
      };
    }
    const username = flags & 0x80 ? reader.string() : undefined;
    const password = flags & 0x40 ? reader.binary() : undefined;
    const clean = (flags & 0x02) !== 0;
    return finish(frame, reader, {
      protocolName,
      level,
      flags,
      clean,
      keepAlive,
      clientId,
      will,
      username,
      password,
      properties,
    });
  },

  connack(frame: Frame, version: MqttVersion): Connack {
    const reader = readerOf(frame, packetType.CONNACK);
    const flags = reader.byte();
    const reason = reader.byte();
    // A server that cannot speak 5.0 answers in the form of 3.1.1, without properties.
    const properties = version === 5 && reader.left > 0 ? reader.properties() : noProperties;
    return finish(frame, reader, { flags, sessionPresent: (flags & 1) === 1, reason, properties });
  },

  publish(frame: Frame, version: MqttVersion): Message {
    const reader = readerOf(frame, packetType.PUBLISH);
    const qos = (frame.flags >> 1) & 3;
    const topic = reader.string();
    const id = qos > 0 ? reader.uint16() : 0;
    const properties = propertiesFor(version, reader);
    const payload = reader.rest();
    return {
      topic,
      payload,
      qos,
      retain: (frame.flags & 1) !== 0,
      dup: (frame.flags & 8) !== 0,
      id,
      properties,
    };
  },

  /** PUBACK, PUBREC, PUBREL or PUBCOMP. */
  ack(frame: Frame, version: MqttVersion): Ack {
    const reader = readerOf(
      frame,
      packetType.PUBACK,
      packetType.PUBREC,
      packetType.PUBREL,
      packetType.PUBCOMP,
    );
    const id = reader.uint16();
    return finish(frame, reader, { id, ...optionalReason(version, reader) });
  },

  subscribe(frame: Frame, version: MqttVersion): SubscribeRequest {
    const reader = readerOf(frame, packetType.SUBSCRIBE);
    const id = reader.uint16();
    const properties = propertiesFor(version, reader);
    const filters: [string, number][] = [];
    while (reader.left > 0) {
      filters.push([reader.string(), reader.byte()]);
    }
    return { id, filters, properties };
  },

  unsubscribe(frame: Frame, version: MqttVersion): UnsubscribeRequest {
    const reader = readerOf(frame, packetType.UNSUBSCRIBE);
    const id = reader.uint16();
    const properties = propertiesFor(version, reader);
    const filters: string[] = [];
    while (reader.left > 0) {
      filters.push(reader.string());
    }
    return { id, filters, properties };
  },

  /** SUBACK or UNSUBACK (before 5.0 an UNSUBACK has no codes). */
  codes(frame: Frame, version: MqttVersion): Codes {
    const reader = readerOf(frame, packetType.SUBACK, packetType.UNSUBACK);
    const id = reader.uint16();
    const properties = propertiesFor(version, reader);
    return { id, properties, codes: [...reader.rest()] };
  },

  /** DISCONNECT or AUTH. */
  reason(frame: Frame, version: MqttVersion): Reason {
    const reader = readerOf(frame, packetType.DISCONNECT, packetType.AUTH);
    return finish(frame, reader, optionalReason(version, reader));
  },
} as const;
