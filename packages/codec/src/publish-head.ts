// The head of a PUBLISH, everything before its payload, written from parts that a server has as bytes already.
//
// A server that sends one message to many subscribers fills a PublishHead once for each form of the packet (version,
// QoS, RETAIN, subscription identifiers), writes it into a buffer of its own, appends the payload or references it, and
// for each receiver writes the packet identifier at `packetIdAt`. The forwarded properties go out as the bytes that
// came in (PublishReader.copyForwardedProperties), so nothing about them can change by accident [MQTT-3.3.2-17].

import { notEncodable } from './errors.ts';
import type { ProtocolVersion, QoS } from './packets.ts';
import { SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS } from './property-table.ts';
import { writeBytes } from './utf8.ts';
import {
  MAX_VARIABLE_BYTE_INTEGER,
  variableByteIntegerSize,
  writeVariableByteInteger,
} from './variable-byte-integer.ts';

const NO_BYTES = new Uint8Array(0);
const NO_IDENTIFIERS: readonly number[] = [];

/**
 * Writes the heads of PUBLISH packets. One instance serves any number of packets. Its parts have to be valid: the topic
 * is valid UTF-8, the properties come from a PublishReader.
 *
 * @example
 * const head = new PublishHead();
 * head.version = 5;
 * head.qos = 1;
 * head.topic = new TextEncoder().encode('rooms/kitchen/light');
 * head.payloadSize = payload.length;
 * const packet = new Uint8Array(head.size() + payload.length);
 * packet.set(payload, head.write(packet, 0));
 * patchPacketId(packet, head.packetIdAt, 17);
 */
export class PublishHead {
  version: ProtocolVersion = 4;
  qos: QoS = 0;
  retain = false;
  dup = false;
  /** The topic name in UTF-8; may be empty if there is a topic alias. */
  topic: Uint8Array = NO_BYTES;
  /** Only written if `qos` is not 0; 0 stands for one to be patched in later. */
  packetId = 0;
  /** Properties as bytes, without their length. This and what follows is for 5.0 only. */
  properties: Uint8Array = NO_BYTES;
  /** 0 for none. */
  topicAlias = 0;
  subscriptionIdentifiers: readonly number[] = NO_IDENTIFIERS;
  payloadSize = 0;

  /** Where write() put the packet identifier; -1 if the packet has none. */
  packetIdAt = -1;
  /** Where write() put `properties`; -1 if the packet has none. */
  propertiesAt = -1;

  /** The number of bytes that write() writes. The whole packet has `payloadSize` more. */
  size(): number {
    const remaining = this.#remainingLength();
    return 1 + variableByteIntegerSize(remaining) + remaining - this.payloadSize;
  }

  /** Writes the head; returns the offset after it, where the payload belongs. */
  write(target: Uint8Array, offset: number): number {
    const remaining = this.#remainingLength();
    if (remaining > MAX_VARIABLE_BYTE_INTEGER) {
      throw notEncodable(`PUBLISH has ${remaining} bytes after its length, more than 268,435,455`);
    }
    // [MQTT-3.3.1-2]: no DUP with QoS 0.
    target[offset++] = 0x30 | (this.dup && this.qos > 0 ? 8 : 0) | (this.qos << 1) | (this.retain ? 1 : 0);
    offset = writeVariableByteInteger(target, offset, remaining);
    target[offset++] = this.topic.length >>> 8;
    target[offset++] = this.topic.length & 255;
    offset = writeBytes(target, offset, this.topic);
    if (this.qos === 0) {
      this.packetIdAt = -1; // [MQTT-2.2.1-2]
    } else {
      this.packetIdAt = offset;
      patchPacketId(target, offset, this.packetId);
      offset += 2;
    }
    this.propertiesAt = -1;
    if (this.version !== 5) return offset;
    offset = writeVariableByteInteger(target, offset, this.#propertiesSize());
    this.propertiesAt = offset;
    offset = writeBytes(target, offset, this.properties);
    if (this.topicAlias !== 0) {
      target[offset++] = TOPIC_ALIAS;
      target[offset++] = this.topicAlias >>> 8;
      target[offset++] = this.topicAlias & 255;
    }
    for (const identifier of this.subscriptionIdentifiers) {
      target[offset++] = SUBSCRIPTION_IDENTIFIER;
      offset = writeVariableByteInteger(target, offset, identifier);
    }
    return offset;
  }

  #remainingLength(): number {
    let remaining = 2 + this.topic.length + (this.qos === 0 ? 0 : 2) + this.payloadSize;
    if (this.version === 5) {
      const propertiesSize = this.#propertiesSize();
      remaining += variableByteIntegerSize(propertiesSize) + propertiesSize;
    }
    return remaining;
  }

  #propertiesSize(): number {
    let size = this.properties.length + (this.topicAlias === 0 ? 0 : 3);
    for (const identifier of this.subscriptionIdentifiers) size += 1 + variableByteIntegerSize(identifier);
    return size;
  }
}

/** Writes a packet identifier where PublishHead.packetIdAt says. */
export function patchPacketId(target: Uint8Array, packetIdAt: number, packetId: number): void {
  target[packetIdAt] = packetId >>> 8;
  target[packetIdAt + 1] = packetId & 255;
}

/** Writes a message expiry interval at its place in forwarded properties (PublishReader.forwardedExpiryOffset). */
export function patchMessageExpiry(target: Uint8Array, expiryAt: number, seconds: number): void {
  target[expiryAt] = seconds >>> 24;
  target[expiryAt + 1] = seconds >>> 16;
  target[expiryAt + 2] = seconds >>> 8;
  target[expiryAt + 3] = seconds;
}
