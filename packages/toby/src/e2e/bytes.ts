// Bytes to text and back, the same in Node and in browsers, and one way to turn an object into the bytes that are signed.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Bytes whose memory is an ordinary ArrayBuffer, as WebCrypto wants them. */
export type Bytes = Uint8Array<ArrayBuffer>;

export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes;
}

export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function toBase64(bytes: Uint8Array | ArrayBuffer): string {
  let binary = '';
  for (const byte of new Uint8Array(bytes as ArrayBuffer)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

export function fromBase64(text: string): Bytes {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/**
 * The bytes of a list of texts for a signature. Each is preceded by its length, so that no two different lists give the
 * same bytes; JSON would do as well only if every implementation wrote it alike.
 */
export function signedBytes(...parts: readonly string[]): Bytes {
  return utf8(parts.map((part) => `${part.length}:${part}`).join(','));
}
