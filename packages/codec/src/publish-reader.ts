// PUBLISH in place: where its fields stand, without a string, an object or a view being made.
//
// This is for a server that routes and forwards. It validates everything that can be judged from the packet alone but
// for the topic's characters: a server knows nearly every topic already and compares its bytes with isSameBytes(), so
// it calls readTopic(), which validates, only for topics that it sees for the first time.
//
// The properties that a server passes on are kept as the bytes that came, in their order; only topic alias and
// subscription identifiers belong to one connection and are dropped (see copyForwardedProperties). The place of the
// message expiry interval in them is known, so that the remaining seconds can be written into a copy.

import { CodecError, malformed, protocolError } from './errors.ts';
import { PacketReader } from './packet-reader.ts';
import type { ProtocolVersion, PublishProperties, QoS } from './packets.ts';
import { badValue, repeatedProperty, unknownProperty } from './property-reader.ts';
import {
  CONTENT_TYPE,
  CORRELATION_DATA,
  MESSAGE_EXPIRY_INTERVAL,
  PAYLOAD_FORMAT_INDICATOR,
  RESPONSE_TOPIC,
  SUBSCRIPTION_IDENTIFIER,
  TOPIC_ALIAS,
  USER_PROPERTY,
} from './property-table.ts';
import { readPublishProperties } from './publish-properties.ts';
import { TextCache } from './text-cache.ts';
import { checkTopicName } from './topics.ts';
import { badText, decodeText, isWellFormedText } from './utf8.ts';

const PLUS = 0x2b;
const HASH = 0x23;

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
  qos: QoS = 0;
  retain = false;
  dup = false;
  topicStart = 0;
  topicEnd = 0;
  /** 0 when `qos` is 0. */
  packetId = 0;
  /** The properties without their length; empty (start equals end) in 3.1 and 3.1.1 and when there are none. */
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /** 0 if the packet has none. */
  topicAlias = 0;
  /** -1 if the packet has none. */
  payloadFormatIndicator: -1 | 0 | 1 = -1;
  /** Seconds; -1 if the packet has none. */
  messageExpiryInterval = -1;
  subscriptionIdentifierCount = 0;
  userPropertyCount = 0;
  hasContentType = false;
  hasResponseTopic = false;
  hasCorrelationData = false;
  /** How many bytes the properties take without topic alias and subscription identifiers. */
  forwardedPropertiesSize = 0;
  /** Where in the forwarded properties the four bytes of the message expiry interval stand; -1 if there is none. */
  forwardedExpiryOffset = -1;

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
    this.#readFixedPart(bytes, header, body, end, version);
    this.#clearProperties();
    let position = this.propertiesStart;
    if (version === 5) {
      position = this.#readPropertyLength(bytes, position, end);
      if (this.propertiesEnd > position) this.#readProperties(bytes, fromClient);
    } else {
      this.propertiesEnd = position;
    }
    this.payloadStart = this.propertiesEnd;
    this.payloadEnd = end;
    if (this.topicStart === this.topicEnd && this.topicAlias === 0) {
      throw protocolError('PUBLISH has an empty topic name and no topic alias'); // [MQTT-4.7.3-1]
    }
  }

  /** The properties of the packet read last as an object, for hooks and for logs. */
  decodeProperties(bytes: Uint8Array): PublishProperties | undefined {
    return readPublishProperties(
      new PacketReader(bytes, this.propertiesStart, this.propertiesEnd, 'PUBLISH'),
    );
  }

  /**
   * Copies the properties that are passed on, in their order, to `target`; returns the offset after them. They take
   * `forwardedPropertiesSize` bytes. If that is all of them, `bytes[propertiesStart..propertiesEnd)` is the same.
   */
  copyForwardedProperties(bytes: Uint8Array, target: Uint8Array, offset: number): number {
    if (this.forwardedPropertiesSize === this.propertiesEnd - this.propertiesStart) {
      target.set(bytes.subarray(this.propertiesStart, this.propertiesEnd), offset);
      return offset + this.forwardedPropertiesSize;
    }
    // Runs of properties to keep, with the dropped ones between them.
    let runStart = this.propertiesStart;
    let at = runStart;
    while (at < this.propertiesEnd) {
      const next = endOfProperty(bytes, at);
      const id = bytes[at]!;
      if (id === TOPIC_ALIAS || id === SUBSCRIPTION_IDENTIFIER) {
        target.set(bytes.subarray(runStart, at), offset);
        offset += at - runStart;
        runStart = next;
      }
      at = next;
    }
    target.set(bytes.subarray(runStart, at), offset);
    return offset + at - runStart;
  }

  #readFixedPart(
    bytes: Uint8Array,
    header: number,
    body: number,
    end: number,
    version: ProtocolVersion,
  ): void {
    const qos = (header >> 1) & 3;
    if (qos === 3) throw malformed('PUBLISH has QoS 3'); // [MQTT-3.3.1-4]
    this.qos = qos as QoS;
    this.retain = (header & 1) !== 0;
    this.dup = (header & 8) !== 0;
    // [MQTT-3.3.1-2]; MQTT 3.1 does not forbid it.
    if (this.dup && qos === 0 && version !== 3) throw malformed('PUBLISH has DUP set with QoS 0');
    if (body + 2 > end) throw malformed('PUBLISH ends before the end of the topic name');
    this.topicStart = body + 2;
    this.topicEnd = body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!);
    let position = this.topicEnd;
    if (position > end) throw malformed('PUBLISH ends before the end of the topic name');
    this.packetId = 0;
    if (qos !== 0) {
      if (position + 2 > end) throw malformed('PUBLISH ends before the end of the packet identifier');
      this.packetId = (bytes[position]! << 8) | bytes[position + 1]!;
      if (this.packetId === 0) throw protocolError('PUBLISH has the packet identifier 0'); // [MQTT-2.2.1-3]
      position += 2;
    }
    this.propertiesStart = position;
  }

  #readPropertyLength(bytes: Uint8Array, position: number, end: number): number {
    let length = position < end ? bytes[position]! : 128;
    if (length < 128) {
      position += 1;
    } else {
      const reader = new PacketReader(bytes, position, end, 'PUBLISH');
      length = reader.variableByteInteger('the property length');
      position = reader.position;
    }
    if (position + length > end) throw malformed('the properties of PUBLISH go beyond the packet');
    this.propertiesStart = position;
    this.propertiesEnd = position + length;
    return position;
  }

  #clearProperties(): void {
    this.topicAlias = 0;
    this.payloadFormatIndicator = -1;
    this.messageExpiryInterval = -1;
    this.subscriptionIdentifierCount = 0;
    this.userPropertyCount = 0;
    this.hasContentType = false;
    this.hasResponseTopic = false;
    this.hasCorrelationData = false;
    this.forwardedPropertiesSize = 0;
    this.forwardedExpiryOffset = -1;
  }

  /** Validates the properties and notes what a server wants to know. `dropped` counts the bytes not passed on. */
  #readProperties(bytes: Uint8Array, fromClient: boolean): void {
    const end = this.propertiesEnd;
    let at = this.propertiesStart;
    let dropped = 0;
    while (at < end) {
      const id = bytes[at]!;
      const next = endOfPropertyWithin(bytes, at, end);
      switch (id) {
        case PAYLOAD_FORMAT_INDICATOR: {
          if (this.payloadFormatIndicator !== -1) throw repeatedProperty('payloadFormatIndicator', 'PUBLISH');
          const value = bytes[at + 1]!;
          if (value !== 0 && value !== 1) throw badValue('payloadFormatIndicator', 'PUBLISH', value);
          this.payloadFormatIndicator = value;
          break;
        }
        case MESSAGE_EXPIRY_INTERVAL:
          if (this.messageExpiryInterval !== -1) throw repeatedProperty('messageExpiryInterval', 'PUBLISH');
          this.messageExpiryInterval =
            bytes[at + 1]! * 16_777_216 + ((bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!);
          this.forwardedExpiryOffset = at + 1 - this.propertiesStart - dropped;
          break;
        case CONTENT_TYPE:
          if (this.hasContentType) throw repeatedProperty('contentType', 'PUBLISH');
          if (!isWellFormedText(bytes, at + 3, next)) throw badText('contentType'); // [MQTT-3.3.2-19]
          this.hasContentType = true;
          break;
        case RESPONSE_TOPIC:
          if (this.hasResponseTopic) throw repeatedProperty('responseTopic', 'PUBLISH');
          checkResponseTopic(bytes, at + 3, next);
          this.hasResponseTopic = true;
          break;
        case CORRELATION_DATA:
          if (this.hasCorrelationData) throw repeatedProperty('correlationData', 'PUBLISH');
          this.hasCorrelationData = true;
          break;
        case SUBSCRIPTION_IDENTIFIER:
          // [MQTT-3.3.4-6]
          if (fromClient) throw protocolError('PUBLISH from a client has a subscription identifier');
          if (bytes[at + 1] === 0) throw badValue('subscriptionIdentifier', 'PUBLISH', 0);
          this.subscriptionIdentifierCount++;
          dropped += next - at;
          break;
        case TOPIC_ALIAS:
          if (this.topicAlias !== 0) throw repeatedProperty('topicAlias', 'PUBLISH');
          this.topicAlias = (bytes[at + 1]! << 8) | bytes[at + 2]!;
          if (this.topicAlias === 0) {
            // [MQTT-3.3.2-8]
            throw new CodecError('TOBYMQ_PACKET_INVALID', 0x94, 'PUBLISH has the topic alias 0');
          }
          dropped += next - at;
          break;
        default: {
          // [MQTT-1.5.7-1]; endOfPropertyWithin() has refused everything else.
          const nameEnd = at + 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
          if (!isWellFormedText(bytes, at + 3, nameEnd) || !isWellFormedText(bytes, nameEnd + 2, next)) {
            throw badText('a user property');
          }
          this.userPropertyCount++;
        }
      }
      at = next;
    }
    this.forwardedPropertiesSize = end - this.propertiesStart - dropped;
  }
}

/** [MQTT-3.3.2-13], [MQTT-3.3.2-14] */
function checkResponseTopic(bytes: Uint8Array, start: number, end: number): void {
  if (!isWellFormedText(bytes, start, end)) throw badText('responseTopic');
  if (start === end) throw protocolError('the responseTopic of PUBLISH is empty');
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    if (byte === PLUS || byte === HASH)
      throw protocolError('the responseTopic of PUBLISH contains a wildcard');
  }
}

/** Where the property that begins at `at` ends, in a section that is known to be valid. */
function endOfProperty(bytes: Uint8Array, at: number): number {
  switch (bytes[at]) {
    case PAYLOAD_FORMAT_INDICATOR:
      return at + 2;
    case MESSAGE_EXPIRY_INTERVAL:
      return at + 5;
    case TOPIC_ALIAS:
      return at + 3;
    case SUBSCRIPTION_IDENTIFIER: {
      let next = at + 1;
      while (bytes[next]! > 127) next++;
      return next + 1;
    }
    case USER_PROPERTY: {
      const nameEnd = at + 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
      return nameEnd + 2 + ((bytes[nameEnd]! << 8) | bytes[nameEnd + 1]!);
    }
    default:
      return at + 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
  }
}

/** The same for a section that came from the network: refuses unknown properties and those that `end` cuts. */
function endOfPropertyWithin(bytes: Uint8Array, at: number, end: number): number {
  switch (bytes[at]) {
    case SUBSCRIPTION_IDENTIFIER: {
      const reader = new PacketReader(bytes, at + 1, end, 'PUBLISH');
      reader.variableByteInteger('subscriptionIdentifier');
      return reader.position;
    }
    case USER_PROPERTY: {
      const nameEnd = at + 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
      if (at + 3 > end || nameEnd + 2 > end) throw cutShort();
      break;
    }
    case CONTENT_TYPE:
    case RESPONSE_TOPIC:
    case CORRELATION_DATA:
      if (at + 3 > end) throw cutShort();
      break;
    case PAYLOAD_FORMAT_INDICATOR:
    case MESSAGE_EXPIRY_INTERVAL:
    case TOPIC_ALIAS:
      break;
    default:
      throw unknownProperty(bytes[at]!, 'PUBLISH');
  }
  const next = endOfProperty(bytes, at);
  if (next > end) throw cutShort();
  return next;
}

function cutShort(): CodecError {
  return malformed('a property of PUBLISH goes beyond the end of the properties');
}

/**
 * The topic name at `bytes[start..end)`. Throws a CodecError if it is not a valid one: bad UTF-8 and U+0000 with 0x81,
 * wildcards and no characters at all with 0x82. Topics read lately are found by their bytes and not decoded again.
 */
export function readTopic(bytes: Uint8Array, start: number, end: number): string {
  return topics.get(bytes, start, end, 'the topic name');
}

const topics = new TextCache((bytes, start, end, what) => {
  const topic = decodeText(bytes, start, end, what); // [MQTT-3.3.2-1]
  const problem = checkTopicName(topic); // [MQTT-3.3.2-2]
  if (problem !== undefined) throw protocolError(`${what} of PUBLISH ${problem}`);
  return topic;
});

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
