// Reconnecting: when and whether, where to, and that it never comes to a stop without a reason.

import { packet, packetType, property, RawServer } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { createClientOn } from '../src/connect.ts';
import { KeepAlive } from '../src/keep-alive.ts';
import { ClientError, connect, createClient } from '../src/node.ts';
import { decideReconnect, isFinal, serversOf } from '../src/reconnect.ts';
import type { Platform } from '../src/transports/transport.ts';
import { FakeClock } from './fake-clock.ts';
import { ModelServer } from './model-server.ts';
import { answerSubscribe, clientOf, listen, outcome, quickly, reaches, scripted } from './support.ts';

const lost = new ClientError('TOBYMQ_CONNECTION_LOST', 'lost');
const refused = (reasonCode: number): ClientError =>
  new ClientError('TOBYMQ_CONNECT_REFUSED', 'no', { reasonCode });

test('the bound of the delay doubles from the minimum to the maximum, and the delay is random below it', () => {
  const bounds = [1, 2, 3, 4, 5, 100].map(
    (attempt) => decideReconnect({ min: 100, max: 1000 }, lost, attempt, () => 1).delayMs,
  );
  expect(bounds).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(decideReconnect({ min: 100 }, lost, 2, () => 0.25).delayMs).toBe(50);
  expect(decideReconnect({ min: 100, jitter: 'none' }, lost, 2, () => 0.25).delayMs).toBe(200);
});

test.each([0x84, 0x86, 0x87, 0x8a, 0x8c])('a refusal with 0x%s is final', (reasonCode) => {
  expect(isFinal(refused(reasonCode))).toBe(true);
});

test.each([0x80, 0x81, 0x83, 0x85, 0x88, 0x89, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f])(
  'a refusal with 0x%s is retried',
  (reasonCode) => {
    expect(decideReconnect({}, refused(reasonCode), 1, () => 0).retry).toBe(true);
  },
);

test('one function overrides every decision', () => {
  const decide = (verdict: boolean | '3 s' | undefined, error = lost) =>
    decideReconnect({ decide: () => verdict }, error, 1, () => 0);
  expect(decide(false).retry).toBe(false);
  expect(decide(true, refused(0x87)).retry).toBe(true);
  expect(decide('3 s')).toEqual({ retry: true, delayMs: 3000 });
  expect(decide(undefined, refused(0x87)).retry).toBe(false);
});

test('attempts end at their maximum, and without reconnecting at the first', () => {
  expect(decideReconnect({ maxAttempts: 3 }, lost, 2, () => 0).retry).toBe(true);
  expect(decideReconnect({ maxAttempts: 3 }, lost, 3, () => 0).retry).toBe(false);
  expect(decideReconnect({ maxAttempts: 0 }, lost, 1, () => 0).retry).toBe(false);
});

test('a server reference may name several servers, with or without port and scheme', () => {
  const current = new URL('wss://old.example/mqtt');
  const servers = serversOf('a.example b.example:8080 mqtts://c.example:1 [::1]:99', current).map(
    (url) => url.href,
  );
  expect(servers).toEqual([
    'wss://a.example/mqtt',
    'wss://b.example:8080/mqtt',
    'mqtts://c.example:1',
    'wss://[::1]:99/mqtt',
  ]);
  expect(serversOf(undefined, current)).toEqual([]);
  // Not from TLS to the open.
  expect(serversOf('ws://d.example mqtt://e.example', current)).toEqual([]);
});

test('"use another server" leads to the other server at once, with the session of before', async () => {
  const other = await listen();
  const { client, peer, server } = await scripted();
  peer.send(
    packet.disconnect({ reason: 0x9c, properties: [[property.serverReference, `127.0.0.1:${other.port}`]] }),
  );
  await other.acceptClient();
  await reaches(client, 'connected');
  expect([server.backlog, client.stats().connects]).toEqual([0, 2]);
});

test('"server moved" is remembered, "use another server" is not', async () => {
  const first = await listen();
  const second = await listen();
  const reference = [[property.serverReference, `127.0.0.1:${second.port}`]] as const;
  const { client } = clientOf(first);
  await first.acceptClient({ reason: 0x9c, properties: reference });
  (await second.acceptClient()).peer.destroy();
  await first.acceptClient({ reason: 0x9d, properties: reference });
  (await second.acceptClient()).peer.destroy();
  await second.acceptClient();
  await reaches(client, 'connected');
});

test('servers that send a client back and forth end in the back-off, not in a loop', async () => {
  const server = await listen();
  let offline = 0;
  const { client } = clientOf(server, {
    reconnect: {
      decide: () => {
        offline++;
        return false;
      },
    },
  });
  const here = [[property.serverReference, `127.0.0.1:${server.port}`]] as const;
  for (let i = 0; i < 9; i++) await server.acceptClient({ reason: 0x9c, properties: here });
  await reaches(client, 'failed');
  expect([offline, server.backlog]).toEqual([1, 0]);
});

test('several URLs are tried in turn', async () => {
  const dead = await RawServer.listen();
  const deadUrl = `mqtt://127.0.0.1:${dead.port}`;
  await dead.close();
  const server = await listen();
  const pending = connect([deadUrl, `mqtt://127.0.0.1:${server.port}`], { reconnect: quickly });
  await server.acceptClient();
  const client = await pending;
  expect(client.state).toMatchObject({ state: 'connected', url: `mqtt://127.0.0.1:${server.port}` });
  await client.close();
});

test('states tell the whole life, and neither a password nor a token in the query shows', async () => {
  const server = await listen();
  const client = createClient(`mqtt://user:secret@127.0.0.1:${server.port}?token=secret2`, {
    reconnect: quickly,
  });
  onTestFinished(() => client.close());
  const seen: unknown[] = [];
  const listening = (async () => {
    for await (const state of client.states()) seen.push(state);
  })();
  const { peer, connect: request } = await server.acceptClient();
  expect([request.username, request.password?.toString()]).toEqual(['user', 'secret']);
  await client.whenConnected();
  peer.destroy();
  await server.acceptClient({ sessionPresent: true });
  await reaches(client, 'connected');
  await client.close();
  await listening;
  expect(seen.map((state) => (state as { state: string }).state)).toEqual([
    'connecting',
    'connected',
    'offline',
    'connecting',
    'connected',
    'closed',
  ]);
  expect(seen[4]).toMatchObject({ isResumed: true, protocolVersion: 5 });
  expect(seen[4]).toMatchObject({ url: `mqtt://user:***@127.0.0.1:${server.port}?token=***` });
  expect(JSON.stringify(seen)).not.toContain('secret');
});

test('traces show every packet and no secrets', async () => {
  const events: string[] = [];
  const { client, peer } = await scripted({
    credentials: { username: 'u', password: 'hunter2' },
    trace: ({ direction, packet: traced }) =>
      events.push(
        `${direction} ${traced.type} ${JSON.stringify(traced, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value))}`,
      ),
  });
  await client.publish('t', 'x');
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  peer.send(packet.publish({ topic: 't', payload: 'y', qos: 1, id: 1 }));
  (await subscription.next()).value.ack();
  await peer.take(packetType.PUBACK);
  expect(events.map((event) => event.split(' ', 2).join(' '))).toEqual([
    'sent 1',
    'received 2',
    'sent 3',
    'sent 8',
    'received 9',
    'received 3',
    'sent 4',
  ]);
  expect(events.join()).not.toContain('hunter2');
  expect(events[0]).toContain('<redacted>');
});

test('a connection that ends at once counts as a failure: the back-off grows although CONNACK came', async () => {
  const server = await listen();
  const attempts: number[] = [];
  const { client } = clientOf(server, {
    reconnect: {
      ...quickly,
      decide: ({ attempt }) => {
        attempts.push(attempt);
        return undefined;
      },
    },
  });
  for (let i = 0; i < 4; i++)
    (await server.acceptClient({ sessionPresent: i > 0 })).peer.send(packet.disconnect({ reason: 0x8b }));
  await server.acceptClient({ sessionPresent: true });
  await reaches(client, 'connected');
  expect(attempts).toEqual([1, 2, 3, 4]);
});

test('a failing function for the credentials is one failed attempt', async () => {
  const server = await listen();
  let count = 0;
  const pending = connect(`mqtt://127.0.0.1:${server.port}`, {
    reconnect: quickly,
    credentials: async () => {
      if (++count < 3) throw new Error('token service is down');
      return { username: 'u' };
    },
  });
  await server.acceptClient();
  await (await pending).close();
  const error = await outcome(
    connect(`mqtt://127.0.0.1:${server.port}`, {
      reconnect: false,
      credentials: () => Promise.reject(new Error('down')),
    }),
  );
  expect(error).toMatchObject({ code: 'TOBYMQ_AUTH_FAILED' });
});

test('a credentials function that never settles does not stop close()', async () => {
  const server = await listen();
  const { client } = clientOf(server, { credentials: () => new Promise(() => {}) });
  await client.close();
  expect(client.state.state).toBe('closed');
  await expect(client.whenConnected()).rejects.toMatchObject({ code: 'TOBYMQ_CLOSED' });
});

test('after a sleep the connection gets a second chance before it is given up', () => {
  const clock = new FakeClock();
  let pings = 0;
  let isDead = false;
  const keepAlive = new KeepAlive(clock, 60, 10_000, {
    traffic: { sent: 0, received: 0 },
    unsentBytes: 0,
    ping: () => pings++,
    onDead: () => {
      isDead = true;
    },
  });
  clock.advance(15_000);
  expect(pings).toBe(1);
  // The machine sleeps for an hour: the deadline passes without a chance for the answer.
  clock.jump(3_600_000);
  clock.advance(1);
  expect([pings, isDead]).toEqual([2, false]);
  clock.advance(10_000);
  expect(isDead).toBe(true);
  keepAlive.stop();
});

test('pings keep coming in time although timers are held back by a minute', () => {
  const clock = new FakeClock();
  const pings: number[] = [];
  const traffic = { sent: 0, received: 0 };
  const keepAlive = new KeepAlive(clock, 60, 10_000, {
    traffic,
    unsentBytes: 0,
    ping: () => {
      pings.push(clock.now());
      traffic.sent++;
      traffic.received++;
    },
    onDead: () => expect.unreachable('the connection was given up'),
  });
  // A hidden tab: timers that are due run once per minute only.
  for (let minute = 0; minute < 10; minute++) {
    clock.jump(60_000);
    clock.advance(0);
  }
  const gaps = pings.slice(1).map((at, i) => at - pings[i]!);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(90_000);
  keepAlive.stop();
});

test('whoever asks again after an answer gets a new answer, however little time has passed', () => {
  const clock = new FakeClock();
  let pings = 0;
  let isDead = false;
  const traffic = { sent: 0, received: 0 };
  const keepAlive = new KeepAlive(clock, 60, 10_000, {
    traffic,
    unsentBytes: 0,
    ping: () => pings++,
    onDead: () => {
      isDead = true;
    },
  });
  keepAlive.probe();
  keepAlive.probe();
  expect(pings).toBe(1);
  traffic.received++;
  clock.advance(1_000);
  keepAlive.probe();
  expect(pings).toBe(2);
  clock.advance(9_999);
  expect(isDead).toBe(false);
  clock.advance(1);
  expect(isDead).toBe(true);
  keepAlive.stop();
});

test('a ping behind a large message has the time that the network needs for that', () => {
  const clock = new FakeClock();
  let isDead = false;
  const target = {
    traffic: { sent: 0, received: 0 },
    unsentBytes: 1_000_000,
    ping: () => {},
    onDead: () => {
      isDead = true;
    },
  };
  const keepAlive = new KeepAlive(clock, 60, 10_000, target);
  keepAlive.probe();
  for (let i = 0; i < 10; i++) {
    target.unsentBytes -= 1;
    clock.advance(10_000);
    expect(isDead).toBe(false);
  }
  clock.advance(10_000);
  expect(isDead).toBe(true);
  keepAlive.stop();
});

test('a network that comes back starts the delay anew, and not the count of attempts', async () => {
  const model = new ModelServer();
  model.fate = () => 'unreachable';
  let notify: (isOnline: boolean) => void = () => {};
  const platform: Platform = {
    transports: {},
    defer: setImmediate,
    watchNetwork: (onChange) => {
      notify = onChange;
      return () => {};
    },
  };
  const hours = 3_600_000;
  const client = createClientOn(
    platform,
    { transport: model.open, reconnect: { min: '1 h', max: '100 h', jitter: 'none' } },
    {},
  );
  const offline: object[] = [];
  for await (const state of client.states()) {
    if (state.state !== 'offline') continue;
    offline.push({ attempt: state.attempt, hours: state.retryInMs / hours });
    if (offline.length === 5) break;
    if (offline.length === 3) notify(true);
    else client.retryNow();
  }
  expect(offline).toEqual([
    { attempt: 1, hours: 1 },
    { attempt: 2, hours: 2 },
    { attempt: 3, hours: 4 },
    { attempt: 4, hours: 1 },
    { attempt: 5, hours: 2 },
  ]);
  await client.close();
});

test('a network that comes back is used at once, and one that may be gone is looked at', async () => {
  const model = new ModelServer();
  let notify: (isOnline: boolean) => void = () => {};
  let isWatching = false;
  const platform: Platform = {
    transports: {},
    defer: setImmediate,
    watchNetwork: (onChange) => {
      notify = onChange;
      isWatching = true;
      return () => {
        isWatching = false;
      };
    },
  };
  model.fate = () => 'unreachable';
  const options = {
    transport: model.open,
    reconnect: { min: '1 h', max: '1 h' },
    pingTimeout: '10 ms',
  } as const;
  const client = createClientOn(platform, options, {});
  await reaches(client, 'offline');
  model.fate = () => 'accept';
  notify(true);
  await reaches(client, 'connected');
  // The other side is gone without a word; the news from outside makes the client look.
  model.connection!.isFrozen = true;
  notify(false);
  expect(await reaches(client, 'offline')).toMatchObject({ reason: { code: 'TOBYMQ_KEEP_ALIVE_TIMEOUT' } });
  await client.close();
  expect(isWatching).toBe(false);
});
