// Who exists: user bots, their standard bots, and those bots' sockets. All of it is held in memory, because every
// message asks for it, and every change is written to the store before it is answered, so that a restart forgets
// nothing that was confirmed. Socket bots are written too: one that was created before a restart may still connect.
//
//   user bot "ana"
//     ├─ bot "lamp"   follows #light      ── socket "lamp~x1"
//     └─ bot "switch" follows #light #heat

import type { BotInfo, BotKind, Permissions, StandardBotInfo } from '../protocol.ts';
import { Refusal } from './refusal.ts';

/** A bot as it is stored. */
export interface BotRecord {
  readonly id: string;
  readonly kind: BotKind;
  /** The bot that created it; empty for user bots. */
  readonly owner: string;
  readonly secretHash: string;
  readonly createdAt: number;
  /** Followed tags, the latest first. */
  readonly follows: readonly string[];
  /** Hash of the web hook secret; undefined while hooks are off. */
  readonly hookHash: string | undefined;
  readonly permissions: Permissions | undefined;
}

/** The durable part of the broker that accounts are kept in. */
export interface ValueSpace {
  list(prefix: string): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]>;
  put(key: string, value: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
}

const KEY_PREFIX = 'bot/';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Accounts {
  readonly #values: ValueSpace;
  readonly #bots = new Map<string, BotRecord>();
  /**
   * Ids whose bots are being created, with their owners: two creations of one id cannot both succeed, and both count where
   * the number of bots is limited.
   */
  readonly #reserved = new Map<string, string>();
  /** The ids of the bots that a bot owns. */
  readonly #children = new Map<string, Set<string>>();
  /** Per account and tag: the ids of the standard bots that follow it. */
  readonly #followers = new Map<string, Map<string, Set<string>>>();
  #userCount = 0;

  constructor(values: ValueSpace) {
    this.#values = values;
  }

  async load(): Promise<void> {
    for await (const page of this.#values.list(KEY_PREFIX)) {
      for (const [, value] of page) this.#index(JSON.parse(decoder.decode(value)) as BotRecord);
    }
  }

  /** User bots, with those that are being created. */
  get userCount(): number {
    return this.#userCount + this.#reservedBy('');
  }

  get(id: string): BotRecord | undefined {
    return this.#bots.get(id);
  }

  /** The bot, or a refusal with status 404. */
  require(id: string): BotRecord {
    const record = this.#bots.get(id);
    if (record === undefined) throw new Refusal(404, `there is no bot "${id}"`);
    return record;
  }

  childrenOf(id: string): readonly string[] {
    return [...(this.#children.get(id) ?? [])];
  }

  /** Bots that a bot owns, with those that are being created. */
  childCount(id: string): number {
    return (this.#children.get(id)?.size ?? 0) + this.#reservedBy(id);
  }

  /** The user bot at the top of a bot's owners; the bot itself if it is one. */
  accountOf(record: BotRecord): string {
    let current = record;
    while (current.owner !== '') {
      const owner = this.#bots.get(current.owner);
      if (owner === undefined) break;
      current = owner;
    }
    return current.id;
  }

  /** The ids of an account's standard bots that follow at least one of the tags, each once. */
  followersOf(account: string, tags: readonly string[]): ReadonlySet<string> {
    const byTag = this.#followers.get(account);
    const found = new Set<string>();
    if (byTag === undefined) return found;
    for (const tag of tags) {
      for (const id of byTag.get(tag) ?? []) found.add(id);
    }
    return found;
  }

  /**
   * Adds a bot. `secretHash` is asked for only when the id is free, because hashing is slow, and the id stays reserved
   * meanwhile.
   */
  async create(record: Omit<BotRecord, 'secretHash'>, secretHash: () => Promise<string>): Promise<BotRecord> {
    const { id, owner } = record;
    if (this.#bots.has(id) || this.#reserved.has(id)) throw new Refusal(409, `the id "${id}" is taken`);
    this.#reserved.set(id, owner);
    let complete: BotRecord;
    try {
      complete = { ...record, secretHash: await secretHash() };
    } finally {
      this.#reserved.delete(id);
    }
    // It may have been removed while the secret was hashed; from now on a removal finds the new bot.
    if (owner !== '') this.require(owner);
    this.#index(complete);
    try {
      await this.#write(complete);
    } catch (error) {
      if (this.#bots.get(id) === complete) {
        this.#unindex(complete);
        this.#takeBack(this.#delete(complete));
      }
      throw error;
    }
    return complete;
  }

  /** Replaces fields of a bot; what they are computed from is read at the moment of the change, not before a wait. */
  async update(id: string, change: (record: BotRecord) => Partial<BotRecord>): Promise<BotRecord> {
    const before = this.require(id);
    const after: BotRecord = { ...before, ...change(before), id };
    this.#unindex(before);
    this.#index(after);
    try {
      await this.#write(after);
    } catch (error) {
      if (this.#bots.get(id) === after) {
        this.#unindex(after);
        this.#index(before);
        this.#takeBack(this.#write(before));
      }
      throw error;
    }
    return after;
  }

  /**
   * Removes a bot with everything it owns; returns the ids that are gone, the deepest first. All of them go at once, so that
   * nothing can be added to what is being removed.
   */
  async remove(id: string): Promise<readonly string[]> {
    const records = this.#withChildren(this.require(id));
    for (const record of records) this.#unindex(record);
    try {
      await Promise.all(records.map((record) => this.#delete(record)));
    } catch (error) {
      for (const record of records) {
        if (this.#bots.has(record.id)) continue;
        this.#index(record);
        this.#takeBack(this.#write(record));
      }
      throw error;
    }
    return records.map((record) => record.id);
  }

  info(id: string): BotInfo {
    const record = this.require(id);
    switch (record.kind) {
      case 'user':
        return {
          type: 'user',
          id,
          bots: this.childrenOf(id).map((child) => this.#standardInfo(this.require(child))),
        };
      case 'bot':
        return this.#standardInfo(record);
      case 'socket':
        return { type: 'socket', id };
    }
  }

  /** All bots of a kind, for the clean-up at the start. */
  *ofKind(kind: BotKind): Iterable<BotRecord> {
    for (const record of this.#bots.values()) if (record.kind === kind) yield record;
  }

  /** A bot behind everything it owns. */
  #withChildren(record: BotRecord): readonly BotRecord[] {
    const children = this.childrenOf(record.id).map((child) => this.require(child));
    return [...children.flatMap((child) => this.#withChildren(child)), record];
  }

  #reservedBy(owner: string): number {
    let count = 0;
    for (const reservedBy of this.#reserved.values()) if (reservedBy === owner) count++;
    return count;
  }

  #standardInfo(record: BotRecord): StandardBotInfo {
    return {
      type: 'bot',
      id: record.id,
      subscriptions: record.follows,
      hook: record.hookHash !== undefined,
      sockets: this.childrenOf(record.id),
    };
  }

  #write(record: BotRecord): Promise<void> {
    return this.#values.put(KEY_PREFIX + record.id, encoder.encode(JSON.stringify(record)));
  }

  #delete(record: BotRecord): Promise<void> {
    return this.#values.delete(KEY_PREFIX + record.id);
  }

  /**
   * What a store could not write it goes on trying to write, unless something else takes its place. Whether that is
   * stored at once concerns nobody.
   */
  #takeBack(written: Promise<void>): void {
    written.catch(() => undefined);
  }

  #index(record: BotRecord): void {
    this.#bots.set(record.id, record);
    if (record.kind === 'user') this.#userCount++;
    if (record.owner !== '') setOf(this.#children, record.owner).add(record.id);
    if (record.kind !== 'bot') return;
    const byTag = this.#followers.get(record.owner) ?? new Map<string, Set<string>>();
    this.#followers.set(record.owner, byTag);
    for (const tag of record.follows) setOf(byTag, tag).add(record.id);
  }

  #unindex(record: BotRecord): void {
    this.#bots.delete(record.id);
    if (record.kind === 'user') this.#userCount--;
    if (record.owner !== '') dropFrom(this.#children, record.owner, record.id);
    const byTag = this.#followers.get(record.owner);
    if (record.kind !== 'bot' || byTag === undefined) return;
    for (const tag of record.follows) dropFrom(byTag, tag, record.id);
    if (byTag.size === 0) this.#followers.delete(record.owner);
  }
}

function setOf(map: Map<string, Set<string>>, key: string): Set<string> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const set = new Set<string>();
  map.set(key, set);
  return set;
}

function dropFrom(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set === undefined) return;
  set.delete(value);
  if (set.size === 0) map.delete(key);
}
