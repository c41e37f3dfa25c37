// PUBREC: a client has taken over a QoS 2 message.

import type { Connection } from '../connection/connection.ts';

export function handlePubrec(connection: Connection, packetId: number, reasonCode: number): void {
  if (connection.session?.receive(packetId, reasonCode) === true || reasonCode >= 0x80) return;
  // An unknown id is answered all the same, with success as in Mosquitto, so that the client can finish. [N35]
  connection.sendPubrel(packetId);
}
