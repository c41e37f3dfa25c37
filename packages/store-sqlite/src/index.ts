// @tobymq/store-sqlite: the durable store of the broker. See the README for the ideas.

export { StoreError, type StoreErrorCode } from './errors.ts';
export type { Durability, SqliteStoreOptions } from './options.ts';
export type { RepairReport } from './repair.ts';
export { SqliteStore } from './sqlite-store.ts';
