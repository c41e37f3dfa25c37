// Reads sessions, queues, retained messages and values a page at a time, each page as one buffer.
//
// Messages that had expired when the store was opened are passed over everywhere, so that a session's count at the
// start and what its queue gives later agree; the cleaner deletes them behind. Those that expire later are the
// broker's affair: it knows whether their delivery has begun.

import { ByteWriter } from './binary.ts';
import { DELIVERY_STATE_BITS } from './records.ts';
import { bindable, type Database, type Statement } from './sqlite.ts';

/** A page, and where the next one begins; no `next` after the last. */
export interface Page<Position> {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly next: Position | undefined;
}

/** Numbers of many rows as a list with commas, and the BLOBs of those rows one after the other. */
export interface Columns {
  readonly numbers: string;
  readonly bytes: Uint8Array;
}

/** A page of sessions, each part sorted by session key. */
export interface SessionPage {
  /** Key and length of the record of each session; the records. */
  readonly sessions: Columns;
  /** Session key, length, options and identifier of each subscription; the filters. */
  readonly filters: Columns;
  /** Session key and packet identifier, again and again. */
  readonly inbound: string;
  /** Session key, count and bytes of each queue that is not empty. */
  readonly queues: string;
  readonly next: number | undefined;
}

export class PageReader {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #openedAt: number;
  readonly #writer = new ByteWriter();

  constructor(database: Database, openedAt: number) {
    this.#statements = prepareStatements(database);
    this.#openedAt = openedAt;
  }

  /** A read that failed in the middle of a page has left its beginning behind, which belongs to nobody else. */
  #emptyWriter(): ByteWriter {
    this.#writer.length = 0;
    return this.#writer;
  }

  /** All that is known of up to `count` sessions behind a key, but the messages themselves. */
  sessions(afterKey: number, count: number): SessionPage {
    try {
      return this.#readSessions(afterKey, count);
    } catch (error) {
      const isTooBig = (error as { errcode?: unknown }).errcode === SQLITE_TOOBIG;
      if (!isTooBig || count === 1) throw error;
      return this.sessions(afterKey, Math.ceil(count / 2));
    }
  }

  #readSessions(afterKey: number, count: number): SessionPage {
    const read = this.#statements;
    const sessions = read.sessions.get(afterKey, count)!;
    const last = sessions.last as number | null;
    if (last === null) return emptySessionPage;
    const filters = read.filters.get(afterKey, last)!;
    return {
      sessions: columns(sessions),
      filters: columns(filters),
      inbound: numbersOf(read.inbound.get(afterKey, last)!),
      queues: numbersOf(read.queues.get(afterKey, last, this.#openedAt)!),
      next: (sessions.count as number) < count ? undefined : last,
    };
  }

  /** For each message: id, delivery bits, subscription identifiers and body with their lengths. */
  queue(sessionKey: number, afterId: number, countMax: number, bytesMax: number): Page<number> {
    const to = this.#emptyWriter();
    let bytes = 0;
    let last = afterId;
    let count = 0;
    for (const row of this.#statements.queue.iterate(sessionKey, afterId, this.#openedAt, countMax)) {
      bytes += row.size as number;
      if (count > 0 && bytes > bytesMax) break;
      count += 1;
      last = row.message_id as number;
      to.number(last);
      to.number(row.delivery as number);
      to.bytes((row.subscription_ids as Uint8Array | null) ?? noBytes);
      to.bytes(row.body as Uint8Array);
    }
    return { bytes: to.take(), next: last };
  }

  /** For each message: id, body with its length. */
  retained(afterTopic: Uint8Array | undefined, bytesMax: number): Page<Uint8Array> {
    const to = this.#emptyWriter();
    for (const row of this.#statements.retained.iterate(bindable(afterTopic ?? noBytes), this.#openedAt)) {
      to.number(row.id as number);
      to.bytes(row.body as Uint8Array);
      if (to.length >= bytesMax) return { bytes: to.take(), next: copyOf(row.topic as Uint8Array) };
    }
    return { bytes: to.take(), next: undefined };
  }

  value(space: Uint8Array, key: Uint8Array): Uint8Array | undefined {
    const value = this.#statements.value.get(bindable(space), bindable(key))?.value as Uint8Array | undefined;
    return value === undefined ? undefined : copyOf(value);
  }

  /** For each value whose key begins with `prefix`: key, value. */
  values(
    space: Uint8Array,
    prefix: Uint8Array,
    afterKey: Uint8Array | undefined,
    bytesMax: number,
  ): Page<Uint8Array> {
    const to = this.#emptyWriter();
    // With `afterKey` empty the first page begins with the prefix itself, later ones behind the last key.
    const rows =
      afterKey === undefined
        ? this.#statements.valuesFrom.iterate(bindable(space), bindable(prefix))
        : this.#statements.valuesAfter.iterate(bindable(space), bindable(afterKey));
    for (const row of rows) {
      const key = row.key as Uint8Array;
      if (!startsWith(key, prefix)) break;
      to.bytes(key);
      to.bytes(row.value as Uint8Array);
      if (to.length >= bytesMax) return { bytes: to.take(), next: copyOf(key) };
    }
    return { bytes: to.take(), next: undefined };
  }
}

const noBytes = new Uint8Array(0);

// What comes of putting together a page of more than 1 GB, for example of sessions with very many subscriptions.
const SQLITE_TOOBIG = 18;

function prepareStatements(
  database: Database,
): Record<
  | 'sessions'
  | 'filters'
  | 'inbound'
  | 'queues'
  | 'queue'
  | 'retained'
  | 'value'
  | 'valuesFrom'
  | 'valuesAfter',
  Statement
> {
  const range = 'WHERE session_key > ? AND session_key <= ?';
  const expired = `expires_at > 0 AND expires_at <= ? AND (delivery & ${DELIVERY_STATE_BITS}) = 0`;
  return {
    // SQLite puts a page of rows together by itself: handing over a million rows one by one takes five times as long.
    sessions: database.prepare(
      `SELECT max(key) AS last, count(*) AS count, group_concat(key || ',' || length(record)) AS numbers,
         CAST(group_concat(record, '') AS BLOB) AS bytes
       FROM (SELECT key, record FROM session WHERE key > ? ORDER BY key LIMIT ?)`,
    ),
    filters: database.prepare(
      `SELECT group_concat(session_key || ',' || length(filter) || ',' || options || ',' || subscription_id) AS numbers,
         CAST(group_concat(filter, '') AS BLOB) AS bytes
       FROM (SELECT * FROM subscription ${range} ORDER BY session_key)`,
    ),
    inbound: database.prepare(
      `SELECT group_concat(session_key || ',' || packet_id) AS numbers
       FROM (SELECT * FROM inbound ${range} ORDER BY session_key)`,
    ),
    queues: database.prepare(
      `SELECT group_concat(session_key || ',' || count || ',' || bytes) AS numbers
       FROM (SELECT session_key, count(*) AS count, sum(size) AS bytes FROM queue ${range} AND NOT (${expired})
             GROUP BY session_key ORDER BY session_key)`,
    ),
    queue: database.prepare(
      `SELECT message_id, delivery, size, subscription_ids,
         coalesce(body, (SELECT body FROM message WHERE id = message_id)) AS body
       FROM queue WHERE session_key = ? AND message_id > ? AND NOT (${expired}) ORDER BY message_id LIMIT ?`,
    ),
    retained: database.prepare(
      'SELECT topic, id, body FROM retained WHERE topic > ? AND NOT (expires_at > 0 AND expires_at <= ?) ORDER BY topic',
    ),
    value: database.prepare('SELECT value FROM value WHERE space = ? AND key = ?'),
    valuesFrom: database.prepare('SELECT key, value FROM value WHERE space = ? AND key >= ? ORDER BY key'),
    valuesAfter: database.prepare('SELECT key, value FROM value WHERE space = ? AND key > ? ORDER BY key'),
  };
}

const emptySessionPage: SessionPage = {
  sessions: { numbers: '', bytes: noBytes },
  filters: { numbers: '', bytes: noBytes },
  inbound: '',
  queues: '',
  next: undefined,
};

function columns(row: Row): Columns {
  return { numbers: numbersOf(row), bytes: (row.bytes as Uint8Array | null) ?? noBytes };
}

function numbersOf(row: Row): string {
  return (row.numbers as string | null) ?? '';
}

type Row = Readonly<Record<string, unknown>>;

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && prefix.every((byte, i) => bytes[i] === byte);
}

// A value of SQLite may be a view on memory that is not ours to transfer.
function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
