// A session store that lasts as long as the object: for tests, and for handing a session from one client object to the
// next within a process. It is also the reference for what the durable stores do with each operation.

import type { RestoredMessage, SessionStore, StoredSession, StoreOperation } from './session-store.ts';

/**
 * Keeps the session in memory.
 *
 * @example
 * const store = memoryStore();
 * const first = await connect(url, { clientId: 'a', session: { store } });
 * await first.close();
 * const second = await connect(url, { clientId: 'a', session: { store } });
 */
export function memoryStore(): SessionStore {
  const messages = new Map<number, RestoredMessage>();
  const received = new Set<number>();
  return {
    open: async (): Promise<StoredSession> => ({ messages: [...messages.values()], received: [...received] }),
    write: async (operations) => {
      for (const operation of operations) applyOperation(messages, received, operation);
    },
    close: async () => {},
  };
}

/** Applies one operation to the state that a store holds. */
export function applyOperation(
  messages: Map<number, RestoredMessage>,
  received: Set<number>,
  operation: StoreOperation,
): void {
  const { op } = operation;
  if (op === 'received') {
    received.add(operation.packetId);
  } else if (op === 'forgotten') {
    received.delete(operation.packetId);
  } else if (op === 'publish') {
    const { message } = operation;
    messages.set(message.key, { message, packetId: 0, isReleased: false });
  } else if (op === 'done') {
    messages.delete(operation.key);
  } else {
    const stored = messages.get(operation.key);
    if (stored === undefined) return;
    const packetId = op === 'sent' ? operation.packetId : op === 'released' ? stored.packetId : 0;
    const isReleased = op === 'released' || (op === 'sent' && stored.isReleased);
    messages.set(operation.key, { ...stored, packetId, isReleased });
  }
}
