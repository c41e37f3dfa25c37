// Remembers strings that were decoded lately, by their bytes.
//
// The same few topics, content types and user property names come again and again, and making a string costs more than
// seeing that it is the same as last time: 20 bytes take about 40 ns here and 140 to 200 ns to decode and to check.
// It is a table without chains: a new string takes the place of whatever had its slot. So it is bounded by its size,
// never needs sweeping, and a peer that floods it only takes away the gain. Shared by all decoders of the process.

import { decodeText } from './utf8.ts';

const SLOTS = 1024;
/** Longer texts are seldom worth it, and this bounds the table to some hundred kB. */
const LENGTH_MAX = 64;

const known = new Array<string>(SLOTS).fill('');

/** The text at `bytes[start..end)`; `undefined` if it is not well-formed. */
export function cachedText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length > LENGTH_MAX) return decodeText(bytes, start, end);
  let hash = length;
  for (let index = start; index < end; index++) hash = (Math.imul(hash, 31) + bytes[index]!) | 0;
  const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1);
  const found = known[slot]!;
  // Only ASCII texts are kept, in which a byte is the same as a character.
  let same = found.length === length ? 0 : -1;
  while (same >= 0 && same < length) same = found.charCodeAt(same) === bytes[start + same] ? same + 1 : -1;
  if (same === length) return found;
  const text = decodeText(bytes, start, end);
  if (text?.length === length) known[slot] = text;
  return text;
}
