// Retained topics as a key-value map that stays current: read it like a map, set and delete values, follow changes.
//
// The map is filled from the retained messages that the server sends for the subscription. After each reconnect all of
// them come again, also in a resumed session, because a server keeps no messages of QoS 0 for a client that is away: what
// is the same as before is no change, and a key counts as deleted only when the server has finished sending and the key
// was not among them. So a reconnect reports exactly what changed meanwhile.

import { abortError, limitCall } from './call-limits.ts';
import type { Client } from './client.ts';
import { within } from './clock.ts';
import type { Core, CoreListener } from './core.ts';
import type { Duration } from './duration.ts';
import { ClientError, causedBy } from './errors.ts';
import { Inbox } from './inbox.ts';
import { inHandMax } from './limits.ts';
import type { Message } from './message.ts';
import { bytesOf, type PublishOptions } from './outgoing-message.ts';
import type { Subscription } from './subscription.ts';
import { encodeValue, type TopicPattern } from './topic.ts';

export interface ViewOptions {
  /** How many earlier values are kept for each key; none unless given. */
  readonly history?: number;
  readonly signal?: AbortSignal;
}

/** One change of a key. `value` is `undefined` when it was deleted, `previous` when it was not there before. */
export interface Change<V, P> {
  readonly key: P;
  readonly topic: string;
  readonly value: V | undefined;
  readonly previous: V | undefined;
}

export interface PastValue<V> {
  readonly value: V;
  /** When it came here, in milliseconds since the epoch. */
  readonly at: number;
}

export interface WaitForOptions {
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
}

interface Entry<V, P> {
  readonly key: P;
  readonly value: V;
  readonly payload: Uint8Array;
  readonly history: readonly PastValue<V>[];
  /** Number of the last reading in which the server sent it. */
  reading: number;
}

/** How long the server has to be silent before its retained messages count as complete. */
const QUIET_MS = 200;

/** What a view needs of the client beside its public methods. */
export type ViewHost = Pick<Core, 'listeners' | 'settings' | 'report' | 'subscriptions'>;

/**
 * A live map over retained topics; `client.view()` makes one.
 *
 * @example
 * await using config = await client.view(topic('config/{name}', json<{ seconds: number }>()));
 * await config.set({ name: 'poll' }, { seconds: 30 });
 * for await (const c of config.changes()) console.log(c.key.name, c.previous?.seconds, '->', c.value?.seconds);
 */
export class View<V, P> implements AsyncDisposable {
  readonly #client: Client;
  readonly #host: ViewHost;
  readonly #pattern: TopicPattern<V, P>;
  readonly #historyMax: number;
  readonly #entries = new Map<string, Entry<V, P>>();
  readonly #inboxes = new Set<Inbox<Change<V, P>>>();
  readonly #watchers = new Set<() => void>();
  readonly #listener: CoreListener;
  /** Writes of a key that wait for their acknowledgement, as long as nothing has come for the key since. */
  readonly #writes = new Map<string, Set<object>>();
  #subscription: Subscription<unknown, unknown> | undefined;
  #reading = 1;
  /** Settles with the last reading that a reconnect began. */
  #lastReading: Promise<void> | undefined;
  #lastRetainedAt = 0;
  #end: ClientError | undefined;
  #onEnd!: () => void;
  readonly #ended = new Promise<void>((resolve) => {
    this.#onEnd = resolve;
  });

  private constructor(client: Client, host: ViewHost, pattern: TopicPattern<V, P>, options: ViewOptions) {
    this.#client = client;
    this.#host = host;
    this.#pattern = pattern;
    this.#historyMax = options.history ?? 0;
    this.#listener = {
      onConnected: (isResumed) => {
        const subscription = this.#subscription;
        if (subscription === undefined || subscription.isEnded) return;
        host.subscriptions.readAgain(pattern.filter, isResumed);
        this.#reading++;
        this.#lastReading = this.#finishReading(this.#reading).catch(() => {});
      },
    };
  }

  /** Resolves when the map has what the server has. */
  static async open<V, P>(
    client: Client,
    host: ViewHost,
    pattern: TopicPattern<V, P>,
    options: ViewOptions,
  ): Promise<View<V, P>> {
    const { signal } = options;
    const view = new View(client, host, pattern, options);
    host.listeners.add(view.#listener);
    try {
      const subscribed = await client.on(pattern.filter, (message) => view.#onMessage(message), {
        retainAsPublished: true,
        ...(signal && { signal }),
      });
      view.#subscription = subscribed as Subscription<unknown, unknown>;
      // By close(), by the signal, by the end of the client, or because the server refuses it from now on.
      subscribed.onEnd((error) => view.#stop(error));
      await view.#finishReading(view.#reading);
      if (view.#end !== undefined) throw view.#end;
      return view;
    } catch (error) {
      host.listeners.delete(view.#listener);
      throw signal?.aborted ? abortError(signal) : error;
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: P): V | undefined {
    return this.#entries.get(this.#name(key))?.value;
  }

  has(key: P): boolean {
    return this.#entries.has(this.#name(key));
  }

  *entries(): IterableIterator<readonly [key: P, value: V]> {
    for (const { key, value } of this.#entries.values()) yield [key, value];
  }

  /** Earlier values of a key, the oldest first, as far as they came while this view was open. */
  history(key: P): readonly PastValue<V>[] {
    return [...(this.#entries.get(this.#name(key))?.history ?? [])];
  }

  /** Sets a value; resolves when the server has it. */
  async set(key: P, value: V, options: Omit<PublishOptions, 'retain'> = {}): Promise<void> {
    const name = this.#name(key);
    const bytes = bytesOf(encodeValue(this.#pattern.codec, value, name));
    if (bytes.length === 0) {
      throw new ClientError('TOBYMQ_VALUE_INVALID', `an empty payload would delete ${name}`, { topic: name });
    }
    await this.#write(name, bytes, options);
  }

  /** Deletes a key; resolves when the server has done so. */
  async delete(key: P, options: Omit<PublishOptions, 'retain'> = {}): Promise<void> {
    await this.#write(this.#name(key), new Uint8Array(0), options);
  }

  /**
   * Each change from now on. A loop that is very many changes behind sees several changes of a key as one, and still ends
   * with what the view has.
   */
  changes(): AsyncIterableIterator<Change<V, P>> {
    const inbox: Inbox<Change<V, P>> = new Inbox(() => this.#inboxes.delete(inbox), inHandMax, join);
    if (this.#end === undefined) this.#inboxes.add(inbox);
    else inbox.end();
    return inbox;
  }

  /**
   * Resolves with the value of a key as soon as it satisfies the condition; at once if it does already.
   *
   * @example
   * await doors.waitFor({ id: 'gate' }, (state) => state === 'closed', { timeout: '10 s' });
   */
  waitFor(
    key: P,
    condition: (value: V | undefined) => boolean,
    options: WaitForOptions = {},
  ): Promise<V | undefined> {
    const name = this.#name(key);
    let forgetLimits = (): void => {};
    let look = (): void => {};
    const reached = new Promise<V | undefined>((resolve, reject) => {
      look = () => {
        const value = this.#entries.get(name)?.value;
        try {
          if (this.#end !== undefined) throw this.#end;
          if (condition(value)) resolve(value);
        } catch (error) {
          reject(error);
        }
      };
      this.#watchers.add(look);
      forgetLimits = limitCall(
        this.#host.settings.clock,
        options,
        `${name} was not as expected`,
        name,
        reject,
      );
      look();
    });
    return reached.finally(() => {
      forgetLimits();
      this.#watchers.delete(look);
    });
  }

  /** Ends the view; loops over its changes end. */
  async close(): Promise<void> {
    await this.#subscription?.unsubscribe();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #name(key: P): string {
    return (this.#pattern as TopicPattern<V, Readonly<Record<string, string>>>).at(
      key as Readonly<Record<string, string>>,
    ).name;
  }

  async #write(name: string, payload: Uint8Array, options: Omit<PublishOptions, 'retain'>): Promise<void> {
    const write = {};
    const writes = this.#writes.get(name) ?? new Set();
    this.#writes.set(name, writes.add(write));
    try {
      await this.#client.publish(name, payload, { qos: 1, ...options, retain: true });
      // Our own message usually comes back before or after this. If nothing came yet it is applied now, so that a read
      // after the write sees it; if something came, the server's order decides.
      if (this.#writes.get(name) === writes) this.#apply(name, payload);
    } finally {
      writes.delete(write);
      if (writes.size === 0 && this.#writes.get(name) === writes) this.#writes.delete(name);
    }
  }

  #onMessage(message: Message): void {
    const { topic, payload, retain } = message;
    // In 5.0 the flag tells what was retained; before, live messages never have it, so each one counts.
    if (!retain && this.#client.protocolVersion === 5) return;
    if (retain) this.#lastRetainedAt = this.#host.settings.clock.now();
    this.#writes.delete(topic);
    this.#apply(topic, payload.slice());
  }

  #apply(name: string, payload: Uint8Array): void {
    const entry = this.#entries.get(name);
    if (payload.length === 0) {
      if (entry !== undefined) this.#remove(name, entry);
      return;
    }
    if (entry !== undefined && isEqual(entry.payload, payload)) {
      entry.reading = this.#reading;
      return;
    }
    const key = this.#pattern.match(name);
    if (key === undefined) return;
    let value: V;
    try {
      value = this.#pattern.codec.decode(payload);
    } catch (cause) {
      const what = `the retained message on ${name} cannot be decoded`;
      this.#host.report(causedBy(cause, 'TOBYMQ_VALUE_INVALID', what, name));
      return;
    }
    const past =
      entry === undefined
        ? []
        : [...entry.history, { value: entry.value, at: this.#host.settings.clock.now() }];
    const history = past.slice(Math.max(0, past.length - this.#historyMax));
    this.#entries.set(name, { key, value, payload, history, reading: this.#reading });
    this.#announce({ key, topic: name, value, previous: entry?.value });
  }

  #remove(name: string, entry: Entry<V, P>): void {
    this.#entries.delete(name);
    this.#announce({ key: entry.key, topic: name, value: undefined, previous: entry.value });
  }

  #announce(change: Change<V, P>): void {
    for (const inbox of this.#inboxes) inbox.push(change);
    for (const look of [...this.#watchers]) look();
  }

  /** Waits until the server has sent its retained messages, and deletes what was not among them. */
  async #finishReading(reading: number): Promise<void> {
    const { clock } = this.#host.settings;
    const startedAt = clock.now();
    await Promise.race([this.#barrier(), this.#ended]);
    const answeredAt = clock.now();
    const quietMs = Math.max(QUIET_MS, answeredAt - startedAt);
    for (;;) {
      if (this.#end !== undefined) return;
      if (this.#reading !== reading) return this.#lastReading;
      const leftMs = Math.max(this.#lastRetainedAt, answeredAt) + quietMs - clock.now();
      // The first reading deletes nothing, so if nothing has come there is nothing to wait for.
      if (leftMs <= 0 || (reading === 1 && this.#lastRetainedAt === 0)) break;
      await within(clock, leftMs, this.#ended);
    }
    for (const [name, entry] of [...this.#entries]) {
      if (entry.reading !== reading) this.#remove(name, entry);
    }
  }

  /** Resolves when the server has handled everything that was sent before; a refusal is an answer too. */
  async #barrier(): Promise<void> {
    const name = `view/${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
    const subscription = this.#client.subscribe(name, { qos: 0 });
    await subscription.ready.catch(() => {});
    await subscription.unsubscribe().catch(() => {});
  }

  #stop(error = new ClientError('TOBYMQ_CLOSED', `the view of ${this.#pattern.filter} was closed`)): void {
    this.#end = error;
    this.#onEnd();
    this.#host.listeners.delete(this.#listener);
    for (const inbox of this.#inboxes) inbox.end();
    this.#inboxes.clear();
    for (const look of [...this.#watchers]) look();
  }
}

/** Joins a change with the one that waits for the same key, so that hardly more of them wait than there are keys. */
function join<V, P>(waiting: Change<V, P>[], change: Change<V, P>): void {
  const at = waiting.findLastIndex(({ topic }) => topic === change.topic);
  if (at === -1) {
    waiting.push(change);
    return;
  }
  const { previous } = waiting[at]!;
  // A key that came and went was never there.
  if (previous === undefined && change.value === undefined) waiting.splice(at, 1);
  else waiting[at] = { ...change, previous };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
