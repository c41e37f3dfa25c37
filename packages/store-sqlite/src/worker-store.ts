// The worker's side of the store: one database, and one method for each request of `worker-protocol.ts`.

import { join } from 'node:path';
import { BatchApplier } from './apply-batch.ts';
import { copyDatabase } from './backup.ts';
import { CacheTrimmer } from './cache-trimmer.ts';
import { Cleaner } from './cleaner.ts';
import { asStoreError, type ErrorRecord, errorRecord, StoreError } from './errors.ts';
import { lockFolder, unlockFolder } from './lock.ts';
import { LogFlusher } from './log-flusher.ts';
import { makeFolder, type OpenedDatabase, openDatabase, storeFileOf } from './open-database.ts';
import type { Settings } from './options.ts';
import { PageReader } from './read-pages.ts';
import { SpaceReserve } from './reserve.ts';
import { readNumber } from './schema.ts';
import { type Database, transaction } from './sqlite.ts';
import type { Answers, RequestKind, Requests } from './worker-protocol.ts';

// A store that has just become writable must be able to take a turn's messages, or it would fail again at once.
const probeBytes = 256 * 1024;
// So many free pages at once are given back to a disk that is short of space: moving others in their place takes some.
const pagesPerReturn = 1024;

/** Everything that exists only while the database is open. */
interface Open {
  readonly database: Database;
  readonly lock: Database | undefined;
  readonly applier: BatchApplier;
  readonly reader: PageReader;
  readonly cleaner: Cleaner;
  readonly trimmer: CacheTrimmer;
  readonly flusher: LogFlusher | undefined;
  readonly reserve: SpaceReserve;
}

export class WorkerStore {
  #open: Open | undefined;
  #file = 'store';

  /** The file that error messages name. */
  get file(): string {
    return this.#file;
  }

  handle<Kind extends RequestKind>(kind: Kind, body: Requests[Kind]): Answers[Kind] {
    const answer = this.#handlers[kind](body);
    this.#open?.trimmer.used();
    return answer;
  }

  readonly #handlers: { readonly [Kind in RequestKind]: (body: Requests[Kind]) => Answers[Kind] } = {
    open: (body) => this.#openStore(body),
    commit: (body) => this.#commit(body),
    sessions: ({ afterKey, count }) => this.#parts().reader.sessions(afterKey, count),
    queue: (body) => this.#parts().reader.queue(body.sessionKey, body.afterId, body.countMax, body.bytesMax),
    retained: ({ afterTopic, bytesMax }) => this.#parts().reader.retained(afterTopic, bytesMax),
    value: ({ space, key }) => this.#parts().reader.value(space, key),
    values: (body) => this.#parts().reader.values(body.space, body.prefix, body.afterKey, body.bytesMax),
    backup: ({ path }) => copyDatabase(this.#parts().database, path),
    close: () => this.#close(),
  };

  #openStore({ settings, now }: Requests['open']): Answers['open'] {
    const onDisk = settings.durability !== 'memory';
    if (onDisk) {
      this.#file = storeFileOf(settings.folder);
      makeFolder(settings.folder);
    }
    const lock = onDisk ? lockFolder(settings.folder) : undefined;
    const reserve = new SpaceReserve(
      join(settings.folder, 'tobymq.reserve'),
      onDisk ? settings.reserveBytes : 0,
    );
    try {
      const { database, repairReport, refusal } = this.#openDatabase(settings, now, reserve);
      this.#open = {
        database,
        lock,
        applier: new BatchApplier(database),
        reader: new PageReader(database, now),
        cleaner: new Cleaner(database, now),
        trimmer: new CacheTrimmer(database),
        flusher:
          settings.durability === 'commit'
            ? new LogFlusher(`${this.#file}-wal`, settings.flushIntervalMs)
            : undefined,
        reserve,
      };
      this.#open.cleaner.wake();
      return { state: readState(database), repairReport, refusal };
    } catch (error) {
      reserve.stop();
      if (lock !== undefined) unlockFolder(lock);
      throw error;
    }
  }

  /** On a full disk the reserve is given up to open the store at all; `refusal` is then why messages are refused. */
  #openDatabase(
    settings: Settings,
    now: number,
    reserve: SpaceReserve,
  ): OpenedDatabase & { readonly refusal: ErrorRecord | undefined } {
    try {
      return { ...openDatabase(settings, now), refusal: undefined };
    } catch (error) {
      const failure = asStoreError(error, this.#file);
      if (failure.code !== 'TOBYMQ_STORE_FULL' || !reserve.giveUp()) throw failure;
      const refusal = errorRecord(reserveGivenUp(failure, reserve), this.#file);
      return { ...openDatabase(settings, now), refusal };
    }
  }

  #commit({ bytes, probe }: Requests['commit']): Answers['commit'] {
    const { database, applier, cleaner, flusher } = this.#parts();
    try {
      const hasDropped = transaction(database, () => applier.apply(bytes));
      if (hasDropped) cleaner.wake();
      else cleaner.wakeLater();
    } catch (error) {
      applier.forgetReservations();
      throw this.#makeRoom(error);
    }
    flusher?.written();
    return { hasRoom: !probe || this.#hasRoom() };
  }

  /** A batch was refused: makes what room there is, and answers with what is to be said. */
  #makeRoom(error: unknown): StoreError {
    const { database, reserve } = this.#parts();
    const failure = asStoreError(error, this.#file);
    const isGivenUp = failure.code === 'TOBYMQ_STORE_FULL' && reserve.giveUp();
    this.#shortenLog(database);
    return isGivenUp ? reserveGivenUp(failure, reserve) : failure;
  }

  /** Whether a busy turn would fit, and the reserve is set aside. */
  #hasRoom(): boolean {
    const { database, reserve } = this.#parts();
    try {
      proveSpace(database);
      if (!reserve.isGivenUp) return true;
      this.#returnPages();
      if (!reserve.hasRoom) return false;
      reserve.restore();
      return true;
    } catch (error) {
      if (asStoreError(error, this.#file).code !== 'TOBYMQ_STORE_FULL') throw error;
      this.#shortenLog(database);
      return false;
    }
  }

  /** Gives free pages of the file back to the disk until there is room for the reserve, or as many as there are. */
  #returnPages(): void {
    const { database, reserve } = this.#parts();
    let before = -1;
    for (let free = reserve.freeBytes; free > before && !reserve.hasRoom; free = reserve.freeBytes) {
      before = free;
      database.exec(`PRAGMA incremental_vacuum(${pagesPerReturn})`);
      this.#shortenLog(database);
    }
  }

  /** Copies the log into the database and empties it, which may free space on a full disk. */
  #shortenLog(database: Database): void {
    try {
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // The disk that refused the batch refuses this too.
    }
  }

  #close(): undefined {
    const { database, lock, cleaner, trimmer, flusher, reserve } = this.#parts();
    this.#open = undefined;
    cleaner.stop();
    trimmer.stop();
    flusher?.stop();
    reserve.stop();
    // Closing does this too, but `@photostructure/sqlite` closes only when all statements were collected as garbage.
    this.#shortenLog(database);
    database.close();
    if (lock !== undefined) unlockFolder(lock);
    return undefined;
  }

  #parts(): Open {
    if (this.#open === undefined) throw new StoreError('TOBYMQ_STORE_CLOSED', 'the store is not open');
    return this.#open;
  }
}

function reserveGivenUp(failure: StoreError, reserve: SpaceReserve): StoreError {
  const megabytes = Math.round(reserve.bytes / 1e6);
  return new StoreError(
    failure.code,
    `${failure.message}; its reserve of ${megabytes} MB serves deletions and acknowledgements from now on, and ` +
      'messages are refused until there is room for that again',
    failure.cause,
  );
}

/** Writes as much as a busy turn may, and takes it back. */
function proveSpace(database: Database): void {
  database.exec(`INSERT OR REPLACE INTO value VALUES ('', '', zeroblob(${probeBytes}))`);
  database.exec("DELETE FROM value WHERE space = '' AND key = ''");
}

function readState(database: Database): Answers['open']['state'] {
  const counter = (name: string): number =>
    readNumber(database, `SELECT value FROM counter WHERE name = '${name}'`);
  return { lastSessionKey: counter('session'), lastMessageId: counter('message') };
}
