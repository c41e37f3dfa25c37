// Random batches against a plain model, with the store closed and opened in between.

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SqliteStore } from '../src/index.ts';
import { collect, loadedSessions, message, openStore, session, target, temporaryFolder } from './support.ts';

interface ModelSession {
  readonly filters: Map<string, number>;
  readonly inbound: Set<number>;
  /** Message id to state and packet identifier. */
  readonly queue: Map<number, readonly [state: number, packetId: number]>;
}

/** The same calls on the store and on maps. */
class Pair {
  readonly sessions = new Map<number, ModelSession>();
  readonly retained = new Map<string, number>();
  readonly values = new Map<string, string>();
  store: SqliteStore;
  #lastSessionKey = 0;
  #lastMessageId = 0;
  readonly #sizes = new Map<number, number>();

  constructor(store: SqliteStore) {
    this.store = store;
  }

  /** One of the living sessions, chosen by any number. */
  #pick(choice: number): [number, ModelSession] | undefined {
    return [...this.sessions][choice % Math.max(1, this.sessions.size)];
  }

  addSession(): void {
    const key = ++this.#lastSessionKey;
    this.sessions.set(key, { filters: new Map(), inbound: new Set(), queue: new Map() });
    this.store.putSession(session(key));
  }

  deleteSession(choice: number): void {
    const picked = this.#pick(choice);
    if (picked === undefined) return;
    this.sessions.delete(picked[0]);
    this.store.deleteSession(picked[0]);
  }

  subscribe(choice: number, filter: string, id: number): void {
    const picked = this.#pick(choice);
    if (picked === undefined) return;
    picked[1].filters.set(filter, id);
    this.store.putSubscription(picked[0], {
      filter,
      qos: 1,
      noLocal: false,
      retainAsPublished: true,
      retainHandling: 1,
      subscriptionId: id,
    });
  }

  unsubscribe(choice: number, filter: string): void {
    const picked = this.#pick(choice);
    if (picked === undefined) return;
    picked[1].filters.delete(filter);
    this.store.deleteSubscription(picked[0], filter);
  }

  inbound(choice: number, packetId: number, present: boolean): void {
    const picked = this.#pick(choice);
    if (picked === undefined) return;
    if (present) {
      picked[1].inbound.add(packetId);
      this.store.putInbound(picked[0], packetId);
    } else {
      picked[1].inbound.delete(packetId);
      this.store.deleteInbound(picked[0], packetId);
    }
  }

  enqueue(mask: number, size: number, sentMask: number): void {
    const chosen = [...this.sessions].filter((_, i) => (mask >> (i % 12)) & 1);
    if (chosen.length === 0) return;
    const id = ++this.#lastMessageId;
    this.#sizes.set(id, size);
    const targets = chosen.map(([key, { queue }], i) => {
      const packetId = (sentMask >> (i % 12)) & 1 ? id : 0;
      queue.set(id, [packetId > 0 ? 1 : 0, packetId]);
      return target(key, { packetId, qos: 2 });
    });
    this.store.enqueue(message(id, { payload: Buffer.alloc(size, id) }), targets);
  }

  progress(choice: number, entry: number, step: 'sent' | 'released' | 'dequeue'): void {
    const picked = this.#pick(choice);
    if (picked === undefined) return;
    const [key, { queue }] = picked;
    const found = [...queue][entry % Math.max(1, queue.size)];
    if (found === undefined) return;
    const [id, [, packetId]] = found;
    if (step === 'dequeue') {
      queue.delete(id);
      this.store.dequeue(key, id);
    } else if (step === 'sent') {
      queue.set(id, [1, id % 65535 || 1]);
      this.store.markSent(key, id, id % 65535 || 1);
    } else {
      queue.set(id, [2, packetId]);
      this.store.markReleased(key, id);
    }
  }

  retain(topic: string, present: boolean): void {
    if (present) {
      const id = ++this.#lastMessageId;
      this.retained.set(topic, id);
      this.store.putRetained(message(id, { topic }));
    } else {
      this.retained.delete(topic);
      this.store.deleteRetained(topic);
    }
  }

  value(key: string, value: string | undefined): void {
    if (value === undefined) {
      this.values.delete(key);
      this.store.deleteValue('space', key);
    } else {
      this.values.set(key, value);
      this.store.putValue('space', key, Buffer.from(value));
    }
  }

  async check(): Promise<void> {
    const loaded = await loadedSessions(this.store);
    expect([...loaded.keys()].sort((a, b) => a - b)).toEqual([...this.sessions.keys()]);
    for (const [key, model] of this.sessions) {
      const found = loaded.get(key)!;
      expect(new Map(found.subscriptions.map((entry) => [entry.filter, entry.subscriptionId]))).toEqual(
        model.filters,
      );
      expect(new Set(found.inboundPacketIds)).toEqual(model.inbound);
      const deliveries = await this.store.readQueue(key, 0, 10_000, 1e9);
      const queue = deliveries.map(({ message: { id }, state, packetId }) => [id, [state, packetId]]);
      expect(queue).toEqual([...model.queue]);
      for (const { message: body } of deliveries) expect(body.payload.length).toBe(this.#sizes.get(body.id));
      expect(found.queuedMessages).toBe(model.queue.size);
    }
    const retained = (await collect(this.store.loadRetained())).map(({ topic, id }) => [topic, id] as const);
    expect(new Map(retained)).toEqual(this.retained);
    const values = (await collect(this.store.listValues('space', ''))).map(
      ([key, value]) => [key, Buffer.from(value).toString()] as const,
    );
    expect(new Map(values)).toEqual(this.values);
  }
}

const small = fc.nat(1000);
const name = fc.constantFrom('a', 'b', 'c/+', 'ü', '#');
type Step = (pair: Pair) => void | Promise<unknown>;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Step>((pair) => pair.addSession()) },
  { weight: 1, arbitrary: small.map<Step>((choice) => (pair) => pair.deleteSession(choice)) },
  {
    weight: 2,
    arbitrary: fc.tuple(small, name, small).map<Step>((args) => (pair) => pair.subscribe(...args)),
  },
  { weight: 1, arbitrary: fc.tuple(small, name).map<Step>((args) => (pair) => pair.unsubscribe(...args)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(small, fc.integer({ min: 1, max: 9 }), fc.boolean())
      .map<Step>((args) => (pair) => pair.inbound(...args)),
  },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.nat(4095), fc.constantFrom(0, 10, 200, 2000, 9000), fc.nat(4095))
      .map<Step>((args) => (pair) => pair.enqueue(...args)),
  },
  {
    weight: 12,
    arbitrary: fc
      .tuple(small, small, fc.constantFrom('sent', 'released', 'dequeue', 'dequeue'))
      .map<Step>((args) => (pair) => pair.progress(...args)),
  },
  { weight: 2, arbitrary: fc.tuple(name, fc.boolean()).map<Step>((args) => (pair) => pair.retain(...args)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(name, fc.option(name, { nil: undefined }))
      .map<Step>((args) => (pair) => pair.value(...args)),
  },
  { weight: 3, arbitrary: fc.constant<Step>((pair) => pair.store.commit()) },
  // A commit that nobody waits for: the next writes meet it on its way.
  { weight: 3, arbitrary: fc.constant<Step>((pair) => void pair.store.commit()) },
  { weight: 1, arbitrary: small.map<Step>((key) => (pair) => pair.store.readQueue(key, 0, 1, 1)) },
);

test('random batches leave the store as they leave a plain model, also after it was opened again', async () => {
  const seed = Number(process.env.TOBYMQ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`store model test: TOBYMQ_SEED=${seed}`);
  const property = fc.asyncProperty(
    fc.array(fc.array(step, { minLength: 1, maxLength: 120 }), { minLength: 1, maxLength: 4 }),
    async (lives) => {
      const folder = await temporaryFolder();
      const pair = new Pair(await openStore({ folder, durability: 'commit' }));
      for (let i = 0; i < 4; i++) pair.addSession();
      for (const life of lives) {
        for (const action of life) await action(pair);
        await pair.check();
        await pair.store.close();
        pair.store = await openStore({ folder, durability: 'commit' });
      }
      await pair.check();
      await pair.store.close();
    },
  );
  await fc.assert(property, { seed, numRuns: 15 });
  // Each life opens the store anew, in a worker thread; a busy machine takes its time for that.
}, 90_000);
