// The bytes of the file store: records, one behind the other.
//
//   length of the rest, 4 bytes | CRC-32 of the body, 4 bytes | body
//   body: length of the text, 4 bytes | JSON text | the byte arrays of the text, one behind the other
//
// Numbers are little-endian. In the text a byte array stands as {"$bytes": length}, and infinity as null; so payloads
// are written as they are, and the rest can be read with any editor.

import { crc32 } from 'node:zlib';

const headSize = 8;

/** One record. */
export function encodeRecord(value: unknown): Buffer {
  const arrays: Uint8Array[] = [];
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key, replaced: unknown) {
    // `replaced` has been through `toJSON`, which a Buffer has.
    const original = this[key];
    if (!(original instanceof Uint8Array)) return replaced;
    arrays.push(original);
    return { $bytes: original.length };
  });
  const json = Buffer.from(text);
  const record = Buffer.concat([Buffer.alloc(headSize + 4), json, ...arrays]);
  record.writeUInt32LE(record.length - headSize, 0);
  record.writeUInt32LE(json.length, headSize);
  // One checksum of the whole: zlib's, piece by piece, starts again at an empty piece.
  record.writeUInt32LE(crc32(record.subarray(headSize)), 4);
  return record;
}

/** What a body says, and the length that it has by its text. Throws if the text is not whole. */
function decodeBody(body: Buffer): { readonly value: unknown; readonly length: number } {
  const jsonEnd = 4 + body.readUInt32LE(0);
  let at = jsonEnd;
  const value: unknown = JSON.parse(body.toString('utf8', 4, jsonEnd), (_, part: unknown) => {
    const length = (part as { $bytes?: unknown } | null)?.$bytes;
    if (typeof length !== 'number') return part;
    at += length;
    // A copy, so that one small message does not hold the whole file in memory.
    return new Uint8Array(body.subarray(at - length, at));
  });
  return { value, length: at };
}

/** Whether a body that seems to be cut contradicts that: its text is whole, and of a record with another length. */
function isNoCut(body: Buffer, length: number): boolean {
  try {
    return decodeBody(body).length !== length;
  } catch {
    return false;
  }
}

/** What a file holds. */
export interface LogContent {
  readonly records: readonly unknown[];
  /** Where a damaged record begins that is not just the torn end of the last write; `undefined` if there is none. */
  readonly damagedAt: number | undefined;
}

/**
 * Reads the records of a file. A crash can tear only the last one, which then was never confirmed and is left out: it
 * is too short, or wrong up to the end of the file, or nothing but zeros (a file that grew before its data arrived).
 */
export function decodeLog(file: Buffer): LogContent {
  const records: unknown[] = [];
  let at = 0;
  while (file.length - at >= headSize) {
    const length = file.readUInt32LE(at);
    const end = at + headSize + length;
    const body = file.subarray(at + headSize, end);
    if (end > file.length) return { records, damagedAt: isNoCut(body, length) ? at : undefined };
    if (length < 4 || crc32(body) !== file.readUInt32LE(at + 4)) {
      const isTorn = end === file.length || file.subarray(at).every((byte) => byte === 0);
      return { records, damagedAt: isTorn ? undefined : at };
    }
    records.push(decodeBody(body).value);
    at = end;
  }
  return { records, damagedAt: undefined };
}
