// The store as the broker sees it. Writes go to the open batch; commits and reads go to the worker thread.

import type {
  LoadedSession,
  QueueTarget,
  Store,
  StoredDelivery,
  StoredMessage,
  StoredSession,
  StoredSubscription,
  StoreHealthListener,
  StoreState,
} from '@tobymq/broker';
import type { Batch } from './batch.ts';
import { CommitQueue } from './commit-queue.ts';
import { StoreError } from './errors.ts';
import { storeFileOf } from './open-database.ts';
import { type Settings, type SqliteStoreOptions, withDefaults } from './options.ts';
import { decodeDeliveries, decodeRetained, decodeSessions, decodeValues } from './pages.ts';
import type { RepairReport } from './repair.ts';
import { WorkerLink } from './worker-link.ts';
import type { Answers, RequestKind, Requests } from './worker-protocol.ts';

const sessionsPerPage = 2000;
const bytesPerPage = 1024 * 1024;

/**
 * Keeps sessions, queues and retained messages in an SQLite database, which a worker thread writes.
 *
 * @example
 * import { Broker } from '@tobymq/broker';
 * import { SqliteStore } from '@tobymq/store-sqlite';
 *
 * const store = new SqliteStore({ folder: './data' });
 * const broker = await Broker.start({ store });
 * await broker.listen({ port: 1883 });
 */
export class SqliteStore implements Store {
  readonly durable: boolean;
  onHealth: StoreHealthListener | undefined;
  readonly #settings: Settings;
  #commits: CommitQueue;
  #link: WorkerLink | undefined;
  #repairReport: RepairReport | undefined;
  readonly #onRepair: SqliteStoreOptions['onRepair'];
  #healthy = true;

  constructor(options: SqliteStoreOptions) {
    this.#settings = withDefaults(options);
    this.#onRepair = options.onRepair;
    this.durable = this.#settings.durability !== 'memory';
    this.#commits = this.#newCommitQueue();
  }

  /** What was found and kept when `open()` had to repair the store; undefined when it had not. */
  get repairReport(): RepairReport | undefined {
    return this.#repairReport;
  }

  async open(): Promise<StoreState> {
    if (this.#link !== undefined) throw new StoreError('TOBYMQ_STORE_FAILED', 'the store is open already');
    const link = new WorkerLink({}, (error) => this.#health(false, error));
    this.#link = link;
    try {
      const { state, repairReport, refusal } = await link.request('open', {
        settings: this.#settings,
        now: Date.now(),
      });
      this.#repairReport = repairReport;
      if (repairReport !== undefined) this.#onRepair?.(repairReport);
      if (refusal !== undefined) this.#commits.refuseMessages(new StoreError(refusal.code, refusal.message));
      return state;
    } catch (error) {
      this.#link = undefined;
      await link.end();
      throw error;
    }
  }

  async *loadSessions(): AsyncIterable<readonly LoadedSession[]> {
    const read = (afterKey: number): Promise<Answers['sessions']> => {
      const page = this.#read('sessions', { afterKey, count: sessionsPerPage });
      // Handled where it is awaited; it never is when the reader stops early.
      page.catch(() => undefined);
      return page;
    };
    let ahead: Promise<Answers['sessions']> | undefined = read(-1);
    while (ahead !== undefined) {
      const page: Answers['sessions'] = await ahead;
      // The worker reads the next page while this one is being used.
      ahead = page.next === undefined ? undefined : read(page.next);
      const sessions = decodeSessions(page);
      if (sessions.length > 0) yield sessions;
    }
  }

  async *loadRetained(): AsyncIterable<readonly StoredMessage[]> {
    let page: Answers['retained'] | undefined;
    do {
      page = await this.#read('retained', { afterTopic: page?.next, bytesMax: bytesPerPage });
      if (page.bytes.length > 0) yield decodeRetained(page.bytes);
    } while (page.next !== undefined);
  }

  async readQueue(
    sessionKey: number,
    afterId: number,
    countMax: number,
    bytesMax: number,
  ): Promise<readonly StoredDelivery[]> {
    const page = await this.#read('queue', { sessionKey, afterId, countMax, bytesMax });
    // While the disk is full, what the batches keep has not reached it.
    let deliveries: readonly StoredDelivery[] = decodeDeliveries(page.bytes);
    for (const batch of this.#commits.pending) deliveries = batch.overlayQueue(sessionKey, deliveries);
    return deliveries;
  }

  putSession(session: StoredSession): void {
    this.#batch.putSession(session);
  }

  deleteSession(sessionKey: number): void {
    this.#batch.deleteSession(sessionKey);
  }

  putSubscription(sessionKey: number, subscription: StoredSubscription): void {
    this.#batch.putSubscription(sessionKey, subscription);
  }

  deleteSubscription(sessionKey: number, filter: string): void {
    this.#batch.deleteSubscription(sessionKey, filter);
  }

  /** The message's bytes are taken when the batch is sent, so they must stay as they are until the commit. */
  enqueue(message: StoredMessage, targets: readonly QueueTarget[]): void {
    this.#batch.enqueue(message, targets);
  }

  markSent(sessionKey: number, messageId: number, packetId: number): void {
    this.#batch.markSent(sessionKey, messageId, packetId);
  }

  markReleased(sessionKey: number, messageId: number): void {
    this.#batch.markReleased(sessionKey, messageId);
  }

  dequeue(sessionKey: number, messageId: number): void {
    this.#batch.dequeue(sessionKey, messageId);
  }

  putInbound(sessionKey: number, packetId: number): void {
    this.#batch.putInbound(sessionKey, packetId);
  }

  deleteInbound(sessionKey: number, packetId: number): void {
    this.#batch.deleteInbound(sessionKey, packetId);
  }

  putRetained(message: StoredMessage): void {
    this.#batch.putRetained(message);
  }

  deleteRetained(topic: string): void {
    this.#batch.deleteRetained(topic);
  }

  get dirty(): boolean {
    return this.#commits.dirty;
  }

  commit(): Promise<void> {
    return this.#commits.commit();
  }

  async getValue(space: string, key: string): Promise<Uint8Array | undefined> {
    const stored = await this.#read('value', { space: Buffer.from(space), key: Buffer.from(key) });
    const pending = this.#pendingValues(space);
    return pending.has(key) ? pending.get(key) : stored;
  }

  async *listValues(
    space: string,
    prefix: string,
  ): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]> {
    const where = { space: Buffer.from(space), prefix: Buffer.from(prefix), bytesMax: bytesPerPage };
    let page: Answers['values'] | undefined;
    // What was not on disk when the first page was read comes last; looking again later, when some of it may be on disk
    // and more may wait, would give keys twice or not at all.
    let pending: Map<string, Uint8Array | undefined> | undefined;
    do {
      page = await this.#read('values', { ...where, afterKey: page?.next });
      pending ??= this.#pendingValues(space);
      const values = decodeValues(page.bytes).filter(([key]) => !pending?.has(key));
      if (values.length > 0) yield values;
    } while (page.next !== undefined);
    const unwritten: (readonly [string, Uint8Array])[] = [];
    for (const [key, value] of pending) {
      if (value !== undefined && key.startsWith(prefix)) unwritten.push([key, value]);
    }
    if (unwritten.length > 0) yield unwritten;
  }

  putValue(space: string, key: string, value: Uint8Array): void {
    this.#batch.putValue(space, key, value);
  }

  deleteValue(space: string, key: string): void {
    this.#batch.deleteValue(space, key);
  }

  async backup(path: string): Promise<void> {
    if (!this.durable) {
      await this.#read('backup', { path });
      return;
    }
    // What was written until now has been, when a read is answered. Not by a commit of our own: the outcome of the open
    // batch belongs to the broker, which refuses its messages if it fails.
    await this.getValue('', '');
    const copier = new WorkerLink({ backupOf: storeFileOf(this.#settings.folder) }, () => undefined);
    try {
      await copier.request('backup', { path });
    } finally {
      await copier.end();
    }
  }

  async close(): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    try {
      await this.commit();
    } finally {
      this.#commits.stop();
      await link.request('close', undefined).catch(ignoreFailedClose);
      this.#link = undefined;
      this.#commits = this.#newCommitQueue();
      await link.end();
    }
  }

  get #batch(): Batch {
    return this.#commits.open;
  }

  #pendingValues(space: string): Map<string, Uint8Array | undefined> {
    return new Map(this.#commits.pending.flatMap((batch) => [...(batch.valuesOf(space) ?? [])]));
  }

  #read<Kind extends RequestKind>(kind: Kind, body: Requests[Kind]): Promise<Answers[Kind]> {
    return new Promise((resolve, reject) => {
      this.#commits.flush(() => this.#request(kind, body).then(resolve, reject));
    });
  }

  #request<Kind extends RequestKind>(kind: Kind, body: Requests[Kind]): Promise<Answers[Kind]> {
    if (this.#link !== undefined) return this.#link.request(kind, body);
    return Promise.reject(new StoreError('TOBYMQ_STORE_CLOSED', 'the store is not open: call open() first'));
  }

  #health(healthy: boolean, error: StoreError | undefined): void {
    if (healthy === this.#healthy) return;
    this.#healthy = healthy;
    this.onHealth?.(healthy, error);
  }

  #newCommitQueue(): CommitQueue {
    return new CommitQueue({
      send: (bytes, probe) => this.#request('commit', { bytes, probe }),
      onHealth: (healthy, error) => this.#health(healthy, error),
      retryDelayMs: this.#settings.retryDelayMs,
    });
  }
}

// What could be written is written, and the worker ends in any case.
function ignoreFailedClose(): void {}
