// Sizes that decide how bytes are handled on their way out, and what a message counts for where it is kept.

import type { StoredMessage } from '../store/store.ts';

/**
 * Payloads of at least this size are written by reference; smaller ones are copied next to their header. Copying 16 kB
 * once costs less than a buffer of its own, which the garbage collector has to free; copying it for many does not.
 */
export const REFERENCE_BYTES_MIN = 65_536;
export const SHARED_REFERENCE_BYTES_MIN = 4_096;
/** For more receivers than this, a payload counts as shared. */
export const SHARED_RECEIVERS_MIN = 4;

/**
 * What a message counts for in the bounds of queues and retained messages: all of it that its sender makes large at will. A
 * topic counts by its characters, which are its bytes mostly.
 */
export function keptBytes({
  topic,
  payload,
  properties,
}: Pick<StoredMessage, 'topic' | 'payload' | 'properties'>): number {
  return topic.length + payload.length + (properties?.length ?? 0);
}
