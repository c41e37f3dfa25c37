// Retained topics as a map, over our own broker.

import { Broker, type Extension, MemoryStore } from '@tobymq/broker';
import { decode, packet, packetType, type RawPeer } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { type Change, type Client, type ConnectOptions, connect, json, topic } from '../src/node.ts';
import { answerSubscribe, answerUnsubscribe, outcome, scripted } from './support.ts';

const settings = topic('config/{name}', json<number>());
type Key = { readonly name: string };

interface Setup {
  readonly url: string;
  readonly client: Client;
  readonly broker: Broker;
}

async function setup(options: ConnectOptions = {}, extensions: readonly Extension[] = []): Promise<Setup> {
  const broker = await Broker.start({ store: new MemoryStore(), extensions: [...extensions] });
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  const url = `mqtt://127.0.0.1:${port}`;
  return { url, broker, client: await connected(url, options) };
}

async function connected(url: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(url, { onError: () => {}, reconnect: { min: 1, max: 5 }, ...options });
  onTestFinished(() => client.close());
  return client;
}

async function take<T>(changes: AsyncIterableIterator<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) taken.push((await changes.next()).value as T);
  return taken;
}

const plain = ({ key, value, previous }: Change<number, Key>): object => ({
  name: key.name,
  value,
  previous,
});

test.each([4, 5] as const)(
  'a view has what is retained, and follows sets and deletes (version %i)',
  async (protocolVersion) => {
    const { url, client } = await setup({ protocolVersion });
    await client.publish(settings.at({ name: 'a' }), 1, { retain: true, qos: 1 });
    await client.publish(settings.at({ name: 'b' }), 2, { retain: true, qos: 1 });
    const view = await client.view(settings);
    expect([...view.entries()].sort()).toEqual([
      [{ name: 'a' }, 1],
      [{ name: 'b' }, 2],
    ]);
    const changes = view.changes();

    const other = await (await connected(url)).view(settings);
    await other.set({ name: 'c' }, 3);
    await other.set({ name: 'a' }, 10);
    await other.delete({ name: 'b' });
    expect((await take(changes, 3)).map(plain)).toEqual([
      { name: 'c', value: 3, previous: undefined },
      { name: 'a', value: 10, previous: 1 },
      { name: 'b', value: undefined, previous: 2 },
    ]);
    expect(view.has({ name: 'b' })).toBe(false);
    expect(view.size).toBe(2);
  },
);

test('a read after a write sees it', async () => {
  const { client } = await setup();
  const view = await client.view(settings);
  await view.set({ name: 'a' }, 7);
  expect(view.get({ name: 'a' })).toBe(7);
  await view.delete({ name: 'a' });
  expect(view.get({ name: 'a' })).toBeUndefined();
});

test('a read after two writes at once sees the later one, also if the server sends neither back', async () => {
  const { client } = await setup({}, [{ name: 'mute', authorizeDelivery: () => false }]);
  const view = await client.view(settings);
  await Promise.all([view.set({ name: 'a' }, 1), view.set({ name: 'a' }, 2)]);
  expect(view.get({ name: 'a' })).toBe(2);
});

test('a write that was refused changes nothing, and the next one counts', async () => {
  let isAllowed = false;
  const gate: Extension = { name: 'gate', authorizePublish: () => ({ allow: isAllowed, cache: false }) };
  const { client } = await setup({}, [gate]);
  const view = await client.view(settings);
  await expect(view.set({ name: 'a' }, 1)).rejects.toMatchObject({ reasonCode: 0x87 });
  expect(view.has({ name: 'a' })).toBe(false);
  isAllowed = true;
  await view.set({ name: 'a' }, 2);
  expect(view.get({ name: 'a' })).toBe(2);
});

test('a signal ends a view, also one that is still being opened', async () => {
  const { client } = await setup();
  const abort = new AbortController();
  const view = await client.view(settings, { signal: abort.signal });
  const changes = view.changes();
  abort.abort();
  expect(await changes.next()).toEqual({ done: true, value: undefined });
  await expect(client.view(settings, { signal: abort.signal })).rejects.toMatchObject({
    code: 'TOBYMQ_ABORTED',
  });
  const later = new AbortController();
  const opening = client.view(settings, { signal: later.signal });
  later.abort();
  await expect(opening).rejects.toMatchObject({ code: 'TOBYMQ_ABORTED' });
  expect(client.stats().subscriptions).toBe(0);
});

/** Answers all that a client asks for to open a view of what is empty. */
async function answerView(peer: RawPeer): Promise<void> {
  for (let i = 0; i < 2; i++) await answerSubscribe(peer);
  await answerUnsubscribe(peer);
}

test('a server that does not let a view go that its signal ends is reported', async () => {
  const { client, peer, errors } = await scripted();
  const abort = new AbortController();
  const opening = client.view(settings, { signal: abort.signal });
  await answerView(peer);
  await opening;
  abort.abort();
  await answerUnsubscribe(peer, 0x87);
  await expect.poll(() => errors.map(({ code }) => code)).toEqual(['TOBYMQ_UNSUBSCRIBE_REFUSED']);
});

test('a view whose connection is lost while it is opened has what the server has when it is open', async () => {
  const { client, peer, again } = await scripted();
  const steps: string[] = [];
  const opening = client.view(settings).finally(() => steps.push('open'));
  await answerSubscribe(peer);
  await peer.take(packetType.SUBSCRIBE);
  peer.destroy();
  const second = await again({});
  // The view again, and what it asked for before the loss; then what it asks for since.
  await answerView(second);
  await answerSubscribe(second);
  const { id } = decode.unsubscribe(await second.take(packetType.UNSUBSCRIBE), 5);
  steps.push('all but the last answer');
  second.send(packet.publish({ topic: 'config/a', payload: '1', retain: true }));
  second.send(packet.unsuback({ id, codes: [0] }));
  expect((await opening).get({ name: 'a' })).toBe(1);
  expect(steps).toEqual(['all but the last answer', 'open']);
});

test('a view that is being opened settles with its signal and with its client, whatever the server does', async () => {
  const { client, peer } = await scripted();
  const abort = new AbortController();
  const aborted = outcome(client.view(settings, { signal: abort.signal }));
  const closed = outcome(client.view(settings));
  for (let i = 0; i < 2; i++) await answerSubscribe(peer);
  for (let i = 0; i < 2; i++) await peer.take(packetType.SUBSCRIBE);
  abort.abort();
  expect(await aborted).toMatchObject({ code: 'TOBYMQ_ABORTED' });
  await client.close();
  expect(await closed).toMatchObject({ code: 'TOBYMQ_CLOSED' });
});

test('a view that the server refuses after a reconnect ends, and says why', async () => {
  const { client, peer, errors, again } = await scripted();
  const opening = client.view(settings);
  await answerView(peer);
  const view = await opening;
  const change = view.changes().next();
  const value = outcome(view.waitFor({ name: 'a' }, () => false));
  peer.destroy();
  await answerSubscribe(await again({}), [0x87]);
  expect(await change).toEqual({ done: true, value: undefined });
  expect(await value).toMatchObject({ code: 'TOBYMQ_SUBSCRIBE_REFUSED', reasonCode: 0x87 });
  expect(errors).toEqual([await value]);
});

test('a reconnect reports what changed meanwhile, and nothing else', async () => {
  const { url, broker, client } = await setup({ clientId: 'watcher' });
  const view = await client.view(settings);
  for (const name of ['stays', 'changes', 'goes']) await view.set({ name }, 1);
  const changes = view.changes();
  const states = client.states();
  await states.next();

  const other = await connected(url);
  await broker.kick('watcher', { endSession: true });
  await other.publish(settings.at({ name: 'changes' }), 2, { retain: true, qos: 1 });
  await other.publish('config/goes', '', { retain: true, qos: 1 });
  await other.publish(settings.at({ name: 'new' }), 3, { retain: true, qos: 1 });
  const seen = (await take(changes, 3)).map(plain);
  expect(seen).toHaveLength(3);
  expect(seen).toEqual(
    expect.arrayContaining([
      { name: 'changes', value: 2, previous: 1 },
      { name: 'new', value: 3, previous: undefined },
      { name: 'goes', value: undefined, previous: 1 },
    ]),
  );
  expect(view.get({ name: 'stays' })).toBe(1);
  expect(client.stats().connects).toBe(2);
});

test('a reconnect to the same session finds also what was published with QoS 0', async () => {
  const { url, broker, client } = await setup({ clientId: 'watcher' });
  const view = await client.view(settings);
  for (const name of ['stays', 'changes', 'goes']) await view.set({ name }, 1);
  const changes = view.changes();
  const states = client.states();
  await states.next();

  const other = await connected(url);
  await broker.kick('watcher');
  await other.publish(settings.at({ name: 'changes' }), 2, { retain: true });
  await other.publish('config/goes', '', { retain: true });
  expect((await take(changes, 2)).map(plain)).toEqual([
    { name: 'changes', value: 2, previous: 1 },
    { name: 'goes', value: undefined, previous: 1 },
  ]);
  expect(view.get({ name: 'stays' })).toBe(1);
  for await (const state of states) {
    if (state.state !== 'connected') continue;
    expect(state.isResumed).toBe(true);
    break;
  }
});

test('a view goes on beside a plain subscription to the same topics', async () => {
  const { url, client } = await setup();
  const view = await client.view(settings);
  await client.on(settings.filter, () => {});
  const other = await connected(url);
  await other.publish(settings.at({ name: 'a' }), 1, { retain: true, qos: 1 });
  expect(await view.waitFor({ name: 'a' }, (value) => value === 1, { timeout: '2 s' })).toBe(1);
});

test('a view keeps what is retained in a new session, whatever another subscription wants of it', async () => {
  const { broker, client } = await setup({ clientId: 'watcher' });
  const view = await client.view(settings);
  await view.set({ name: 'a' }, 1);
  await client.on(settings.filter, () => {}, { retained: 'never' });
  const changes = view.changes();
  await broker.kick('watcher', { endSession: true });
  await expect.poll(() => client.stats().connects).toBe(2);
  // The reading of this view began after the one of the reconnect, and so ends after it.
  await client.view(topic('{folder}/a', json<number>()));
  await view.set({ name: 'b' }, 2);
  await view.close();
  expect(await changes.next()).toMatchObject({ value: { topic: 'config/b', value: 2 } });
  expect(await changes.next()).toEqual({ done: true, value: undefined });
});

test('a view that reads again leaves the QoS of another subscription alone', async () => {
  const { broker, client } = await setup({ clientId: 'watcher' });
  await client.view(settings);
  const loop = client.subscribe(settings.filter, { qos: 2 });
  await loop.ready;
  await broker.kick('watcher');
  await expect.poll(() => client.stats().connects).toBe(2);
  await client.publish(settings.at({ name: 'a' }), 1, { qos: 2 });
  expect((await loop.next()).value).toMatchObject({ qos: 2, text: '1' });
});

test('for a loop that lags far behind the changes of a key become one', async () => {
  const { url, client } = await setup();
  const view = await client.view(settings);
  const changes = view.changes();
  const other = await connected(url);
  const publish = (name: string, value: number): Promise<unknown> =>
    other.publish(settings.at({ name }), value, { retain: true, qos: 1 });
  await publish('b', 0);
  await Promise.all(Array.from({ length: 10_050 }, (_, i) => publish('a', i)));
  await publish('c', 1);
  await publish('last', 1);
  await view.waitFor({ name: 'last' }, (value) => value === 1);
  await view.close();
  const seen: Change<number, Key>[] = [];
  for (let next = await changes.next(); !next.done; next = await changes.next()) seen.push(next.value);
  expect(seen.length).toBe(10_002);
  expect(seen.slice(-3).map(plain)).toEqual([
    { name: 'a', value: 10_049, previous: 9_997 },
    { name: 'c', value: 1, previous: undefined },
    { name: 'last', value: 1, previous: undefined },
  ]);
});

test('earlier values are kept as far as asked', async () => {
  const { client } = await setup();
  const view = await client.view(settings, { history: 2 });
  for (const value of [1, 2, 3, 4]) await view.set({ name: 'a' }, value);
  expect(view.history({ name: 'a' }).map(({ value }) => value)).toEqual([2, 3]);
});

test('waitFor resolves when the condition holds, and ends by timeout and close', async () => {
  const { client } = await setup();
  const view = await client.view(settings);
  const three = view.waitFor({ name: 'a' }, (value) => value === 3);
  await view.set({ name: 'a' }, 1);
  await view.set({ name: 'a' }, 3);
  expect(await three).toBe(3);
  expect(await view.waitFor({ name: 'a' }, (value) => value !== undefined)).toBe(3);
  await expect(view.waitFor({ name: 'a' }, () => false, { timeout: 20 })).rejects.toMatchObject({
    code: 'TOBYMQ_TIMEOUT',
  });
  const never = view.waitFor({ name: 'a' }, () => false);
  never.catch(() => {});
  const loop = view.changes().next();
  await view.close();
  await expect(never).rejects.toMatchObject({ code: 'TOBYMQ_CLOSED' });
  expect(await loop).toEqual({ done: true, value: undefined });
});

test('a condition that throws ends its waiting, and nothing else', async () => {
  const { client } = await setup();
  const view = await client.view(settings);
  await view.set({ name: 'a' }, 1);
  const failing = outcome(view.waitFor({ name: 'a' }, (value) => value!.toFixed(1) === '3.0'));
  const other = view.waitFor({ name: 'a' }, (value) => value === undefined);
  await view.delete({ name: 'a' });
  expect(await failing).toBeInstanceOf(TypeError);
  expect(await other).toBeUndefined();
});

test('a live message that is not retained changes nothing in 5.0', async () => {
  const { client } = await setup();
  const view = await client.view(settings);
  await client.publish(settings.at({ name: 'a' }), 5, { qos: 1 });
  await view.set({ name: 'b' }, 1);
  expect(view.has({ name: 'a' })).toBe(false);
});
