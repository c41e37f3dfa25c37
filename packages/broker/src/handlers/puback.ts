// PUBACK: a client has taken over a QoS 1 message.

import type { Connection } from '../connection/connection.ts';

/** An id that is not open is ignored and touches no other exchange. [N36] */
export function handlePuback(connection: Connection, packetId: number): void {
  connection.session?.acknowledge(packetId);
}
