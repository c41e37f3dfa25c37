// UNSUBSCRIBE: removes subscriptions, by their exact filters.

import { checkTopicFilter, PacketType, type Unsubscribe } from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';
import { fault } from './faults.ts';
import { mount, withdraw } from './subscribe.ts';
import { tell } from './tell.ts';

export function handleUnsubscribe(connection: Connection, packet: Unsubscribe): void {
  const { session, client, sender } = connection;
  if (session === undefined || client === undefined) return;
  for (const filter of packet.filters) {
    const problem = checkTopicFilter(filter);
    if (problem !== undefined) throw fault(0x81, `the topic filter of UNSUBSCRIBE ${problem}`);
  }
  let isWritten = false;
  const reasonCodes = packet.filters.map((filter) => {
    const fullFilter = mount(sender.mountPoint, filter);
    if (!withdraw(session, fullFilter)) return 0x11; // [MQTT-3.10.4-5]
    isWritten ||= session.isPersistent;
    connection.listener.hooks.unsubscribed(client, fullFilter);
    return 0; // [MQTT-3.10.4-1]
  });
  const send = () => {
    tell(connection, 'UNSUBACK', {
      type: PacketType.Unsuback,
      packetId: packet.packetId,
      reasonCodes: sender.isV5 ? reasonCodes : undefined,
    }); // [MQTT-3.10.4-4], [MQTT-3.10.4-6]
  };
  // A removal that could not be written yet is kept for the next batch by the store, so the answer waits for that.
  if (connection.mustWait(isWritten))
    connection.gate({ batch: 0, bytes: 0, send, refuse: () => false }, isWritten);
  else send();
}
