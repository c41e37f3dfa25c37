// Writes PUBLISH packets for receivers. The layout:
//
//     first byte | remaining length | topic length, topic | packet id | property length | properties | payload
//
// The properties that publishers send along travel as raw bytes, in their order and unchanged [MQTT-3.3.2-17, -18];
// only the expiry interval, the subscription identifiers and the topic alias are written here.

import type { QoS } from '@tobymq/codec';
import { copyBytes } from '../copy-bytes.ts';
import type { RoutedMessage } from './routed-message.ts';

const SCRATCH_BYTES = 1_024;
/** A scratch buffer that had to grow beyond this for one message is given up again. */
const SCRATCH_KEEP_MAX = 131_072;
const NO_BYTES = Buffer.alloc(0);

/** One encoding of a message: `bytes[start..end)`, followed by the message's payload if that stands apart. */
export class PublishForm {
  /** The message that it was made for. */
  stamp = -1;
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** Where the packet id stands, counted from `start`; 0 at QoS 0. */
  packetIdOffset = 0;
  /** It is the packet as it came, in place: its bytes stay as they are until the read is over. */
  isFrame = false;
  /** A large payload is not copied behind its header, but written by reference. */
  isPayloadApart = false;
  /** The size of the whole packet. */
  size = 0;
  scratch: Buffer = NO_BYTES;
}

/** Encodes a message into a form. `alias` 0 means none; with an alias the topic may be empty. */
export function encodeForm(
  form: PublishForm,
  message: RoutedMessage,
  topic: Uint8Array,
  isV5: boolean,
  qos: QoS,
  retain: boolean,
  dup: boolean,
  ids: readonly number[],
  alias: number,
): void {
  const payloadSize = message.payloadEnd - message.payloadStart;
  const rawSize = message.propertiesEnd - message.propertiesStart;
  let propertiesSize = 0;
  let remaining = 2 + topic.length + (qos > 0 ? 2 : 0) + payloadSize;
  if (isV5) {
    propertiesSize = rawSize;
    if (message.expiryInterval >= 0) propertiesSize += 5;
    if (alias > 0) propertiesSize += 3;
    for (let i = 0; i < ids.length; i++) propertiesSize += 1 + vbiSize(ids[i]!);
    remaining += vbiSize(propertiesSize) + propertiesSize;
  }
  const size = 1 + vbiSize(remaining) + remaining;
  const isApart = payloadSize >= message.referenceBytesMin;
  const written = isApart ? size - payloadSize : size;
  let out = form.scratch;
  if (out.length < written) {
    out = Buffer.allocUnsafeSlow(Math.max(written, SCRATCH_BYTES));
    form.scratch = written <= SCRATCH_KEEP_MAX ? out : NO_BYTES;
  }
  let offset = 0;
  out[offset++] = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  offset = writeVbi(out, offset, remaining);
  out[offset++] = topic.length >>> 8;
  out[offset++] = topic.length & 255;
  offset = copyBytes(out, offset, topic, 0, topic.length);
  form.packetIdOffset = 0;
  if (qos > 0) {
    form.packetIdOffset = offset;
    offset += 2;
  }
  if (isV5) {
    offset = writeVbi(out, offset, propertiesSize);
    if (message.expiryInterval >= 0) {
      out[offset] = 0x02;
      offset = out.writeUInt32BE(message.expiryInterval >>> 0, offset + 1);
    }
    if (alias > 0) {
      out[offset++] = 0x23;
      out[offset++] = alias >>> 8;
      out[offset++] = alias & 255;
    }
    for (let i = 0; i < ids.length; i++) {
      out[offset++] = 0x0b;
      offset = writeVbi(out, offset, ids[i]!);
    }
    if (rawSize > 0) {
      offset = copyBytes(
        out,
        offset,
        message.propertiesBytes,
        message.propertiesStart,
        message.propertiesEnd,
      );
    }
  }
  if (!isApart) copyBytes(out, offset, message.payloadBytes, message.payloadStart, message.payloadEnd);
  form.bytes = out;
  form.start = 0;
  form.end = written;
  form.isFrame = false;
  form.isPayloadApart = isApart;
  form.size = size;
}

function vbiSize(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

function writeVbi(target: Uint8Array, offset: number, value: number): number {
  while (value > 127) {
    target[offset++] = (value & 127) | 128;
    value >>>= 7;
  }
  target[offset++] = value;
  return offset;
}
