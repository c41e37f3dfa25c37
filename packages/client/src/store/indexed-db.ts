// A session store in the IndexedDB of a browser: it survives a reload, a closed tab and a killed browser. One database
// holds the sessions of all client identifiers; one write is one transaction.
//
// `open` writes a token of its own into the database and each write checks it, so that of two tabs with the same client
// identifier the older one stops, as it does at the server.

import { applyOperation } from './memory.ts';
import type { RestoredMessage, SessionStore, StoredSession, StoreOperation } from './session-store.ts';
import { storedMessage } from './stored-message.ts';

/** Options of an IndexedDB store. */
export interface IndexedDbStoreOptions {
  /** `strict` (the default): a write is complete when it is on the disk. `relaxed`: when the operating system has it. */
  readonly durability?: 'strict' | 'relaxed';
}

const tables = ['owners', 'messages', 'received'] as const;

/**
 * Keeps sessions in the IndexedDB database of this name.
 *
 * @example
 * const client = await connect('wss://broker.example/mqtt', {
 *   clientId: localStorage.clientId ??= crypto.randomUUID(),
 *   session: { keep: '1 day', store: indexedDbStore('mqtt') },
 * });
 */
export function indexedDbStore(name: string, options: IndexedDbStoreOptions = {}): SessionStore {
  return new IndexedDbStore(name, options.durability ?? 'strict');
}

class IndexedDbStore implements SessionStore {
  readonly #name: string;
  readonly #durability: 'strict' | 'relaxed';
  readonly #token = crypto.randomUUID();
  #clientId = '';
  #database: IDBDatabase | undefined;
  readonly #messages = new Map<number, RestoredMessage>();
  readonly #received = new Set<number>();

  constructor(name: string, durability: 'strict' | 'relaxed') {
    this.#name = name;
    this.#durability = durability;
  }

  async open(clientId: string): Promise<StoredSession> {
    await this.close();
    this.#clientId = clientId;
    this.#messages.clear();
    this.#received.clear();
    const opening = indexedDB.open(this.#name, 1);
    opening.onupgradeneeded = () => {
      for (const table of tables) opening.result.createObjectStore(table);
    };
    this.#database = await settled(opening);
    await this.#transaction(async (table) => {
      table('owners').put(this.#token, clientId);
      const all = IDBKeyRange.bound([clientId], [clientId, []]);
      for (const stored of await settled<RestoredMessage[]>(table('messages').getAll(all)))
        this.#messages.set(stored.message.key, stored);
      for (const packetId of await settled<number[]>(table('received').getAll(all)))
        this.#received.add(packetId);
    });
    // The keys are in order, because numbers are.
    return { messages: [...this.#messages.values()], received: [...this.#received] };
  }

  write(operations: readonly StoreOperation[]): Promise<void> {
    const clientId = this.#clientId;
    return this.#transaction(async (table) => {
      if ((await settled(table('owners').get(clientId))) !== this.#token) {
        throw new Error(`the session of ${clientId} in ${this.#name} was taken over, by another tab perhaps`);
      }
      const messages = new Set<number>();
      const received = new Set<number>();
      for (const operation of operations) {
        applyOperation(this.#messages, this.#received, plain(operation));
        if (operation.op === 'publish') messages.add(operation.message.key);
        else if ('key' in operation) messages.add(operation.key);
        else received.add(operation.packetId);
      }
      for (const key of messages) {
        const stored = this.#messages.get(key);
        if (stored === undefined) table('messages').delete([clientId, key]);
        else table('messages').put(stored, [clientId, key]);
      }
      for (const packetId of received) {
        if (this.#received.has(packetId)) table('received').put(packetId, [clientId, packetId]);
        else table('received').delete([clientId, packetId]);
      }
    });
  }

  /** Runs `use` in one transaction, and resolves when it is durable. */
  async #transaction(
    use: (table: (name: (typeof tables)[number]) => IDBObjectStore) => Promise<void>,
  ): Promise<void> {
    if (this.#database === undefined) throw new Error(`the store ${this.#name} is not open`);
    const transaction = this.#database.transaction([...tables], 'readwrite', {
      durability: this.#durability,
    });
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
    });
    try {
      await use((name) => transaction.objectStore(name));
    } catch (error) {
      done.catch(() => {});
      transaction.abort();
      throw error;
    }
    await done;
  }

  async close(): Promise<void> {
    this.#database?.close();
    this.#database = undefined;
  }
}

/** An operation as it can be stored. A view would take along everything that its buffer holds. */
function plain(operation: StoreOperation): StoreOperation {
  if (operation.op !== 'publish') return operation;
  const message = storedMessage(operation.message);
  return { op: 'publish', message: { ...message, payload: message.payload.slice() } };
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
