// Consuming messages: loops, handlers, overlapping filters, values that cannot be decoded, slow consumers, and leaving.

import { getEventListeners } from 'node:events';
import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { bytes, type Client, type ClientError, json, text, topic, type ValueCodec } from '../src/node.ts';
import {
  answerSubscribe,
  answerUnsubscribe,
  nothingBeforeMarker,
  outcome,
  reaches,
  scripted,
} from './support.ts';

const identifierOf = (request: ReturnType<typeof decode.subscribe>): number =>
  request.properties.get(property.subscriptionIdentifier)![0] as number;

test('a subscription that ends in its call leaves nothing behind at its signal', async () => {
  const { client } = await scripted({}, { properties: [[property.wildcardSubscriptionAvailable, 0]] });
  const { signal } = new AbortController();
  expect(await outcome(client.on('a/+', () => {}, { signal }))).toMatchObject({ reasonCode: 0xa2 });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('on() whose signal says stop before the server has answered rejects with what the signal says', async () => {
  const { client } = await scripted();
  const abort = new AbortController();
  const late = outcome(client.on('a', () => {}, { signal: abort.signal }));
  const early = outcome(client.on('b', () => {}, { signal: AbortSignal.abort('early') }));
  abort.abort('late');
  expect(await late).toMatchObject({ code: 'TOBYMQ_ABORTED', cause: 'late' });
  expect(await early).toMatchObject({ code: 'TOBYMQ_ABORTED', cause: 'early' });
});

test('a loop acknowledges each message when it asks for the next one', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  for (const id of [1, 2]) peer.send(packet.publish({ topic: 't', payload: String(id), qos: 1, id }));
  const first = await subscription.next();
  expect(first.value.text).toBe('1');
  await nothingBeforeMarker(client, peer);
  expect((await subscription.next()).value.text).toBe('2');
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5).id).toBe(1);
  const third = subscription.next();
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5).id).toBe(2);
  peer.send(packet.publish({ topic: 't', payload: '3' }));
  expect((await third).value.text).toBe('3');
});

test('for a loop that is busy at most so many messages of QoS 0 wait as it may have in hand', async () => {
  const { client, peer, errors } = await scripted();
  const subscription = client.subscribe('t', { inHand: 5 });
  await answerSubscribe(peer);
  for (let i = 0; i < 50; i++) peer.send(packet.publish({ topic: 't', payload: String(i) }));
  peer.send(packet.publish({ topic: 't', payload: 'owed', qos: 1, id: 1 }));
  await expect.poll(() => client.stats().messagesReceived).toBe(51);
  expect(client.stats().droppedIncoming).toBe(45);
  expect(errors).toMatchObject([{ code: 'TOBYMQ_MESSAGE_DROPPED' }]);
  const seen = [];
  for (let i = 0; i < 6; i++) seen.push((await subscription.next()).value.text);
  expect(seen).toEqual(['0', '1', '2', '3', '4', 'owed']);
});

test('large messages of QoS 0 wait for a slow loop up to a number of bytes', async () => {
  const { client, peer, errors } = await scripted();
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  const large = packet.publish({ topic: 't', payload: 'x'.repeat(8 << 20) });
  for (let i = 0; i < 10; i++) peer.send(large);
  await expect.poll(() => client.stats().messagesReceived, { timeout: 10_000 }).toBe(10);
  expect([subscription.pendingCount, client.stats().droppedIncoming]).toEqual([8, 2]);
  expect(errors).toMatchObject([{ code: 'TOBYMQ_MESSAGE_DROPPED' }]);
});

test('leaving the loop unsubscribes and acknowledges what was in hand', async () => {
  const { client, peer } = await scripted();
  const looping = (async () => {
    for await (const message of client.subscribe('t')) return message.text;
    return 'nothing';
  })();
  await answerSubscribe(peer);
  for (const id of [1, 2, 3]) peer.send(packet.publish({ topic: 't', payload: String(id), qos: 1, id }));
  expect(await answerUnsubscribe(peer)).toEqual(['t']);
  expect(await looping).toBe('1');
  for (const id of [1, 2, 3]) expect(decode.ack(await peer.take(packetType.PUBACK), 5).id).toBe(id);
});

test('messages that were under way when the subscription ended are acknowledged and dropped', async () => {
  const { client, peer } = await scripted();
  const pending = client.on('t', () => expect.unreachable('the handler has left'));
  await answerSubscribe(peer);
  const leaving = (await pending).unsubscribe();
  const { id } = decode.unsubscribe(await peer.expect(packetType.UNSUBSCRIBE), 5);
  peer.send(packet.publish({ topic: 't', qos: 1, id: 7 }));
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5).id).toBe(7);
  peer.send(packet.unsuback({ id, codes: [0] }));
  await leaving;
});

test('manual acknowledgement leaves it to the application, in the order of arrival', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('t', { ack: 'manual' });
  await answerSubscribe(peer);
  for (const id of [1, 2]) peer.send(packet.publish({ topic: 't', qos: 1, id }));
  const first = (await subscription.next()).value;
  const second = (await subscription.next()).value;
  second.ack();
  second.ack();
  await nothingBeforeMarker(client, peer);
  first.reject(0x97);
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5)).toMatchObject({ id: 1, reason: 0x97 });
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5)).toMatchObject({ id: 2, reason: 0 });
});

test('overlapping subscriptions each get their message once, from a server that sends one copy', async () => {
  const { client, peer } = await scripted();
  const seen: string[] = [];
  const wide = client.on('a/#', (message) => void seen.push(`wide ${message.topic}`));
  const wideId = identifierOf(await answerSubscribe(peer));
  const narrow = client.on('a/b', (message) => void seen.push(`narrow ${message.topic}`));
  const narrowId = identifierOf(await answerSubscribe(peer));
  await Promise.all([wide, narrow]);
  const identifiers = [wideId, narrowId].map((id) => [property.subscriptionIdentifier, id] as const);
  peer.send(packet.publish({ topic: 'a/b', qos: 1, id: 1, properties: identifiers }));
  await peer.expect(packetType.PUBACK);
  expect(seen).toEqual(['wide a/b', 'narrow a/b']);
});

test('overlapping subscriptions each get their message once, from a server that sends a copy for each', async () => {
  const { client, peer } = await scripted();
  const seen: string[] = [];
  const wide = client.on('a/#', () => void seen.push('wide'));
  const wideId = identifierOf(await answerSubscribe(peer));
  const narrow = client.on(['a/b', '+/b'], () => void seen.push('narrow'));
  const narrowIds = [identifierOf(await answerSubscribe(peer)), identifierOf(await answerSubscribe(peer))];
  await Promise.all([wide, narrow]);
  // Three copies: for a/#, for a/b and for +/b; the second subscription object has two of the filters.
  for (const [i, identifier] of [wideId, ...narrowIds].entries()) {
    peer.send(
      packet.publish({
        topic: 'a/b',
        qos: 1,
        id: i + 1,
        properties: [[property.subscriptionIdentifier, identifier]],
      }),
    );
  }
  for (let i = 0; i < 3; i++) await peer.expect(packetType.PUBACK);
  expect(seen).toEqual(['wide', 'narrow']);
});

test('identifiers of an earlier process do not lead a message astray', async () => {
  const { client, peer } = await scripted(
    { clientId: 'c', session: { keep: '1 h' } },
    { sessionPresent: true },
  );
  const subscription = client.subscribe('mine');
  const id = identifierOf(await answerSubscribe(peer));
  peer.send(
    packet.publish({
      topic: 'other',
      payload: 'not mine',
      properties: [[property.subscriptionIdentifier, id]],
    }),
  );
  peer.send(
    packet.publish({ topic: 'mine', payload: 'mine', properties: [[property.subscriptionIdentifier, 99]] }),
  );
  expect((await subscription.next()).value.text).toBe('mine');
  expect(client.stats().unclaimed).toBe(1);
});

test('a message for two subscriptions is acknowledged when both are done', async () => {
  const { client, peer } = await scripted();
  const handler = client.on('a/#', () => {});
  await answerSubscribe(peer);
  await handler;
  const loop = client.subscribe('a/b');
  await answerSubscribe(peer);
  peer.send(packet.publish({ topic: 'a/b', qos: 1, id: 1 }));
  await loop.next();
  await nothingBeforeMarker(client, peer);
  void loop.next();
  await peer.expect(packetType.PUBACK);
});

test('a shared subscription is asked for by its share name and matched by its filter', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('jobs/+', { share: 'workers' });
  expect((await answerSubscribe(peer)).filters[0]![0]).toBe('$share/workers/jobs/+');
  peer.send(packet.publish({ topic: 'jobs/1', payload: 'x' }));
  expect((await subscription.next()).value.topic).toBe('jobs/1');
});

test('two subscriptions to one filter share it: it is given up with the last of them', async () => {
  const { client, peer } = await scripted();
  const first = client.subscribe('t');
  await answerSubscribe(peer);
  const second = client.subscribe('t');
  await answerSubscribe(peer);
  await first.unsubscribe();
  await nothingBeforeMarker(client, peer);
  const leaving = second.unsubscribe();
  expect(await answerUnsubscribe(peer)).toEqual(['t']);
  await leaving;
});

test('parameters and values are typed and decoded', async () => {
  const { client, peer } = await scripted();
  const reading = topic('site/{site}/sensor/{id}', json<{ celsius: number }>());
  const subscription = client.subscribe(reading);
  expect((await answerSubscribe(peer)).filters[0]![0]).toBe('site/+/sensor/+');
  peer.send(packet.publish({ topic: 'site/york/sensor/s1', payload: '{"celsius":20.5}' }));
  const { value: message } = await subscription.next();
  expect([message.params.site, message.params.id, message.value.celsius]).toEqual(['york', 's1', 20.5]);
  await client.publish(reading.at({ site: 'hull', id: 's2' }), { celsius: 3 });
  const sent = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  expect([sent.topic, sent.payload.toString(), sent.properties.get(property.contentType)]).toEqual([
    'site/hull/sensor/s2',
    '{"celsius":3}',
    ['application/json'],
  ]);
});

test('[N29] a payload that cannot be decoded is refused with 0x99 and reported, and the loop goes on', async () => {
  const { client, peer, errors } = await scripted();
  const subscription = client.subscribe(topic('t', json<number>()));
  await answerSubscribe(peer);
  peer.send(
    packet.publish({ topic: 't', payload: '{', qos: 1, id: 1 }),
    packet.publish({ topic: 't', payload: '7', qos: 1, id: 2 }),
  );
  expect((await subscription.next()).value.value).toBe(7);
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5)).toMatchObject({ id: 1, reason: 0x99 });
  expect(errors).toMatchObject([{ code: 'TOBYMQ_VALUE_INVALID', topic: 't' }]);
});

test('a value that cannot be encoded rejects and is not sent', async () => {
  const { client, peer } = await scripted();
  const picky: ValueCodec<number> = {
    encode: () => {
      throw new Error('odd');
    },
    decode: () => 0,
  };
  await expect(client.publish(topic('t', picky).at(), 1)).rejects.toMatchObject({
    code: 'TOBYMQ_VALUE_INVALID',
  });
  await nothingBeforeMarker(client, peer);
});

test('text and bytes are what they say', async () => {
  expect(text.decode(Buffer.from('grüße'))).toBe('grüße');
  expect(() => text.decode(Uint8Array.of(0xff))).toThrow();
  const payload = Uint8Array.of(1, 2);
  expect(bytes.decode(payload)).toBe(payload);
  expect(json<number>((value) => Number(value) + 1).decode(Buffer.from('1'))).toBe(2);
});

test('a refused subscription ends its loop with the refusal', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('secret');
  const waiting = outcome(subscription.next());
  await answerSubscribe(peer, [0x87]);
  expect(await waiting).toMatchObject({
    code: 'TOBYMQ_SUBSCRIBE_REFUSED',
    reasonCode: 0x87,
    topic: 'secret',
  });
  await expect(subscription.ready).rejects.toMatchObject({ reasonCode: 0x87 });
  expect(subscription.isEnded).toBe(true);
});

test('a resubscription that is refused ends the subscription and is not asked again', async () => {
  const { client, peer, again } = await scripted();
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  await subscription.ready;
  peer.destroy();
  const second = await again({ sessionPresent: false });
  await answerSubscribe(second, [0x87]);
  await expect(subscription.next()).rejects.toMatchObject({ code: 'TOBYMQ_SUBSCRIBE_REFUSED' });
  second.destroy();
  const third = await again({ sessionPresent: false });
  await nothingBeforeMarker(client, third);
});

test('a handler whose resubscription is refused does not end in silence', async () => {
  const errors: ClientError[] = [];
  const { client, peer, again } = await scripted({ onError: (error) => void errors.push(error) });
  const subscribing = client.on('t', () => {});
  await answerSubscribe(peer);
  const subscription = await subscribing;
  peer.destroy();
  const second = await again({ sessionPresent: false });
  await answerSubscribe(second, [0x87]);
  await expect.poll(() => subscription.isEnded).toBe(true);
  expect(errors).toMatchObject([{ code: 'TOBYMQ_SUBSCRIBE_REFUSED', reasonCode: 0x87, topic: 't' }]);
});

test('a subscription that ends offline is given up at the server when the session is resumed', async () => {
  const { client, peer, again } = await scripted();
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  await subscription.ready;
  peer.destroy();
  await expect.poll(() => client.connected).toBe(false);
  await subscription.unsubscribe();
  const second = await again({ sessionPresent: true });
  expect(await answerUnsubscribe(second)).toEqual(['t']);
});

test('a refusal to give up a subscription that ended offline is reported', async () => {
  const { client, peer, again, errors } = await scripted({ reconnect: { min: 50, jitter: 'none' } });
  const pending = client.on('t', () => {});
  await answerSubscribe(peer);
  const subscription = await pending;
  peer.destroy();
  await reaches(client, 'offline');
  await subscription.unsubscribe();
  const second = await again();
  const { id } = decode.unsubscribe(await second.expect(packetType.UNSUBSCRIBE), 5);
  second.send(packet.unsuback({ id, codes: [0x87] }));
  await expect.poll(() => errors).toMatchObject([{ code: 'TOBYMQ_UNSUBSCRIBE_REFUSED', topic: 't' }]);
});

test('many filters are given up in packets that the server accepts', async () => {
  const filters = Array.from({ length: 10 }, (_, n) => `a/topic/of/twenty/${n}`);
  const { client, peer } = await scripted({}, { properties: [[property.maximumPacketSize, 100]] });
  const pending = client.on(filters, () => {});
  for (const _ of filters) await answerSubscribe(peer);
  const leaving = (await pending).unsubscribe();
  const left: string[] = [];
  while (left.length < filters.length) left.push(...(await answerUnsubscribe(peer)));
  await leaving;
  expect(left).toEqual(filters);
  const sizes = peer.history
    .filter(({ type }) => type === packetType.UNSUBSCRIBE)
    .map(({ bytes }) => bytes.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
});

test('very many filters are asked for and given up a thousand at a time', async () => {
  const filters = Array.from({ length: 2_500 }, (_, n) => `t/${n}`);
  const { client, peer } = await scripted(
    {},
    { properties: [[property.subscriptionIdentifierAvailable, 0]] },
  );
  const pending = client.on(filters, () => {});
  const counts: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { id, filters: asked } = decode.subscribe(await peer.expect(packetType.SUBSCRIBE), 5);
    counts.push(asked.length);
    peer.send(packet.suback({ id, codes: asked.map(() => 1) }));
  }
  const leaving = (await pending).unsubscribe();
  for (let i = 0; i < 3; i++) counts.push((await answerUnsubscribe(peer)).length);
  await leaving;
  expect(counts).toEqual([1_000, 1_000, 500, 1_000, 1_000, 500]);
});

test('signal and timeout end a subscription', async () => {
  const { client, peer } = await scripted();
  const abort = new AbortController();
  const subscription = client.subscribe('t', { signal: abort.signal });
  await answerSubscribe(peer);
  const waiting = subscription.next();
  abort.abort();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(await answerUnsubscribe(peer)).toEqual(['t']);
  const error = await outcome(client.on('u', () => {}, { timeout: '20 ms' }));
  expect(error).toMatchObject({ code: 'TOBYMQ_TIMEOUT' });
  const gone = client.subscribe('v', { signal: AbortSignal.abort() });
  expect(await gone.next()).toEqual({ done: true, value: undefined });
});

test('of two subscriptions to one filter that are under way the answer to the later SUBSCRIBE counts', async () => {
  const { client, peer, again } = await scripted();
  const first = client.subscribe('t', { qos: 0 });
  const second = client.subscribe('t', { qos: 2 });
  const requests = [];
  for (let i = 0; i < 2; i++) requests.push(decode.subscribe(await peer.take(packetType.SUBSCRIBE), 5));
  peer.send(packet.suback({ id: requests[0]!.id, codes: [0] }));
  await nothingBeforeMarker(client, peer);
  peer.destroy();
  // The later one was not answered, so a resumed session is asked for it again.
  const next = await again();
  expect((await answerSubscribe(next, [2])).filters).toEqual(requests[1]!.filters);
  for (const { ready } of [first, second]) expect(await ready).toMatchObject([{ reasonCode: 2 }]);
});

test('a refusal that a later SUBSCRIBE has overtaken ends nothing', async () => {
  const { client, peer } = await scripted();
  const subscriptions = [client.subscribe('t'), client.subscribe('t')];
  await answerSubscribe(peer, [0x87]);
  await answerSubscribe(peer, [1]);
  for (const { ready } of subscriptions) expect(await ready).toMatchObject([{ isGranted: true }]);
  peer.send(packet.publish({ topic: 't', payload: 'x' }));
  for (const each of subscriptions) expect((await each.next()).value.text).toBe('x');
});

test('several calls of next at once leave no message unacknowledged', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  const both = [subscription.next(), subscription.next()];
  for (const id of [1, 2]) peer.send(packet.publish({ topic: 't', payload: String(id), qos: 1, id }));
  expect((await Promise.all(both)).map(({ value }) => value.text)).toEqual(['1', '2']);
  const third = subscription.next();
  for (const id of [1, 2]) expect(decode.ack(await peer.take(packetType.PUBACK), 5).id).toBe(id);
  await subscription.return();
  expect((await third).done).toBe(true);
});

test('a subscription that the server did not answer in time keeps no message from being acknowledged', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('t', { timeout: 20 });
  peer.send(packet.publish({ topic: 't', qos: 1, id: 1 }));
  await expect(subscription.ready).rejects.toMatchObject({ code: 'TOBYMQ_TIMEOUT' });
  expect(decode.ack(await peer.take(packetType.PUBACK), 5).id).toBe(1);
});

test('leaving the loop of a subscription that the server has ended acknowledges what was in hand', async () => {
  const { client, peer } = await scripted();
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  for (const id of [1, 2]) peer.send(packet.publish({ topic: 't', qos: 1, id }));
  await expect.poll(() => subscription.pendingCount).toBe(2);
  const other = client.subscribe('t');
  await answerSubscribe(peer, [0x87]);
  await expect(other.ready).rejects.toMatchObject({ code: 'TOBYMQ_SUBSCRIBE_REFUSED' });
  for await (const _ of subscription) break;
  for (const id of [1, 2]) expect(decode.ack(await peer.take(packetType.PUBACK), 5).id).toBe(id);
});

test('await using leaves the subscription', async () => {
  const { client, peer } = await scripted();
  const use = async (): Promise<void> => {
    const pending = client.on('t', () => {});
    await answerSubscribe(peer);
    await using subscription = await pending;
    expect(subscription.isEnded).toBe(false);
  };
  const used = use();
  expect(await answerUnsubscribe(peer)).toEqual(['t']);
  await used;
});

test('a receive window full of messages that nobody takes is reported once, and empties when somebody comes', async () => {
  const { client, peer, errors } = await scripted({ receiveMaximum: 2 });
  for (const id of [1, 2]) peer.send(packet.publish({ topic: 't', qos: 1, id }));
  await expect.poll(() => errors.map((error) => error.code)).toEqual(['TOBYMQ_RECEIVE_STALLED']);
  for await (const message of client.messages()) {
    if (message.topic === 't' && client.stats().openIncoming === 1) break;
  }
  for (const id of [1, 2]) expect(decode.ack(await peer.take(packetType.PUBACK), 5).id).toBe(id);
});

test('closing ends every loop, without an error', async () => {
  const { client, peer } = await scripted();
  const loops = ['a', 'b'].map((filter) => drainLoop(client, filter));
  await answerSubscribe(peer);
  await answerSubscribe(peer);
  await client.close();
  expect(await Promise.all(loops)).toEqual([0, 0]);
  expect(() => client.subscribe('c')).toThrow(expect.objectContaining({ code: 'TOBYMQ_CLOSED' }));
});

async function drainLoop(client: Client, filter: string): Promise<number> {
  let count = 0;
  for await (const _ of client.subscribe(filter)) count++;
  return count;
}
