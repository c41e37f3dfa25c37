// Defence against guessing and against clients that connect in a loop: failed logins are answered later and later, an
// address that goes on failing is banned for a time, and so is a client id that comes and goes without end. A banned
// address is turned away before TLS or MQTT cost anything.

import type { AuthenticationAnswer, AuthenticationRequest, ClientInfo } from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import { AddressSet } from '../authz/addresses.ts';
import type { ThrottleConfig } from '../config/schema.ts';

export type BanKind = 'address' | 'client' | 'user';

export interface Ban {
  readonly kind: BanKind;
  readonly value: string;
  readonly reason: string;
  /** Milliseconds since the epoch; infinity for a ban that does not end. */
  readonly until: number;
}

interface Tally {
  count: number;
  /** When the window of this tally ends. */
  until: number;
}

/** Entries of one kind before the oldest is forgotten: an attacker with many addresses must not fill the memory. */
const entriesMax = 50_000;
const delayDoublingsMax = 4;

export class Throttle {
  #config: ThrottleConfig;
  #exempt: AddressSet;
  readonly #failures = new Map<string, Tally>();
  readonly #connects = new Map<string, Tally>();
  /** Those that somebody has asked for. */
  readonly #bans = new Map<string, Ban>();
  /** Those that came by themselves; whoever provokes very many of them pushes out no others. */
  readonly #ownBans = new Map<string, Ban>();
  readonly #now: () => number;
  /** Told about each new ban, for the log. */
  onBan: ((ban: Ban) => void) | undefined;
  /** How many connections and logins bans have turned away. */
  refusedByBan = 0;

  constructor(config: ThrottleConfig, now: () => number = Date.now) {
    this.#config = config;
    this.#exempt = new AddressSet(config.exempt);
    this.#now = now;
  }

  configure(config: ThrottleConfig): void {
    this.#config = config;
    this.#exempt = new AddressSet(config.exempt);
  }

  /** May this address open a connection? */
  accepts(address: string): boolean {
    if (this.#isEmpty || !this.#banOf('address', address)) return true;
    this.refusedByBan++;
    return false;
  }

  /** The answer to a client that is banned by its id or user name. */
  refusal({
    clientId,
    username,
  }: Pick<AuthenticationRequest, 'clientId' | 'username'>): AuthenticationAnswer {
    if (this.#isEmpty) return undefined;
    const ban =
      this.#banOf('client', clientId) ?? (username === undefined ? undefined : this.#banOf('user', username));
    if (!ban) return undefined;
    this.refusedByBan++;
    return { allow: false, reasonCode: ReasonCode.Banned, reason: ban.reason };
  }

  /** Counts a failed login and says for how long its answer is to be held back, in milliseconds. */
  failed(address: string): number {
    const { enabled, failures, ban, delay } = this.#config;
    if (!enabled || this.#exempt.has(address)) return 0;
    const count = this.#count(this.#failures, address);
    if (count >= failures) {
      this.#failures.delete(address);
      this.#banByItself({
        kind: 'address',
        value: address,
        reason: `${count} failed logins`,
        until: this.#now() + ban * 1000,
      });
    }
    return delay * 1000 * 2 ** Math.min(count - 1, delayDoublingsMax);
  }

  /** Holds back the answer to a client that has guessed wrong. */
  slowDown(
    result: AuthenticationAnswer,
    { remoteAddress }: Pick<AuthenticationRequest, 'remoteAddress'>,
  ): AuthenticationAnswer | Promise<AuthenticationAnswer> {
    if (result === undefined || result.allow || !isGuess(result.reasonCode)) return result;
    const delayMs = this.failed(remoteAddress);
    if (delayMs === 0) return result;
    return new Promise((resolve) => setTimeout(() => resolve(result), delayMs));
  }

  /** Counts a connection of a client, for those that come and go without end. */
  connected({ clientId, remoteAddress }: Pick<ClientInfo, 'clientId' | 'remoteAddress'>): void {
    const { enabled, flapping, ban } = this.#config;
    if (!enabled || this.#exempt.has(remoteAddress)) return;
    const count = this.#count(this.#connects, clientId);
    if (count < flapping) return;
    this.#connects.delete(clientId);
    this.#banByItself({
      kind: 'client',
      value: clientId,
      reason: `${count} connections in a short time`,
      until: this.#now() + ban * 1000,
    });
  }

  /** Failed logins of an address that are still remembered. */
  failuresOf(address: string): number {
    const tally = this.#failures.get(address);
    return tally && tally.until > this.#now() ? tally.count : 0;
  }

  bans(): Ban[] {
    const now = this.#now();
    for (const bans of [this.#bans, this.#ownBans])
      for (const [key, { until }] of bans) if (until <= now) bans.delete(key);
    return [...new Map([...this.#ownBans, ...this.#bans]).values()];
  }

  /** Bans whom somebody wants to be banned. */
  add(ban: Ban): void {
    this.#bans.set(keyOf(ban.kind, ban.value), ban);
    this.onBan?.(ban);
  }

  remove(kind: BanKind, value: string): boolean {
    const key = keyOf(kind, value);
    const wasAsked = this.#bans.delete(key);
    return this.#ownBans.delete(key) || wasAsked;
  }

  get #isEmpty(): boolean {
    return this.#bans.size === 0 && this.#ownBans.size === 0;
  }

  #banByItself(ban: Ban): void {
    bound(this.#ownBans);
    this.#ownBans.set(keyOf(ban.kind, ban.value), ban);
    this.onBan?.(ban);
  }

  #banOf(kind: BanKind, value: string): Ban | undefined {
    const key = keyOf(kind, value);
    return this.#current(this.#bans, key) ?? this.#current(this.#ownBans, key);
  }

  #current(bans: Map<string, Ban>, key: string): Ban | undefined {
    const ban = bans.get(key);
    if (ban === undefined || ban.until > this.#now()) return ban;
    bans.delete(key);
    return undefined;
  }

  #count(tallies: Map<string, Tally>, key: string): number {
    const now = this.#now();
    const tally = tallies.get(key);
    if (tally && tally.until > now) return ++tally.count;
    bound(tallies);
    tallies.set(key, { count: 1, until: now + this.#config.window * 1000 });
    return 1;
  }
}

function keyOf(kind: BanKind, value: string): string {
  return `${kind} ${value}`;
}

/** A wrong name or password; not a service that is away. */
function isGuess(reasonCode: number | undefined): boolean {
  return (
    reasonCode === undefined ||
    reasonCode === ReasonCode.BadUserNameOrPassword ||
    reasonCode === ReasonCode.NotAuthorized
  );
}

function bound(map: Map<string, unknown>): void {
  if (map.size < entriesMax) return;
  const [oldest] = map.keys();
  map.delete(oldest as string);
}
