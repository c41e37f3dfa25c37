// The protocol of the existing clients, spoken by bare MQTT connections.

import { MemoryStore, type Store } from '@tobymq/broker';
import { decode, packet, packetType, property, RawPeer } from '@tobymq/testkit';
import { describe, expect, test, vi } from 'vitest';
import type { Json } from '../src/protocol.ts';
import { quickHasher, secretOf, startAccount, startServer } from './harness.ts';
import { RawBot } from './raw-bot.ts';

describe('connecting', () => {
  test.each([3, 4, 5] as const)(
    'a bot connects with MQTT level %i, asks and is answered',
    async (version) => {
      const { server } = await startAccount(['lamp']);
      const lamp = await server.connect('lamp', { version });
      expect(await lamp.request('info')).toEqual({
        type: 'bot',
        id: 'lamp',
        subscriptions: [],
        hook: false,
        sockets: [],
      });
    },
  );

  test('a wrong secret, a missing secret and another client id are refused', async () => {
    const { server } = await startAccount(['lamp']);
    await expect(RawBot.connect(server.port, 'lamp', 'wrong')).rejects.toThrow(/CONNACK [45]/);
    const peer = await RawPeer.connect({ port: server.port });
    peer.send(packet.connect({ version: 4, clientId: 'x', username: 'lamp', password: secretOf('lamp') }));
    expect((await peer.expect(packetType.CONNACK)).body[1]).toBeGreaterThanOrEqual(4);
    peer.destroy();
    await expect(RawBot.connect(server.port, 'nobody', 'x')).rejects.toThrow(/CONNACK [45]/);
  });

  test('a second connection with the same id takes the first one over, and nobody hears that it left', async () => {
    const { server, ana, bots } = await startAccount(['lamp']);
    const second = await server.connect('lamp');
    await bots[0].peer.expectClose();
    expect(await second.request('info')).toMatchObject({ id: 'lamp' });
    await ana.request('info');
    expect(ana.unread).toEqual([]);
  });

  test('a bot may use its own two topics only', async () => {
    const { bots } = await startAccount(['lamp', 'switch']);
    const [lamp, other] = bots;
    for (const filter of ['client/switch', 'client/#', '#', '+/+', 'server/lamp/send', 'home/+']) {
      expect(await lamp.subscribe(filter), filter).toBe(0x80);
    }
    lamp.peer.send(packet.publish({ version: 4, topic: 'client/switch', payload: '{"from":"ana"}' }));
    lamp.peer.send(packet.publish({ version: 4, topic: 'home/light', payload: 'on' }));
    await lamp.request('info');
    await other.request('info');
    expect(other.unread).toEqual([]);
  });

  test('a bot writes into no inbox, whatever the rules allow', async () => {
    const { bots } = await startAccount(['lamp', 'switch'], { elsewhere: 'rules' });
    const [lamp, other] = bots;
    const forged = JSON.stringify({ from: 'ana', payload: 'open the door', tags: [], ack: '' });
    lamp.peer.send(packet.publish({ version: 4, topic: 'client/switch', payload: forged }));
    await lamp.request('info');
    await other.request('info');
    expect(other.unread).toEqual([]);
  });

  test('the client id of a bot is for this bot alone', async () => {
    const { server, bots } = await startAccount(['lamp']);
    server.broker.addExtension({ name: 'guests', authenticate: () => ({ allow: true }) });
    for (const login of [{}, { username: 'guest', password: 'x' }]) {
      const peer = await RawPeer.connect({ port: server.port });
      peer.send(packet.connect({ version: 4, clientId: 'lamp', ...login }));
      expect((await peer.expect(packetType.CONNACK)).body[1]).toBeGreaterThanOrEqual(4);
      peer.destroy();
    }
    expect(await bots[0].request('info')).toMatchObject({ id: 'lamp' });
  });

  test('the client id of a bot is not for those either who prove a name by enhanced authentication', async () => {
    const { server, bots } = await startAccount(['lamp']);
    server.broker.addExtension({
      name: 'guests',
      authenticationExchange: () => ({ step: () => ({ allow: true, username: 'guest' }) }),
    });
    const enhanced = async (clientId: string): Promise<number> => {
      const peer = await RawPeer.connect({ port: server.port });
      peer.send(packet.connect({ version: 5, clientId, properties: [[property.authenticationMethod, 'x']] }));
      const { reason } = decode.connack(await peer.expect(packetType.CONNACK), 5);
      peer.destroy();
      return reason;
    };
    expect(await enhanced('guest')).toBe(0);
    expect(await enhanced('lamp')).toBe(0x86);
    expect(await bots[0].request('info')).toMatchObject({ id: 'lamp' });
  });

  test('clients that are no bots neither read inboxes nor ask', async () => {
    const server = await startServer();
    server.broker.addExtension({ name: 'guests', authenticate: () => ({ allow: true }) });
    await server.toby.signUp('ana', secretOf('ana'));
    const ana = await server.connect('ana');
    const guest = await RawBot.connect(server.port, 'guest', 'x', { listen: false });
    expect(await guest.subscribe('#')).toBe(1);
    expect(await guest.subscribe('client/ana')).toBe(0x80);
    await ana.request('info');
    guest.peer.send(packet.publish({ version: 4, topic: 'marker', payload: '"the marker"' }));
    await guest.message((message) => (message as unknown) === 'the marker');
    expect(guest.unread).toEqual([]);
    guest.close();
  });
});

describe('answers', () => {
  test('an answer carries from, ack, and the ack of the request as its tag', async () => {
    const { bots } = await startAccount(['lamp']);
    bots[0].ask('follow', { tags: ['#light'], ack: 'a1' });
    expect(await bots[0].message(() => true)).toEqual({
      from: 'server',
      payload: { status: 200 },
      tags: ['a1'],
      ack: '',
    });
  });

  test.each([{}, { ack: '' }])('a missing ack gets its answer without tags: %j', async (fields) => {
    const { bots } = await startAccount(['lamp']);
    bots[0].ask('info', fields);
    expect(await bots[0].message(() => true)).toMatchObject({ from: 'server', tags: [], ack: '' });
  });

  test.each([
    ['malformed JSON', 'send', '{"payload":', 400],
    ['no JSON object', 'send', '[1,2]', 400],
    ['tags of a wrong type', 'send', '{"payload":1,"tags":"x"}', 400],
    ['a tag of a wrong type', 'send', '{"payload":1,"tags":[1]}', 400],
    ['no payload', 'send', '{"tags":[]}', 400],
    ['an ack of a wrong type', 'info', '{"ack":7}', 400],
    ['an unknown endpoint', 'dance', '{}', 404],
    ['an endpoint of user bots', 'create-bot', '{"id":"x","sk":"y"}', 403],
    ['too deep a topic', 'send/more', '{}', 404],
  ])('%s is answered and drops no connection', async (_what, endpoint, text, status) => {
    const { bots } = await startAccount(['lamp']);
    bots[0].ask(endpoint, text);
    const { payload } = await bots[0].message(() => true);
    expect(payload).toEqual({ status, error: expect.any(String) });
    expect(await bots[0].request('info')).toMatchObject({ id: 'lamp' });
  });

  test('a payload that is nested too deeply is not taken for a store that failed', async () => {
    const errors: unknown[] = [];
    const { ana, bots } = await startAccount(['lamp'], { onError: (error) => errors.push(error) });
    const payload = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    bots[0].ask('send', `{"tags":[],"payload":${payload}}`);
    const answer = (await bots[0].message(() => true)).payload as { status: number };
    // Node 20 cannot write it, newer versions can.
    expect([200, 400]).toContain(answer.status);
    expect(errors).toEqual([]);
    expect(await ana.request('info')).toMatchObject({ id: 'ana' });
  });

  test("asking in somebody else's name is answered with 403 to the one who asked, and changes nothing", async () => {
    const { bots } = await startAccount(['lamp', 'switch']);
    const [lamp, other] = bots;
    lamp.ask('follow', { tags: ['#x'], ack: 'z' }, 'switch');
    expect((await lamp.message(() => true)).payload).toEqual({
      status: 403,
      error: expect.stringContaining('switch'),
    });
    expect(await other.request('info')).toMatchObject({ subscriptions: [] });
    expect(other.unread).toEqual([]);
  });
});

describe('send', () => {
  test('every follower of a tag gets it once, the sender never, the owner always', async () => {
    const { ana, bots } = await startAccount(['lamp', 'heater', 'switch', 'deaf']);
    const [lamp, heater, sender, deaf] = bots;
    await lamp.request('follow', { tags: ['#a', '#b'] });
    await heater.request('follow', { tags: ['#b'] });
    await sender.request('follow', { tags: ['#a'] });
    expect(await sender.request('send', { payload: { on: true }, tags: ['#a', '#b'] })).toEqual({
      status: 200,
    });
    const expected = {
      from: 'switch',
      payload: { on: true },
      tags: ['#a', '#b'],
      ack: expect.stringMatching(/^ack-/),
    };
    for (const receiver of [lamp, heater, ana]) expect(await receiver.received()).toEqual(expected);
    for (const bot of [lamp, heater, sender, deaf]) {
      await bot.request('info');
      expect(bot.unread).toEqual([]);
    }
  });

  test('a user bot reaches the followers of its account', async () => {
    const { ana, bots } = await startAccount(['lamp']);
    await bots[0].request('follow', { tags: ['#all'] });
    await ana.request('send', { payload: 'hello', tags: ['#all'] });
    expect(await bots[0].received()).toMatchObject({ from: 'ana', payload: 'hello' });
  });

  test('tags of other accounts do not mix', async () => {
    const { server, ana, bots } = await startAccount(['lamp']);
    await server.toby.signUp('ben', secretOf('ben'));
    const ben = await server.connect('ben');
    await ben.request('create-bot', { id: 'bens-lamp', sk: secretOf('bens-lamp') });
    const bensLamp = await server.connect('bens-lamp');
    await bensLamp.request('follow', { tags: ['#light'] });
    await bots[0].request('follow', { tags: ['#light'] });
    await ana.request('send', { payload: 1, tags: ['#light'] });
    expect(await bots[0].received()).toMatchObject({ payload: 1 });
    await bensLamp.request('info');
    expect(bensLamp.unread).toEqual([]);
  });

  test('follow puts the latest first, unfollow takes away', async () => {
    const { bots } = await startAccount(['lamp']);
    await bots[0].request('follow', { tags: ['a', 'b'] });
    await bots[0].request('follow', { tags: ['c', 'a'] });
    expect(await bots[0].request('info')).toMatchObject({ subscriptions: ['a', 'c', 'b'] });
    await bots[0].request('unfollow', { tags: ['c', 'unknown'] });
    expect(await bots[0].request('info')).toMatchObject({ subscriptions: ['a', 'b'] });
  });
});

describe('bots and sockets', () => {
  test('a user bot creates and removes bots; botId and botSk are understood', async () => {
    const { server, ana } = await startAccount([]);
    expect(await ana.request('create-bot', { botId: 'lamp', botSk: secretOf('lamp') })).toEqual({
      status: 200,
    });
    expect(await ana.request('create-bot', { id: 'lamp', sk: 'x' })).toMatchObject({ status: 409 });
    const lamp = await server.connect('lamp');
    await lamp.request('follow', { tags: ['#light'] });
    expect(await ana.request('info')).toEqual({
      type: 'user',
      id: 'ana',
      bots: [{ type: 'bot', id: 'lamp', subscriptions: ['#light'], hook: false, sockets: [] }],
    });
    expect(await ana.request('remove-bot', { id: 'lamp' })).toEqual({ status: 200 });
    await lamp.peer.expectClose();
    await expect(server.connect('lamp')).rejects.toThrow(/CONNACK/);
    expect(await ana.request('remove-bot', { id: 'lamp' })).toMatchObject({ status: 404 });
    expect(await ana.request('info')).toMatchObject({ bots: [] });
  });

  test.each(['', 'a/b', 'a+', '#', 'server', 'x'.repeat(65)])('the id %j is refused', async (id) => {
    const { ana } = await startAccount([]);
    expect(await ana.request('create-bot', { id, sk: 'x' })).toMatchObject({ status: 400 });
  });

  test('no bot gets the name of a user or the client id of somebody who is no bot', async () => {
    const { server, ana } = await startAccount([], { isUser: (name) => name === 'anna' });
    server.broker.addExtension({ name: 'guests', authenticate: () => ({ allow: true }) });
    const device = await RawBot.connect(server.port, 'device', 'x', { clean: false, listen: false });
    for (const id of ['anna', 'device']) {
      expect(await ana.request('create-bot', { id, sk: 'x' })).toMatchObject({ status: 409 });
      await expect(server.toby.signUp(id, 'x')).rejects.toMatchObject({ status: 409 });
    }
    device.close();
    await expect.poll(() => server.broker.session('device')?.isConnected).toBe(false);
    await expect(server.toby.signUp('device', 'x')).rejects.toMatchObject({ status: 409 });
  });

  test('nobody removes the bots of others', async () => {
    const { server, ana } = await startAccount(['lamp']);
    await server.toby.signUp('ben', secretOf('ben'));
    const ben = await server.connect('ben');
    expect(await ben.request('remove-bot', { id: 'lamp' })).toMatchObject({ status: 403 });
    expect(await ana.request('remove-bot', { id: 'ben' })).toMatchObject({ status: 403 });
  });

  test('what a socket sends goes to its owner only, whatever its tags', async () => {
    const { server, ana, bots } = await startAccount(['phone', 'lamp']);
    const [phone, lamp] = bots;
    await lamp.request('follow', { tags: ['#light'] });
    const { id, sk } = (await phone.request('create-socket', { persist: false })) as {
      id: string;
      sk: string;
    };
    expect(await phone.request('info')).toMatchObject({ sockets: [id] });
    const socket = await RawBot.connect(server.port, id, sk);
    expect(await phone.message(({ payload }) => 'online' in (payload as object))).toMatchObject({
      from: 'server',
      payload: { online: id },
    });
    expect(await socket.request('info')).toEqual({ type: 'socket', id });
    await socket.request('send', { payload: 'ping', tags: ['#light'] });
    expect(await phone.received()).toMatchObject({ from: id, payload: 'ping', tags: ['#light'] });
    for (const bot of [ana, lamp]) {
      await bot.request('info');
      expect(bot.unread).toEqual([]);
    }
    expect(await socket.request('follow', { tags: ['x'] })).toMatchObject({ status: 403 });
    socket.close();
  });

  test('a socket is removed for good at its first disconnect', async () => {
    const { server, bots } = await startAccount(['phone']);
    const [phone] = bots;
    const { id, sk } = (await phone.request('create-socket', { persist: true })) as {
      id: string;
      sk: string;
    };
    const socket = await RawBot.connect(server.port, id, sk);
    socket.close();
    await phone.message(({ payload }) => (payload as { offline?: string }).offline === id);
    await expect(RawBot.connect(server.port, id, sk)).rejects.toThrow(/CONNACK/);
    expect(await phone.request('info')).toMatchObject({ sockets: [] });
  });

  test('remove-socket ends a connected socket', async () => {
    const { server, bots } = await startAccount(['phone']);
    const { id, sk } = (await bots[0].request('create-socket')) as { id: string; sk: string };
    const socket = await RawBot.connect(server.port, id, sk);
    expect(await bots[0].request('remove-socket', { id })).toEqual({ status: 200 });
    await socket.peer.expectClose();
  });
});

describe('presence', () => {
  test('the owner hears when a bot comes and goes', async () => {
    const { server, ana, bots } = await startAccount(['lamp']);
    bots[0].close();
    expect(await ana.message(() => true)).toEqual({
      from: 'server',
      payload: { offline: 'lamp' },
      tags: [],
      ack: '',
    });
    await server.connect('lamp');
    expect(await ana.message(() => true)).toEqual({
      from: 'server',
      payload: { online: 'lamp' },
      tags: [],
      ack: '',
    });
  });
});

test('a bot whose successor ends before its CONNACK has left', async () => {
  /** Commits when it is told to. */
  class HeldStore extends MemoryStore implements Store {
    override readonly durable = true;
    held: Promise<void> | undefined;

    override async commit(): Promise<void> {
      await this.held;
    }
  }
  const store = new HeldStore();
  const server = await startServer({ limits: { takeoverWaitMs: 50 } }, store);
  await server.toby.signUp('ana', secretOf('ana'));
  const ana = await server.connect('ana');
  await ana.request('create-bot', { id: 'lamp', sk: secretOf('lamp') });
  const lamp = await server.connect('lamp');
  await ana.message(({ payload }) => 'online' in (payload as object));

  let release: () => void = () => {};
  store.held = new Promise((resolve) => {
    release = resolve;
  });
  const successor = await RawPeer.connect({ port: server.port });
  const login = { clientId: 'lamp', username: 'lamp', password: secretOf('lamp') };
  successor.send(packet.connect({ version: 4, clean: false, ...login }));
  await lamp.peer.expectClose();
  successor.destroy();
  await expect.poll(() => server.toby.isOnline('lamp')).toBe(false);
  release();
  expect(await ana.message(() => true)).toMatchObject({ payload: { offline: 'lamp' } });
});

describe('rules, quotas and offline bots', () => {
  test('permit decides which tags a bot may follow and send to, and how often', async () => {
    const { ana, bots } = await startAccount(['lamp']);
    await bots[0].request('follow', { tags: ['#secret', 'room/1'] });
    const permissions = { follow: ['room/*'], send: ['#ok'], messagesPerMinute: 2 };
    expect(await ana.request('permit', { id: 'lamp', permissions })).toEqual({ status: 200 });
    expect(await bots[0].request('info')).toMatchObject({ subscriptions: ['room/1'] });
    expect(await bots[0].request('follow', { tags: ['#secret'] })).toMatchObject({ status: 403 });
    expect(await bots[0].request('follow', { tags: ['room/2'] })).toEqual({ status: 200 });
    expect(await bots[0].request('send', { payload: 1, tags: ['#other'] })).toMatchObject({ status: 403 });
    expect(await bots[0].request('send', { payload: 1, tags: ['#ok'] })).toEqual({ status: 200 });
    expect(await bots[0].request('send', { payload: 2, tags: ['#ok'] })).toEqual({ status: 200 });
    expect(await bots[0].request('send', { payload: 3, tags: ['#ok'] })).toMatchObject({ status: 429 });
    expect(await ana.request('permit', { id: 'lamp', permissions: { fly: true } })).toMatchObject({
      status: 400,
    });
  });

  test('the lists of what a bot is permitted have bounds', async () => {
    const { ana } = await startAccount(['lamp'], { limits: { followsPerBot: 2, tagLength: 5 } });
    const permit = (permissions: object): Promise<Json> => ana.request('permit', { id: 'lamp', permissions });
    expect(await permit({ follow: ['a', 'b', 'c'] })).toMatchObject({ status: 400 });
    expect(await permit({ send: ['too long'] })).toMatchObject({ status: 400 });
    expect(await permit({ follow: ['a', 'b*'], send: ['short'] })).toEqual({ status: 200 });
  });

  test('an owner does not permit a bot more messages than the server does', async () => {
    const { ana, bots } = await startAccount(['lamp'], { limits: { messagesPerMinute: 1 } });
    await ana.request('permit', { id: 'lamp', permissions: { messagesPerMinute: 1000 } });
    expect(await bots[0].request('send', { payload: 1, tags: [] })).toEqual({ status: 200 });
    expect(await bots[0].request('send', { payload: 2, tags: [] })).toMatchObject({ status: 429 });
  });

  test('what info names in one message has a bound', async () => {
    const { ana, bots } = await startAccount(['lamp'], { limits: { infoLength: 10 } });
    await bots[0].request('follow', { tags: ['light'] });
    expect(await ana.request('info')).toMatchObject({ bots: [{ id: 'lamp', subscriptions: ['light'] }] });
    await bots[0].request('follow', { tags: ['more'] });
    expect(await ana.request('info')).toMatchObject({ status: 413 });
    expect(await bots[0].request('info')).toMatchObject({ subscriptions: ['more', 'light'] });
  });

  test('quotas are answered with 429', async () => {
    const { ana, bots } = await startAccount(['lamp'], {
      limits: { botsPerAccount: 1, followsPerBot: 2, socketsPerBot: 1 },
    });
    expect(await ana.request('create-bot', { id: 'second', sk: 'x' })).toMatchObject({ status: 429 });
    expect(await bots[0].request('follow', { tags: ['a', 'b', 'c'] })).toMatchObject({ status: 429 });
    await bots[0].request('create-socket');
    expect(await bots[0].request('create-socket')).toMatchObject({ status: 429 });
  });

  test('a bot that keeps its session finds what was sent while it was away', async () => {
    const { server, ana } = await startAccount([]);
    await ana.request('create-bot', { id: 'lamp', sk: secretOf('lamp') });
    const lamp = await server.connect('lamp', { clean: false });
    await lamp.request('follow', { tags: ['#light'] });
    lamp.close();
    await ana.message(({ payload }) => 'offline' in (payload as object));
    await ana.request('send', { payload: 'on', tags: ['#light'] });
    const again = await server.connect('lamp', { clean: false, listen: false });
    expect(await again.received()).toMatchObject({ from: 'ana', payload: 'on' });
  });
});

test('accounts and follows survive a restart of the server', async () => {
  const store = new MemoryStore();
  const first = await startServer({}, store);
  await first.toby.signUp('ana', secretOf('ana'));
  const ana = await first.connect('ana');
  await ana.request('create-bot', { id: 'lamp', sk: secretOf('lamp') });
  const lamp = await first.connect('lamp');
  await lamp.request('follow', { tags: ['#light'] });
  await first.stop();

  const second = await startServer({}, store);
  const anaAgain = await second.connect('ana');
  const lampAgain = await second.connect('lamp');
  await anaAgain.request('send', { payload: 'still there', tags: ['#light'] });
  expect(await lampAgain.received()).toMatchObject({ payload: 'still there' });
});

test('what bots ask of the server does not count as dropped', async () => {
  const { server, ana, bots } = await startAccount(['lamp']);
  await bots[0].request('follow', { tags: ['#light'] });
  await ana.request('send', { payload: 'on', tags: ['#light'] });
  expect(server.broker.metrics.dropped.hook).toBe(0);
});

test('a message to several bots is encoded once', async () => {
  const { server, ana, bots } = await startAccount(['one', 'two', 'three']);
  for (const bot of bots) await bot.request('follow', { tags: ['#all'] });
  const publish = vi.spyOn(server.broker, 'publish');
  await ana.request('send', { payload: 'hello', tags: ['#all'] });
  const inboxes = publish.mock.calls.filter(([{ topic }]) => topic !== 'client/ana');
  expect(inboxes).toHaveLength(3);
  expect(new Set(inboxes.map(([{ payload }]) => payload)).size).toBe(1);
});

test('one message reaches 1,000 bots of an account', async () => {
  const { server, ana } = await startAccount([]);
  const ids = Array.from({ length: 1000 }, (_, i) => `bot-${i}`);
  for (const id of ids) await ana.request('create-bot', { id, sk: secretOf(id) });
  const bots = [];
  for (const id of ids) bots.push(await server.connect(id));
  await Promise.all(bots.map((bot) => bot.request('follow', { tags: ['#everyone'] })));
  await ana.request('send', { payload: { hello: 'all' }, tags: ['#everyone'] });
  const messages = await Promise.all(bots.map((bot) => bot.received()));
  expect(messages).toHaveLength(1000);
  for (const message of messages) expect(message.payload).toEqual({ hello: 'all' });
}, 60_000);

test('the secret of a removed bot does not open another one that was given its id meanwhile', async () => {
  const store = new MemoryStore();
  const first = await startServer({}, store);
  await first.toby.signUp('ana', secretOf('ana'));
  await (await first.connect('ana')).request('create-bot', { id: 'lamp', sk: 'old' });
  await first.stop();

  const waiting: (() => void)[] = [];
  const verify = async (hash: string, secret: string, address: string): Promise<boolean> => {
    if (secret === 'old') await new Promise<void>((resolve) => waiting.push(resolve));
    return quickHasher.verify(hash, secret, address);
  };
  const second = await startServer({ hasher: { hash: quickHasher.hash, verify } }, store);
  const ana = await second.connect('ana');
  const connected = RawBot.connect(second.port, 'lamp', 'old').then(
    () => 'let in',
    (error: Error) => error.message,
  );
  await expect.poll(() => waiting.length).toBe(1);
  await ana.request('remove-bot', { id: 'lamp' });
  await ana.request('create-bot', { id: 'lamp', sk: 'new' });
  waiting[0]?.();
  expect(await connected).toMatch(/CONNACK [45]/);
});
