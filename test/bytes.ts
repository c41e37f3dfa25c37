// Set up in front of each test file: how bytes are compared. vitest goes through an array of bytes as through any object,
// one property at a time, and payloads are large. Node compares them as memory, a thousand times faster.

import { expect } from 'vitest';

expect.addEqualityTesters([isSameBytes]);

/** Whether two arrays of bytes are the same; undefined leaves it to vitest, which also tells a Buffer from others. */
function isSameBytes(a: unknown, b: unknown): boolean | undefined {
  if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.constructor !== b.constructor)
    return undefined;
  return Buffer.compare(a, b) === 0;
}
