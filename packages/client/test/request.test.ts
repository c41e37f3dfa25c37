// Request and response, over our own broker and every version.

import { Broker, type Extension } from '@tobymq/broker';
import { decode, packetType, property } from '@tobymq/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Client, type ConnectOptions, connect, json, rpc, text } from '../src/node.ts';
import { answerSubscribe, clientOf, listen, outcome, reaches, scripted } from './support.ts';

const scale = rpc('math/scale', json<{ value: number; by: number }>(), json<number>());
const echo = rpc('echo/{who}', text, text);

async function startBroker(): Promise<string> {
  const broker = await Broker.start({});
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  return `mqtt://127.0.0.1:${port}`;
}

async function connected(url: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(url, { onError: () => {}, ...options });
  onTestFinished(() => client.close());
  return client;
}

describe.each([
  [5, 5],
  [4, 4],
  [3, 5],
] as const)('asked in version %i, served in version %i', (asks, serves) => {
  test('a request is answered, also many at once', async () => {
    const url = await startBroker();
    const server = await connected(url, { protocolVersion: serves });
    await server.serve(scale, ({ value, by }) => value * by);
    const client = await connected(url, { protocolVersion: asks });
    expect(await client.request(scale, { value: 3, by: 3 })).toBe(9);
    const many = Array.from({ length: 100 }, (_, value) => client.request(scale, { value, by: 2 }));
    expect(await Promise.all(many)).toEqual(Array.from({ length: 100 }, (_, value) => value * 2));
  });

  test('an error of the responder rejects with its message', async () => {
    const url = await startBroker();
    const server = await connected(url, { protocolVersion: serves });
    await server.serve(scale, () => {
      throw new Error('out of numbers');
    });
    const client = await connected(url, { protocolVersion: asks });
    await expect(client.request(scale, { value: 1, by: 1 })).rejects.toMatchObject({
      code: 'TOBYMQ_REQUEST_FAILED',
      message: expect.stringContaining('out of numbers'),
    });
  });
});

test('a place for answers that the server has taken away is asked for again', async () => {
  let mayListen = true;
  const rules: Extension = {
    name: 'rules',
    authorizeSubscribe: (client, { filter }) =>
      client.clientId !== 'asker' || mayListen || !filter.startsWith('resp'),
  };
  const broker = await Broker.start({ extensions: [rules] });
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  const url = `mqtt://127.0.0.1:${port}`;
  await (await connected(url)).serve(scale, ({ value, by }) => value * by);
  const refused: unknown[] = [];
  const client = await connected(url, {
    clientId: 'asker',
    reconnect: { min: 1, max: 5 },
    onError: (error) => void refused.push(error.code),
  });
  expect(await client.request(scale, { value: 2, by: 2 })).toBe(4);
  mayListen = false;
  broker.kick('asker', { endSession: true });
  for await (const { state } of client.states()) if (state === 'offline') break;
  await client.whenConnected();
  await expect.poll(() => refused).toContain('TOBYMQ_SUBSCRIBE_REFUSED');
  mayListen = true;
  expect(await client.request(scale, { value: 3, by: 3 })).toBe(9);
});

test('a 5.0 request carries its response topic as a property, which an older responder cannot see', async () => {
  const url = await startBroker();
  await (await connected(url, { protocolVersion: 4 })).serve(scale, ({ value }) => value);
  const client = await connected(url);
  const asked = client.request(scale, { value: 1, by: 1 }, { timeout: 100 });
  await expect(asked).rejects.toMatchObject({ code: 'TOBYMQ_TIMEOUT' });
});

test('a request that waits for a connection has the form of the version that is spoken then', async () => {
  const { client, peer, again } = await scripted();
  peer.destroy();
  await reaches(client, 'offline');
  const asked = outcome(client.request('math', new Uint8Array(1)));
  const second = await again();
  await answerSubscribe(second, [1]);
  const question = decode.publish(await second.expect(packetType.PUBLISH), 5);
  expect([question.topic, question.properties.has(property.responseTopic)]).toEqual(['math', true]);
  await client.close();
  await asked;

  const server = await listen();
  const early = clientOf(server).client;
  const first = outcome(early.request('math', new Uint8Array(1)));
  const { peer: other } = await server.acceptClient({});
  expect((await answerSubscribe(other, [1])).filters).toEqual([[expect.stringMatching(/^response/), 1]]);
  await early.close();
  await first;
});

test('parameters of the topic reach the responder', async () => {
  const url = await startBroker();
  const client = await connected(url);
  await client.serve(echo, (value, { params }) => `${params.who} said ${value}`);
  expect(await client.request(echo.at({ who: 'ana' }), 'hello')).toBe('ana said hello');
});

test('a service that is refused in one of its two forms answers in neither', async () => {
  const rules: Extension = {
    name: 'rules',
    authorizeSubscribe: (_, { filter }) => !filter.includes('/request/'),
  };
  const broker = await Broker.start({ extensions: [rules] });
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  const client = await connected(`mqtt://127.0.0.1:${port}`);
  await expect(client.serve(scale, ({ value }) => value)).rejects.toMatchObject({
    code: 'TOBYMQ_SUBSCRIBE_REFUSED',
  });
  expect(client.stats().subscriptions).toBe(0);
  await expect(client.request(scale, { value: 1, by: 1 })).rejects.toMatchObject({
    code: 'TOBYMQ_NO_RESPONDER',
  });
});

test('requests whose answers the server refuses are reported, and do not stop the service', async () => {
  const rules: Extension = { name: 'rules', authorizePublish: (_, { topic }) => topic !== 'forbidden' };
  const broker = await Broker.start({ extensions: [rules] });
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  const url = `mqtt://127.0.0.1:${port}`;
  const errors: unknown[] = [];
  const onError = (error: Error): void => void errors.push(error.message);
  const server = await connected(url, { receiveMaximum: 2, onError });
  await server.serve(scale, ({ value }) => value);
  const client = await connected(url);
  const question = JSON.stringify({ value: 1, by: 1 });
  for (const _ of [1, 2, 3]) {
    await client.publish('math/scale', question, { qos: 1, responseTopic: 'forbidden' });
  }
  expect(await client.request(scale, { value: 7, by: 1 }, { timeout: '2 s' })).toBe(7);
  expect(errors).toEqual(Array(3).fill(expect.stringContaining('refused the message for forbidden')));
});

test('a 5.0 server that knows of no subscriber rejects at once', async () => {
  const client = await connected(await startBroker());
  await expect(client.request(scale, { value: 1, by: 1 })).rejects.toMatchObject({
    code: 'TOBYMQ_NO_RESPONDER',
  });
});

test('a request ends by its timeout, its signal, and the end of the client', async () => {
  const url = await startBroker();
  const server = await connected(url);
  await server.serve(scale, () => new Promise<number>(() => {}));
  const client = await connected(url);
  await expect(client.request(scale, { value: 1, by: 1 }, { timeout: 30 })).rejects.toMatchObject({
    code: 'TOBYMQ_TIMEOUT',
  });
  const abort = new AbortController();
  const aborted = client.request(scale, { value: 1, by: 1 }, { signal: abort.signal });
  abort.abort();
  await expect(aborted).rejects.toMatchObject({ code: 'TOBYMQ_ABORTED' });
  const closed = client.request(scale, { value: 1, by: 1 });
  closed.catch(() => {});
  await client.close();
  await expect(closed).rejects.toMatchObject({ code: 'TOBYMQ_CLOSED' });
});

test.each([3, 4, 5] as const)(
  'those who serve under one name divide the requests (version %i)',
  async (protocolVersion) => {
    const url = await startBroker();
    const counts = [0, 0];
    for (const i of [0, 1] as const) {
      const server = await connected(url, { protocolVersion });
      await server.serve(
        scale,
        ({ value }) => {
          counts[i] = (counts[i] as number) + 1;
          return value;
        },
        { share: 'workers' },
      );
    }
    const client = await connected(url, { protocolVersion });
    await Promise.all(Array.from({ length: 20 }, (_, value) => client.request(scale, { value, by: 1 })));
    expect(counts).toEqual([10, 10]);
  },
);

test('a service that was ended answers no more', async () => {
  const url = await startBroker();
  const client = await connected(url);
  const service = await client.serve(scale, ({ value }) => value);
  await service[Symbol.asyncDispose]();
  await expect(client.request(scale, { value: 1, by: 1 })).rejects.toMatchObject({
    code: 'TOBYMQ_NO_RESPONDER',
  });
});
