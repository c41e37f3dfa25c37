// PUBLISH in place: where its fields stand, without an object being made, or a string unless there are properties.
//
// This is for a server that routes and forwards. It validates everything that can be judged from the packet alone but
// for the topic's characters: a server knows nearly every topic already and compares its bytes with isSameBytes(), so
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
  moveTo,
  position,
  end as sectionEnd,
  startReading,
} from './cursor.ts';
import type { ProtocolVersion, PublishProperties, QoS, UserProperties } from './packets.ts';
import { readProperties } from './properties.ts';
import {
  CONTENT_TYPE,
  CORRELATION_DATA,
  MESSAGE_EXPIRY_INTERVAL,
  PAYLOAD_FORMAT_INDICATOR,
  PUBLISH_PROPERTIES,
  RESPONSE_TOPIC,
  SUBSCRIPTION_IDENTIFIER,
  TOPIC_ALIAS,
  USER_PROPERTY,
} from './property-table.ts';

const NO_VALUES: readonly unknown[] = [];

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
  /** -1 if the packet has none. */
  declare payloadFormatIndicator: -1 | 0 | 1;
  /** Seconds; -1 if the packet has none. */
  declare messageExpiryInterval: number;
  declare subscriptionIdentifierCount: number;
  declare userPropertyCount: number;
  declare hasContentType: boolean;
  declare hasResponseTopic: boolean;
  declare hasCorrelationData: boolean;
  /** How many bytes the properties take without topic alias and subscription identifiers. */
  declare forwardedPropertiesSize: number;
  /** Where in the forwarded properties the four bytes of the message expiry interval stand; -1 if there is none. */
  declare forwardedExpiryOffset: number;
  /** Where the properties begin and end that are not passed on, in turns. */
  readonly #dropped: number[] = [];
  readonly #onProperty = (id: number, start: number): void => {
    if (id === TOPIC_ALIAS || id === SUBSCRIPTION_IDENTIFIER) {
      this.#dropped.push(start, position);
      this.forwardedPropertiesSize -= position - start;
    } else if (id === MESSAGE_EXPIRY_INTERVAL) {
      // What was dropped so far is all properties without the forwarded ones.
      this.forwardedExpiryOffset = start + 1 - this.propertiesEnd + this.forwardedPropertiesSize;
    }
  };

  constructor() {
    // Sets every field, from a PUBLISH of 3.1.1 with the topic name "t": shorter than a default for each of them.
    this.read(Uint8Array.of(0, 1, 0x74), 0x30, 0, 3, 4, false);
  }

  /**
   * Reads the packet whose body is `bytes[body..end)` and whose first byte is `header`. Throws a CodecError if it is
   * bad; the fields are then without meaning.
   */
  read(
    bytes: Uint8Array,
    header: number,
    body: number,
    end: number,
    version: ProtocolVersion,
    fromClient: boolean,
  ): void {
    startReading(bytes, body, end, 3, version);
    const qos = (header >> 1) & 3;
    this.retain = (header & 1) !== 0;
    this.dup = (header & 8) !== 0;
    // [MQTT-3.3.1-4], [MQTT-3.3.1-2]; MQTT 3.1 does not forbid DUP with QoS 0.
    if (qos === 3 || (this.dup && qos === 0 && version !== 3)) forbid('flags', header & 15, 0x81);
    this.qos = qos as QoS;
    const topicStart = body + 2;
    const topicEnd = topicStart + ((bytes[body]! << 8) | bytes[body + 1]!);
    const fixedEnd = qos === 0 ? topicEnd : topicEnd + 2;
    if (topicStart > end || fixedEnd > end) fail('topic is cut short', 0x81);
    this.topicStart = topicStart;
    this.topicEnd = topicEnd;
    this.packetId = qos === 0 ? 0 : (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!;
    if (qos !== 0) inRange('packetId', this.packetId, 1, 65_535); // [MQTT-2.2.1-3]
    let propertiesStart = fixedEnd;
    let propertiesEnd = fixedEnd;
    if (version === 5) {
      moveTo(fixedEnd);
      enterSection('properties');
      propertiesStart = position;
      propertiesEnd = sectionEnd;
    }
    this.propertiesStart = propertiesStart;
    this.propertiesEnd = propertiesEnd;
    this.payloadStart = propertiesEnd;
    this.payloadEnd = end;
    this.forwardedPropertiesSize = propertiesEnd - propertiesStart;
    this.forwardedExpiryOffset = -1;
    this.#dropped.length = 0;
    const values =
      propertiesStart < propertiesEnd ? readProperties(PUBLISH_PROPERTIES, this.#onProperty) : NO_VALUES;
    // [MQTT-3.3.4-6]
    if (fromClient) forbidPresent('subscriptionIdentifiers', values[SUBSCRIPTION_IDENTIFIER]);
    // [MQTT-4.7.3-1]
    if (topicStart === topicEnd && values[TOPIC_ALIAS] === undefined) {
      fail('topic is empty');
    }
    this.topicAlias = (values[TOPIC_ALIAS] as number | undefined) ?? 0;
    this.payloadFormatIndicator = (values[PAYLOAD_FORMAT_INDICATOR] as 0 | 1 | undefined) ?? -1;
    this.messageExpiryInterval = (values[MESSAGE_EXPIRY_INTERVAL] as number | undefined) ?? -1;
    this.subscriptionIdentifierCount = countOf(values[SUBSCRIPTION_IDENTIFIER]);
    this.userPropertyCount = countOf(values[USER_PROPERTY]);
    this.hasContentType = values[CONTENT_TYPE] !== undefined;
    this.hasResponseTopic = values[RESPONSE_TOPIC] !== undefined;
    this.hasCorrelationData = values[CORRELATION_DATA] !== undefined;
  }

  /** The properties of the packet read last as an object, for hooks and for logs. */
  decodeProperties(bytes: Uint8Array): PublishProperties | undefined {
    if (this.propertiesStart === this.propertiesEnd) return undefined;
    startReading(bytes, this.propertiesStart, this.propertiesEnd, 3, 5);
    return propertiesFrom(readProperties(PUBLISH_PROPERTIES));
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

function countOf(list: unknown): number {
  return (list as readonly unknown[] | undefined)?.length ?? 0;
}

/** The object of the properties by identifier, whose types the property table has made sure of. */
export function propertiesFrom(values: readonly unknown[]): PublishProperties {
  // A literal: putting the fields in one by one, by the names in the table, takes twice the time.
  return {
    payloadFormatIndicator: values[PAYLOAD_FORMAT_INDICATOR] as 0 | 1 | undefined,
    messageExpiryInterval: values[MESSAGE_EXPIRY_INTERVAL] as number | undefined,
    contentType: values[CONTENT_TYPE] as string | undefined,
    responseTopic: values[RESPONSE_TOPIC] as string | undefined,
    correlationData: values[CORRELATION_DATA] as Uint8Array | undefined,
    userProperties: values[USER_PROPERTY] as UserProperties | undefined,
    topicAlias: values[TOPIC_ALIAS] as number | undefined,
    subscriptionIdentifiers: values[SUBSCRIPTION_IDENTIFIER] as readonly number[] | undefined,
  };
}

/** Whether `a[aStart..aEnd)` and `b[bStart..bEnd)` hold the same bytes. */
export function isSameBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  const shift = bStart - aStart;
  for (let index = aStart; index < aEnd; index++) {
    if (a[index] !== b[index + shift]) return false;
  }
  return true;
}
