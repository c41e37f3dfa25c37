// A server that sends anything: valid packets with bytes changed, cut, repeated or made up, in any order and any cut.
// The client either takes them or ends the connection with a reason, and connects again; nothing is thrown past it.

import { packet, property } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { type BytePipe, ClientError, createClient, memoryPipe } from '../src/node.ts';
import { randomFrom } from './fake-clock.ts';

const firstSeed = Number(process.env.TOBYMQ_SEED ?? Date.now() % 1_000_000);

const valid: readonly Buffer[] = [
  packet.connack(),
  packet.publish({ topic: 'a/b', payload: 'x' }),
  packet.publish({ topic: 'a/b', payload: 'x', qos: 1, id: 1 }),
  packet.publish({ topic: 'a/b', payload: 'x', qos: 2, id: 2, dup: true }),
  packet.publish({
    topic: 'a/c',
    properties: [
      [property.topicAlias, 1],
      [property.subscriptionIdentifier, 1],
      [property.userProperty, ['a', 'b']],
      [property.correlationData, Buffer.from('c')],
    ],
  }),
  packet.publish({ topic: '', properties: [[property.topicAlias, 1]] }),
  packet.puback({ id: 1 }),
  packet.puback({ id: 2, reason: 0x87, properties: [[property.reasonString, 'no']] }),
  packet.pubrec({ id: 1 }),
  packet.pubrel({ id: 2 }),
  packet.pubcomp({ id: 1 }),
  packet.suback({ id: 1, codes: [1] }),
  packet.suback({ id: 3, codes: [0x87, 0] }),
  packet.unsuback({ id: 2, codes: [0] }),
  packet.pingresp(),
  packet.disconnect({ reason: 0x8b }),
  packet.auth({ reason: 0x18, properties: [[property.authenticationMethod, 'M']] }),
];

test(`whatever the server sends, seeds from ${firstSeed}`, async () => {
  const thrown: unknown[] = [];
  const note = (error: unknown): void => void thrown.push(error);
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
  onTestFinished(() => {
    process.off('uncaughtException', note);
    process.off('unhandledRejection', note);
  });
  let received = 0;
  let connects = 0;
  for (let seed = firstSeed; seed < firstSeed + 60; seed++) {
    const random = randomFrom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    let server: BytePipe | undefined;
    const client = createClient('mqtt://hostile', {
      transport: () => {
        const [ours, theirs] = memoryPipe();
        server = theirs;
        theirs.onData = () => {};
        theirs.send(packet.connack({ sessionPresent: below(4) === 0 }));
        return ours;
      },
      reconnect: { min: 1, max: 2, decide: () => true },
      receiveMaximum: 5,
      onError: () => {},
    });
    client.on('a/#', (message) => message.properties?.correlationData).catch(() => {});
    for (let step = 0; step < 40; step++) {
      client.publish('t', 'x', { qos: below(3) as 0 | 1 | 2 }).catch(() => {});
      // The packets at the beginning of the list are the ones that a connection survives.
      const bytes = Buffer.from(valid[1 + below(below(4) === 0 ? valid.length - 1 : 3)]!);
      for (let changes = below(4) === 0 ? 1 + below(2) : 0; changes > 0 && bytes.length > 0; changes--)
        bytes[below(bytes.length)] = below(256);
      const whole = below(20) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes;
      const cut = below(whole.length + 1);
      server?.send(whole.subarray(0, cut));
      server?.send(whole.subarray(cut));
      // The pipe delivers by timers of the system; this lets it.
      if (below(3) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const { state } = client;
    received += client.stats().messagesReceived;
    connects += client.stats().connects;
    if (state.state === 'offline') expect(state.reason, `TOBYMQ_SEED=${seed}`).toBeInstanceOf(ClientError);
    await client.close();
    expect(client.state, `TOBYMQ_SEED=${seed}`).toEqual({ state: 'closed' });
  }
  expect(thrown).toEqual([]);
  expect([received > 60, connects > 120]).toEqual([true, true]);
});
