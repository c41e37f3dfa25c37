// Which reason codes a packet may carry, by version and by the side that sends it. Reader and writer both ask here.

import { PacketType } from './packets.ts';

type Sender = 'client' | 'server' | 'either';

const PUBLISH_CODES = [0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const RELEASE_CODES = [0x00, 0x92];

/** The codes of 5.0 that either side may send in a packet of this type. */
const EITHER: Readonly<Record<number, readonly number[]>> = {
  [PacketType.Connack]: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99,
    0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
  ],
  [PacketType.Puback]: PUBLISH_CODES,
  [PacketType.Pubrec]: PUBLISH_CODES,
  [PacketType.Pubrel]: RELEASE_CODES,
  [PacketType.Pubcomp]: RELEASE_CODES,
  [PacketType.Suback]: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  [PacketType.Unsuback]: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  // 0x8c (a method changed during re-authentication) and 0x9b (a client refuses a QoS) stand in the standard's text
  // but not in its table for that side; what the text asks for is accepted.
  [PacketType.Disconnect]: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x8c, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9b,
  ],
  [PacketType.Auth]: [0x18],
};

const CLIENT_ONLY: Readonly<Record<number, readonly number[]>> = {
  [PacketType.Disconnect]: [0x04],
  [PacketType.Auth]: [0x19],
};

const SERVER_ONLY: Readonly<Record<number, readonly number[]>> = {
  [PacketType.Puback]: [0x10],
  [PacketType.Pubrec]: [0x10],
  [PacketType.Disconnect]: [
    0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x9a, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  [PacketType.Auth]: [0x00],
};

/** Whether a reason code of 5.0 may stand in a packet of this type from this sender. */
export function isReasonCodeAllowed(type: PacketType, code: number, sender: Sender): boolean {
  return (
    EITHER[type]?.includes(code) === true ||
    (sender !== 'server' && CLIENT_ONLY[type]?.includes(code) === true) ||
    (sender !== 'client' && SERVER_ONLY[type]?.includes(code) === true)
  );
}

/** The CONNACK return codes of 3.1 and 3.1.1 are 0 to 5. */
export function isReturnCodeAllowed(code: number): boolean {
  return code >= 0 && code <= 5;
}

/** The SUBACK return codes of 3.1 and 3.1.1: the granted QoS, or 0x80 for failure. */
export function isGrantAllowed(code: number): boolean {
  return code === 0 || code === 1 || code === 2 || code === 0x80;
}
