// The names of packet types for people, as the standard writes them.

import { PacketType } from './packets.ts';

// The types count from 1, in the order of the list.
const NAMES = Object.keys(PacketType);

/**
 * The name of a packet type, for logs and errors.
 *
 * @example
 * packetName(PacketType.Puback); // 'PUBACK'
 */
export function packetName(type: number): string {
  return NAMES[type - 1]?.toUpperCase() ?? `type ${type}`;
}
