// Remembers strings that were decoded lately, by their bytes.
//
// The same few topics, content types and user property names come again and again, and making a string costs more than
// seeing that it is the same as last time: 20 bytes take about 40 ns here and 140 to 200 ns to decode and to check.
// It is a table without chains: a new string takes the place of whatever had its slot. So it is bounded by its size,
// never needs sweeping, and a peer that floods it only takes away the gain. Shared by all decoders of the process.

const SLOTS = 1024;
/** Longer texts are seldom worth it, and this bounds the table to some hundred kB. */
const LENGTH_MAX = 64;

/** `what` names the field in errors. */
type Decode = (bytes: Uint8Array, start: number, end: number, what: string) => string;

export class TextCache {
  readonly #decode: Decode;
  readonly #texts: string[] = new Array<string>(SLOTS).fill('');

  /** `decode` makes the string if it is not known; what it throws, get() throws. */
  constructor(decode: Decode) {
    this.#decode = decode;
  }

  /** The text at `bytes[start..end)`. */
  get(bytes: Uint8Array, start: number, end: number, what: string): string {
    const length = end - start;
    // An empty slot looks like the empty text, which may be one that #decode refuses.
    if (length === 0 || length > LENGTH_MAX) return this.#decode(bytes, start, end, what);
    let hash = length;
    let all = 0;
    for (let index = start; index < end; index++) {
      const byte = bytes[index]!;
      hash = (Math.imul(hash, 31) + byte) | 0;
      all |= byte;
    }
    // Only for ASCII is a byte the same as a character.
    if (all > 127) return this.#decode(bytes, start, end, what);
    const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1);
    const known = this.#texts[slot]!;
    if (known.length === length && isSame(known, bytes, start)) return known;
    const text = this.#decode(bytes, start, end, what);
    this.#texts[slot] = text;
    return text;
  }
}

function isSame(text: string, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
