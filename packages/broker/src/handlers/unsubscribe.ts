// UNSUBSCRIBE: removes subscriptions, by their exact filters, over several turns of the event loop if there are very many.

import { checkTopicFilter, PacketType, type Unsubscribe } from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';
import { after, inTurns } from '../connection/in-turns.ts';
import { fault } from './faults.ts';
import { mount, withdraw } from './subscribe.ts';
import { tell } from './tell.ts';

export function handleUnsubscribe(connection: Connection, packet: Unsubscribe): Promise<void> | undefined {
  const { turn } = connection.core;
  const { filters } = packet;
  const checked = inTurns(turn, filters.length, (i) => {
    const problem = checkTopicFilter(filters[i]!);
    if (problem !== undefined) throw fault(0x81, `the topic filter of UNSUBSCRIBE ${problem}`);
    return undefined;
  });
  const reasonCodes: number[] = [];
  const withdrawAll = () =>
    inTurns(turn, filters.length, (i) => {
      // The connection may have ended since the last turn, and its session with it.
      if (connection.state === 'connected') reasonCodes.push(withdrawOne(connection, filters[i]!));
      return undefined;
    });
  return after(after(checked, withdrawAll), () => {
    answer(connection, packet, reasonCodes);
    return undefined;
  });
}

function withdrawOne(connection: Connection, filter: string): number {
  const { session, client, sender, listener } = connection;
  if (session === undefined || client === undefined) return 0x11;
  const fullFilter = mount(sender.mountPoint, filter);
  if (!withdraw(session, fullFilter)) return 0x11; // [MQTT-3.10.4-5]
  listener.hooks.unsubscribed(client, fullFilter);
  return 0; // [MQTT-3.10.4-1]
}

/** Sends UNSUBACK, when everything is stored. */
function answer(connection: Connection, packet: Unsubscribe, reasonCodes: readonly number[]): void {
  const { session, sender } = connection;
  if (connection.state !== 'connected' || session === undefined) return;
  const send = () => {
    tell(connection, 'UNSUBACK', {
      type: PacketType.Unsuback,
      packetId: packet.packetId,
      reasonCodes: sender.isV5 ? reasonCodes : undefined,
    }); // [MQTT-3.10.4-4], [MQTT-3.10.4-6]
  };
  const isWritten = session.isPersistent && reasonCodes.includes(0);
  // A removal that could not be written yet is kept for the next batch by the store, so the answer waits for that.
  if (connection.mustWait(isWritten))
    connection.gate({ batch: 0, bytes: 0, send, refuse: () => false }, isWritten);
  else send();
}
