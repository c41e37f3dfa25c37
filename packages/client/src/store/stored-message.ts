// The part of an outgoing message that a durable store keeps: the live object also carries promises and progress.

import type { StoredMessage } from './session-store.ts';

/** The fields of a message that survive the process. */
export function storedMessage(message: StoredMessage): StoredMessage {
  const { key, topic, payload, qos, retain, properties, expiresAt } = message;
  return { key, topic, payload, qos, retain, properties, expiresAt };
}
