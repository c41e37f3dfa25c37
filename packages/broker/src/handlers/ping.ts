// PINGREQ: the client is alive and wants to know whether we are.

import type { Connection } from '../connection/connection.ts';

/** [MQTT-3.12.4-1] */
export function handlePing(connection: Connection): void {
  connection.sender.pong();
}
