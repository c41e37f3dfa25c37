// Random lives of a client: a server that refuses, hangs, lies, freezes and forgets, a network that is cut anywhere, and
// a clock that jumps. Whatever happens, the client is connecting, connected, offline with a retry ahead, closed, or
// failed with a reason; every promise settles; QoS 1 arrives at least once and QoS 2 exactly once.

import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Client, ClientError, createClient, memoryStore, type SessionStore } from '../src/node.ts';
import { FakeClock, randomFrom } from './fake-clock.ts';
import { type Fate, ModelServer } from './model-server.ts';

const firstSeed = Number(process.env.TOBYMQ_SEED ?? Date.now() % 1_000_000);

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

function checkState(client: Client, clock: FakeClock): void {
  const { state } = client;
  switch (state.state) {
    case 'connecting':
      // Either the attempt or its timeout goes on.
      expect(clock.pendingCount).toBeGreaterThan(0);
      break;
    case 'offline':
      expect(state.reason).toBeInstanceOf(ClientError);
      expect(clock.pendingCount).toBeGreaterThan(0);
      break;
    case 'failed':
      expect(state.reason).toBeInstanceOf(ClientError);
      break;
    default:
      expect(['connected', 'closed']).toContain(state.state);
  }
}

interface Life {
  readonly server: ModelServer;
  readonly results: Map<string, ClientError | 'ok' | undefined>;
  readonly received: string[];
  readonly sent: string[];
}

/** One life of 300 random steps, then calm weather until everything is done, then the end. */
async function live(seed: number, mayForget: boolean): Promise<Life> {
  const random = randomFrom(seed);
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const clock = new FakeClock(random);
  const server = new ModelServer();
  const fates: Fate[] = [
    'accept',
    'accept',
    'accept',
    'refuse',
    'silent',
    'hang',
    'unreachable',
    'close',
    'garbage',
  ];
  if (mayForget) fates.push('forget session');
  server.fate = () => pick(...fates);
  const store: SessionStore | undefined = pick(undefined, memoryStore());
  const client = createClient('mqtt://model', {
    transport: server.open,
    clientId: 'model',
    clock,
    keepAlive: '30 s',
    receiveMaximum: 4,
    session: { keep: '1 day', ...(store === undefined ? {} : { store }) },
    onError: () => {},
  });
  const results = new Map<string, ClientError | 'ok' | undefined>();
  const received: string[] = [];
  const sent: string[] = [];
  const handling = client.on(
    'down',
    async (message) => {
      await turns(Math.floor(random() * 3));
      received.push(message.text);
    },
    { concurrency: pick(1, 3) },
  );
  handling.catch(() => {});
  const publish = (step: number): void => {
    const payload = `${step}`;
    const qos = pick(1, 2) as 1 | 2;
    results.set(`${qos}:${payload}`, undefined);
    client.publish('up', `${qos}:${payload}`, { qos }).then(
      () => results.set(`${qos}:${payload}`, 'ok'),
      (error: ClientError) => results.set(`${qos}:${payload}`, error),
    );
  };
  for (let step = 0; step < 300; step++) {
    const { connection } = server;
    switch (Math.floor(random() * 12)) {
      case 0:
        connection?.drop();
        break;
      case 1:
        if (connection !== undefined) connection.isFrozen = true;
        break;
      case 2:
        connection?.garbage();
        break;
      case 3:
        clock.jump(Math.floor(random() * 100_000));
        break;
      case 4:
      case 5:
        clock.advance(Math.floor(random() * 40_000));
        break;
      case 6:
      case 7:
        if (sent.length < 60) {
          const payload = `${pick(1, 2)}:${step}`;
          sent.push(payload);
          server.publish(payload, Number(payload[0]) as 1 | 2);
        }
        break;
      case 8:
        client.retryNow();
        break;
      default:
        publish(step);
    }
    await turns(1 + Math.floor(random() * 3));
    checkState(client, clock);
  }
  server.fate = () => 'accept';
  if (server.connection !== undefined) server.connection.isFrozen = false;
  server.connection?.drop();
  for (let i = 0; i < 400 && !([...results.values()].every(Boolean) && server.openCount === 0); i++) {
    clock.advance(20_000);
    await turns(4);
    checkState(client, clock);
  }
  const late = client.publish('up', 'late', { qos: 1 }).catch((error: ClientError) => error);
  const closing = client.close();
  for (let i = 0; i < 3; i++) {
    await turns(4);
    clock.advance(20_000);
  }
  await closing;
  await late;
  expect(client.state.state).toBe('closed');
  expect(clock.pendingCount).toBe(0);
  expect([...results.values()]).not.toContain(undefined);
  return { server, results, received, sent };
}

const count = (values: readonly string[], value: string): number =>
  values.filter((each) => each === value).length;

test(`a reliable session over an unreliable network, seeds from ${firstSeed}`, {
  timeout: 60_000,
}, async () => {
  for (let seed = firstSeed; seed < firstSeed + 40; seed++) {
    const { server, results, received, sent } = await live(seed, false);
    const context = `TOBYMQ_SEED=${seed}`;
    for (const [payload, result] of results) {
      expect(result, context).toBe('ok');
      const times = count(server.delivered, payload);
      if (payload.startsWith('2')) expect(times, `${context} ${payload}`).toBe(1);
      else expect(times, `${context} ${payload}`).toBeGreaterThanOrEqual(1);
    }
    for (const payload of sent) {
      const times = count(received, payload);
      if (payload.startsWith('2')) expect(times, `${context} down ${payload}`).toBe(1);
      else expect(times, `${context} down ${payload}`).toBeGreaterThanOrEqual(1);
    }
    // The first transmissions of each direction keep their order.
    const firsts = [...new Set(server.delivered)]
      .filter((payload) => payload !== 'late')
      .map((payload) => Number(payload.split(':')[1]));
    expect(firsts, context).toEqual(firsts.toSorted((a, b) => a - b));
  }
});

test(`a server that forgets sessions, seeds from ${firstSeed}`, { timeout: 60_000 }, async () => {
  for (let seed = firstSeed; seed < firstSeed + 30; seed++) {
    const { server, results } = await live(seed, true);
    const context = `TOBYMQ_SEED=${seed}`;
    for (const [payload, result] of results) {
      const times = count(server.delivered, payload);
      if (payload.startsWith('2')) expect(times, `${context} ${payload}`).toBeLessThanOrEqual(1);
      if (result === 'ok') expect(times, `${context} ${payload}`).toBeGreaterThanOrEqual(1);
      else expect((result as ClientError).code, context).toBe('TOBYMQ_SESSION_LOST');
    }
  }
});
