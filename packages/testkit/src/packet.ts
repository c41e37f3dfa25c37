// Packets built by hand. Every builder makes a correct packet by default, and lets a test bend any part of it:
// another first byte, other flags, other bytes for a string, properties that do not belong, surplus bytes at the end.

import { encodeProperties, field, type RawProperty, uint16, variableByteInteger } from './properties.ts';

/** Protocol level: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export type MqttVersion = 3 | 4 | 5;

/** Text, or the exact bytes in its place. */
export type Text = string | Buffer;

/** Properties to write; ready bytes replace Property Length and properties together. */
export type RawProperties = readonly RawProperty[] | Buffer;

export interface RawWill {
  readonly topic: Text;
  readonly payload?: Text;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly properties?: RawProperties;
}

export interface RawConnect {
  readonly version?: MqttVersion;
  readonly clientId?: Text;
  /** Clean Start in 5.0, Clean Session before; true unless said otherwise. */
  readonly clean?: boolean;
  readonly keepAlive?: number;
  readonly will?: RawWill;
  readonly username?: Text;
  readonly password?: Text;
  readonly properties?: RawProperties;
  /** Replaces the Connect Flags that would follow from the other fields. */
  readonly flags?: number;
  readonly protocolName?: Text;
  readonly level?: number;
  /** Replaces everything behind the variable header. */
  readonly payload?: Buffer;
  /** Surplus bytes inside the packet, behind its last field. */
  readonly tail?: Buffer;
  readonly firstByte?: number;
}

export interface RawConnack {
  readonly version?: MqttVersion;
  readonly sessionPresent?: boolean;
  readonly reason?: number;
  readonly properties?: RawProperties;
  /** Replaces the Connect Acknowledge Flags. */
  readonly flags?: number;
}

export interface RawPublish {
  readonly version?: MqttVersion;
  readonly topic: Text;
  readonly payload?: Text;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /** Packet Identifier; written for QoS 1 and 2 only. */
  readonly id?: number;
  readonly properties?: RawProperties;
  readonly firstByte?: number;
}

export interface RawAck {
  readonly version?: MqttVersion;
  readonly id: number;
  /** Left out: the short form without a reason code. */
  readonly reason?: number;
  readonly properties?: RawProperties;
  readonly firstByte?: number;
}

export interface RawSubscribe {
  readonly version?: MqttVersion;
  readonly id: number;
  /** Topic Filter and Subscription Options byte (the requested QoS before 5.0). */
  readonly filters: readonly (readonly [filter: Text, options: number])[];
  readonly properties?: RawProperties;
  readonly firstByte?: number;
}

export interface RawUnsubscribe {
  readonly version?: MqttVersion;
  readonly id: number;
  readonly filters: readonly Text[];
  readonly properties?: RawProperties;
  readonly firstByte?: number;
}

export interface RawCodes {
  readonly version?: MqttVersion;
  readonly id: number;
  readonly codes: readonly number[];
  readonly properties?: RawProperties;
}

export interface RawReason {
  readonly version?: MqttVersion;
  readonly reason?: number;
  readonly properties?: RawProperties;
  readonly firstByte?: number;
}

/** A packet of any first byte and body, with the right Remaining Length. */
export function frame(firstByte: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([firstByte]), variableByteInteger(body.length), body]);
}

function propertiesOf(version: MqttVersion | undefined, properties: RawProperties | undefined): Buffer {
  return (version ?? 5) === 5 || properties !== undefined
    ? encodeProperties(properties ?? [])
    : Buffer.alloc(0);
}

function connectFlags(options: RawConnect): number {
  const { will } = options;
  let flags = (options.clean ?? true) ? 0x02 : 0;
  if (will !== undefined) {
    flags |= 0x04 | ((will.qos ?? 0) << 3) | (will.retain ? 0x20 : 0);
  }
  flags |= options.password === undefined ? 0 : 0x40;
  flags |= options.username === undefined ? 0 : 0x80;
  return flags;
}

function connectPayload(options: RawConnect): Buffer {
  const parts: Buffer[] = [field(options.clientId ?? '')];
  const { will } = options;
  if (will !== undefined) {
    parts.push(propertiesOf(options.version, will.properties), field(will.topic), field(will.payload ?? ''));
  }
  if (options.username !== undefined) {
    parts.push(field(options.username));
  }
  if (options.password !== undefined) {
    parts.push(field(options.password));
  }
  return Buffer.concat(parts);
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP: identifier, then nothing, a code, or a code and properties. */
function acknowledgement(firstByte: number, ack: RawAck): Buffer {
  const parts: Buffer[] = [uint16(ack.id)];
  if (ack.reason !== undefined) {
    parts.push(Buffer.from([ack.reason]));
    if (ack.properties !== undefined) {
      parts.push(encodeProperties(ack.properties));
    }
  }
  return frame(ack.firstByte ?? firstByte, ...parts);
}

/** DISCONNECT and AUTH: nothing, a code, or a code and properties. */
function reasonOnly(firstByte: number, options: RawReason): Buffer {
  const parts: Buffer[] = [];
  if (options.reason !== undefined) {
    parts.push(Buffer.from([options.reason]));
    if (options.properties !== undefined) {
      parts.push(encodeProperties(options.properties));
    }
  }
  return frame(options.firstByte ?? firstByte, ...parts);
}

/**
 * Builders for every packet.
 *
 * @example
 * peer.send(packet.connect({ version: 5, clientId: 'c1' }));
 * peer.send(packet.publish({ topic: 'a/b', payload: 'x', qos: 1, id: 7 }));
 */
export const packet = {
  connect(options: RawConnect = {}): Buffer {
    const version = options.version ?? 5;
    return frame(
      options.firstByte ?? 0x10,
      field(options.protocolName ?? (version === 3 ? 'MQIsdp' : 'MQTT')),
      Buffer.from([options.level ?? version, options.flags ?? connectFlags(options)]),
      uint16(options.keepAlive ?? 60),
      propertiesOf(version, options.properties),
      options.payload ?? connectPayload(options),
      options.tail ?? Buffer.alloc(0),
    );
  },

  connack(options: RawConnack = {}): Buffer {
    const flags = options.flags ?? (options.sessionPresent ? 1 : 0);
    return frame(
      0x20,
      Buffer.from([flags, options.reason ?? 0]),
      propertiesOf(options.version, options.properties),
    );
  },

  publish(options: RawPublish): Buffer {
    const qos = options.qos ?? 0;
    const first = 0x30 | (options.dup ? 8 : 0) | (qos << 1) | (options.retain ? 1 : 0);
    const payload = options.payload ?? '';
    return frame(
      options.firstByte ?? first,
      field(options.topic),
      qos > 0 ? uint16(options.id ?? 1) : Buffer.alloc(0),
      propertiesOf(options.version, options.properties),
      typeof payload === 'string' ? Buffer.from(payload) : payload,
    );
  },

  puback: (ack: RawAck): Buffer => acknowledgement(0x40, ack),
  pubrec: (ack: RawAck): Buffer => acknowledgement(0x50, ack),
  pubrel: (ack: RawAck): Buffer => acknowledgement(0x62, ack),
  pubcomp: (ack: RawAck): Buffer => acknowledgement(0x70, ack),

  subscribe(options: RawSubscribe): Buffer {
    return frame(
      options.firstByte ?? 0x82,
      uint16(options.id),
      propertiesOf(options.version, options.properties),
      ...options.filters.flatMap(([filter, flags]) => [field(filter), Buffer.from([flags])]),
    );
  },

  suback(options: RawCodes): Buffer {
    return frame(
      0x90,
      uint16(options.id),
      propertiesOf(options.version, options.properties),
      Buffer.from(options.codes),
    );
  },

  unsubscribe(options: RawUnsubscribe): Buffer {
    return frame(
      options.firstByte ?? 0xa2,
      uint16(options.id),
      propertiesOf(options.version, options.properties),
      ...options.filters.map((filter) => field(filter)),
    );
  },

  /** UNSUBACK; before 5.0 give no codes. */
  unsuback(options: RawCodes): Buffer {
    return frame(
      0xb0,
      uint16(options.id),
      propertiesOf(options.version, options.properties),
      Buffer.from(options.codes),
    );
  },

  pingreq: (): Buffer => Buffer.from([0xc0, 0]),
  pingresp: (): Buffer => Buffer.from([0xd0, 0]),
  disconnect: (options: RawReason = {}): Buffer => reasonOnly(0xe0, options),
  auth: (options: RawReason = {}): Buffer => reasonOnly(0xf0, options),
} as const;
