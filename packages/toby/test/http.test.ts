// Web hooks and sign-up over real HTTP.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type RefusedRequest, type TobyHttpOptions, tobyHttp } from '../src/server/index.ts';
import { networkOf } from '../src/server/network.ts';
import { quickHasher, secretOf, startAccount, startServer, type TestServer } from './harness.ts';
import { RawBot } from './raw-bot.ts';

/** Serves the handler with nothing but node:http, as any program could. */
async function serveHttp(server: TestServer, options: TobyHttpOptions = {}): Promise<string> {
  const handle = tobyHttp(server.toby, options);
  const http = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { method = 'GET', headers, url = '/' } = incoming;
    const body = method === 'GET' ? null : Buffer.concat(chunks);
    const type = { 'content-type': headers['content-type'] ?? '' };
    const request = new Request(`http://localhost${url}`, { method, headers: type, body });
    const response =
      (await handle(request, incoming.socket.remoteAddress ?? '')) ?? new Response(null, { status: 404 });
    outgoing.writeHead(response.status).end(Buffer.from(await response.arrayBuffer()));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => void http.close(() => resolve())));
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

async function post(url: string, body: string, type = 'application/json'): Promise<number> {
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': type } });
  await response.text();
  return response.status;
}

const FORM = 'application/x-www-form-urlencoded';

test('a web hook delivers its JSON or form body to the bot', async () => {
  const { server, bots } = await startAccount(['lamp']);
  const base = await serveHttp(server);
  expect(await bots[0].request('hooks-on', { sk: 'hook secret' })).toEqual({ status: 200 });
  expect(await bots[0].request('info')).toMatchObject({ hook: true });

  expect(await post(`${base}/hook/lamp/hook%20secret`, '{"build":"green"}')).toBe(200);
  expect(await bots[0].received()).toEqual({ from: 'hook', payload: { build: 'green' }, tags: [], ack: '' });
  expect(await post(`${base}/hook/lamp/hook%20secret`, 'state=on&who=a&who=b', FORM)).toBe(200);
  expect(await bots[0].received()).toMatchObject({ payload: { state: 'on', who: ['a', 'b'] } });
});

test('web hooks are refused with a status that says why', async () => {
  const { server, ana, bots } = await startAccount(['lamp'], { limits: { hookBytes: 100 } });
  const base = await serveHttp(server);
  expect(await post(`${base}/hook/lamp/s`, '{}')).toBe(403); // hooks off
  await bots[0].request('hooks-on', { sk: 's' });
  expect(await post(`${base}/hook/lamp/wrong`, '{}')).toBe(403);
  expect(await post(`${base}/hook/nobody/s`, '{}')).toBe(404);
  expect(await post(`${base}/hook/ana/s`, '{}')).toBe(404);
  expect(await post(`${base}/hook/lamp/s`, '{"broken')).toBe(400);
  expect(await post(`${base}/hook/lamp/s`, `"${'x'.repeat(200)}"`)).toBe(413);
  expect((await fetch(`${base}/hook/lamp/s`)).status).toBe(405);
  await bots[0].request('hooks-off');
  expect(await post(`${base}/hook/lamp/s`, '{}')).toBe(403);
  await bots[0].request('hooks-on', { sk: 's' });
  bots[0].close();
  await ana.message(({ payload }) => 'offline' in (payload as object));
  expect(await post(`${base}/hook/lamp/s`, '{}')).toBe(503);
});

test('a hook for a bot that keeps its session waits for it if queueing is on', async () => {
  const { server, ana } = await startAccount([]);
  const base = await serveHttp(server);
  const strict = await serveHttp(server, { queueHooks: false });
  await ana.request('create-bot', { id: 'lamp', sk: secretOf('lamp') });
  const lamp = await server.connect('lamp', { clean: false });
  await lamp.request('hooks-on', { sk: 's' });
  lamp.close();
  await ana.message(({ payload }) => 'offline' in (payload as object));
  expect(await post(`${strict}/hook/lamp/s`, '1')).toBe(503);
  expect(await post(`${base}/hook/lamp/s`, '{"n":2}')).toBe(202);
  const again = await server.connect('lamp', { clean: false, listen: false });
  expect(await again.received()).toMatchObject({ from: 'hook', payload: { n: 2 } });
});

test('a hook for a bot that does not listen yet is refused, and not lost', async () => {
  const { server, ana } = await startAccount([]);
  const base = await serveHttp(server);
  await ana.request('create-bot', { id: 'lamp', sk: secretOf('lamp') });
  const lamp = await server.connect('lamp');
  await lamp.request('hooks-on', { sk: 's' });
  lamp.close();
  const again = await server.connect('lamp', { listen: false });
  expect(await post(`${base}/hook/lamp/s`, '{"n":1}')).toBe(503);
  await again.subscribe('client/lamp');
  expect(await post(`${base}/hook/lamp/s`, '{"n":2}')).toBe(200);
  expect(await again.received()).toMatchObject({ from: 'hook', payload: { n: 2 } });
});

test('sign-up creates a user bot from a form or JSON', async () => {
  const server = await startServer();
  const base = await serveHttp(server);
  expect(await post(`${base}/signup`, JSON.stringify({ username: 'ana', password: secretOf('ana') }))).toBe(
    201,
  );
  expect(
    await post(`${base}/signup`, `username=ben&password=${encodeURIComponent(secretOf('ben'))}`, FORM),
  ).toBe(201);
  expect(await post(`${base}/signup`, JSON.stringify({ username: 'ana', password: 'x' }))).toBe(409);
  expect(await post(`${base}/signup`, JSON.stringify({ username: 'a/b', password: 'x' }))).toBe(400);
  expect(await post(`${base}/signup`, JSON.stringify({ username: 'cy' }))).toBe(400);
  const ana = await server.connect('ana');
  expect(await ana.request('info')).toEqual({ type: 'user', id: 'ana', bots: [] });
  await server.connect('ben');
});

test('sign-up can be closed, need a token, and is rate limited', async () => {
  const server = await startServer({ limits: { signupsPerHour: 2 } });
  const body = (username: string, token?: string): string =>
    JSON.stringify({ username, password: 'x', token });
  const closed = await serveHttp(server, { signup: 'closed' });
  expect(await post(`${closed}/signup`, body('ana'))).toBe(403);
  const invited = await serveHttp(server, { signup: { token: 'for friends' } });
  expect(await post(`${invited}/signup`, body('ana'))).toBe(401);
  expect(await post(`${invited}/signup`, body('ana', 'for friends'))).toBe(201);
  expect(await post(`${invited}/signup`, body('ben', 'for friends'))).toBe(429);
});

test('everything that is refused is told of, and a fault of the store as well', async () => {
  const refused: RefusedRequest[] = [];
  const errors: unknown[] = [];
  const { server, bots } = await startAccount(['lamp'], {
    onRefused: (request) => refused.push(request),
    onError: (error) => errors.push(error),
  });
  const handle = tobyHttp(server.toby, { signup: 'closed' });
  const hook = async (path: string, method = 'POST'): Promise<void> => {
    const body = method === 'POST' ? '1' : null;
    await handle(new Request(`http://localhost${path}`, { method, body }), '192.0.2.7');
  };
  await bots[0].request('hooks-on', { sk: 's' });
  await hook('/hook/lamp/wrong');
  await hook('/hook/lamp/s', 'GET');
  await hook('/signup');
  await bots[0].request('create-bot', { id: 'x', sk: 'y' });
  vi.spyOn(server.broker, 'publish').mockRejectedValueOnce(new Error('the disk is full'));
  await hook('/hook/lamp/s');
  const address = '192.0.2.7';
  expect(refused).toMatchObject([
    { via: 'hook', clientId: 'lamp', address, status: 403, reason: 'wrong hook secret' },
    { via: 'hook', clientId: 'lamp', address, status: 405 },
    { via: 'signup', address, status: 403 },
    { via: 'bot', clientId: 'lamp', endpoint: 'create-bot', status: 403 },
    { via: 'hook', clientId: 'lamp', address, status: 503 },
  ]);
  expect(errors).toEqual([new Error('the disk is full')]);
});

test('a form with very many fields does not hold up the server', async () => {
  const { server, bots } = await startAccount(['lamp']);
  await bots[0].request('hooks-on', { sk: 's' });
  const handle = tobyHttp(server.toby);
  const names = Array.from({ length: 100_000 }, (_, i) => `f${i}`);
  const body = `${names.join('&')}&f0=again&__proto__=own`;
  const request = new Request('http://localhost/hook/lamp/s', {
    method: 'POST',
    body,
    headers: { 'content-type': FORM },
  });
  expect((await handle(request, '::1'))?.status).toBe(200);
  const { payload } = await bots[0].received();
  expect(Object.keys(payload as object)).toEqual([...names, '__proto__']);
  expect(payload).toMatchObject({ f0: ['', 'again'], f1: '' });
});

test('a hasher is told from where a secret comes', async () => {
  const from: string[] = [];
  const verify = (hash: string, secret: string, address: string): Promise<boolean> => {
    from.push(address);
    return quickHasher.verify(hash, secret, address);
  };
  const { server, bots } = await startAccount(['lamp'], { hasher: { hash: quickHasher.hash, verify } });
  await bots[0].request('hooks-on', { sk: 'right' });
  const request = new Request('http://localhost/hook/lamp/wrong', { method: 'POST', body: '1' });
  await tobyHttp(server.toby)(request, '192.0.2.7');
  await expect(RawBot.connect(server.port, 'lamp', 'wrong')).rejects.toThrow(/CONNACK/);
  expect(from).toEqual(['192.0.2.7', '127.0.0.1']);
});

test('guesses of hook secrets are limited before they cost a hash, and the right secret goes on', async () => {
  let checks = 0;
  const hasher = {
    hash: quickHasher.hash,
    verify: (hash: string, secret: string, address: string): Promise<boolean> => {
      checks++;
      return quickHasher.verify(hash, secret, address);
    },
  };
  const { server, bots } = await startAccount(['lamp'], { hasher, limits: { hookGuessesPerHour: 3 } });
  await bots[0].request('hooks-on', { sk: 'right' });
  const handle = tobyHttp(server.toby);
  const hook = async (secret: string, address: string): Promise<number | undefined> => {
    const request = new Request(`http://localhost/hook/lamp/${secret}`, { method: 'POST', body: '1' });
    return (await handle(request, address))?.status;
  };
  checks = 0;
  const addresses = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:1::', '2001:db8::ffff', '2001:db8::1'];
  const statuses: unknown[] = [];
  for (const address of addresses) statuses.push(await hook('wrong', address));
  expect(statuses).toEqual([403, 403, 403, 429, 429]);
  expect(checks).toBe(3);
  expect(await hook('right', '2001:db8::1')).toBe(200);
  expect(await hook('wrong', '2001:db8:0:1::1')).toBe(403);
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['64:ff9b:1:2::192.0.2.7', '64:ff9b:1:2::/64'],
  ['', ''],
])('limits take the address %s for %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test('sign-ups of one IPv6 network are counted together', async () => {
  const server = await startServer({ limits: { signupsPerHour: 1 } });
  const handle = tobyHttp(server.toby, { signup: 'open' });
  const signUp = async (username: string, address: string): Promise<number | undefined> => {
    const body = JSON.stringify({ username, password: 'x' });
    return (await handle(new Request('http://localhost/signup', { method: 'POST', body }), address))?.status;
  };
  expect(await signUp('ana', '2001:db8::1')).toBe(201);
  expect(await signUp('ben', '2001:db8::2')).toBe(429);
  expect(await signUp('cy', '2001:db8:1::1')).toBe(201);
});

test('a body that breaks off is no fault of the server', async () => {
  const errors: unknown[] = [];
  const { server, bots } = await startAccount(['lamp'], { onError: (error) => errors.push(error) });
  await bots[0].request('hooks-on', { sk: 's' });
  const body = new ReadableStream({ start: (controller) => controller.error(new Error('aborted')) });
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
  const answer = await tobyHttp(server.toby)(new Request('http://localhost/hook/lamp/s', init), '::1');
  expect(answer?.status).toBe(400);
  expect(errors).toEqual([]);
});

test('a hook whose secret is replaced while its body comes is refused', async () => {
  const { server, bots } = await startAccount(['lamp']);
  await bots[0].request('hooks-on', { sk: 's' });
  let send: (chunk: Uint8Array) => void = () => {};
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      send = (chunk) => {
        controller.enqueue(chunk);
        controller.close();
      };
    },
  });
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
  const answer = tobyHttp(server.toby)(new Request('http://localhost/hook/lamp/s', init), '::1');
  await bots[0].request('hooks-on', { sk: 'another' });
  send(Buffer.from('"too late"'));
  expect((await answer)?.status).toBe(403);
  await bots[0].request('info');
  expect(bots[0].unread).toEqual([]);
});
