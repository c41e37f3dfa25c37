// Answers that a client waits for. One that does not take packets of their size would wait for ever, so it is disconnected.

import type { PacketInput, PacketType } from '@tobymq/codec';
import { serverClose } from '../connection/close.ts';
import type { Connection } from '../connection/connection.ts';

type Answer = Exclude<PacketInput, { type: typeof PacketType.Publish }>;

/** Sends an answer; false if the connection had to be closed instead. `name` is for the log. */
export function tell(connection: Connection, name: string, answer: Answer): boolean {
  if (connection.sender.packet(answer)) return true;
  connection.close(serverClose(0x95, `the maximum packet size of the client is too small for ${name}`));
  return false;
}
