// What a store can be told, with the defaults and their reasons.

import type { RepairReport } from './repair.ts';

/** What a commit means; see docs/durability.md for what each costs. */
export type Durability =
  /** Flushed to the disk: what was acknowledged survives a power loss. */
  | 'fsync'
  /** Handed to the operating system: survives the end of the process, by `kill -9` too. Flushed in the background. */
  | 'commit'
  /** Nothing on disk at all: everything ends with the process. */
  | 'memory';

/** Settings of a `SqliteStore`. */
export interface SqliteStoreOptions {
  /** The data folder; it is made if it is missing. Not used with `durability: 'memory'`. */
  readonly folder: string;
  /** Default `fsync`. */
  readonly durability?: Durability;
  /** With `durability: 'commit'`: how often what was committed is flushed to the disk. Default 1000 ms. */
  readonly flushIntervalMs?: number;
  /**
   * When the store file is damaged or foreign: true sets it aside under a dated name and starts with what could be
   * read from it (see `SqliteStore.repairReport`). Default false: `open()` fails and changes nothing.
   */
  readonly repair?: boolean;
  /** Told by `open()` what a repair found and kept. */
  readonly onRepair?: ((report: RepairReport) => void) | undefined;
  /** The largest size of the store file; what goes beyond is refused like on a full disk. Default 0: no bound. */
  readonly fileBytesMax?: number;
  /**
   * How much of the disk is set aside for deletions and acknowledgements when it is full; less than half of what is free
   * at the start, or nothing. Default 24 MiB: the log of the database and half as much again. 0 sets nothing aside.
   */
  readonly reserveBytes?: number;
  /** SQLite's page cache. Default 64 MiB, which keeps the busy parts of large queues out of the file system. */
  readonly cacheBytes?: number;
  /** The first pause before a failed store is tried again; it doubles up to 5 seconds. Default 200 ms. */
  readonly retryDelayMs?: number;
}

/** What goes to the worker: everything but the callback. */
export type Settings = Required<Omit<SqliteStoreOptions, 'onRepair'>>;

export function withDefaults(options: SqliteStoreOptions): Settings {
  return {
    folder: options.folder,
    durability: options.durability ?? 'fsync',
    flushIntervalMs: options.flushIntervalMs ?? 1000,
    repair: options.repair ?? false,
    fileBytesMax: options.fileBytesMax ?? 0,
    reserveBytes: options.reserveBytes ?? 24 * 1024 * 1024,
    cacheBytes: options.cacheBytes ?? 64 * 1024 * 1024,
    retryDelayMs: options.retryDelayMs ?? 200,
  };
}
