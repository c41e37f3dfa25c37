// A session store in a file, for Node: a log of all operations, one record for each write, with a checksum.
//
//   open:   read the log, write what it came to into a new file, put that in its place
//   write:  one record at the end, then flush
//   when the log has grown far beyond what it means: the same rewriting as at the beginning
//
// Because `open` replaces the file, a process that still has the old one finds that its file is gone from the folder
// and stops: as at the server, the newest client with a name takes over. No lock is left behind by a killed process.

import { createHash, randomUUID } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeLog, encodeRecord } from './log-record.ts';
import { applyOperation } from './memory.ts';
import type { RestoredMessage, SessionStore, StoredSession, StoreOperation } from './session-store.ts';
import { storedMessage } from './stored-message.ts';

/** How much of the file may be history. */
const smallestRewriteBytes = 4 << 20;

/** A new file that is older was left by a process that was killed while it wrote. */
const leftoverMs = 60_000;

/** Options of a file store. */
export interface FileStoreOptions {
  /**
   * `fsync` (the default): a write is complete when it is on the disk, and survives the loss of power. `commit`: when the
   * operating system has it; that survives the end of the process and is kinder to flash memory.
   */
  readonly durability?: 'fsync' | 'commit';
}

/**
 * Keeps sessions in a folder, one file for each client identifier. The folder is made if it is not there.
 *
 * @example
 * const client = await connect('mqtts://broker.example', {
 *   clientId: 'gateway-7',
 *   session: { keep: '1 day', store: fileStore('./session') },
 * });
 */
export function fileStore(folder: string, options: FileStoreOptions = {}): SessionStore {
  return new FileStore(folder, options.durability ?? 'fsync');
}

class FileStore implements SessionStore {
  readonly #folder: string;
  readonly #isFlushed: boolean;
  #clientId = '';
  #path = '';
  #file: FileHandle | undefined;
  #messages = new Map<number, RestoredMessage>();
  #received = new Set<number>();
  #logBytes = 0;
  #rewriteAt = 0;

  constructor(folder: string, durability: 'fsync' | 'commit') {
    this.#folder = folder;
    this.#isFlushed = durability === 'fsync';
  }

  async open(clientId: string): Promise<StoredSession> {
    await this.close();
    await mkdir(this.#folder, { recursive: true });
    this.#clientId = clientId;
    this.#path = join(this.#folder, fileName(clientId));
    this.#messages = new Map();
    this.#received = new Set();
    await this.#load();
    await this.#rewrite();
    await this.#removeLeftovers();
    const messages = [...this.#messages.values()].sort((a, b) => a.message.key - b.message.key);
    return { messages, received: [...this.#received] };
  }

  async #load(): Promise<void> {
    let file: Buffer;
    try {
      file = await readFile(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    const { records, damagedAt } = decodeLog(file);
    if (damagedAt !== undefined) {
      throw new Error(
        `${this.#path} is damaged at byte ${damagedAt}: its open messages cannot be told any more; move it away to start anew`,
      );
    }
    const [header, ...writes] = records as [LogHeader?, ...StoreOperation[][]];
    if (header === undefined) return;
    if (header.format !== 1 || header.clientId !== this.#clientId) {
      throw new Error(
        `${this.#path} is of format ${header.format} for the client ${header.clientId}: expected format 1 for ${this.#clientId}`,
      );
    }
    for (const operation of writes.flat()) {
      applyOperation(this.#messages, this.#received, reviveExpiry(operation));
    }
  }

  async write(operations: readonly StoreOperation[]): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new Error(`${this.#path || this.#folder} is not open`);
    if (fstatSync(file.fd).nlink === 0) {
      throw new Error(`${this.#path} was taken over by another process with the client ${this.#clientId}`);
    }
    const plain = operations.map((operation) =>
      operation.op === 'publish' ? { ...operation, message: storedMessage(operation.message) } : operation,
    );
    for (const operation of plain) applyOperation(this.#messages, this.#received, operation);
    if (this.#logBytes > this.#rewriteAt) await this.#rewrite();
    else await this.#append(file, encodeRecord(plain));
  }

  async #append(file: FileHandle, ...records: readonly Buffer[]): Promise<void> {
    const bytes = records.length === 1 ? records[0]! : Buffer.concat(records);
    await file.appendFile(bytes);
    if (this.#isFlushed) await file.datasync();
    this.#logBytes += bytes.length;
  }

  /** Replaces the log by a short one that says the same: the change of names makes it valid as a whole or not at all. */
  async #rewrite(): Promise<void> {
    const header: LogHeader = { format: 1, clientId: this.#clientId };
    // A name of its own: of processes that open at once each writes a whole file, and the last one takes over.
    const temporary = `${this.#path}.${randomUUID()}.new`;
    const file = await open(temporary, 'w');
    try {
      this.#logBytes = 0;
      await this.#append(file, encodeRecord(header), encodeRecord(this.#summary()));
      // Windows does not rename over a file that is open.
      await this.close();
      await rename(temporary, this.#path);
      if (this.#isFlushed) await flushFolder(this.#folder);
    } catch (error) {
      await file.close();
      await rm(temporary, { force: true });
      throw error;
    }
    this.#file = file;
    this.#rewriteAt = Math.max(smallestRewriteBytes, 2 * this.#logBytes);
  }

  async #removeLeftovers(): Promise<void> {
    const prefix = `${fileName(this.#clientId)}.`;
    const names = await readdir(this.#folder);
    for (const name of names.filter((each) => each.startsWith(prefix) && each.endsWith('.new'))) {
      const path = join(this.#folder, name);
      // Another process may be at work on it, or have put it in its place since.
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (Date.now() - mtimeMs > leftoverMs) await rm(path, { force: true });
    }
  }

  #summary(): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (const { message, packetId, isReleased } of this.#messages.values()) {
      operations.push({ op: 'publish', message });
      if (packetId !== 0) operations.push({ op: 'sent', key: message.key, packetId });
      if (isReleased) operations.push({ op: 'released', key: message.key });
    }
    for (const packetId of this.#received) operations.push({ op: 'received', packetId });
    return operations;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

interface LogHeader {
  readonly format: number;
  readonly clientId: string;
}

/** JSON has no infinity. */
function reviveExpiry(operation: StoreOperation): StoreOperation {
  if (operation.op !== 'publish') return operation;
  const { message } = operation;
  const expiresAt = (message.expiresAt as number | null) ?? Number.POSITIVE_INFINITY;
  return { op: 'publish', message: { ...message, expiresAt } };
}

/** A file name for any client identifier; the file itself says whose it is. */
function fileName(clientId: string): string {
  const escaped = encodeURIComponent(clientId).replaceAll('*', '%2A').replaceAll('.', '%2E');
  const name = escaped.length <= 200 ? escaped : createHash('sha256').update(clientId).digest('hex');
  return `${name}.session`;
}

/** A new name in a folder is durable when the folder is. */
async function flushFolder(folder: string): Promise<void> {
  // Windows cannot open folders, and needs no such flush.
  if (process.platform === 'win32') return;
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
