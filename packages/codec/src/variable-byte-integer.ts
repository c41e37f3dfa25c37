// Variable Byte Integers: seven bits per byte, low group first, bit 7 set when another byte follows.

/** The largest value: four bytes of seven bits. */
export const MAX_VARIABLE_BYTE_INTEGER = 268_435_455;

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
