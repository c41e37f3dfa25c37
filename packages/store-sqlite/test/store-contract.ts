// What every implementation of `Store` must do. Each claim is checked after the store was closed and opened again when
// the implementation keeps anything; `restart` does that, or answers with the same store.

import type { Store, StoredMessage, StoredSubscription } from '@tobymq/broker';
import { describe, expect, test } from 'vitest';
import { collect, loadedSessions, message, plain, queuedIds, session, target } from './support.ts';

export interface ContractSubject {
  readonly store: Store;
  readonly restart: (store: Store) => Promise<Store>;
}

export function storeContract(name: string, open: () => Promise<ContractSubject>): void {
  const subscription = (filter: string, fields: Partial<StoredSubscription> = {}): StoredSubscription => ({
    filter,
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionId: 0,
    ...fields,
  });

  const written = async (write: (store: Store) => void): Promise<Store> => {
    const { store, restart } = await open();
    write(store);
    await store.commit();
    return restart(store);
  };

  describe(`store contract: ${name}`, () => {
    test('a session comes back as it was put, with its will', async () => {
      const full = session(5, {
        clientId: 'größe-日本',
        username: 'nutzer',
        protocolVersion: 4,
        expiryInterval: 0xffff_ffff,
        disconnectedAt: 1_700_000_123_456,
        will: {
          topic: 'last/words',
          payload: Buffer.from([0, 1, 255]),
          qos: 2,
          retain: true,
          properties: Buffer.from([3, 0, 1, 65]),
          messageExpiryInterval: -1,
          delayInterval: 4_000_000_000,
        },
      });
      const store = await written((writing) => {
        writing.putSession(session(1));
        writing.putSession(full);
      });
      const loaded = await loadedSessions(store);
      expect([...loaded.keys()].sort()).toEqual([1, 5]);
      expect(loaded.get(1)!.session).toEqual(session(1));
      const { will, ...rest } = loaded.get(5)!.session;
      const { will: expectedWill, ...expected } = full;
      expect(rest).toEqual(expected);
      expect({ ...will, payload: [...will!.payload], properties: [...will!.properties!] }).toEqual({
        ...expectedWill,
        payload: [0, 1, 255],
        properties: [3, 0, 1, 65],
      });
    });

    test('a session that is put again replaces the earlier one and keeps what belongs to it', async () => {
      const { store, restart } = await open();
      store.putSession(session(1));
      store.putSubscription(1, subscription('a/+'));
      await store.commit();
      store.putSession(session(1, { disconnectedAt: 77 }));
      await store.commit();
      const loaded = (await loadedSessions(await restart(store))).get(1)!;
      expect(loaded.session.disconnectedAt).toBe(77);
      expect(loaded.subscriptions).toEqual([subscription('a/+')]);
    });

    test('subscriptions are put, replaced and deleted by filter', async () => {
      const shared = subscription('$share/gruppe/ä/#', {
        qos: 2,
        noLocal: false,
        retainAsPublished: true,
        retainHandling: 2,
        subscriptionId: 268_435_455,
      });
      const { store, restart } = await open();
      store.putSession(session(1));
      store.putSession(session(2));
      for (const filter of ['a', 'b', 'c']) store.putSubscription(1, subscription(filter));
      store.putSubscription(2, subscription('a', { noLocal: true }));
      await store.commit();
      store.putSubscription(1, subscription('b', { qos: 0 }));
      store.deleteSubscription(1, 'a');
      store.putSubscription(1, shared);
      store.putSubscription(1, subscription('d'));
      store.deleteSubscription(1, 'd');
      await store.commit();
      const loaded = await loadedSessions(await restart(store));
      const ofFirst = [...loaded.get(1)!.subscriptions].sort((a, b) => (a.filter < b.filter ? -1 : 1));
      expect(ofFirst).toEqual([shared, subscription('b', { qos: 0 }), subscription('c')]);
      expect(loaded.get(2)!.subscriptions).toEqual([subscription('a', { noLocal: true })]);
    });

    test('received QoS 2 packet identifiers stay until they are deleted, also when put twice', async () => {
      const { store, restart } = await open();
      store.putSession(session(1));
      for (const id of [1, 2, 65535]) store.putInbound(1, id);
      await store.commit();
      store.putInbound(1, 2);
      store.deleteInbound(1, 2);
      store.putInbound(1, 7);
      await store.commit();
      const loaded = (await loadedSessions(await restart(store))).get(1)!;
      expect([...loaded.inboundPacketIds].sort((a, b) => a - b)).toEqual([1, 7, 65535]);
    });

    test('a queued message comes back with everything that was stored of it', async () => {
      const full = message(9, {
        topic: 'räume/☃',
        payload: Buffer.from([0, 200, 13]),
        qos: 2,
        retain: true,
        properties: Buffer.from([1, 1, 38, 0, 1, 97, 0, 1, 98]),
        expiresAt: 9_000_000_000_000,
        publisher: 'herausgeber-ü',
      });
      const bare = message(10, { payload: new Uint8Array(0), publisher: '', qos: 1 });
      const store = await written((writing) => {
        writing.putSession(session(1));
        writing.enqueue(full, [target(1, { qos: 2, retain: true, subscriptionIds: [1, 300, 268_435_455] })]);
        writing.enqueue(bare, [target(1, { packetId: 65535 })]);
      });
      const [first, second] = await store.readQueue(1, 0, 10, 1_000_000);
      expect(plain(first!.message)).toEqual(plain(full));
      expect({ ...first, message: 0 }).toEqual({
        qos: 2,
        retain: true,
        subscriptionIds: [1, 300, 268_435_455],
        packetId: 0,
        state: 0,
        message: 0,
      });
      expect(plain(second!.message)).toEqual(plain(bare));
      expect({ ...second, message: 0 }).toEqual({
        qos: 1,
        retain: false,
        subscriptionIds: [],
        packetId: 65535,
        state: 1,
        message: 0,
      });
    });

    test.each([
      ['small', 20],
      ['large', 300_000],
    ])('a %s message in many queues leaves each of them on its own', async (_, size) => {
      const body = message(3, { payload: Buffer.alloc(size, 7) });
      const { store, restart } = await open();
      const keys = Array.from({ length: 20 }, (_, i) => i + 1);
      for (const key of keys) store.putSession(session(key));
      store.enqueue(
        body,
        keys.map((key) => target(key)),
      );
      store.dequeue(4, 3);
      await store.commit();
      for (const key of [1, 7, 20]) store.dequeue(key, 3);
      await store.commit();
      const left = keys.filter((key) => ![1, 4, 7, 20].includes(key));
      const again = await restart(store);
      for (const key of keys) expect(await queuedIds(again, key)).toEqual(left.includes(key) ? [3] : []);
      const [delivery] = await again.readQueue(left[0]!, 0, 1, 1);
      expect(plain(delivery!.message)).toEqual(plain(body));
      for (const key of left.slice(1)) again.dequeue(key, 3);
      await again.commit();
      expect(await queuedIds(again, left[0]!)).toEqual([3]);
    });

    test('sent and released are kept, with the packet identifier, in one batch and in several', async () => {
      const { store, restart } = await open();
      store.putSession(session(1));
      for (let id = 1; id <= 5; id++) store.enqueue(message(id), [target(1, { qos: 2 })]);
      store.markSent(1, 1, 101);
      store.markSent(1, 2, 102);
      store.markReleased(1, 2);
      await store.commit();
      store.markReleased(1, 1);
      store.markSent(1, 3, 103);
      store.markReleased(1, 3);
      store.markSent(1, 4, 104);
      await store.commit();
      const deliveries = await (await restart(store)).readQueue(1, 0, 10, 1_000_000);
      expect(
        deliveries.map(({ message: { id }, qos, packetId, state }) => [id, qos, packetId, state]),
      ).toEqual([
        [1, 2, 101, 2],
        [2, 2, 102, 2],
        [3, 2, 103, 2],
        [4, 2, 104, 1],
        [5, 2, 0, 0],
      ]);
    });

    test('a queue is read in the order of ids, from any place, within both bounds', async () => {
      const store = await written((writing) => {
        writing.putSession(session(1));
        writing.putSession(session(2));
        for (let id = 1; id <= 50; id++) {
          writing.enqueue(message(id, { payload: Buffer.alloc(100) }), [target(1 + (id % 2))]);
        }
      });
      const ids = async (after: number, count: number, bytes: number): Promise<number[]> =>
        (await store.readQueue(1, after, count, bytes)).map((delivery) => delivery.message.id);
      expect(await ids(0, 3, 1_000_000)).toEqual([2, 4, 6]);
      expect(await ids(6, 3, 1_000_000)).toEqual([8, 10, 12]);
      expect(await ids(7, 100, 250)).toEqual([8, 10]);
      expect(await ids(0, 100, 1)).toEqual([2]);
      expect(await ids(50, 100, 1_000_000)).toEqual([]);
      expect(await store.readQueue(99, 0, 10, 1000)).toEqual([]);
    });

    test('the load tells how many messages and bytes wait for each session', async () => {
      const { store, restart } = await open();
      for (const key of [1, 2, 3]) store.putSession(session(key));
      store.enqueue(message(1, { payload: Buffer.alloc(10) }), [target(1), target(2)]);
      store.enqueue(message(2, { payload: Buffer.alloc(5000) }), [target(1)]);
      store.enqueue(message(3, { payload: Buffer.alloc(7) }), [target(1)]);
      await store.commit();
      store.dequeue(1, 3);
      await store.commit();
      const loaded = await loadedSessions(await restart(store));
      const waiting = (key: number): number[] => [
        loaded.get(key)!.queuedMessages,
        loaded.get(key)!.queuedBytes,
      ];
      expect([waiting(1), waiting(2), waiting(3)]).toEqual([
        [2, 5024],
        [1, 17],
        [0, 0],
      ]);
    });

    test('a deleted session leaves nothing, and takes no messages from others', async () => {
      const { store, restart } = await open();
      for (const key of [1, 2]) {
        store.putSession(session(key));
        store.putSubscription(key, subscription('a'));
        store.putInbound(key, 9);
      }
      for (let id = 1; id <= 30; id++) store.enqueue(message(id), [target(1), target(2)]);
      for (let id = 31; id <= 60; id++) store.enqueue(message(id), [target(1)]);
      await store.commit();
      store.enqueue(message(61), [target(1), target(2)]);
      store.enqueue(message(62), [target(1)]);
      store.markSent(1, 5, 5);
      store.deleteSession(1);
      await store.commit();
      const again = await restart(store);
      const loaded = await loadedSessions(again);
      expect([...loaded.keys()]).toEqual([2]);
      expect(loaded.get(2)!.queuedMessages).toBe(31);
      expect(loaded.get(2)!.inboundPacketIds).toEqual([9]);
      expect(await queuedIds(again, 2)).toEqual([...Array.from({ length: 30 }, (_, i) => i + 1), 61]);
    });

    test('a retained message replaces the one before, and is deleted by topic', async () => {
      const { store, restart } = await open();
      const put = (id: number, topic: string): StoredMessage => {
        const retained = message(id, { topic, retain: true });
        store.putRetained(retained);
        return retained;
      };
      put(1, 'a');
      put(2, 'b');
      const kept = put(3, '/');
      await store.commit();
      const replaced = put(4, 'a');
      store.deleteRetained('b');
      put(5, 'c');
      store.deleteRetained('c');
      store.deleteRetained('d');
      const again = put(6, 'd');
      await store.commit();
      const retained = await collect((await restart(store)).loadRetained());
      const sorted = retained.sort((a, b) => a.id - b.id);
      expect(sorted.map(plain)).toEqual([kept, replaced, again].map(plain));
    });

    test('retained messages of many pages all come back once', async () => {
      const store = await written((writing) => {
        for (let id = 1; id <= 3000; id++) {
          writing.putRetained(message(id, { topic: `t/${id}`, payload: Buffer.alloc(1000) }));
        }
      });
      const ids = (await collect(store.loadRetained())).map((retained) => retained.id);
      expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 3000 }, (_, i) => i + 1));
    });

    test('sessions of many pages all come back once, with what is theirs', async () => {
      const count = 5001;
      const store = await written((writing) => {
        for (let key = 1; key <= count; key++) {
          writing.putSession(session(key));
          if (key % 3 === 0) writing.putSubscription(key, subscription(`only/${key}`));
          if (key % 5 === 0) writing.enqueue(message(key), [target(key)]);
        }
      });
      const loaded = await loadedSessions(store);
      expect(loaded.size).toBe(count);
      for (const [key, { subscriptions, queuedMessages }] of loaded) {
        expect(subscriptions.map(({ filter }) => filter)).toEqual(key % 3 === 0 ? [`only/${key}`] : []);
        expect(queuedMessages).toBe(key % 5 === 0 ? 1 : 0);
      }
    });

    test('values are kept by space and key, and listed by prefix in order', async () => {
      const { store, restart } = await open();
      store.putValue('bots', 'x/1', Buffer.from('one'));
      store.putValue('bots', 'x/2', Buffer.from('two'));
      store.putValue('bots', 'y', Buffer.alloc(0));
      store.putValue('other', 'x/1', Buffer.from('foreign'));
      await store.commit();
      store.putValue('bots', 'x/2', Buffer.from('zwei'));
      store.putValue('bots', 'x/ü', Buffer.from('drei'));
      store.deleteValue('bots', 'x/1');
      await store.commit();
      const again = await restart(store);
      const text = (value: Uint8Array | undefined): string | undefined =>
        value === undefined ? undefined : Buffer.from(value).toString();
      expect(text(await again.getValue('bots', 'x/1'))).toBeUndefined();
      expect(text(await again.getValue('bots', 'x/2'))).toBe('zwei');
      expect(text(await again.getValue('bots', 'y'))).toBe('');
      expect(text(await again.getValue('other', 'x/1'))).toBe('foreign');
      const listed = await collect(again.listValues('bots', 'x/'));
      expect(listed.map(([key, value]) => [key, text(value)])).toEqual([
        ['x/2', 'zwei'],
        ['x/ü', 'drei'],
      ]);
      expect((await collect(again.listValues('bots', ''))).length).toBe(3);
      expect(await collect(again.listValues('nothing', ''))).toEqual([]);
    });

    test('values of many pages are listed once each', async () => {
      const store = await written((writing) => {
        for (let i = 0; i < 400; i++) {
          writing.putValue('space', `key/${String(i).padStart(4, '0')}`, Buffer.alloc(10_000));
        }
      });
      const keys = (await collect(store.listValues('space', 'key/'))).map(([key]) => key);
      expect(keys).toEqual(Array.from({ length: 400 }, (_, i) => `key/${String(i).padStart(4, '0')}`));
    });

    test('values that change while they are listed are listed once each', async () => {
      const store = await written((writing) => {
        for (const key of ['a', 'b', 'c']) writing.putValue('space', key, Buffer.from('before'));
      });
      const pages = store.listValues('space', '')[Symbol.asyncIterator]();
      const listed: string[] = [];
      const first = pages.next();
      await Promise.resolve();
      store.putValue('space', 'a', Buffer.from('after'));
      for (let page = await first; page.done !== true; page = await pages.next()) {
        listed.push(...page.value.map(([key]) => key));
        await store.commit();
        store.putValue('space', 'b', Buffer.from('after'));
      }
      expect(listed.sort()).toEqual(['a', 'b', 'c']);
    });

    test('a read sees what was written before it, committed or not', async () => {
      const { store } = await open();
      store.putSession(session(1));
      store.enqueue(message(1), [target(1)]);
      store.putValue('s', 'k', Buffer.from('v'));
      expect(await queuedIds(store, 1)).toEqual([1]);
      const first = store.commit();
      store.enqueue(message(2), [target(1)]);
      store.dequeue(1, 1);
      expect(await queuedIds(store, 1)).toEqual([2]);
      expect(Buffer.from((await store.getValue('s', 'k'))!).toString()).toBe('v');
      expect((await loadedSessions(store)).get(1)!.queuedMessages).toBe(1);
      await first;
      await store.commit();
      expect(store.dirty).toBe(false);
    });

    test('a message put and taken out again leaves nothing, in one batch and across commits', async () => {
      const { store, restart } = await open();
      store.putSession(session(1));
      store.enqueue(message(1), [target(1, { packetId: 1 })]);
      store.dequeue(1, 1);
      const first = store.commit();
      store.enqueue(message(2), [target(1)]);
      const second = store.commit();
      store.dequeue(1, 2);
      await Promise.all([first, second, store.commit()]);
      expect(await queuedIds(await restart(store), 1)).toEqual([]);
    });

    test('commits resolve in the order in which they were asked for', async () => {
      const { store } = await open();
      store.putSession(session(1));
      const order: number[] = [];
      const commits: Promise<unknown>[] = [];
      for (let turn = 1; turn <= 20; turn++) {
        if (turn % 3 > 0) store.enqueue(message(turn), [target(1)]);
        if (turn % 3 === 2) store.dequeue(1, turn);
        commits.push(store.commit().then(() => order.push(turn)));
      }
      await Promise.all(commits);
      expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    });
  });
}
