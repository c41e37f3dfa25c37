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
  if (operation.op === 'received') {
    received.add(operation.packetId);
  } else if (operation.op === 'forgotten') {
    received.delete(operation.packetId);
  } else if (operation.op === 'publish') {
    messages.set(operation.message.key, { message: operation.message, packetId: 0, isReleased: false });
  } else if (operation.op === 'done') {
    messages.delete(operation.key);
  } else {
    const stored = messages.get(operation.key);
    if (stored === undefined) return;
    if (operation.op === 'sent') messages.set(operation.key, { ...stored, packetId: operation.packetId });
    else if (operation.op === 'released') messages.set(operation.key, { ...stored, isReleased: true });
    else messages.set(operation.key, { ...stored, packetId: 0, isReleased: false });
  }
}
