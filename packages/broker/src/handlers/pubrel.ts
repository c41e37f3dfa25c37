// PUBREL: a client knows that we have its QoS 2 message, so its packet id may be forgotten.

import { PacketType } from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';

/** Unknown ids get a PUBCOMP too, with success as in Mosquitto. [MQTT-4.3.3-11], [N35] */
export function handlePubrel(connection: Connection, packetId: number): void {
  const { session, core } = connection;
  if (session === undefined) return;
  const serial = session.inbound?.get(packetId);
  let isWritten = false;
  if (serial !== undefined) {
    session.inbound?.delete(packetId); // [MQTT-4.3.3-12]
    if (serial === connection.serial) connection.receiveCount--;
    if (session.isPersistent) {
      core.store.deleteInbound(session.key, packetId);
      core.gate.touch();
      isWritten = true;
    }
  }
  connection.acknowledge(PacketType.Pubcomp, packetId, 0, isWritten);
}
