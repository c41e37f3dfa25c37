// When batches leave, and what becomes of them when one fails: the commit queue with a worker that the test plays.

import { expect, onTestFinished, test, vi } from 'vitest';
import { BatchApplier } from '../src/apply-batch.ts';
import { CommitQueue } from '../src/commit-queue.ts';
import { StoreError } from '../src/errors.ts';
import { createSchema, readNumber } from '../src/schema.ts';
import { openSqlite } from '../src/sqlite.ts';
import { message, session, target } from './support.ts';

interface Sent {
  readonly probe: boolean;
  /** Without room: the batch is written, and what proves that there is room for more is not. */
  readonly succeed: (hasRoom?: boolean) => void;
  readonly fail: () => void;
}

function setUp() {
  const database = openSqlite(':memory:');
  createSchema(database);
  const applier = new BatchApplier(database);
  const sent: Sent[] = [];
  const arrivals: (() => void)[] = [];
  const health: boolean[] = [];
  const queue = new CommitQueue({
    retryDelayMs: 1,
    onHealth: (healthy) => health.push(healthy),
    send: (bytes, probe) =>
      new Promise((resolve, reject) => {
        sent.push({
          probe,
          succeed: (hasRoom = true) => {
            applier.apply(bytes);
            resolve({ hasRoom });
          },
          fail: () => reject(new StoreError('TOBYMQ_STORE_FULL', 'full')),
        });
        for (const wake of arrivals.splice(0)) wake();
      }),
  });
  onTestFinished(() => {
    queue.stop();
    database.close();
  });
  const count = (table: string): number => readNumber(database, `SELECT count(*) FROM ${table}`);
  /** The n-th batch that is sent, as soon as it is. */
  const batch = async (n: number): Promise<Sent> => {
    while (sent.length < n) await new Promise<void>((resolve) => arrivals.push(resolve));
    return sent[n - 1]!;
  };
  return { queue, sent, batch, health, count };
}

test('one batch is on its way at a time, the next one grows, and what cancels out in it is never sent', async () => {
  const { queue, sent, batch, count } = setUp();
  queue.open.enqueue(message(1), [target(1)]);
  const first = queue.commit();
  queue.open.enqueue(message(2), [target(1), target(2)]);
  const second = queue.commit();
  queue.open.dequeue(1, 2);
  queue.open.dequeue(2, 2);
  const third = queue.commit();
  queue.open.enqueue(message(3), [target(1), target(2)]);
  queue.open.dequeue(2, 3);
  const fourth = queue.commit();
  expect(sent.length).toBe(1);
  (await batch(1)).succeed();
  await first;
  (await batch(2)).succeed();
  await Promise.all([second, third, fourth]);
  expect(sent.length).toBe(2);
  expect([count('queue'), count('message')]).toEqual([2, 0]);
  expect(queue.dirty).toBe(false);
});

test('a batch in which everything cancels out is not sent', async () => {
  const { queue, sent } = setUp();
  queue.open.enqueue(message(1), [target(1)]);
  queue.open.dequeue(1, 1);
  expect(queue.dirty).toBe(true);
  await queue.commit();
  expect(sent).toEqual([]);
});

test('a failed batch loses its messages and nothing else; commits are refused until a probe succeeds', async () => {
  const { queue, batch, health, count } = setUp();
  queue.open.putSession(session(1));
  queue.open.deleteRetained('a');
  queue.open.putRetained(message(1, { topic: 'a' }));
  queue.open.enqueue(message(2), [target(1)]);
  const first = queue.commit();
  queue.open.putInbound(1, 7);
  const second = queue.commit();
  const outcomes = Promise.allSettled([first, second]);
  (await batch(1)).fail();
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(health).toEqual([false]);

  queue.open.enqueue(message(3), [target(1)]);
  queue.open.putSession(session(2));
  await expect(queue.commit()).rejects.toMatchObject({ code: 'TOBYMQ_STORE_FULL' });

  const failing = await batch(2);
  expect(failing.probe).toBe(true);
  failing.fail();
  const probe = await batch(3);
  expect(probe.probe).toBe(true);
  const waiting = queue.commit();
  probe.succeed();
  await waiting;
  expect(health).toEqual([false, true]);
  expect([count('session'), count('inbound'), count('queue'), count('retained')]).toEqual([2, 1, 0, 0]);
});

test('publishers that never pause do not keep a store that has failed from trying again', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { queue, sent, batch, health } = setUp();
  queue.open.putInbound(1, 7);
  const commit = queue.commit();
  (await batch(1)).fail();
  await expect(commit).rejects.toThrow('full');
  // Whenever it is time to try again, there is a message in the open batch.
  for (let id = 1; sent.length < 2 && id < 100; id++) {
    queue.open.enqueue(message(id), [target(1)]);
    await vi.advanceTimersByTimeAsync(100);
    await expect(queue.commit()).rejects.toThrow('full');
  }
  const probe = await batch(2);
  expect(probe.probe).toBe(true);
  probe.succeed();
  await vi.advanceTimersByTimeAsync(0);
  expect(health).toEqual([false, true]);
});

test('while there is no room for messages, everything else is written', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { queue, sent, batch, health, count } = setUp();
  queue.open.putInbound(1, 7);
  const failed = queue.commit();
  (await batch(1)).fail();
  await expect(failed).rejects.toThrow('full');
  await vi.advanceTimersByTimeAsync(10);
  (await batch(2)).succeed(false);
  expect(count('inbound')).toBe(1);

  await vi.advanceTimersByTimeAsync(0);
  queue.open.deleteInbound(1, 7);
  const deletion = queue.commit();
  expect((await batch(3)).probe).toBe(false);
  (await batch(3)).succeed();
  await deletion;
  expect(count('inbound')).toBe(0);

  queue.open.enqueue(message(1), [target(1)]);
  let wasRead = false;
  queue.flush(() => {
    wasRead = true;
  });
  // A read does not take messages along that are going to be refused.
  expect([wasRead, sent.length]).toEqual([true, 3]);
  queue.open.putSession(session(1));
  queue.open.putInbound(1, 8);
  queue.open.putInbound(1, 9);
  const mixed = queue.commit();
  (await batch(4)).succeed();
  await expect(mixed).rejects.toMatchObject({ code: 'TOBYMQ_STORE_FULL', isRestDurable: true });
  // Whose message was refused is about to say which packet identifiers are free again.
  expect([count('session'), count('queue'), count('inbound')]).toEqual([1, 0, 0]);
  expect(health).toEqual([false]);
  queue.open.deleteInbound(1, 8);

  await vi.advanceTimersByTimeAsync(10);
  expect((await batch(5)).probe).toBe(true);
  (await batch(5)).succeed();
  await vi.advanceTimersByTimeAsync(0);
  expect([health, count('inbound')]).toEqual([[false, true], 1]);
  queue.open.enqueue(message(2), [target(1)]);
  const recovered = queue.commit();
  (await batch(6)).succeed();
  await recovered;
  expect(count('queue')).toBe(1);
});

test('a read sends the open batch along, and the commit that follows learns of its failure', async () => {
  const { queue, batch } = setUp();
  queue.open.enqueue(message(1), [target(1)]);
  let read = false;
  queue.flush(() => {
    read = true;
  });
  expect(read).toBe(true);
  expect(queue.dirty).toBe(true);
  const commit = queue.commit();
  (await batch(1)).fail();
  await expect(commit).rejects.toMatchObject({ code: 'TOBYMQ_STORE_FULL' });
});

test('what a failed batch keeps does not overwrite what was written after it', async () => {
  const { queue, batch, count } = setUp();
  queue.open.putSession(session(1));
  queue.open.putSession(session(2));
  queue.open.putInbound(2, 5);
  const failed = queue.commit();
  queue.open.deleteSession(1);
  queue.open.deleteInbound(2, 5);
  queue.open.putInbound(2, 6);
  (await batch(1)).fail();
  await expect(failed).rejects.toThrow();
  (await batch(2)).succeed();
  await queue.commit();
  expect([count('session'), count('inbound')]).toEqual([1, 1]);
});

test('a queue that was stopped does not try again what fails after that', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { queue, sent, batch } = setUp();
  queue.open.putInbound(1, 7);
  const commit = queue.commit();
  const first = await batch(1);
  queue.stop();
  first.fail();
  await expect(commit).rejects.toThrow('full');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent.length).toBe(1);
});
