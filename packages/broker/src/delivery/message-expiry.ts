// When a message that is kept expires, and what is left of its Message Expiry Interval.

import type { StoredMessage } from '../store/store.ts';

type Expiring = Pick<StoredMessage, 'expiresAt'>;

export function hasExpired({ expiresAt }: Expiring, nowMs: number): boolean {
  return expiresAt > 0 && expiresAt <= nowMs;
}

/** In seconds, for whoever gets the message now [MQTT-3.3.2-6]; -1 if it never expires. */
export function remainingExpiry({ expiresAt }: Expiring, nowMs: number): number {
  return expiresAt > 0 ? Math.max(0, Math.ceil((expiresAt - nowMs) / 1000)) : -1;
}
