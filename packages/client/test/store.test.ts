// What a session store has to do, for each that we have; and what happens to the file of the file store.

import { appendFile, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { withTempDir } from '@tobymq/testkit';
import { describe, expect, test } from 'vitest';
import {
  createClient,
  fileStore,
  memoryStore,
  type SessionStore,
  type StoredMessage,
  type StoreOperation,
} from '../src/node.ts';
import { FakeClock } from './fake-clock.ts';
import { ModelServer } from './model-server.ts';
import { outcome } from './support.ts';

function message(key: number, payload: string | Uint8Array = `payload ${key}`): StoredMessage {
  return {
    key,
    topic: `topic/${key}`,
    payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload,
    qos: 2,
    retain: false,
    properties: undefined,
    expiresAt: Number.POSITIVE_INFINITY,
  };
}

const publish = (key: number): StoreOperation => ({ op: 'publish', message: message(key) });

interface Kind {
  readonly name: string;
  /** Gives stores on the same data, as further processes would open them. */
  run(use: (open: () => SessionStore) => Promise<void>): Promise<void>;
}

const kinds: readonly Kind[] = [
  {
    name: 'memory',
    run: (use) => {
      const store = memoryStore();
      return use(() => store);
    },
  },
  {
    name: 'file',
    run: (use) => withTempDir((folder) => use(() => fileStore(join(folder, 'new', 'folder')))),
  },
  {
    name: 'file, commit',
    run: (use) => withTempDir((folder) => use(() => fileStore(folder, { durability: 'commit' }))),
  },
];

describe.each(kinds)('the $name store', ({ run }) => {
  test('is empty at first, and has what was written when it is opened again', () =>
    run(async (open) => {
      const first = open();
      expect(await first.open('c')).toEqual({ messages: [], received: [] });
      await first.write([publish(1), publish(2), publish(3), publish(4)]);
      await first.write([
        { op: 'sent', key: 1, packetId: 11 },
        { op: 'sent', key: 2, packetId: 12 },
        { op: 'sent', key: 3, packetId: 13 },
        { op: 'released', key: 2 },
        { op: 'received', packetId: 7 },
        { op: 'received', packetId: 8 },
      ]);
      await first.write([
        { op: 'done', key: 1 },
        { op: 'unsent', key: 3 },
        { op: 'forgotten', packetId: 7 },
      ]);
      await first.close();
      const second = open();
      expect(await second.open('c')).toEqual({
        messages: [
          { message: message(2), packetId: 12, isReleased: true },
          { message: message(3), packetId: 0, isReleased: false },
          { message: message(4), packetId: 0, isReleased: false },
        ],
        received: [8],
      });
      await second.close();
    }));

  test('keeps every field of a message', () =>
    run(async (open) => {
      const store = open();
      await store.open('c');
      const whole: StoredMessage = {
        ...message(5, Uint8Array.of(0, 255, 128, 10).subarray(1)),
        topic: 'a/"ü"/\u{1f600}',
        qos: 1,
        retain: true,
        expiresAt: 1_800_000_000_123,
        properties: {
          payloadFormatIndicator: 1,
          messageExpiryInterval: 60,
          contentType: 'text/plain',
          responseTopic: 'r',
          correlationData: Uint8Array.of(1, 2, 0),
          userProperties: [
            ['a', '1'],
            ['a', '2'],
          ],
        },
      };
      const empty = message(6, '');
      await store.write([
        { op: 'publish', message: whole },
        { op: 'publish', message: empty },
      ]);
      await store.close();
      const again = open();
      const { messages } = await again.open('c');
      expect(messages.map((stored) => stored.message)).toEqual([whole, empty]);
      await again.close();
    }));

  test('comes to the same as the operations one by one, whatever they are', () =>
    run(async (open) => {
      const seed = Number(process.env.TOBYMQ_SEED ?? Math.floor(Math.random() * 2 ** 31));
      console.log(`store: TOBYMQ_SEED=${seed}`);
      let state = seed;
      const below = (limit: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
        return Math.floor((state / 2 ** 31) * limit);
      };
      const reference = memoryStore();
      await reference.open('c');
      let next = 1;
      const operation = (): StoreOperation => {
        const key = 1 + below(next);
        const packetId = 1 + below(5);
        if (below(3) === 0) return publish(next++);
        const others: StoreOperation[] = [
          { op: 'sent', key, packetId },
          { op: 'released', key },
          { op: 'unsent', key },
          { op: 'done', key },
          { op: 'received', packetId },
          { op: 'forgotten', packetId },
        ];
        return others[below(others.length)]!;
      };
      for (let process = 0; process < 6; process++) {
        const store = open();
        const found = await store.open('c');
        const { messages, received } = await reference.open('c');
        expect(found.messages).toEqual(messages.toSorted((a, b) => a.message.key - b.message.key));
        expect(found.received.toSorted()).toEqual(received.toSorted());
        for (let i = 0; i < 15; i++) {
          const operations = Array.from({ length: 1 + below(4) }, operation);
          await store.write(operations);
          await reference.write(operations);
        }
        await store.close();
      }
    }));
});

describe('the file of the file store', () => {
  /** The path of the one session in a folder. */
  async function sessionFile(folder: string): Promise<string> {
    const names = await readdir(folder);
    expect(names).toHaveLength(1);
    return join(folder, names[0]!);
  }

  async function filled(folder: string, count: number): Promise<string> {
    const store = fileStore(folder);
    await store.open('c');
    for (let key = 1; key <= count; key++)
      await store.write([publish(key), { op: 'received', packetId: key }]);
    await store.close();
    return sessionFile(folder);
  }

  test('cut anywhere, it has every whole write before the cut, and goes on from there', () =>
    withTempDir(async (folder) => {
      const path = await filled(folder, 3);
      const whole = await readFile(path);
      const counts = new Set<number>();
      // Every fifth place is enough to meet each part of each record; the last one is the whole file.
      for (let length = whole.length % 5; length <= whole.length; length += 5) {
        await writeFile(path, whole.subarray(0, length));
        const store = fileStore(folder, { durability: 'commit' });
        const { messages, received } = await store.open('c');
        // A write is there as a whole or not at all.
        expect(received).toHaveLength(messages.length);
        await store.write([publish(100)]);
        await store.close();
        const again = fileStore(folder, { durability: 'commit' });
        expect((await again.open('c')).messages.at(-1)?.message.key).toBe(100);
        await again.close();
        counts.add(messages.length);
      }
      expect([...counts]).toEqual([0, 1, 2, 3]);
    }));

  test('with zeros or half a record behind its end it is what it was', () =>
    withTempDir(async (folder) => {
      for (const tail of [Buffer.alloc(5000), Buffer.from('half a record that claims to be long')]) {
        const path = await filled(folder, 2);
        await appendFile(path, tail);
        const store = fileStore(folder);
        expect((await store.open('c')).messages.map((stored) => stored.message.key)).toEqual([1, 2]);
        await store.close();
      }
    }));

  test('damaged before its end it is refused, because acknowledged messages may be missing', () =>
    withTempDir(async (folder) => {
      const path = await filled(folder, 3);
      const bytes = await readFile(path);
      bytes[bytes.indexOf('payload 1')]! ^= 1;
      await writeFile(path, bytes);
      await expect(fileStore(folder).open('c')).rejects.toThrow(/c\.session is damaged at byte \d+/);
    }));

  test('with a bit flipped in any length it is refused, and not taken for cut there', () =>
    withTempDir(async (folder) => {
      const path = await filled(folder, 3);
      const whole = await readFile(path);
      for (let at = 0; at < whole.length; at += 8 + whole.readUInt32LE(at)) {
        for (const bit of [0, 5, 11, 31]) {
          const bytes = Buffer.from(whole);
          bytes[at + (bit >> 3)]! ^= 1 << (bit & 7);
          await writeFile(path, bytes);
          await expect(fileStore(folder).open('c')).rejects.toThrow(`is damaged at byte ${at}:`);
        }
      }
    }));

  test('it does not grow with what is over', () =>
    withTempDir(async (folder) => {
      const store = fileStore(folder, { durability: 'commit' });
      await store.open('c');
      const payload = new Uint8Array(1 << 20);
      await store.write([{ op: 'publish', message: message(1) }]);
      for (let key = 2; key < 20; key++) {
        await store.write([{ op: 'publish', message: message(key, payload) }]);
        await store.write([{ op: 'done', key }]);
      }
      expect((await readFile(await sessionFile(folder))).length).toBeLessThan(7 << 20);
      await store.close();
      const again = fileStore(folder);
      expect((await again.open('c')).messages.map((stored) => stored.message.key)).toEqual([1]);
      await again.close();
    }));

  test('who opens it takes it over, and the one before cannot write any more', () =>
    withTempDir(async (folder) => {
      const old = fileStore(folder);
      await old.open('c');
      await old.write([publish(1)]);
      const current = fileStore(folder);
      expect((await current.open('c')).messages).toHaveLength(1);
      await expect(old.write([publish(2)])).rejects.toThrow(/taken over/);
      await current.write([publish(3)]);
      await current.close();
      await old.close();
      const { messages } = await current.open('c');
      expect(messages.map((stored) => stored.message.key)).toEqual([1, 3]);
      await current.close();
    }));

  test('of several that open it at once one has it, and the file stays whole', () =>
    withTempDir(async (folder) => {
      const stores = Array.from({ length: 8 }, () => fileStore(folder));
      await Promise.all(stores.map((store) => store.open('c')));
      const writes = await Promise.allSettled(stores.map((store, i) => store.write([publish(i + 1)])));
      const kept = writes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []));
      expect(kept).toHaveLength(1);
      for (const store of stores) await store.close();
      const last = fileStore(folder);
      expect((await last.open('c')).messages.map((stored) => stored.message.key)).toEqual(kept);
      await last.close();
    }));

  test('what a process left that was killed while it wrote a new file is removed, if it is old enough', () =>
    withTempDir(async (folder) => {
      for (const name of ['c.session.new', 'c.session.1.new', 'c.session.2.new', 'd.session.1.new'])
        await writeFile(join(folder, name), '');
      for (const name of ['c.session.new', 'c.session.1.new', 'd.session.1.new'])
        await utimes(join(folder, name), 1, 1);
      const store = fileStore(folder);
      await store.open('c');
      expect((await readdir(folder)).sort()).toEqual(['c.session', 'c.session.2.new', 'd.session.1.new']);
      await store.close();
    }));

  test('every client identifier has its own file', () =>
    withTempDir(async (folder) => {
      const names = ['a/b', '..', 'a*b', 'ü\u{1f600}', `${'x'.repeat(5000)}1`, `${'x'.repeat(5000)}2`];
      for (const [i, name] of names.entries()) {
        const store = fileStore(folder);
        await store.open(name);
        await store.write([publish(i + 1)]);
        await store.close();
      }
      expect(await readdir(folder)).toHaveLength(names.length);
      for (const [i, name] of names.entries()) {
        const store = fileStore(folder);
        expect((await store.open(name)).messages.map((stored) => stored.message.key)).toEqual([i + 1]);
        await store.close();
      }
    }));
});

test('what is published while the store is being opened is stored, and comes after what an earlier process left', async () => {
  const store = memoryStore();
  await store.open('c');
  await store.write([{ op: 'publish', message: message(7) }]);
  const client = createClient({
    transport: () => Promise.reject(new Error('no network')),
    clientId: 'c',
    session: { store },
  });
  const publishing = client.publish('topic/new', 'x', { qos: 1 }).catch(() => {});
  for await (const { state } of client.states()) if (state === 'offline') break;
  await client.close();
  await publishing;
  const { messages } = await store.open('c');
  expect(messages.map((stored) => [stored.message.key, stored.message.topic])).toEqual([
    [7, 'topic/7'],
    [8, 'topic/new'],
  ]);
});

test.each(['open', 'write', 'close'] as const)(
  'a store whose %s() never settles does not hold up close() for ever',
  async (what) => {
    const clock = new FakeClock();
    const store: SessionStore = { ...memoryStore(), [what]: () => new Promise<never>(() => {}) };
    const transport = new ModelServer().open;
    const client = createClient('mqtt://model', { transport, clientId: 'c', session: { store }, clock });
    const publishing = outcome(client.publish('t', 'x', { qos: 1 }));
    const connecting = outcome(client.whenConnected());
    if (what === 'close') await connecting;
    let isClosed = false;
    const closing = client.close().then(() => {
      isClosed = true;
    });
    while (!isClosed) {
      await turn();
      clock.advance(1_000);
    }
    await Promise.all([closing, publishing, connecting]);
    expect(client.state).toEqual({ state: 'closed' });
  },
);

test('a store that is opened only after the end is closed again', async () => {
  let finishOpening = (): void => {};
  let closings = 0;
  const store: SessionStore = {
    ...memoryStore(),
    open: () =>
      new Promise((resolve) => {
        finishOpening = () => resolve({ messages: [], received: [] });
      }),
    close: async () => void closings++,
  };
  const client = createClient({ transport: new ModelServer().open, clientId: 'c', session: { store } });
  await client.close();
  expect(closings).toBe(0);
  finishOpening();
  await expect.poll(() => closings).toBe(1);
});
