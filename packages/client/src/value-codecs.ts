// How values become payloads and back.

import type { Payload } from './outgoing-message.ts';

/** Encodes and decodes one kind of value. */
export interface ValueCodec<T> {
  encode(value: T): Payload;
  /** Throws for a payload that is no such value: the message is then refused and reported, and never handed over. */
  decode(payload: Uint8Array): T;
  /** Sent as Content Type in 5.0. */
  readonly contentType?: string;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const asItIs = <T>(value: T): T => value;

/** The payload as it is. */
export const bytes: ValueCodec<Uint8Array> = { encode: asItIs, decode: asItIs };

/** UTF-8 text. */
export const text: ValueCodec<string> = {
  encode: asItIs,
  decode: (payload) => decoder.decode(payload),
};

/**
 * JSON. The type is what the application expects; give a `check` to make sure of it.
 *
 * @example
 * const reading = topic('sensor/{id}', json<{ celsius: number }>());
 */
export function json<T>(check?: (value: unknown) => T): ValueCodec<T> {
  return {
    encode: (value) => JSON.stringify(value),
    decode: (payload) => {
      const value: unknown = JSON.parse(decoder.decode(payload));
      return check === undefined ? (value as T) : check(value);
    },
    contentType: 'application/json',
  };
}
