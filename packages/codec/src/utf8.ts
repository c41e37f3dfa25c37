// UTF-8 strings as MQTT wants them: well-formed, without surrogates and without U+0000 [MQTT-1.5.4-1, MQTT-1.5.4-2].
//
// Most strings to be written are short and ASCII, so those take a loop of a few instructions; TextEncoder, whose call
// alone costs more, is for the others. Strings that are read come from a cache (text-cache.ts) most of the time.

/** Text fields have a length of two bytes. */
export const MAX_STRING_BYTES = 65_535;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // Keeps U+FEFF [MQTT-1.5.4-3].
export const encoder = new TextEncoder();

/** Up to here the loop beats TextEncoder. */
const SHORT_ENCODE = 64;

/** Decodes a text field; `undefined` if it is not well-formed UTF-8 without U+0000. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  return isWellFormed(bytes, start, end) ? decoder.decode(bytes.subarray(start, end)) : undefined;
}

/** Whether the bytes are well-formed UTF-8 without U+0000, as a text field must be. */
export function isWellFormed(bytes: Uint8Array, start: number, end: number): boolean {
  while (start < end) {
    const lead = bytes[start++]!;
    if (lead > 0 && lead < 0x80) continue;
    // How many bytes follow; 0x80 to 0xc1 and 0xf5 to 0xff lead nothing.
    let following = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (following === 0 || start + following > end) return false;
    // The second byte tells forms that are longer than needed, surrogates [MQTT-1.5.4-1], and what is above U+10FFFF.
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (bytes[start]! < low || bytes[start]! > high) return false;
    for (start++; following > 1; following--) if (bytes[start++]! >> 6 !== 2) return false;
  }
  return true;
}

/** Why a string cannot be a text field, or `undefined` if it can. */
export function textProblem(text: string): string | undefined {
  // In a regular expression with the flag `u`, only a surrogate without its other half is one.
  if (text.includes('\0') || /\p{Cs}/u.test(text)) return 'contains U+0000 or a lone surrogate';
  // A code unit takes at most three bytes, so short texts need no count.
  if (text.length * 3 > MAX_STRING_BYTES && encoder.encode(text).length > MAX_STRING_BYTES) {
    return 'is longer than 65,535 bytes';
  }
  return undefined;
}

/** Writes a text if it is short, ASCII and without U+0000: returns the offset after it, otherwise 0. */
export function writeShortAscii(target: Uint8Array, offset: number, text: string): number {
  const length = text.length;
  if (length > SHORT_ENCODE) return 0;
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 127 || unit === 0) return 0;
    target[offset + index] = unit;
  }
  return offset + length;
}

/** Copies bytes, returns the offset after them; a loop for few, because a call of set() costs as much as copying some ten bytes. */
export function writeBytes(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  const length = bytes.length;
  if (length > 10) {
    target.set(bytes, offset);
  } else {
    for (let index = 0; index < length; index++) target[offset + index] = bytes[index]!;
  }
  return offset + length;
}
