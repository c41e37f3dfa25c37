// Exchanges that take an unusual way: messages that expire while they are open, refused messages whose identifiers come
// back, acknowledgements for nobody, properties in any order, and a server that accepts only the smallest packets.

import { Broker } from '@tobymq/broker';
import { decode, packet, packetType, property, RawPeer } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/node.ts';
import { FakeClock } from '../fake-clock.ts';
import { answerSubscribe, nothingBeforeMarker, scripted } from '../support.ts';

const nextPublish = async (peer: RawPeer): Promise<ReturnType<typeof decode.publish>> =>
  decode.publish(await peer.take(packetType.PUBLISH), 5);

test('[MQTT-4.3.3-7] a QoS 2 message that was sent is brought to its end although it expires meanwhile', async () => {
  const clock = new FakeClock();
  const { client, peer, again } = await scripted({ clock });
  const publishing = client.publish('t', 'x', { qos: 2, expiry: '1 s' });
  const { id } = await nextPublish(peer);
  peer.destroy();
  await expect.poll(() => client.connected).toBe(false);
  clock.advance(3_000);
  const second = await again();
  expect(await nextPublish(second)).toMatchObject({ id, dup: true });
  second.send(packet.pubrec({ id }));
  expect(decode.ack(await second.expect(packetType.PUBREL), 5)).toMatchObject({ id, reason: 0 });
  second.send(packet.pubcomp({ id }));
  expect(await publishing).toEqual({ reasonCode: 0 });
});

test('[MQTT-4.3.3-13] the exchange of a received QoS 2 message is finished although the message expires meanwhile', async () => {
  const clock = new FakeClock();
  const { client, peer } = await scripted({ clock });
  const subscription = client.subscribe('t', { qos: 2, ack: 'manual' });
  await answerSubscribe(peer, [2]);
  peer.send(packet.publish({ topic: 't', qos: 2, id: 5, properties: [[property.messageExpiryInterval, 1]] }));
  const { value: message } = await subscription.next();
  clock.advance(3_000);
  message.ack();
  expect(decode.ack(await peer.take(packetType.PUBREC), 5)).toMatchObject({ id: 5, reason: 0 });
  clock.advance(3_000);
  peer.send(packet.pubrel({ id: 5 }));
  expect(decode.ack(await peer.take(packetType.PUBCOMP), 5)).toMatchObject({ id: 5, reason: 0 });
});

test('[MQTT-4.3.3-9] after a refusing PUBREC the identifier means a new message', async () => {
  const { client, peer } = await scripted();
  const seen: string[] = [];
  const pending = client.on(
    't',
    (message) => {
      seen.push(message.text);
      if (message.text === 'bad') message.reject(0x99);
      else message.ack();
    },
    { qos: 2, ack: 'manual' },
  );
  await answerSubscribe(peer, [2]);
  await pending;
  peer.send(packet.publish({ topic: 't', payload: 'bad', qos: 2, id: 5 }));
  expect(decode.ack(await peer.expect(packetType.PUBREC), 5)).toMatchObject({ id: 5, reason: 0x99 });
  peer.send(packet.publish({ topic: 't', payload: 'good', qos: 2, id: 5 }));
  expect(decode.ack(await peer.expect(packetType.PUBREC), 5)).toMatchObject({ id: 5, reason: 0 });
  expect(seen).toEqual(['bad', 'good']);
});

test("[N58] the end of an earlier connection's QoS 2 message makes room for one, and for no more than there is", async () => {
  const { client, peer, again } = await scripted();
  const messages = client.subscribe('t', { qos: 2, ack: 'manual' });
  await answerSubscribe(peer, [2]);
  peer.send(packet.publish({ topic: 't', payload: 'x', qos: 2, id: 1 }));
  (await messages.next()).value!.ack();
  await peer.expect(packetType.PUBREC);
  peer.destroy();
  const second = await again();
  second.send(packet.publish({ topic: 't', payload: 'x', qos: 1, id: 2 }), packet.pubrel({ id: 1 }));
  (await messages.next()).value!.ack();
  await second.expect(packetType.PUBCOMP);
  await second.expect(packetType.PUBACK);
  expect(client.stats().openIncoming).toBe(0);
});

test('what a process publishes with QoS 2 is no repetition of what the one before it left open', async () => {
  const broker = await Broker.start();
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  const watcher = await connect(`mqtt://127.0.0.1:${port}`);
  onTestFinished(() => watcher.close());
  const seen = watcher.subscribe('t');
  await seen.ready;

  // A process that is killed between PUBREC and PUBREL, and the next one with its name.
  const killed = await RawPeer.connect({ port });
  const keep = [[property.sessionExpiryInterval, 3_600]] as const;
  killed.send(
    packet.connect({ clientId: 'gateway', clean: false, properties: keep }),
    packet.publish({ topic: 't', payload: 'first', qos: 2, id: 1 }),
  );
  await killed.take(packetType.PUBREC);
  killed.destroy();
  const next = await connect(`mqtt://127.0.0.1:${port}`, {
    clientId: 'gateway',
    session: { keep: '1 h' },
    clock: new FakeClock(),
  });
  onTestFinished(() => next.close());
  expect(next.server?.sessionPresent).toBe(true);
  await next.publish('t', 'second', { qos: 2 });
  expect((await seen.next()).value?.text).toBe('first');
  expect((await seen.next()).value?.text).toBe('second');
});

test('[N36] acknowledgements for identifiers that are not open change nothing', async () => {
  const { client, peer } = await scripted();
  const one = client.publish('one', '', { qos: 1 });
  const two = client.publish('two', '', { qos: 2 });
  const [first, second] = [await nextPublish(peer), await nextPublish(peer)];
  peer.send(packet.puback({ id: 999 }), packet.pubcomp({ id: 999 }), packet.suback({ id: 999, codes: [0] }));
  await nothingBeforeMarker(client, peer);
  expect(client.stats().openOutgoing).toBe(2);
  peer.send(
    packet.puback({ id: first.id }),
    packet.pubrec({ id: second.id }),
    packet.pubcomp({ id: second.id }),
  );
  expect(await Promise.all([one, two])).toEqual([{ reasonCode: 0 }, { reasonCode: 0 }]);
});

test('[N08] properties are taken in any order', async () => {
  const { client, peer } = await scripted(
    {},
    {
      properties: [
        [property.topicAliasMaximum, 4],
        [property.userProperty, ['b', '1']],
        [property.receiveMaximum, 7],
        [property.userProperty, ['a', '2']],
        [property.sessionExpiryInterval, 60],
      ],
    },
  );
  expect(client.server).toMatchObject({
    topicAliasMaximum: 4,
    receiveMaximum: 7,
    sessionExpiryInterval: 60,
    userProperties: [
      ['b', '1'],
      ['a', '2'],
    ],
  });
  const subscription = client.subscribe('t');
  await answerSubscribe(peer);
  const properties = [
    [property.responseTopic, 'answers'],
    [property.contentType, 'text/plain'],
    [property.payloadFormatIndicator, 1],
  ] as const;
  for (const order of [properties, properties.toReversed()])
    peer.send(packet.publish({ topic: 't', payload: 'x', properties: order }));
  for (let i = 0; i < 2; i++)
    expect((await subscription.next()).value.properties).toMatchObject({
      responseTopic: 'answers',
      contentType: 'text/plain',
      payloadFormatIndicator: 1,
    });
});

test('[MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] to a server that accepts only tiny packets acknowledgements are tiny', async () => {
  const { client, peer } = await scripted({}, { properties: [[property.maximumPacketSize, 12]] });
  const pending = client.on('t', (message) => message.reject(0x99), { ack: 'manual' });
  await answerSubscribe(peer, [2]);
  await pending;
  peer.send(
    packet.publish({ topic: 't', qos: 1, id: 1 }),
    packet.publish({ topic: 't', qos: 2, id: 2 }),
    packet.pubrec({ id: 3 }),
    packet.pubrel({ id: 4 }),
  );
  const answers = [];
  for (const type of [packetType.PUBACK, packetType.PUBREC, packetType.PUBREL, packetType.PUBCOMP]) {
    const frame = await peer.take(type);
    expect(frame.bytes.length).toBeLessThanOrEqual(5);
    answers.push(decode.ack(frame, 5).reason);
  }
  expect(answers).toEqual([0x99, 0x99, 0x92, 0x92]);
});
