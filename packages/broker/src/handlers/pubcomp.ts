// PUBCOMP: the delivery of a QoS 2 message is complete.

import type { Connection } from '../connection/connection.ts';

/** An id that is not open is ignored and touches no other exchange. [N36] */
export function handlePubcomp(connection: Connection, packetId: number): void {
  connection.session?.complete(packetId);
}
