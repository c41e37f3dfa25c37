// The credentials of a client can expire while it is connected: then its connection ends, unless the client has
// authenticated again meanwhile. The deadline goes with the connection, because tokens may count for months.

import { WheelEntry } from '../timing-wheel.ts';
import { serverClose } from './close.ts';
import type { Connection } from './connection.ts';

export class EndOfCredentials extends WheelEntry {
  readonly #connection: Connection;
  /** Milliseconds since the epoch. */
  expiresAt = 0;

  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  override onDue(): void {
    this.#connection.close(serverClose(0xa0, 'the credentials have expired'));
  }
}

/** Sets the end of a connection, or moves it; an authenticator that names none leaves it as it is. */
export function limitCredentials(connection: Connection, expiresAt: number | undefined): void {
  if (expiresAt === undefined) return;
  connection.endOfCredentials ??= new EndOfCredentials(connection);
  connection.endOfCredentials.expiresAt = expiresAt;
  connection.core.wheel.schedule(connection.endOfCredentials, expiresAt);
}

/** The connection is gone. */
export function forgetCredentials(connection: Connection): void {
  if (connection.endOfCredentials === undefined) return;
  connection.core.wheel.cancel(connection.endOfCredentials);
  connection.endOfCredentials = undefined;
}
