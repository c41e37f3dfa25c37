// Fields to bytes and bytes to fields, by the same functions.
//
// Every function here takes the value of a field and gives the value of that field. While a packet is written, it checks
// the value and writes it; while a packet is read, it ignores its argument and gives what the bytes say. So the layout of
// a packet and its rules stand in one place for both directions (packet-bodies.ts), and cannot disagree. What is being
// read or written is held in variables of this module, because packets are never read or written at the same time and
// Node reaches variables faster than the fields of an object; a call of startReading() or startWriting() sets all of them.
//
// Every read checks that the packet has the bytes, whatever the lengths in the packet claim.

import { CodecError, invalid } from './errors.ts';
import { NO_BYTES } from './memory.ts';
import { packetName } from './packet-names.ts';
import type { ProtocolVersion } from './packets.ts';
import { cachedText } from './text-cache.ts';
import { checkTopicName } from './topics.ts';
import { encoder, isWellFormed, MAX_STRING_BYTES, textProblem, writeBytes, writeShortAscii } from './utf8.ts';
import {
  integer,
  MAX_VARIABLE_BYTE_INTEGER,
  readVariableByteInteger,
  variableByteIntegerSize,
  writeVariableByteInteger,
} from './variable-byte-integer.ts';

/** Packets are written from here on, so that the first byte and the remaining length fit in front of them. */
const BODY = 5;
const SCRATCH_SIZE = 4096;

export let isWriting = false;
/** Texts and bytes are checked, but not made: for properties that are only passed on. */
export let isSkipping = false;
/** Who may have sent the packet: `>` a client, `<` a server, `<>` either; for the rules of who may send what. */
export let senders = '<>';
export let type = 0;
export let version: ProtocolVersion = 5;
/** The packet that is read, or the scratch memory that is written. */
let bytes: Uint8Array = new Uint8Array(SCRATCH_SIZE);
let scratch = bytes;
export let position = 0;
/** Reading stops here: the packet's end, or the end of the property section while that is read. */
export let end = 0;

export function startReading(
  source: Uint8Array,
  from: number,
  to: number,
  packetType: number,
  protocolVersion: ProtocolVersion,
  sentBy = '<>',
): void {
  isWriting = false;
  isSkipping = false;
  senders = sentBy;
  bytes = source;
  position = from;
  end = to;
  type = packetType;
  version = protocolVersion;
}

/** What is read from here on is checked and not made. */
export function startSkipping(): void {
  isSkipping = true;
}

export function startWriting(packetType: number, protocolVersion: ProtocolVersion): void {
  if (scratch.length > 65_536) scratch = new Uint8Array(SCRATCH_SIZE); // It was a rare large packet.
  startReading(scratch, BODY, 0, packetType, protocolVersion);
  isWriting = true;
}

/** Names the packet whose fields are checked. */
export function startChecking(packetType: number): void {
  isWriting = true;
  type = packetType;
}

/** What has been written since startWriting(), after `head` bytes that are left free for the caller. */
export function written(head: number): Uint8Array {
  return new Uint8Array(scratch.buffer, BODY - head, position - BODY + head);
}

/** Refuses the packet. Only received packets have a reason code: 0x81 for what cannot be parsed, 0x82 for what is forbidden. */
export function fail(problem: string, reasonCode = 0x82): never {
  const message = `${packetName(type)}: ${problem}`;
  throw isWriting
    ? new CodecError('TOBYMQ_PACKET_NOT_ENCODABLE', 0x82, message)
    : invalid(reasonCode, message);
}

/** Refuses a field because of its value. */
export function forbid(what: string, value: unknown, reasonCode?: number): never {
  fail(`${what} must not be ${String(value)}`, reasonCode);
}

/** Refuses a field if it is there. */
export function forbidPresent(what: string, value: unknown): void {
  if (value !== undefined) forbid(what, value);
}

/** What 3.1 and 3.1.1 do not have, as the problem of a packet that has it. */
export const NEEDS_5 = 'needs MQTT 5.0';

/** A remaining length, if one of that size can be written. */
export function checkedLength(size: number): number {
  isWriting = true; // PublishHead is used without startWriting().
  if (size > MAX_VARIABLE_BYTE_INTEGER) fail(`${size} bytes are more than 268,435,455`);
  return size;
}

/** Reading: the packet has to have so many bytes more. Writing: makes room for them. */
function need(count: number, what: string): void {
  if (!isWriting) {
    if (position + count > end) fail(`${what} is cut short`, 0x81);
  } else if (position + count > bytes.length) {
    bytes = new Uint8Array((position + count) * 2);
    bytes.set(scratch);
    scratch = bytes;
  }
}

/** The value if it is a whole number within the bounds; anything else is refused. */
export function inRange(what: string, value: unknown, min: number, max: number): number {
  if (!(Number.isInteger(value) && (value as number) >= min && (value as number) <= max)) {
    forbid(what, value);
  }
  return value as number;
}

/** Writes a packet identifier where PublishHead.packetIdAt says. */
export function patchPacketId(target: Uint8Array, packetIdAt: number, packetId: number): void {
  target[packetIdAt] = packetId >>> 8; // An array of bytes keeps the low byte of what it is given.
  target[packetIdAt + 1] = packetId;
}

/** Writes a byte that is known to be good. */
export function writeByte(value: number): void {
  need(1, '');
  bytes[position++] = value;
}

/** A number of 1, 2 or 4 bytes. */
export function uint(
  size: number,
  what: string,
  value: unknown,
  min = 0,
  max = -1 >>> (32 - 8 * size),
): number {
  need(size, what);
  let number = 0;
  if (isWriting) {
    number = inRange(what, value, min, max);
    for (let shift = 8 * size - 8; shift >= 0; shift -= 8) bytes[position++] = number >>> shift;
    return number;
  }
  for (; size > 0; size--) number = number * 256 + bytes[position++]!;
  return inRange(what, number, min, max);
}

export function variableByteInteger(what: string, value: unknown, min = 0): number {
  if (isWriting) {
    need(4, what);
    const number = inRange(what, value, min, MAX_VARIABLE_BYTE_INTEGER);
    position = writeVariableByteInteger(bytes, position, number);
    return number;
  }
  const next = readVariableByteInteger(bytes, position, end);
  if (next === 0) need(5, what);
  position = next;
  return inRange(what, integer, min, MAX_VARIABLE_BYTE_INTEGER);
}

/** Bytes with their length of two bytes; what is read is a view of the packet's memory. */
export function binary(what: string, value: unknown): Uint8Array {
  if (isWriting) {
    if (!(value instanceof Uint8Array && value.length <= MAX_STRING_BYTES)) {
      fail(`${what} is not bytes or is longer than 65,535 bytes`);
    }
    need(2 + value.length, what);
    patchPacketId(bytes, position, value.length); // A length is two bytes as well.
    position = writeBytes(bytes, position + 2, value);
    return value;
  }
  const start = startOfField(what);
  return isSkipping ? NO_BYTES : viewOf(bytes, start, position);
}

/** Steps over a field that has its length of two bytes before it; tells where its content starts. */
function startOfField(what: string): number {
  need(2, what);
  const start = position + 2;
  const length = (bytes[position]! << 8) | bytes[position + 1]!;
  position = start;
  need(length, what);
  position += length;
  return start;
}

/** One byte, read. */
export function readByte(what: string): number {
  need(1, what);
  return bytes[position++]!;
}

/** A string with its length of two bytes. */
export function text(what: string, value: unknown): string {
  if (isWriting) {
    if (typeof value !== 'string') forbid(what, value);
    const start = position + 2;
    // A code unit takes up to three bytes; what is longer than this is refused below.
    need(2 + 3 * Math.min(value.length, MAX_STRING_BYTES), what);
    let next = writeShortAscii(bytes, start, value);
    if (next === 0) {
      const problem = textProblem(value);
      if (problem !== undefined) fail(`${what} ${problem}`);
      next = start + encoder.encodeInto(value, bytes.subarray(start)).written;
    }
    patchPacketId(bytes, position, next - start);
    position = next;
    return value;
  }
  const start = startOfField(what);
  if (!isSkipping) return textAt(what, start);
  return isWellFormed(bytes, start, position) ? '' : failText(what);
}

/** The text from `start` to the position. */
function textAt(what: string, start: number): string {
  return cachedText(bytes, start, position) ?? failText(what);
}

function failText(what: string): never {
  fail(`${what} contains U+0000 or is not UTF-8`, 0x81);
}

/** A string that is a topic name. */
export function topic(what: string, value: unknown): string {
  if (isWriting) {
    if (typeof value !== 'string') forbid(what, value);
    binary(what, topicBytes(what, value));
    return value;
  }
  const start = startOfField(what);
  return isSkipping && isPlain(start) ? '' : topicAt(what, start);
}

/** The topic name from `start` to the position. */
function topicAt(what: string, start: number): string {
  const name = textAt(what, start);
  return isPlain(start) ? name : checkTopic(what, name);
}

function checkTopic(what: string, name: string): string {
  const problem = checkTopicName(name);
  if (problem !== undefined) fail(`${what} ${problem}`);
  return name;
}

/** Whether what stands from `start` to the position is ASCII above `+`, of which all are good in a topic name. */
function isPlain(start: number): boolean {
  if (start === position) return false;
  for (; start < position; start++) if (bytes[start]! < 0x2c || bytes[start]! > 0x7e) return false;
  return true;
}

// Topic names that were found good lately, with their bytes. A sender uses the same topics again and again, and most of
// them were put together from pieces, which V8 reads slowly character by character. Finding a string here takes 25 ns;
// checking and writing 20 such characters takes 120 ns on Node 20. The table is emptied when it is full, so it is bounded
// and needs no order; long topics are seldom worth it.
const knownTopics = new Map<string, Uint8Array>();
const KNOWN_TOPICS_MAX = 1024;
const KNOWN_LENGTH_MAX = 64;

/** The UTF-8 bytes of a topic name, not to be written to; refuses a bad one [MQTT-3.3.2-2]. */
export function topicBytes(what: string, name: string): Uint8Array {
  let found = knownTopics.get(name);
  if (found === undefined) {
    found = encoder.encode(checkTopic(what, name));
    if (knownTopics.size === KNOWN_TOPICS_MAX) knownTopics.clear();
    if (name.length <= KNOWN_LENGTH_MAX) knownTopics.set(name, found);
  }
  return found;
}

/**
 * The topic name at `bytes[start..end)`. Throws a CodecError if it is not a valid one: bad UTF-8 and U+0000 with 0x81,
 * wildcards and no characters at all with 0x82. Topics read lately are found by their bytes and not decoded again.
 */
export function readTopic(bytes: Uint8Array, start: number, end: number): string {
  startReading(bytes, end, end, 3, 5);
  return topicAt('topic', start); // [MQTT-3.3.2-1], [MQTT-3.3.2-2]
}

/** Begins a section that has its length before it; leaveSection() takes what this returns. */
export function enterSection(what: string): number {
  if (isWriting) {
    need(5, what);
    return position++; // The length takes one byte nearly always; leaveSection() makes room if it takes more.
  }
  const length = variableByteInteger(what, 0);
  need(length, what);
  const outerEnd = end;
  end = position + length;
  return outerEnd;
}

export function leaveSection(mark: number): void {
  if (isWriting) {
    need(4, '');
    const size = position - mark - 1;
    const start = mark + variableByteIntegerSize(size);
    bytes.copyWithin(start, mark + 1, position);
    writeVariableByteInteger(bytes, mark, size);
    position = start + size;
  } else {
    end = mark;
  }
}

/** A view that is a plain Uint8Array even if the memory is a Node Buffer; also faster to make than by subarray(). */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
