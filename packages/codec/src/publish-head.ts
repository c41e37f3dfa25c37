// The head of a PUBLISH, everything before its payload, written from parts that a server has as bytes already.
//
// A server that sends one message to many subscribers fills a PublishHead once for each form of the packet (version,
// QoS, RETAIN, subscription identifiers), writes it into a buffer of its own, appends the payload or references it, and
// for each receiver writes the packet identifier at `packetIdAt`. The forwarded properties go out as the bytes that
// came in (PublishReader.copyForwardedProperties), so nothing about them can change by accident [MQTT-3.3.2-17].

import { checkedLength, patchPacketId } from './cursor.ts';
import { NO_BYTES } from './memory.ts';
import type { ProtocolVersion, QoS } from './packets.ts';
import { writeBytes } from './utf8.ts';
import { variableByteIntegerSize, writeVariableByteInteger } from './variable-byte-integer.ts';

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
  /**
   * Properties as bytes, without their length; for 5.0 only. These are the forwarded ones and whatever belongs to the
   * receiver: subscription identifiers, a topic alias.
   */
  properties: Uint8Array = NO_BYTES;
  payloadSize = 0;

  /** Where write() put the packet identifier; -1 if the packet has none. */
  packetIdAt = -1;

  /** The number of bytes that write() writes. The whole packet has `payloadSize` more. */
  size(): number {
    const remaining = this.#remainingLength();
    return 1 + variableByteIntegerSize(remaining) + remaining - this.payloadSize;
  }

  /** Writes the head; returns the offset after it, where the payload belongs. */
  write(target: Uint8Array, offset: number): number {
    const remaining = this.#remainingLength();
    // [MQTT-3.3.1-2]: no DUP with QoS 0.
    target[offset++] = 0x30 | (this.dup && this.qos > 0 ? 8 : 0) | (this.qos << 1) | (this.retain ? 1 : 0);
    offset = writeVariableByteInteger(target, offset, remaining);
    patchPacketId(target, offset, this.topic.length); // A length is two bytes as well.
    offset = writeBytes(target, offset + 2, this.topic);
    if (this.qos === 0) {
      this.packetIdAt = -1; // [MQTT-2.2.1-2]
    } else {
      this.packetIdAt = offset;
      patchPacketId(target, offset, this.packetId);
      offset += 2;
    }
    if (this.version !== 5) return offset;
    offset = writeVariableByteInteger(target, offset, this.properties.length);
    return writeBytes(target, offset, this.properties);
  }

  #remainingLength(): number {
    // Without properties there is no property length of one byte either: 1 - 1 is 0.
    const size = this.version === 5 ? this.properties.length : -1;
    const fixedSize = 2 + this.topic.length + (this.qos && 2);
    return checkedLength(fixedSize + variableByteIntegerSize(size) + size + this.payloadSize);
  }
}
