// What the tests of the store share.
//
// The store's worker is always the built one (`dist/worker.js`), because Node 20 cannot start a worker from
// TypeScript. `npm test` builds first; for a single file after an edit: `npx tsc -b packages/store-sqlite`.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadedSession, QueueTarget, Store, StoredMessage, StoredSession } from '@tobymq/broker';
import { onTestFinished, vi } from 'vitest';
import { SqliteStore, type SqliteStoreOptions } from '../src/index.ts';

if (!existsSync(new URL('../dist/worker.js', import.meta.url))) {
  throw new Error('packages/store-sqlite/dist is missing: run "npx tsc -b packages/store-sqlite" first');
}

// These tests wait for the disk, which may be busy with others.
vi.setConfig({ testTimeout: 90_000 });

/** A folder of its own for one test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-store-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An open store, closed when the test ends. */
export async function openStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const store = new SqliteStore(options);
  await store.open();
  onTestFinished(() => store.close().catch(() => undefined));
  return store;
}

export function session(key: number, fields: Partial<StoredSession> = {}): StoredSession {
  return {
    key,
    clientId: `client-${key}`,
    username: undefined,
    protocolVersion: 5,
    expiryInterval: 3600,
    createdAt: 1_700_000_000_000 + key,
    disconnectedAt: 0,
    will: undefined,
    ...fields,
  };
}

export function message(id: number, fields: Partial<StoredMessage> = {}): StoredMessage {
  return {
    id,
    topic: `plant/${id % 7}`,
    payload: Buffer.from(`payload of ${id}`),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt: 0,
    publishedAt: 1_700_000_000_000 + id,
    publisher: 'publisher',
    ...fields,
  };
}

export function target(sessionKey: number, fields: Partial<QueueTarget> = {}): QueueTarget {
  return { sessionKey, qos: 1, retain: false, subscriptionIds: [], packetId: 0, ...fields };
}

/** All pages of a read in one array. */
export async function collect<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}

export async function loadedSessions(store: Store): Promise<Map<number, LoadedSession>> {
  return new Map((await collect(store.loadSessions())).map((loaded) => [loaded.session.key, loaded]));
}

/** Ids of a session's queue, in its order. */
export async function queuedIds(store: Store, sessionKey: number): Promise<number[]> {
  const deliveries = await store.readQueue(sessionKey, 0, 1_000_000, Number.MAX_SAFE_INTEGER);
  return deliveries.map((delivery) => delivery.message.id);
}

/** The same message with plain arrays, so that a Buffer equals a Uint8Array. */
export function plain(message: StoredMessage): unknown {
  return {
    ...message,
    payload: [...message.payload],
    properties: message.properties === undefined ? undefined : [...message.properties],
  };
}
