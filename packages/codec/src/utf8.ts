// UTF-8 strings as MQTT wants them: well-formed, without surrogates and without U+0000 [MQTT-1.5.4-1, MQTT-1.5.4-2].
//
// Most strings to be written are short and ASCII, so those take a loop of a few instructions; TextEncoder, whose call
// alone costs more, is for the others. Strings that are read come from a cache (text-cache.ts) most of the time.

/** Text fields have a length of two bytes. */
export const MAX_STRING_BYTES = 65_535;

// `fatal` refuses what is not well-formed; `ignoreBOM` keeps U+FEFF [MQTT-1.5.4-3].
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
export const encoder = new TextEncoder();

/** Up to here the loop beats TextEncoder. */
const SHORT_ENCODE = 64;

/** Decodes a text field; `undefined` if it is not well-formed UTF-8 without U+0000. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    const text = decoder.decode(bytes.subarray(start, end));
    if (!text.includes('\0')) return text;
  } catch {
    // Not well-formed: the same answer as for U+0000.
  }
  return undefined;
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

/** Copies bytes, returns the offset after them; a loop for few, because a call of set() costs as much as copying some thirty bytes. */
export function writeBytes(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  const length = bytes.length;
  if (length > 32) {
    target.set(bytes, offset);
  } else {
    for (let index = 0; index < length; index++) target[offset + index] = bytes[index]!;
  }
  return offset + length;
}
