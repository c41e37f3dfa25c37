// What the server's own defences mean for bots.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RawPeer } from '@tobymq/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { hashPassword } from '../src/auth/password-hash.ts';
import type { ConfigInput } from '../src/config/schema.ts';
import { prometheusText } from '../src/metrics/prometheus.ts';
import type { Server } from '../src/server.ts';
import { fairHasher } from '../src/toby.ts';
import { type Attempt, connect, portOf, startServer } from './harness.ts';

const host = '127.0.0.1';

async function serverWithAna(
  more: ConfigInput = {},
): Promise<{ server: Server; login: (secret: string) => Promise<Attempt> }> {
  const server = await startServer({ toby: { signup: 'open' }, ...more });
  const body = JSON.stringify({ username: 'ana', password: 'geheim' });
  const request = new Request('http://localhost/signup', { method: 'POST', body });
  expect((await server.tobyHttp?.(request, host))?.status).toBe(201);
  const target = { host, port: portOf(server) };
  return {
    server,
    login: (password) => connect(target, { clientId: 'ana', username: 'ana', password }),
  };
}

test('an address that goes on guessing the secret of a bot is banned', async () => {
  const { server, login } = await serverWithAna({
    throttle: { failures: 3, delay: '10ms', ban: '1h', exempt: [] },
  });
  for (let attempt = 0; attempt < 3; attempt++) expect((await login('falsch')).reason).toBe(0x86);
  expect(server.throttle.bans()).toMatchObject([{ kind: 'address', value: host }]);
  const banned = await RawPeer.connect({ host, port: portOf(server) });
  await banned.expectClose();
  server.throttle.remove('address', host);
  expect((await login('geheim')).reason).toBe(0);
});

test('the secret of a bot does not wait behind all the guesses that came from another address before it', async () => {
  const { verify } = fairHasher();
  const stored = await hashPassword('geheim', 'pbkdf2', 20_000);
  let guesses = 0;
  const all = Array.from({ length: 40 }, async (_, i) => {
    expect(await verify(stored, `guess ${i}`, '127.0.0.2')).toBe(false);
    guesses++;
  });
  expect(await verify(stored, 'geheim', host)).toBe(true);
  expect(guesses).toBeLessThan(20);
  await Promise.all(all);
});

test('nobody signs up under the name of a user of the password file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tobymq-toby-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'users.txt');
  writeFileSync(file, `anna:${await hashPassword('geheim', 'sha512')}\n`);
  const { server } = await serverWithAna({ authentication: [{ type: 'password-file', file }] });
  const body = JSON.stringify({ username: 'anna', password: 'falsch' });
  const request = new Request('http://localhost/signup', { method: 'POST', body });
  expect((await server.tobyHttp?.(request, host))?.status).toBe(409);
  const target = { host, port: portOf(server) };
  const login = { clientId: 'phone', username: 'anna', password: 'geheim' };
  expect((await connect(target, login)).reason).toBe(0);
});

test('nobody signs up under the name of a superuser', async () => {
  const { server } = await serverWithAna({
    toby: { signup: 'open', elsewhere: 'rules' },
    access: { superusers: ['admin'] },
  });
  const body = JSON.stringify({ username: 'admin', password: 'falsch' });
  const request = new Request('http://localhost/signup', { method: 'POST', body });
  expect((await server.tobyHttp?.(request, host))?.status).toBe(409);
});

test('who signs up through a proxy is known by the address that it tells', async () => {
  const server = await startServer({
    listeners: [{ type: 'ws', port: 0, proxyProtocol: {} }],
    http: { port: 0 },
    toby: { signup: 'open', signupsPerHour: 1 },
  });
  const signUp = async (username: string, address: string): Promise<string> => {
    const body = JSON.stringify({ username, password: 'geheim' });
    const peer = connectSocket(portOf(server), host);
    peer.write(
      `PROXY TCP4 ${address} 10.0.0.1 51234 80\r\n` +
        `POST /signup HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const [head] = await once(peer, 'data');
    return String(head).slice(9, 12);
  };
  expect(await signUp('ana', '203.0.113.7')).toBe('201');
  expect(await signUp('ben', '203.0.113.8')).toBe('201');
  expect(await signUp('cy', '203.0.113.7')).toBe('429');
});

test('a web hook that is refused is in the log and in the metrics', async () => {
  const { server } = await serverWithAna();
  const lines = vi.spyOn(server.log, 'log');
  const request = new Request('http://localhost/hook/ana/wrong', { method: 'POST', body: '1' });
  await server.tobyHttp?.(request, host);
  expect(lines).toHaveBeenCalledWith('warn', 'request-refused', {
    via: 'hook',
    clientId: 'ana',
    address: host,
    status: 404,
    reason: 'there is no bot "ana"',
  });
  expect(prometheusText(server.broker, server.readGauges())).toContain(
    'tobymq_requests_refused_total{via="hook",status="404"} 1\n',
  );
});

test.each(['client', 'user'] as const)('a bot that is banned as a %s stays out', async (kind) => {
  const { server, login } = await serverWithAna();
  server.throttle.add({ kind, value: 'ana', reason: 'too loud', until: Number.POSITIVE_INFINITY });
  expect((await login('geheim')).reason).toBe(0x8a);
  server.throttle.remove(kind, 'ana');
  expect((await login('geheim')).reason).toBe(0);
});
