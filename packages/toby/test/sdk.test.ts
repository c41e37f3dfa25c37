// The SDK against a real server.

import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type Bot,
  type BotMessage,
  type Certificate,
  connectBot,
  EncryptedBot,
  type EnrolmentRequest,
  generateIdentity,
  type Identity,
  type Json,
  KEYS_TAG,
  KeyAuthority,
  requestEnrolment,
  requestRotation,
  type StandardBotInfo,
} from '../src/index.ts';
import { secretOf, startServer, type TestServer } from './harness.ts';

async function account(...ids: string[]): Promise<{ server: TestServer; ana: Bot; bots: Bot[] }> {
  const server = await startServer();
  await server.toby.signUp('ana', secretOf('ana'));
  const ana = await connect(server, 'ana');
  const bots: Bot[] = [];
  for (const id of ids) {
    await ana.createBot(id, secretOf(id));
    bots.push(await connect(server, id));
  }
  return { server, ana, bots };
}

async function connect(server: TestServer, id: string): Promise<Bot> {
  const bot = await connectBot(server.url, { id, secret: secretOf(id) });
  onTestFinished(() => bot.close());
  return bot;
}

function nextMessage(bot: Bot): Promise<BotMessage> {
  return new Promise((resolve) => {
    const registration = bot.on((message) => {
      registration.remove();
      resolve(message);
    });
  });
}

test('bots follow, send and read in a loop', async () => {
  const { bots } = await account('lamp', 'switch');
  const [lamp, sender] = bots as [Bot, Bot];
  await lamp.follow(['#light']);
  const messages = lamp.messages();
  await sender.send({ on: true }, ['#light']);
  await sender.send({ on: false }, ['#light']);
  const seen: unknown[] = [];
  for await (const message of messages) {
    seen.push(message.payload);
    if (seen.length === 2) break;
  }
  expect(seen).toEqual([{ on: true }, { on: false }]);
});

test('a handler per tag hears its tag only', async () => {
  const { ana, bots } = await account('lamp');
  const [lamp] = bots as [Bot];
  await lamp.follow(['#light', '#heat']);
  const heard: unknown[] = [];
  lamp.on('#heat', ({ payload }) => void heard.push(payload));
  const last = nextMessage(lamp);
  await ana.send('cold', ['#light']);
  await last;
  const next = nextMessage(lamp);
  await ana.send('warm', ['#heat']);
  await next;
  expect(heard).toEqual(['warm']);
});

describe('ask', () => {
  test('resolves with the first reply, many questions at once', async () => {
    const { bots } = await account('kitchen', 'asker');
    const [kitchen, asker] = bots as [Bot, Bot];
    await kitchen.follow(['#temperature']);
    kitchen.on('#temperature', (message) => kitchen.reply(message, { n: message.payload, celsius: 21 }));
    const replies = await Promise.all([1, 2, 3].map((n) => asker.ask(n, ['#temperature'])));
    expect(replies.map(({ from, payload }) => ({ from, payload }))).toEqual(
      [1, 2, 3].map((n) => ({ from: 'kitchen', payload: { n, celsius: 21 } })),
    );
    const again = await asker.ask(4, ['#temperature']);
    expect(again.payload).toEqual({ n: 4, celsius: 21 });
  });

  test('rejects when nobody replies in time, and when aborted', async () => {
    const { bots } = await account('asker');
    const [asker] = bots as [Bot];
    await expect(asker.ask('hello?', ['#nobody'], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'TOBYMQ_TOBY_TIMEOUT',
    });
    const reason = new Error('changed my mind');
    await expect(asker.ask('hello?', ['#nobody'], { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });

  test('the tags of replies do not add up over the lives of a program', async () => {
    const { server, ana, bots } = await account('asker');
    const [before] = bots as [Bot];
    ana.on((message) => ana.reply(message, 'here'));
    await before.follow(['reply:mine']);
    await Promise.all([before.ask('one', []), before.ask('two', [])]);
    await before.close();
    const asker = await connect(server, 'asker');
    await Promise.all([asker.ask('three', []), asker.ask('four', [])]);
    const { subscriptions } = (await asker.info()) as StandardBotInfo;
    expect(subscriptions).toHaveLength(3);
    expect(subscriptions).toContain('reply:mine');
    expect((await asker.ask('five', [])).payload).toBe('here');
  });

  test('without a connection it rejects once, and leaves no rejection that nobody handles', async () => {
    const { server, ana, bots } = await account('asker');
    const [asker] = bots as [Bot];
    ana.on((message) => ana.reply(message, 'here'));
    await asker.ask('hello?', []);
    await server.stop();
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    await expect(asker.ask('hello?', [], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'TOBYMQ_TOBY_TIMEOUT',
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  });
});

test('each of the messages that are sent at once with one ack is answered', async () => {
  const { bots } = await account('asker');
  const [asker] = bots as [Bot];
  await asker.follow(['reply:mine']);
  const options = { ack: 'reply:mine', timeoutMs: 2_000 };
  await Promise.all([asker.send('one', [], options), asker.send('two', [], options)]);
  const aborted = AbortSignal.abort(new Error('changed my mind'));
  const outcomes = await Promise.allSettled([
    asker.send('three', [], options),
    asker.send('four', [], { ...options, signal: aborted }),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
});

test('what was not answered in time is not sent when the connection comes back', async () => {
  const { server, ana } = await account();
  await ana.createBot('switch', secretOf('switch'));
  const sender = await connectBot(server.url, {
    id: 'switch',
    secret: secretOf('switch'),
    reconnect: { min: '1 h', jitter: 'none' },
  });
  onTestFinished(() => sender.close());
  const heard: unknown[] = [];
  ana.on(({ payload }) => void heard.push(payload));
  const states = sender.client.states();
  server.broker.kick('switch');
  for await (const { state } of states) if (state !== 'connected') break;
  await expect(sender.send('open the door', [], { timeoutMs: 30 })).rejects.toMatchObject({
    code: 'TOBYMQ_TOBY_TIMEOUT',
  });
  sender.client.retryNow();
  await sender.send('hello', []);
  expect(heard).toEqual(['hello']);
});

test('a refusal rejects with its status', async () => {
  const { ana, bots } = await account('lamp');
  await expect(ana.createBot('lamp', 'x')).rejects.toMatchObject({
    code: 'TOBYMQ_TOBY_REFUSED',
    status: 409,
  });
  await expect((bots[0] as Bot).createBot('x', 'y')).rejects.toMatchObject({ status: 403 });
});

test('presence, sockets, hooks and rules', async () => {
  const { server, ana, bots } = await account('phone');
  const [phone] = bots as [Bot];
  const arrived = new Promise((resolve) => phone.onPresence(resolve));
  const { id, secret } = await phone.createSocket();
  const socket = await connectBot(server.url, { id, secret });
  expect(await arrived).toEqual({ botId: id, online: true });
  const message = nextMessage(phone);
  await socket.send('ping');
  expect(await message).toMatchObject({ from: id, payload: 'ping' });
  await socket.close();

  await phone.hooksOn('s');
  expect(await phone.info()).toMatchObject({ hook: true });
  await phone.hooksOff();
  await ana.permit('phone', { follow: ['a*'] });
  await expect(phone.follow(['b'])).rejects.toMatchObject({ status: 403 });
  await ana.removeBot('phone');
  expect(await ana.info()).toEqual({ type: 'user', id: 'ana', bots: [] });
});

test('closing ends loops and rejects what waits', async () => {
  const { bots } = await account('lamp');
  const [lamp] = bots as [Bot];
  const loop = lamp.messages().next();
  const question = lamp.ask('?', ['#nobody']);
  question.catch(() => undefined);
  await lamp.close();
  expect(await loop).toEqual({ done: true, value: undefined });
  await expect(question).rejects.toMatchObject({ code: 'TOBYMQ_TOBY_CLOSED' });
});

test('a bot that was removed ends, also where the server lets everybody in', async () => {
  const { server, ana } = await account();
  server.broker.addExtension({ name: 'guests', authenticate: () => ({ allow: true }) });
  await ana.createBot('lamp', secretOf('lamp'));
  const errors: unknown[] = [];
  const lamp = await connectBot(server.url, {
    id: 'lamp',
    secret: secretOf('lamp'),
    reconnect: { min: '10 ms' },
    onError: (error) => errors.push(error),
  });
  onTestFinished(() => lamp.close());
  const loop = lamp.messages().next();
  await ana.removeBot('lamp');
  await expect(loop).rejects.toMatchObject({ code: 'TOBYMQ_SUBSCRIBE_REFUSED' });
  expect(errors).toMatchObject([{ code: 'TOBYMQ_SUBSCRIBE_REFUSED' }]);
  await expect(lamp.send('hello?')).rejects.toMatchObject({ code: 'TOBYMQ_CLOSED' });
  expect(await lamp.messages().next()).toEqual({ done: true, value: undefined });
});

test('encrypted bots read each other, and the server reads nothing', async () => {
  const { server, ana, bots } = await account('lamp', 'switch');
  const [lamp, sender] = bots as [Bot, Bot];
  const owner = await generateIdentity('ana');
  const codes: Record<string, string> = { lamp: 'code one', switch: 'code two' };
  new KeyAuthority(ana, { identity: owner, codeOf: (id) => codes[id] });
  const errors: unknown[] = [];
  const open = async (bot: Bot): Promise<EncryptedBot> =>
    EncryptedBot.open(bot, {
      identity: await generateIdentity(bot.id),
      ownerSignKey: owner.publicKeys.sign,
      code: codes[bot.id] as string,
      onError: (error) => errors.push(error),
    });
  const carried: string[] = [];
  server.broker.subscribe('client/#', ({ payload }) => void carried.push(Buffer.from(payload).toString()));
  const secureLamp = await open(lamp);
  const secureSwitch = await open(sender);
  await lamp.follow(['#light']);

  const opened = new Promise((resolve) => secureLamp.on((payload, { from }) => resolve({ payload, from })));
  await secureSwitch.send({ code: 'the vault' }, ['#light'], { to: ['lamp'] });
  expect(await opened).toEqual({ payload: { code: 'the vault' }, from: 'switch' });
  expect(carried.some((text) => text.includes('tobyEncrypted'))).toBe(true);
  expect(carried.some((text) => text.includes('the vault'))).toBe(false);

  await secureLamp.rotate();
  const second = new Promise((resolve) => secureLamp.on((payload) => resolve(payload)));
  await secureSwitch.send('after the rotation', ['#light']);
  expect(await second).toBe('after the rotation');
  await expect(secureSwitch.send('x', ['#light'], { to: ['stranger'] })).rejects.toMatchObject({
    code: 'TOBYMQ_KEY_UNKNOWN',
  });
  expect(errors).toEqual([]);
});

test('certificates that are asked for at once have serial numbers of their own', async () => {
  const { ana, bots } = await account('lamp');
  const [lamp] = bots as [Bot];
  const owner = await generateIdentity('ana');
  const serials: number[] = [];
  const authority = new KeyAuthority(ana, {
    identity: owner,
    codeOf: () => 'code',
    onIssued: ({ serial }) => serials.push(serial),
  });
  await expect(authority.revoke('lamp')).rejects.toMatchObject({ code: 'TOBYMQ_KEY_UNKNOWN' });
  const identities = await Promise.all([1, 2, 3].map(() => generateIdentity('lamp')));
  const requests = await Promise.all(identities.map((identity) => requestEnrolment(identity, 'code')));
  await Promise.all(requests.map((request) => lamp.send({ tobyKeyRequest: request as unknown as Json })));
  await expect.poll(() => serials).toHaveLength(3);
  await authority.revoke('lamp');
  expect(serials).toEqual([1, 2, 3, 4]);
});

test('keys that were replaced are not certified again by the request that certified them first', async () => {
  const { ana, bots } = await account('lamp');
  const [lamp] = bots as [Bot];
  const owner = await generateIdentity('ana');
  const kept: Certificate[] = [];
  const refused: unknown[] = [];
  const begin = (certificates: readonly Certificate[]): KeyAuthority =>
    new KeyAuthority(ana, {
      identity: owner,
      codeOf: () => 'code',
      certificates,
      onIssued: (certificate) => kept.push(certificate),
      onRefused: (_botId, error) => refused.push(error),
    });
  const [first, second] = [await generateIdentity('lamp'), await generateIdentity('lamp')];
  const recorded = await requestEnrolment(first, 'code');
  const ask = (request: EnrolmentRequest): Promise<void> =>
    lamp.send({ tobyKeyRequest: request as unknown as Json });

  const authority = begin([]);
  await ask(recorded);
  await ask(await requestRotation(first, second));
  await ask(recorded);
  await expect.poll(() => refused).toMatchObject([{ code: 'TOBYMQ_ENROLMENT_INVALID' }]);
  await authority.revoke('lamp');
  authority.close();

  // Whatever the order in which they were kept.
  begin([...kept].reverse());
  await ask(recorded);
  await expect.poll(() => refused).toHaveLength(2);
  await ask(await requestEnrolment(second, 'code'));
  await expect.poll(() => refused).toMatchObject([{}, {}, { code: 'TOBYMQ_KEY_REVOKED' }]);
  expect(kept.map(({ serial }) => serial)).toEqual([1, 2, 3]);
});

test('an encrypted bot that could not be opened hears nothing any more', async () => {
  const { ana, bots } = await account('lamp');
  const [lamp] = bots as [Bot];
  const owner = await generateIdentity('ana');
  const errors: unknown[] = [];
  const opening = EncryptedBot.open(lamp, {
    identity: await generateIdentity('lamp'),
    ownerSignKey: owner.publicKeys.sign,
    code: 'nobody answers',
    timeoutMs: 100,
    onError: (error) => errors.push(error),
  });
  await expect(opening).rejects.toMatchObject({ code: 'TOBYMQ_TOBY_TIMEOUT' });
  const arrived = nextMessage(lamp);
  await ana.send({ tobyCertificates: [{}] }, ['toby:keys']);
  await arrived;
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors).toEqual([]);
});

test('encrypted messages keep their order, also behind the certificate of their sender', async () => {
  const server = await startServer();
  await server.toby.signUp('ana', secretOf('ana'));
  const ana = await connect(server, 'ana');
  const owner = await generateIdentity('ana');
  new KeyAuthority(ana, { identity: owner, codeOf: () => 'code' });
  const errors: unknown[] = [];
  const open = async (id: string): Promise<EncryptedBot> => {
    await ana.createBot(id, secretOf(id));
    const options = { keepMessages: '1 h', reconnect: { min: '1 h', jitter: 'none' } } as const;
    const bot = await connectBot(server.url, { id, secret: secretOf(id), ...options });
    onTestFinished(() => bot.close());
    return EncryptedBot.open(bot, {
      identity: await generateIdentity(id),
      ownerSignKey: owner.publicKeys.sign,
      code: 'code',
      onError: (error) => errors.push(error),
    });
  };
  const lamp = await open('lamp');
  await lamp.bot.follow(['#light']);
  const seen: unknown[] = [];
  lamp.on((payload) => void seen.push((payload as { n: number }).n));

  // While the lamp is away, a bot comes that it does not know, and all of its messages come at once.
  await server.broker.kick('lamp');
  const sender = await open('switch');
  const numbers = Array.from({ length: 20 }, (_, n) => n);
  const to = { to: ['lamp'] };
  const payloadOf = (n: number): { n: number; text: string } => ({
    n,
    text: 'x'.repeat(n % 2 === 0 ? 300_000 : 1),
  });
  await Promise.all(numbers.map((n) => sender.send(payloadOf(n), ['#light'], to)));
  lamp.bot.client.retryNow();
  await expect.poll(() => seen.length + errors.length, { timeout: 5_000 }).toBe(numbers.length);
  expect(errors).toEqual([]);
  expect(seen).toEqual(numbers);
});

test('what waited on the server reaches the handlers of a program that starts again', async () => {
  const { server, ana } = await account();
  await ana.createBot('lamp', secretOf('lamp'));
  const open = (): Promise<Bot> =>
    connectBot(server.url, { id: 'lamp', secret: secretOf('lamp'), keepMessages: '1 h' });
  const before = await open();
  await before.follow(['#light']);
  await before.close();
  for (const n of [1, 2, 3]) await ana.send(n, ['#light']);
  const lamp = await open();
  onTestFinished(() => lamp.close());
  const byHandler: unknown[] = [];
  const inLoop: unknown[] = [];
  lamp.on('#light', ({ payload }) => void byHandler.push(payload));
  const messages = lamp.messages();
  await ana.send(4, ['#light']);
  for await (const { payload } of messages) if (inLoop.push(payload) === 4) break;
  expect(inLoop).toEqual([1, 2, 3, 4]);
  expect(byHandler).toEqual([1, 2, 3, 4]);
});

test('an encrypted message that is passed on in another name is refused', async () => {
  const { ana, bots } = await account('lamp', 'switch', 'spy');
  const [lamp, sender, spy] = bots as [Bot, Bot, Bot];
  const owner = await generateIdentity('ana');
  new KeyAuthority(ana, { identity: owner, codeOf: () => 'code' });
  const errors: unknown[] = [];
  const open = async (bot: Bot): Promise<EncryptedBot> =>
    EncryptedBot.open(bot, {
      identity: await generateIdentity(bot.id),
      ownerSignKey: owner.publicKeys.sign,
      code: 'code',
      onError: (error) => errors.push(error),
    });
  const secureLamp = await open(lamp);
  const secureSwitch = await open(sender);
  await spy.follow(['#overheard']);
  await lamp.follow(['#light']);
  const seen: unknown[] = [];
  secureLamp.on((payload) => void seen.push(payload));
  const overheard = nextMessage(spy);
  await secureSwitch.send('on', ['#overheard'], { to: ['lamp'] });
  await spy.send((await overheard).payload, ['#light']);
  await expect.poll(() => errors).toMatchObject([{ code: 'TOBYMQ_SIGNATURE_INVALID' }]);
  expect(seen).toEqual([]);
});

test('a payload that is no JSON rejects, and nothing is left waiting', async () => {
  const server = await startServer();
  await server.toby.signUp('ana', secretOf('ana'));
  const ana = await connectBot(server.url, { id: 'ana', secret: secretOf('ana'), requestTimeoutMs: 20 });
  onTestFinished(() => ana.close());
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const circle: Record<string, unknown> = {};
  circle.itself = circle;
  await expect(ana.send(circle as Json)).rejects.toThrow(TypeError);
  await expect(ana.ask(circle as Json, [])).rejects.toThrow();
  // Longer than a request waits.
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(unhandled).toEqual([]);
});

test('a connection that does not come back ends loops and calls with its reason', async () => {
  const server = await startServer();
  await server.toby.signUp('ana', secretOf('ana'));
  const ana = await connectBot(server.url, { id: 'ana', secret: secretOf('ana'), reconnect: false });
  onTestFinished(() => ana.close());
  const loop = ana.messages();
  const waiting = loop.next();
  waiting.catch(() => undefined);
  await server.stop();
  await expect(waiting).rejects.toMatchObject({ name: 'ClientError' });
  expect(await loop.next()).toEqual({ done: true, value: undefined });
  expect(await ana.messages().next()).toEqual({ done: true, value: undefined });
  await expect(ana.info()).rejects.toThrow();
});

test('an encrypted bot that comes back opens what has waited for it', async () => {
  const { server, ana, bots } = await account('switch');
  await ana.createBot('lamp', secretOf('lamp'));
  const owner = await generateIdentity('ana');
  new KeyAuthority(ana, { identity: owner, codeOf: () => 'code' });
  const errors: unknown[] = [];
  const open = async (bot: Bot, identity: Identity): Promise<EncryptedBot> =>
    EncryptedBot.open(bot, {
      identity,
      ownerSignKey: owner.publicKeys.sign,
      code: 'code',
      onError: (error) => errors.push(error),
    });
  const options = { id: 'lamp', secret: secretOf('lamp'), keepMessages: '1 h' } as const;
  const identity = await generateIdentity('lamp');
  const secureSwitch = await open(bots[0] as Bot, await generateIdentity('switch'));
  const lamp = await connectBot(server.url, options);
  await open(lamp, identity);
  await lamp.follow(['#light']);
  await lamp.close();
  for (const text of ['one', 'two']) await secureSwitch.send(text, ['#light'], { to: ['lamp'] });

  const again = await connectBot(server.url, options);
  onTestFinished(() => again.close());
  const secureLamp = await open(again, identity);
  const seen: unknown[] = [];
  secureLamp.on((payload) => void seen.push(payload));
  await secureSwitch.send('three', ['#light'], { to: ['lamp'] });
  await expect.poll(() => seen).toEqual(['one', 'two', 'three']);
  expect(errors).toEqual([]);
});

test('an encrypted bot that is started again does not believe an old certificate', async () => {
  const { ana, bots } = await account('lamp', 'switch');
  const [lamp, sender] = bots as [Bot, Bot];
  const owner = await generateIdentity('ana');
  const authority = new KeyAuthority(ana, { identity: owner, codeOf: () => 'code' });
  const errors: unknown[] = [];
  const learned: Certificate[] = [];
  const identity = await generateIdentity('lamp');
  const open = (bot: Bot, own: Identity, certificates?: readonly Certificate[]): Promise<EncryptedBot> =>
    EncryptedBot.open(bot, {
      identity: own,
      ownerSignKey: owner.publicKeys.sign,
      code: 'code',
      certificates,
      onLearned: (certificate) => void (bot === lamp && learned.push(certificate)),
      onError: (error) => errors.push(error),
    });
  const secureLamp = await open(lamp, identity);
  await open(sender, await generateIdentity('switch'));
  await expect.poll(() => learned.length).toBe(2);
  const stale = [...learned];
  await authority.revoke('switch');
  await expect.poll(() => learned.length).toBe(3);
  secureLamp.close();
  authority.close();

  // The server withholds what the owner would say, and tells what it has said long ago.
  const asked = nextMessage(ana);
  const opening = open(lamp, identity, learned);
  await asked;
  await ana.send({ tobyCertificates: stale as unknown as Json }, [KEYS_TAG]);
  const again = await opening;
  expect(() => again.directory.recipient('switch')).toThrow(/withdrawn/);
  expect(learned).toHaveLength(3);
  expect(errors).toEqual([]);
});

test('a rotation that the owner answers too late counts all the same', async () => {
  const { ana, bots } = await account('lamp', 'switch');
  const [lamp, sender] = bots as [Bot, Bot];
  const owner = await generateIdentity('ana');
  let certificates: readonly Certificate[] = [];
  const startAuthority = (): KeyAuthority =>
    new KeyAuthority(ana, {
      identity: owner,
      codeOf: () => 'code',
      certificates,
      onIssued: (certificate) => {
        certificates = [...certificates.filter(({ botId }) => botId !== certificate.botId), certificate];
      },
    });
  const authority = startAuthority();
  const errors: unknown[] = [];
  const open = async (bot: Bot): Promise<EncryptedBot> =>
    EncryptedBot.open(bot, {
      identity: await generateIdentity(bot.id),
      ownerSignKey: owner.publicKeys.sign,
      code: 'code',
      onError: (error) => errors.push(error),
    });
  const secureLamp = await open(lamp);
  const secureSwitch = await open(sender);
  const serialOf = (id: string): number | undefined =>
    secureSwitch.directory.certificates().find(({ botId }) => botId === id)?.serial;
  await lamp.follow(['#light']);
  await sender.follow(['#answer']);

  authority.close();
  const missed = nextMessage(ana);
  await expect(secureLamp.rotate({ timeoutMs: 100 })).rejects.toMatchObject({ code: 'TOBYMQ_TOBY_TIMEOUT' });
  startAuthority();
  // The owner comes back to the request that has waited for it.
  await lamp.send((await missed).payload);
  await expect.poll(() => serialOf('lamp')).toBe(2);

  const heard = new Promise((resolve) => secureLamp.on(resolve));
  await secureSwitch.send('on', ['#light'], { to: ['lamp'] });
  expect(await heard).toBe('on');
  await secureLamp.rotate();
  const answered = new Promise((resolve) => secureSwitch.on(resolve));
  await secureLamp.send('done', ['#answer'], { to: ['switch'] });
  expect(await answered).toBe('done');
  expect(serialOf('lamp')).toBe(3);
  expect(errors).toEqual([]);
});
