// A SUBSCRIBE or UNSUBSCRIBE is decoded in one piece, and answered in one. Five million filters fit into the largest packet
// that is accepted unless it is set otherwise, and would hold everybody up for seconds; so the filters of a large packet are
// counted before it is decoded.

import { type FrameReader, PacketType } from '@tobymq/codec';
import { fault } from './faults.ts';
import { propertiesEnd } from './property-size.ts';

/** Decoding as many takes about a tenth of a second. */
const FILTERS_PER_PACKET_MAX = 65_535;
/** Two bytes of length and one of text. */
const FILTER_BYTES_MIN = 3;

/** Refuses a packet with very many filters. What is malformed is left to the decoder. */
export function limitFilters(reader: FrameReader, isV5: boolean): void {
  const { bytes, header, body, end } = reader;
  const type = header >> 4;
  if (end - body <= FILTERS_PER_PACKET_MAX * FILTER_BYTES_MIN) return;
  if (type !== PacketType.Subscribe && type !== PacketType.Unsubscribe) return;
  const optionBytes = type === PacketType.Subscribe ? 1 : 0;
  let at = body + 2;
  if (isV5) at = propertiesEnd(bytes, at, end);
  let count = 0;
  while (at + 2 <= end) {
    at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!) + optionBytes;
    if (++count > FILTERS_PER_PACKET_MAX)
      throw fault(0x97, `one packet has more than ${FILTERS_PER_PACKET_MAX} topic filters`);
  }
}
