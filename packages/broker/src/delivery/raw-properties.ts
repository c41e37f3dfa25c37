// The properties of a message as the bytes that are stored and forwarded: everything that travels unchanged, in its
// order, without the expiry interval, which is counted down, and without alias and identifiers, which belong to a
// connection.

import {
  decodePacket,
  encode,
  FrameReader,
  type MessageProperties,
  PacketType,
  PublishReader,
} from '@tobymq/codec';

const EXPIRY_BYTES = 5;

/** From the properties of the packet that `reader` has read last; undefined if there are none. */
export function forwardedProperties(reader: PublishReader, bytes: Uint8Array): Uint8Array | undefined {
  const size = reader.forwardedPropertiesSize;
  if (size === 0) return undefined;
  const copy = Buffer.allocUnsafe(size);
  reader.copyForwardedProperties(bytes, copy, 0);
  if (reader.forwardedExpiryOffset === -1) return copy;
  if (size === EXPIRY_BYTES) return undefined;
  const at = reader.forwardedExpiryOffset - 1;
  copy.copyWithin(at, at + EXPIRY_BYTES);
  return copy.subarray(0, size - EXPIRY_BYTES);
}

const parser = new PublishReader();

/** From properties as an object. Throws a CodecError for what cannot be encoded. */
export function rawProperties(properties: MessageProperties | undefined): Uint8Array | undefined {
  if (properties === undefined) return undefined;
  const { payloadFormatIndicator, messageExpiryInterval, contentType } = properties;
  const { responseTopic, correlationData, userProperties } = properties;
  const kept = { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties };
  // The interval is checked with the others, and left out below.
  const sent = { ...kept, messageExpiryInterval };
  const packet = encode({ type: PacketType.Publish, topic: 't', properties: sent }, 5);
  const frames = new FrameReader();
  frames.feed(packet);
  frames.next();
  parser.read(frames.bytes, frames.header, frames.body, frames.end, 5, true);
  return forwardedProperties(parser, frames.bytes);
}

/** Back to an object, for hooks, in-process subscribers and inspection. */
export function propertiesObject(
  raw: Uint8Array | undefined,
  messageExpiryInterval: number,
): MessageProperties | undefined {
  if (raw === undefined || raw.length === 0) {
    return messageExpiryInterval >= 0 ? { messageExpiryInterval } : undefined;
  }
  // A PUBLISH to "t" with these properties and no payload.
  const body = Buffer.concat([Uint8Array.of(0, 1, 0x74, ...variableByteInteger(raw.length)), raw]);
  const packet = decodePacket(body, 0x30, 0, body.length, 5, 'client');
  if (packet.type !== PacketType.Publish) return undefined;
  const properties: MessageProperties = packet.properties ?? {};
  return messageExpiryInterval >= 0 ? { ...properties, messageExpiryInterval } : properties;
}

function variableByteInteger(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
}
