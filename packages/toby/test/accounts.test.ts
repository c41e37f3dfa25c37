// Changes to accounts that happen at the same time, or fail.

import { expect, test } from 'vitest';
import { Accounts, type BotRecord } from '../src/server/index.ts';
import { quickHasher, startAccount, startServer } from './harness.ts';

/** Values whose writes end when the test says so. */
class SlowValues {
  readonly values = new Map<string, Uint8Array>();
  #release: (() => void)[] = [];
  isFailing = false;

  async *list(): AsyncIterable<(readonly [string, Uint8Array])[]> {
    yield [...this.values];
  }

  put(key: string, value: Uint8Array): Promise<void> {
    return this.#written(() => void this.values.set(key, value));
  }

  delete(key: string): Promise<void> {
    return this.#written(() => void this.values.delete(key));
  }

  release(): void {
    for (const release of this.#release.splice(0)) release();
  }

  #written(change: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#release.push(() => {
        if (this.isFailing) return reject(new Error('the disk is full'));
        change();
        resolve();
      });
    });
  }
}

function bot(id: string, kind: BotRecord['kind'], owner: string): Omit<BotRecord, 'secretHash'> {
  return { id, kind, owner, createdAt: 1, follows: [], hookHash: undefined, permissions: undefined };
}

async function accountsWithPhone(): Promise<{ accounts: Accounts; values: SlowValues }> {
  const values = new SlowValues();
  const accounts = new Accounts(values);
  const records = [
    bot('ana', 'user', ''),
    bot('phone', 'bot', 'ana'),
    bot('one', 'socket', 'phone'),
    bot('two', 'socket', 'phone'),
  ];
  for (const record of records) {
    const created = accounts.create(record, async () => 'hash');
    await Promise.resolve();
    values.release();
    await created;
  }
  return { accounts, values };
}

test('a tag that is followed while the bot is removed is not left behind', async () => {
  const { accounts, values } = await accountsWithPhone();
  const removed = accounts.remove('phone');
  const followed = accounts.update('phone', () => ({ follows: ['light'] })).catch(() => undefined);
  values.release();
  await followed;
  values.release();
  expect(await removed).toEqual(['one', 'two', 'phone']);
  expect([...accounts.followersOf('ana', ['light'])]).toEqual([]);
  expect([...values.values.keys()]).toEqual(['bot/ana']);
});

test('a removal that cannot be stored removes nothing', async () => {
  const { accounts, values } = await accountsWithPhone();
  values.isFailing = true;
  const removed = accounts.remove('phone');
  values.release();
  await expect(removed).rejects.toThrow('the disk is full');
  expect(accounts.info('phone')).toMatchObject({ id: 'phone', sockets: ['one', 'two'] });
});

test('what was refused because the store failed is not there after a restart', async () => {
  const values = new Map<string, Uint8Array>();
  let isFailing = false;
  /** As the store does it: what it cannot write it writes later. */
  const change = async (make: () => void): Promise<void> => {
    make();
    if (isFailing) throw new Error('the disk is full');
  };
  const space = {
    list: async function* (): AsyncIterable<(readonly [string, Uint8Array])[]> {
      yield [...values];
    },
    put: (key: string, value: Uint8Array) => change(() => values.set(key, value)),
    delete: (key: string) => change(() => values.delete(key)),
  };
  const accounts = new Accounts(space);
  for (const record of [bot('ana', 'user', ''), bot('lamp', 'bot', 'ana')])
    await accounts.create(record, async () => 'hash');
  isFailing = true;
  const refused = [
    accounts.create(bot('ben', 'user', ''), async () => 'hash'),
    accounts.update('ana', () => ({ secretHash: 'another' })),
    accounts.remove('lamp'),
  ];
  for (const { status } of await Promise.allSettled(refused)) expect(status).toBe('rejected');
  const later = new Accounts(space);
  await later.load();
  expect(later.get('ben')).toBeUndefined();
  expect(later.get('ana')).toEqual({ ...bot('ana', 'user', ''), secretHash: 'hash' });
  expect(later.get('lamp')).toBeDefined();
});

test('a socket that is created while its owner is removed is gone, too', async () => {
  let isSlow = false;
  const waiting: (() => void)[] = [];
  const hasher = {
    verify: quickHasher.verify,
    hash: async (secret: string): Promise<string> => {
      if (isSlow) await new Promise<void>((resolve) => waiting.push(resolve));
      return quickHasher.hash(secret);
    },
  };
  const { server, ana, bots } = await startAccount(['phone'], { hasher });
  isSlow = true;
  bots[0].ask('create-socket', {});
  await expect.poll(() => waiting.length).toBe(1);
  expect(await ana.request('remove-bot', { id: 'phone' })).toEqual({ status: 200 });
  waiting[0]?.();
  await ana.request('info');
  expect([...server.toby.accounts.ofKind('socket')]).toEqual([]);
});

test('accounts that are created at once do not pass the limit', async () => {
  const server = await startServer({ limits: { accountsMax: 2 } });
  const names = ['ana', 'ben', 'cy', 'dan'];
  const results = await Promise.allSettled(names.map((name) => server.toby.signUp(name, 'secret')));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
});
