// Why a connection ends, in the words that logs, extensions and 5.0 clients get to see.

import type { DisconnectInfo } from '../extension.ts';

export interface CloseReason extends DisconnectInfo {
  /** Sent to 5.0 clients with 0x9C and 0x9D. */
  readonly serverReference?: string | undefined;
}

export function serverClose(reasonCode: number, reason: string): CloseReason {
  return { reasonCode, reason, initiator: 'server' };
}

export const SESSION_TAKEN_OVER = serverClose(0x8e, 'session taken over');
export const KEEP_ALIVE_TIMEOUT = serverClose(0x8d, 'keep alive timeout');
export const QUEUE_FULL = serverClose(0x97, 'queue full');
export const SHUTTING_DOWN = serverClose(0x8b, 'server shutting down');
