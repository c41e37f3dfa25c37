// PUBLISH in place: where its fields stand, without an object being made, or a string unless there are properties.
//
// This is for a server that routes and forwards. It validates everything that can be judged from the packet alone but
// for the topic's characters: a server knows nearly every topic already and compares its bytes with those, so
// it calls readTopic(), which validates, only for topics that it sees for the first time. PUBLISH as an object
// (decodePacket) is made from the same reading, so that there is one place that knows the rules.
//
// The properties that a server passes on are kept as the bytes that came, in their order; only topic alias and
// subscription identifiers belong to one connection and are dropped (see copyForwardedProperties). The place of the
// message expiry interval in them is known, so that the remaining seconds can be written into a copy.

import {
  enterSection,
  fail,
  forbid,
  forbidPresent,
  inRange,
  position,
  end as sectionEnd,
  startReading,
  startSkipping,
} from './cursor.ts';
import type { ProtocolVersion, PublishProperties, QoS } from './packets.ts';
import { readProperties } from './properties.ts';
import {
  MESSAGE_EXPIRY_INTERVAL,
  PUBLISH_PROPERTIES,
  SUBSCRIPTION_IDENTIFIER,
  TOPIC_ALIAS,
} from './property-table.ts';
import { fromValues } from './publish-properties.ts';

const NONE_DROPPED: number[] = [];

/**
 * Reads PUBLISH packets in place. One instance serves any number of packets; its fields tell about the last one.
 * All offsets point into the bytes that read() was given.
 *
 * @example
 * const publish = new PublishReader();
 * publish.read(frames.bytes, frames.header, frames.body, frames.end, 5, true);
 * const topic = readTopic(frames.bytes, publish.topicStart, publish.topicEnd);
 */
export class PublishReader {
  declare qos: QoS;
  declare retain: boolean;
  declare dup: boolean;
  declare topicStart: number;
  declare topicEnd: number;
  /** 0 when `qos` is 0. */
  declare packetId: number;
  /** The properties without their length; empty (start equals end) in 3.1 and 3.1.1 and when there are none. */
  declare propertiesStart: number;
  declare propertiesEnd: number;
  declare payloadStart: number;
  declare payloadEnd: number;
  /** 0 if the packet has none. */
  declare topicAlias: number;
  /** Seconds; -1 if the packet has none. */
  declare messageExpiryInterval: number;
  /** How many bytes the properties take without topic alias and subscription identifiers. */
  declare forwardedPropertiesSize: number;
  /** Where in the forwarded properties the four bytes of the message expiry interval stand; -1 if there is none. */
  declare forwardedExpiryOffset: number;
  /** Where the properties begin and end that are not passed on, in turns. */
  #dropped: number[] = NONE_DROPPED;

  constructor() {
    // Sets every field, from a PUBLISH of 3.1.1 with the topic name "t": shorter than a default for each of them.
    this.read(Uint8Array.of(0, 1, 0x74), 0x30, 0, 3, 4, false);
  }

  /**
   * Reads the packet whose body is `bytes[body..end)` and whose first byte is `header`. Throws a CodecError if it is
   * bad; the fields are then without meaning. The texts of the properties are checked and, unless `skipsTexts` is false,
   * not made.
   */
  read(
    bytes: Uint8Array,
    header: number,
    body: number,
    end: number,
    version: ProtocolVersion,
    fromClient: boolean,
    skipsTexts = true,
  ): void {
    const qos = (header >> 1) & 3;
    const dup = (header & 8) !== 0;
    const topicStart = body + 2;
    const topicEnd = topicStart + ((bytes[body]! << 8) | bytes[body + 1]!);
    const fixedEnd = qos === 0 ? topicEnd : topicEnd + 2;
    const packetId = qos === 0 ? 0 : (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!;
    startReading(bytes, fixedEnd, end, 3, version);
    // [MQTT-3.3.1-4], [MQTT-3.3.1-2]; MQTT 3.1 does not forbid DUP with QoS 0.
    if (qos === 3 || (dup && qos === 0 && version !== 3)) forbid('flags', header & 15, 0x81);
    if (topicStart > end || fixedEnd > end) fail('topic is cut short', 0x81);
    if (qos !== 0) inRange('packetId', packetId, 1, 65_535); // [MQTT-2.2.1-3]
    this.qos = qos as QoS;
    this.retain = (header & 1) !== 0;
    this.dup = dup;
    this.topicStart = topicStart;
    this.topicEnd = topicEnd;
    this.packetId = packetId;
    this.topicAlias = 0;
    this.messageExpiryInterval = -1;
    this.forwardedExpiryOffset = -1;
    this.#dropped = NONE_DROPPED;
    if (version === 5) enterSection('properties');
    const propertiesStart = position;
    const propertiesEnd = version === 5 ? sectionEnd : position;
    this.propertiesStart = propertiesStart;
    this.propertiesEnd = propertiesEnd;
    this.payloadStart = propertiesEnd;
    this.payloadEnd = end;
    this.forwardedPropertiesSize = propertiesEnd - propertiesStart;
    if (propertiesStart < propertiesEnd) this.#readProperties(fromClient, skipsTexts);
    // [MQTT-4.7.3-1]
    if (topicStart === topicEnd && this.topicAlias === 0) fail('topic is empty');
  }

  #readProperties(fromClient: boolean, skipsTexts: boolean): void {
    if (skipsTexts) startSkipping();
    const values = readProperties(PUBLISH_PROPERTIES, this.#drop);
    // [MQTT-3.3.4-6]
    if (fromClient) forbidPresent('subscriptionIdentifiers', values[SUBSCRIPTION_IDENTIFIER]);
    this.topicAlias = (values[TOPIC_ALIAS] as number | undefined) ?? 0;
    this.messageExpiryInterval = (values[MESSAGE_EXPIRY_INTERVAL] as number | undefined) ?? -1;
  }

  /** Notes a property that has just been read if it is not passed on, or changed on the way. */
  readonly #drop = (id: number, start: number): void => {
    if (id === TOPIC_ALIAS || id === SUBSCRIPTION_IDENTIFIER) {
      if (this.#dropped === NONE_DROPPED) this.#dropped = [];
      this.#dropped.push(start, position);
      this.forwardedPropertiesSize -= position - start;
    } else if (id === MESSAGE_EXPIRY_INTERVAL) {
      // What was dropped so far is all properties without the forwarded ones.
      this.forwardedExpiryOffset = start + 1 - this.propertiesEnd + this.forwardedPropertiesSize;
    }
  };

  /** The properties of the packet read last as an object, for hooks and for logs. */
  decodeProperties(bytes: Uint8Array): PublishProperties | undefined {
    if (this.propertiesStart === this.propertiesEnd) return undefined;
    startReading(bytes, this.propertiesStart, this.propertiesEnd, 3, 5);
    readProperties(PUBLISH_PROPERTIES);
    return fromValues();
  }

  /**
   * Copies the properties that are passed on, in their order, to `target`; returns the offset after them. They take
   * `forwardedPropertiesSize` bytes. If that is all of them, `bytes[propertiesStart..propertiesEnd)` is the same.
   */
  copyForwardedProperties(bytes: Uint8Array, target: Uint8Array, offset: number): number {
    // Runs of properties to keep, with the dropped ones between them.
    const dropped = this.#dropped;
    let start = this.propertiesStart;
    for (let index = 0; index <= dropped.length; index += 2) {
      const end = dropped[index] ?? this.propertiesEnd;
      target.set(bytes.subarray(start, end), offset);
      offset += end - start;
      start = dropped[index + 1]!;
    }
    return offset;
  }
}
