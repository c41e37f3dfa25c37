// The packets' names as the standards write them, for error messages.

const NAMES = [
  'a packet of the reserved type 0',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH',
] as const;

/**
 * The name of a packet type, for logs and errors.
 *
 * @example
 * packetName(PacketType.Puback); // 'PUBACK'
 */
export function packetName(type: number): string {
  return NAMES[type] ?? `a packet of the unknown type ${type}`;
}
