// Variable Byte Integers: seven bits per byte, low group first, bit 7 set when another byte follows.

import { invalid } from './errors.ts';

/** The largest value: four bytes of seven bits. */
export const MAX_VARIABLE_BYTE_INTEGER = 268_435_455;

/** The value that readVariableByteInteger() read. A variable instead of an object, because this runs for every packet. */
export let integer = 0;

/** Reads the value at `offset` into `integer`; returns the offset after it, 0 if `limit` cuts it short. */
export function readVariableByteInteger(bytes: Uint8Array, offset: number, limit: number): number {
  integer = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (offset >= limit) return 0;
    const byte = bytes[offset++]!;
    integer |= (byte & 127) << shift;
    if (byte < 128) {
      // [MQTT-1.5.5-1] binds the sender to the shortest form, so a longer one is a broken or a hostile sender.
      if (byte === 0 && shift > 0) break;
      return offset;
    }
  }
  throw invalid(0x81, 'a length is malformed');
}

/** How many bytes the shortest form of a value takes [MQTT-1.5.5-1]. */
export function variableByteIntegerSize(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

/** Writes the shortest form; returns the offset after it. */
export function writeVariableByteInteger(target: Uint8Array, offset: number, value: number): number {
  while (value > 127) {
    target[offset++] = (value & 127) | 128;
    value >>>= 7;
  }
  target[offset++] = value;
  return offset;
}
