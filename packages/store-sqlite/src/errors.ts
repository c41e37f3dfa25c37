// The error class of the store and how SQLite's own errors become one of them.

/** Tells apart what went wrong, for programs; the message is for people. */
export type StoreErrorCode =
  /** The disk, a quota or the size limit of the store is full. */
  | 'TOBYMQ_STORE_FULL'
  /** The file system refused to read or write. */
  | 'TOBYMQ_STORE_IO'
  /** The folder or file cannot be opened or written with the rights of this process. */
  | 'TOBYMQ_STORE_NO_ACCESS'
  /** The file is a TobyMQ store, but parts of it cannot be read. */
  | 'TOBYMQ_STORE_DAMAGED'
  /** The file is something else than a TobyMQ store. */
  | 'TOBYMQ_STORE_FOREIGN'
  /** The file was written by a newer TobyMQ. */
  | 'TOBYMQ_STORE_NEWER'
  /** Another server uses the folder. */
  | 'TOBYMQ_STORE_LOCKED'
  /** This Node has no SQLite and the optional package is not installed. */
  | 'TOBYMQ_STORE_NO_SQLITE'
  /** The target of a backup exists already. */
  | 'TOBYMQ_STORE_BACKUP_EXISTS'
  /** The store was not opened yet, or is closed. */
  | 'TOBYMQ_STORE_CLOSED'
  /** The worker thread ended, or did something that it must not. */
  | 'TOBYMQ_STORE_FAILED';

/**
 * What the store throws and rejects with.
 *
 * @example
 * try {
 *   await store.open();
 * } catch (error) {
 *   if (error instanceof StoreError && error.code === 'TOBYMQ_STORE_LOCKED') process.exit(2);
 *   throw error;
 * }
 */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** A commit has written everything but the messages, for which the disk has no room. */
export class MessagesRefusedError extends StoreError {
  readonly isRestDurable = true;

  constructor({ code, message }: StoreError) {
    super(code, message);
  }
}

/** An error as it travels between the threads. */
export interface ErrorRecord {
  readonly code: StoreErrorCode;
  readonly message: string;
}

export function errorRecord(error: unknown, file: string): ErrorRecord {
  const { code, message } = asStoreError(error, file);
  return { code, message };
}

// SQLite's primary result codes (the low byte of its extended codes), as far as they mean something to us.
const sqliteCodes: Readonly<Record<number, StoreErrorCode>> = {
  3: 'TOBYMQ_STORE_NO_ACCESS', // SQLITE_PERM
  5: 'TOBYMQ_STORE_LOCKED', // SQLITE_BUSY
  6: 'TOBYMQ_STORE_LOCKED', // SQLITE_LOCKED
  8: 'TOBYMQ_STORE_NO_ACCESS', // SQLITE_READONLY
  10: 'TOBYMQ_STORE_IO', // SQLITE_IOERR
  11: 'TOBYMQ_STORE_DAMAGED', // SQLITE_CORRUPT
  13: 'TOBYMQ_STORE_FULL', // SQLITE_FULL
  14: 'TOBYMQ_STORE_NO_ACCESS', // SQLITE_CANTOPEN
  26: 'TOBYMQ_STORE_FOREIGN', // SQLITE_NOTADB
};

// SQLITE_IOERR_SHMSIZE: the index of the log cannot grow, which is how a full disk shows when the store is opened.
const shmSizeCode = 4874;

const systemCodes: Readonly<Record<string, StoreErrorCode>> = {
  ENOSPC: 'TOBYMQ_STORE_FULL',
  EDQUOT: 'TOBYMQ_STORE_FULL',
  EIO: 'TOBYMQ_STORE_IO',
  EACCES: 'TOBYMQ_STORE_NO_ACCESS',
  EPERM: 'TOBYMQ_STORE_NO_ACCESS',
  EROFS: 'TOBYMQ_STORE_NO_ACCESS',
  ENOENT: 'TOBYMQ_STORE_NO_ACCESS',
  ENOTDIR: 'TOBYMQ_STORE_NO_ACCESS',
};

const advice: Readonly<Partial<Record<StoreErrorCode, string>>> = {
  TOBYMQ_STORE_FULL: 'there is no space left; free some, a running server goes on by itself',
  TOBYMQ_STORE_IO: 'the file system refused to read or write; check the disk and the system log',
  TOBYMQ_STORE_NO_ACCESS: 'it cannot be opened or written; check owner and rights of the folder',
  TOBYMQ_STORE_DAMAGED:
    'the file is damaged; restore a backup, or start with --repair to keep what can be read',
  TOBYMQ_STORE_FOREIGN:
    'this is not a TobyMQ store; choose another folder, or start with --repair to set the file aside',
};

/** Turns whatever was thrown while working on `file` into a `StoreError`. */
export function asStoreError(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error);
  const reason = error instanceof Error ? error.message : String(error);
  const hint = advice[code];
  return new StoreError(code, `store ${file}: ${hint === undefined ? reason : `${hint} (${reason})`}`, error);
}

function codeOf(error: unknown): StoreErrorCode {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  if (errcode === shmSizeCode) return 'TOBYMQ_STORE_FULL';
  if (typeof errcode === 'number') return sqliteCodes[errcode & 0xff] ?? 'TOBYMQ_STORE_FAILED';
  if (typeof code === 'string') return systemCodes[code] ?? 'TOBYMQ_STORE_FAILED';
  return 'TOBYMQ_STORE_FAILED';
}
