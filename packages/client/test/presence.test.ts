// Birth, will and farewell: whether a client is there, told by retained messages.

import { Broker } from '@tobymq/broker';
import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { connect, presence, text, topic } from '../src/node.ts';
import { clientOf, listen, outcome, reaches, scripted } from './support.ts';

const status = topic('device/{id}/status', text);
const me = presence(status.at({ id: 'g7' }), { online: 'on', offline: 'off', delay: '10 s' });

test('one declaration makes the will in CONNECT, the birth after each CONNACK and the farewell before DISCONNECT', async () => {
  const { client, peer, connect: request, again } = await scripted(me);
  expect(request.will).toMatchObject({ topic: 'device/g7/status', qos: 1, retain: true });
  expect(request.will!.payload.toString()).toBe('off');
  expect(request.will!.properties.get(property.willDelayInterval)).toEqual([10]);
  const birth = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  expect(birth).toMatchObject({ topic: 'device/g7/status', qos: 1, retain: true });
  expect(birth.payload.toString()).toBe('on');
  peer.send(packet.puback({ id: birth.id }));
  peer.destroy();

  await reaches(client, 'offline');
  const waiting = client.publish('other', 'x', { qos: 1 });
  const second = await again({ sessionPresent: false });
  const [rebirth, queued] = [
    decode.publish(await second.expect(packetType.PUBLISH), 5),
    decode.publish(await second.expect(packetType.PUBLISH), 5),
  ];
  expect([rebirth.payload.toString(), queued.topic]).toEqual(['on', 'other']);
  second.send(packet.puback({ id: rebirth.id }), packet.puback({ id: queued.id }));
  await waiting;

  const closing = client.close();
  const farewell = decode.publish(await second.expect(packetType.PUBLISH), 5);
  expect(farewell).toMatchObject({ topic: 'device/g7/status', retain: true });
  expect(farewell.payload.toString()).toBe('off');
  second.send(packet.puback({ id: farewell.id }));
  expect((await second.expect(packetType.DISCONNECT)).bytes.length).toBeGreaterThan(1);
  await closing;
});

test('a full queue keeps neither the birth nor the farewell back', async () => {
  const server = await listen();
  const { client, errors } = clientOf(server, { ...me, offline: { maxMessages: 3 } });
  const waiting = [1, 2, 3].map((n) => outcome(client.publish('other', String(n), { qos: 1 })));
  const { peer } = await server.acceptClient({ properties: [[property.receiveMaximum, 1]] });
  const birth = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  expect(birth.payload.toString()).toBe('on');
  const closing = client.close();
  peer.send(packet.puback({ id: birth.id }));
  const farewell = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  expect(farewell.payload.toString()).toBe('off');
  peer.send(packet.puback({ id: farewell.id }));
  await closing;
  expect(errors).toEqual([]);
  await Promise.all(waiting);
});

test('a birth that waits is not dropped from a full queue', async () => {
  const narrow = { properties: [[property.receiveMaximum, 1]] } as const;
  const { client, peer, again, errors } = await scripted(
    { ...me, offline: { maxMessages: 1, whenFull: 'drop-oldest' } },
    narrow,
  );
  await peer.expect(packetType.PUBLISH);
  peer.destroy();
  const second = await again({ ...narrow, sessionPresent: true });
  await expect.poll(() => client.stats().connects).toBe(2);
  const last = outcome(client.publish('other', 'x', { qos: 1 }));
  for (const expected of ['on', 'on']) {
    const { id, payload } = decode.publish(await second.expect(packetType.PUBLISH), 5);
    expect(payload.toString()).toBe(expected);
    second.send(packet.puback({ id }));
  }
  expect(errors).toEqual([]);
  await client.close({ drain: 1 });
  await last;
});

test('a farewell does not overtake a birth that waits', async () => {
  const narrow = { properties: [[property.receiveMaximum, 1]] } as const;
  const { client, peer, again } = await scripted({ ...me, session: { keep: '1 h' }, clientId: 'g7' }, narrow);
  await peer.expect(packetType.PUBLISH);
  peer.destroy();
  const second = await again({ ...narrow, sessionPresent: true });
  await expect.poll(() => client.stats().connects).toBe(2);
  const closing = client.close();
  const said: string[] = [];
  for (let i = 0; i < 3; i++) {
    const { id, payload } = decode.publish(await second.expect(packetType.PUBLISH), 5);
    said.push(payload.toString());
    second.send(packet.puback({ id }));
  }
  await closing;
  // The first is the birth of the lost connection.
  expect(said).toEqual(['on', 'on', 'off']);
});

test('close({ sendWill }) leaves the word to the will', async () => {
  const { client, peer } = await scripted({ farewell: { topic: 'bye' } });
  const closing = client.close({ sendWill: true });
  await peer.expect(packetType.DISCONNECT);
  await closing;
});

test('a birth can be made anew for each connection, and one that cannot be sent is reported', async () => {
  let count = 0;
  const { peer, again, errors } = await scripted({
    birth: () => {
      if (++count === 3) throw new Error('no birth today');
      return { topic: 'born', payload: String(count) };
    },
  });
  expect(decode.publish(await peer.expect(packetType.PUBLISH), 5).payload.toString()).toBe('1');
  peer.destroy();
  const second = await again();
  expect(decode.publish(await second.expect(packetType.PUBLISH), 5).payload.toString()).toBe('2');
  second.destroy();
  await again();
  await expect.poll(() => errors.map(({ message }) => message)).toEqual(['no birth today']);
  await expect(connect('mqtt://localhost', { birth: { topic: 'a/#' } })).rejects.toMatchObject({
    code: 'TOBYMQ_TOPIC_INVALID',
  });
});

test.each([3, 4, 5] as const)('others see who is there (version %i)', async (protocolVersion) => {
  const broker = await Broker.start();
  onTestFinished(() => broker.stop());
  const watcher = await connect({ transport: () => broker.connect(), protocolVersion });
  onTestFinished(() => watcher.close());
  const devices = await watcher.view(status);
  const changes = devices.changes();
  const next = async (): Promise<unknown> => {
    const { value } = await changes.next();
    return [value.key.id, value.value];
  };
  const device = {
    transport: () => broker.connect(),
    protocolVersion,
    reconnect: false,
    onError: () => {},
  } as const;

  const closing = await connect({ ...device, ...me });
  expect(await next()).toEqual(['g7', 'on']);
  await closing.close();
  expect(await next()).toEqual(['g7', 'off']);

  let cut = (): void => {};
  const lost = await connect({
    ...device,
    ...presence(status.at({ id: 'g8' }), { online: 'on', offline: 'off' }),
    transport: () => {
      const pipe = broker.connect();
      cut = () => pipe.close(new Error('cut'));
      return pipe;
    },
  });
  expect(await next()).toEqual(['g8', 'on']);
  cut();
  expect(await next()).toEqual(['g8', 'off']);
  await lost.close();
});
