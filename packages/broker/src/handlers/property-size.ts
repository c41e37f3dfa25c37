// The properties of a packet are checked in one piece. Three million user properties fit into the largest packet that is
// accepted unless it is set otherwise, and would hold everybody up for half a second and more; so the size of the
// properties is looked at before they are. CONNECT, which has a bound of its own, is not asked about.

import { type FrameReader, PacketType } from '@tobymq/codec';
import { fault } from './faults.ts';

/** All that there is only once, at its largest, and as much again five times; 200,000 user properties at most. */
const PROPERTY_BYTES_MAX = 1024 * 1024;

/** Refuses a packet of 5.0 with very large properties. What is malformed is left to the decoder. */
export function limitProperties({ bytes, header, body, end }: FrameReader): void {
  if (end - body <= PROPERTY_BYTES_MAX) return;
  const start = propertiesStart(bytes, header, body);
  if (Math.min(propertiesEnd(bytes, start, end), end) - start > PROPERTY_BYTES_MAX)
    throw fault(0x97, `the properties of one packet have more than ${PROPERTY_BYTES_MAX} bytes`);
}

/** Where the length of the properties stands. */
function propertiesStart(bytes: Uint8Array, header: number, body: number): number {
  switch (header >> 4) {
    case PacketType.Publish: {
      const hasPacketId = (header & 0x06) !== 0;
      return body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!) + (hasPacketId ? 2 : 0);
    }
    case PacketType.Subscribe:
    case PacketType.Unsubscribe:
      return body + 2; // after the packet identifier
    case PacketType.Disconnect:
    case PacketType.Auth:
      return body + 1; // after the reason code
    default:
      return body + 3; // acknowledgements: after both
  }
}

/** Where properties end whose length stands at `start`. */
export function propertiesEnd(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  let at = start;
  for (let shift = 0; shift < 28 && at < end; shift += 7) {
    const byte = bytes[at++]!;
    length |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  return at + length;
}
