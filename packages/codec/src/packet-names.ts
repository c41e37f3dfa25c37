// The packets' names as the standards write them, for error messages.

const NAMES =
  'CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH'.split(
    ' ',
  );

/**
 * The name of a packet type, for logs and errors.
 *
 * @example
 * packetName(PacketType.Puback); // 'PUBACK'
 */
export function packetName(type: number): string {
  return NAMES[type - 1] ?? `type ${type}`;
}
