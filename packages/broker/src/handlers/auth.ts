// AUTH: a step of enhanced authentication.

import type { Auth } from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';
import { continueExchange } from './enhanced-authentication.ts';

export function handleAuth(connection: Connection, packet: Auth): Promise<void> | undefined {
  return continueExchange(connection, packet);
}
