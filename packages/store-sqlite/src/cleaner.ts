// Deletes in the background what nobody will read again: queues of deleted sessions, messages that had expired when
// the store was opened, and pages that the file no longer needs.
//
// Everything happens in slices of a few milliseconds between the batches, so that a session with a million queued
// messages can go without anyone waiting for it. A slice that fails is left for later: cleaning is never worth an
// outage, and a full disk is reported by the batches.

import { DELIVERY_STATE_BITS } from './records.ts';
import { readNumber } from './schema.ts';
import { type Database, transaction } from './sqlite.ts';

const rowsPerSlice = 500;
// Looking at a row costs far less than deleting one, and few are expired.
const rowsPerSearch = 5000;
const pagesPerSlice = 256;
// The file keeps some free pages for the next messages: giving them back and taking them again would cost writes.
const freePagesKept = 2048;
const pauseMs = 5;
const laterMs = 1000;
const pauseAfterFailureMs = 5000;

export class Cleaner {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #openedAt: number;
  /** Where the search for expired messages has come to; undefined when it is done. */
  #expiredAfter: { sessionKey: number; messageId: number } | undefined = { sessionKey: -1, messageId: -1 };
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = 0;
  #isShrinking = false;
  #stopped = false;

  constructor(database: Database, openedAt: number) {
    this.#database = database;
    this.#statements = prepareStatements(database);
    this.#openedAt = openedAt;
  }

  /** There is something to do: at the start, and after a session was deleted. */
  wake(delayMs = pauseMs): void {
    // Only a shorter pause replaces one that runs, or commits in quick succession would put it off for ever.
    if (this.#stopped || (this.#timer !== undefined && this.#pauseMs <= delayMs)) return;
    clearTimeout(this.#timer);
    this.#pauseMs = delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#run();
    }, delayMs);
    this.#timer.unref();
  }

  /** There may be something to do after a while: every commit can have emptied a large queue. */
  wakeLater(): void {
    this.wake(laterMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Does a little; answers whether there may be more to do. */
  slice(): boolean {
    return this.#dropQueue() || this.#dropExpired() || this.#shrink();
  }

  #run(): void {
    try {
      if (this.slice()) this.wake();
    } catch {
      this.wake(pauseAfterFailureMs);
    }
  }

  /** Clears a slice of a deleted session's queue. */
  #dropQueue(): boolean {
    const row = this.#statements.nextDropped.get();
    if (row === undefined) return false;
    const sessionKey = row.session_key as number;
    transaction(this.#database, () => {
      const rows = this.#statements.queueSlice.all(sessionKey, rowsPerSlice);
      for (const { message_id: id, shared } of rows) this.#deleteRow(sessionKey, id as number, shared === 1);
      if (rows.length < rowsPerSlice) this.#statements.deleteDropped.run(sessionKey);
    });
    return true;
  }

  /** Looks for expired messages in a slice of all queues. */
  #dropExpired(): boolean {
    const after = this.#expiredAfter;
    if (after === undefined) return false;
    const last = this.#statements.endOfSlice.get(after.sessionKey, after.messageId, rowsPerSearch - 1);
    const until = {
      sessionKey: (last?.session_key as number | undefined) ?? Number.MAX_SAFE_INTEGER,
      messageId: (last?.message_id as number | undefined) ?? Number.MAX_SAFE_INTEGER,
    };
    const range = [after.sessionKey, after.messageId, until.sessionKey, until.messageId];
    const expired = this.#statements.expired.all(...range, this.#openedAt);
    if (expired.length > 0) {
      transaction(this.#database, () => {
        for (const row of expired) {
          this.#deleteRow(row.session_key as number, row.message_id as number, row.shared === 1);
        }
      });
    }
    this.#expiredAfter = last === undefined ? undefined : until;
    if (last === undefined) this.#statements.deleteExpiredRetained.run(this.#openedAt);
    return true;
  }

  #deleteRow(sessionKey: number, messageId: number, shared: boolean): void {
    this.#statements.deleteQueued.run(sessionKey, messageId);
    if (!shared) return;
    this.#statements.dereference.run(messageId);
    this.#statements.deleteUnreferenced.run(messageId);
  }

  /** Gives free pages at the end of the file back to the disk. */
  #shrink(): boolean {
    const free = readNumber(this.#database, 'PRAGMA freelist_count');
    const least = this.#isShrinking
      ? freePagesKept + pagesPerSlice
      : Math.max(2 * freePagesKept, readNumber(this.#database, 'PRAGMA page_count') / 4);
    this.#isShrinking = free >= least;
    if (!this.#isShrinking) return false;
    this.#database.exec(`PRAGMA incremental_vacuum(${pagesPerSlice})`);
    return true;
  }
}

function prepareStatements(database: Database) {
  return {
    nextDropped: database.prepare('SELECT session_key FROM dropped LIMIT 1'),
    deleteDropped: database.prepare('DELETE FROM dropped WHERE session_key = ?'),
    queueSlice: database.prepare(
      'SELECT message_id, body IS NULL AS shared FROM queue WHERE session_key = ? LIMIT ?',
    ),
    endOfSlice: database.prepare(
      `SELECT session_key, message_id FROM queue WHERE (session_key, message_id) > (?, ?)
       ORDER BY session_key, message_id LIMIT 1 OFFSET ?`,
    ),
    expired: database.prepare(
      `SELECT session_key, message_id, body IS NULL AS shared FROM queue
       WHERE (session_key, message_id) > (?, ?) AND (session_key, message_id) <= (?, ?)
         AND expires_at > 0 AND expires_at <= ? AND (delivery & ${DELIVERY_STATE_BITS}) = 0`,
    ),
    deleteQueued: database.prepare('DELETE FROM queue WHERE session_key = ? AND message_id = ?'),
    dereference: database.prepare('UPDATE message SET queues = queues - 1 WHERE id = ?'),
    deleteUnreferenced: database.prepare('DELETE FROM message WHERE id = ? AND queues <= 0'),
    deleteExpiredRetained: database.prepare('DELETE FROM retained WHERE expires_at > 0 AND expires_at <= ?'),
  };
}
