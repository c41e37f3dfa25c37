// Writes one batch into the database, with prepared statements and inside the caller's transaction.
//
// This is where a busy store spends its time. What keeps it short: bodies are bound as views on the batch's buffer,
// a message for one queue takes a single insert, and nothing is decoded that the database does not ask for.

import { Op } from './batch-format.ts';
import { ByteReader } from './binary.ts';
import { DELIVERY_FIXED_BITS, DELIVERY_STATE_BITS, RELEASED_BITS } from './records.ts';
import { readNumber } from './schema.ts';
import type { Database, Statement } from './sqlite.ts';

// A row of `queue` keeps at most about a quarter of its page (4096 bytes) beside other rows; what is longer goes to
// pages of its own, half empty. In `message` a row may fill its page.
const inlineBytesMax = 900;

// The counters are written ahead by such a leap, so that nearly no batch has to touch them. A restart skips the rest
// of the leap; there are enough numbers below 2 to the 53rd for ten thousand restarts a second, for a century.
const messageIdLeap = 1_000_000;
const sessionKeyLeap = 1_000;

export class BatchApplier {
  readonly #statements: ReturnType<typeof prepareStatements>;
  #reservedMessageId: number;
  #reservedSessionKey: number;

  constructor(database: Database) {
    this.#statements = prepareStatements(database);
    this.#reservedMessageId = readNumber(database, "SELECT value FROM counter WHERE name = 'message'");
    this.#reservedSessionKey = readNumber(database, "SELECT value FROM counter WHERE name = 'session'");
  }

  /** Answers whether a session was deleted, whose queue the cleaner is to clear. */
  apply(bytes: Uint8Array): boolean {
    const from = new ByteReader(bytes);
    const run = this.#statements;
    let droppedSession = false;
    let messageIdMax = 0;
    let sessionKeyMax = 0;
    while (!from.atEnd) {
      const op = from.u8();
      switch (op) {
        case Op.Enqueue:
          messageIdMax = Math.max(messageIdMax, this.#enqueue(from));
          break;
        case Op.Dequeue:
          this.#dequeue(from.number(), from.number());
          break;
        case Op.SetDelivery: {
          const sessionKey = from.number();
          const messageId = from.number();
          run.setDelivery.run(from.number(), sessionKey, messageId);
          break;
        }
        case Op.Release:
          run.release.run(from.number(), from.number());
          break;
        case Op.PutInbound:
          run.putInbound.run(from.number(), from.number());
          break;
        case Op.DeleteInbound:
          run.deleteInbound.run(from.number(), from.number());
          break;
        case Op.PutSession: {
          const key = from.number();
          sessionKeyMax = Math.max(sessionKeyMax, key);
          run.putSession.run(key, from.raw(from.u32()));
          break;
        }
        case Op.DeleteSession:
          this.#deleteSession(from.number());
          droppedSession = true;
          break;
        case Op.PutFilter:
          run.putFilter.run(from.number(), from.bytes(), from.u8(), from.number());
          break;
        case Op.DeleteFilter:
          run.deleteFilter.run(from.number(), from.bytes());
          break;
        case Op.PutRetained: {
          const topic = from.bytes();
          const id = from.number();
          messageIdMax = Math.max(messageIdMax, id);
          run.putRetained.run(topic, id, from.number(), from.raw(from.u32()));
          break;
        }
        case Op.DeleteRetained:
          run.deleteRetained.run(from.bytes());
          break;
        case Op.PutValue:
          run.putValue.run(from.bytes(), from.bytes(), from.bytes());
          break;
        case Op.DeleteValue:
          run.deleteValue.run(from.bytes(), from.bytes());
          break;
        default:
          throw new RangeError(`a batch holds the unknown operation ${op} at ${from.position - 1}`);
      }
    }
    this.#reserve(messageIdMax, sessionKeyMax);
    return droppedSession;
  }

  /** To be called when the transaction of `apply` failed: what it reserved was rolled back. */
  forgetReservations(): void {
    this.#reservedMessageId = 0;
    this.#reservedSessionKey = 0;
  }

  #enqueue(from: ByteReader): number {
    const messageId = from.number();
    const size = from.number();
    const expiresAt = from.number();
    const body = from.raw(from.u32());
    const count = from.u32();
    const shared = count > 1 || body.length > inlineBytesMax;
    if (shared) this.#statements.putMessage.run(messageId, count, body);
    const inline = shared ? null : body;
    for (let i = 0; i < count; i++) {
      const sessionKey = from.number();
      const delivery = from.number();
      const subscriptionIds = from.u8() === 0 ? null : from.raw(from.u32());
      this.#statements.enqueue.run(sessionKey, messageId, delivery, size, expiresAt, subscriptionIds, inline);
    }
    return messageId;
  }

  #dequeue(sessionKey: number, messageId: number): void {
    // The condition finds the common case with a single statement; a message of several queues needs two more.
    if (Number(this.#statements.dequeueInline.run(sessionKey, messageId).changes) > 0) return;
    if (Number(this.#statements.dequeueShared.run(sessionKey, messageId).changes) === 0) return;
    this.#statements.dereference.run(messageId);
    this.#statements.deleteUnreferenced.run(messageId);
  }

  #deleteSession(key: number): void {
    this.#statements.deleteSession.run(key);
    this.#statements.deleteFilters.run(key);
    this.#statements.deleteAllInbound.run(key);
    this.#statements.dropQueue.run(key, key);
  }

  #reserve(messageId: number, sessionKey: number): void {
    if (messageId > this.#reservedMessageId) {
      this.#reservedMessageId = messageId + messageIdLeap;
      this.#statements.reserve.run('message', this.#reservedMessageId);
    }
    if (sessionKey > this.#reservedSessionKey) {
      this.#reservedSessionKey = sessionKey + sessionKeyLeap;
      this.#statements.reserve.run('session', this.#reservedSessionKey);
    }
  }
}

function prepareStatements(database: Database) {
  const prepare = (sql: string): Statement => database.prepare(sql);
  const thisRow = 'WHERE session_key = ? AND message_id = ?';
  return {
    putSession: prepare('INSERT OR REPLACE INTO session VALUES (?, ?)'),
    deleteSession: prepare('DELETE FROM session WHERE key = ?'),
    deleteFilters: prepare('DELETE FROM subscription WHERE session_key = ?'),
    deleteAllInbound: prepare('DELETE FROM inbound WHERE session_key = ?'),
    dropQueue: prepare(
      'INSERT OR IGNORE INTO dropped SELECT ? WHERE EXISTS (SELECT 1 FROM queue WHERE session_key = ?)',
    ),
    putFilter: prepare('INSERT OR REPLACE INTO subscription VALUES (?, ?, ?, ?)'),
    deleteFilter: prepare('DELETE FROM subscription WHERE session_key = ? AND filter = ?'),
    putMessage: prepare(
      'INSERT INTO message VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET queues = queues + excluded.queues',
    ),
    enqueue: prepare('INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?, ?, ?, ?)'),
    dequeueInline: prepare(`DELETE FROM queue ${thisRow} AND body IS NOT NULL`),
    dequeueShared: prepare(`DELETE FROM queue ${thisRow}`),
    dereference: prepare('UPDATE message SET queues = queues - 1 WHERE id = ?'),
    deleteUnreferenced: prepare('DELETE FROM message WHERE id = ? AND queues <= 0'),
    setDelivery: prepare(`UPDATE queue SET delivery = (delivery & ${DELIVERY_FIXED_BITS}) | ? ${thisRow}`),
    release: prepare(
      `UPDATE queue SET delivery = (delivery & ~${DELIVERY_STATE_BITS}) | ${RELEASED_BITS} ${thisRow}`,
    ),
    putInbound: prepare('INSERT OR IGNORE INTO inbound VALUES (?, ?)'),
    deleteInbound: prepare('DELETE FROM inbound WHERE session_key = ? AND packet_id = ?'),
    putRetained: prepare('INSERT OR REPLACE INTO retained VALUES (?, ?, ?, ?)'),
    deleteRetained: prepare('DELETE FROM retained WHERE topic = ?'),
    putValue: prepare('INSERT OR REPLACE INTO value VALUES (?, ?, ?)'),
    deleteValue: prepare('DELETE FROM value WHERE space = ? AND key = ?'),
    reserve: prepare(
      'INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)',
    ),
  };
}
