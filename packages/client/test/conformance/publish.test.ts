// PUBLISH and its acknowledgements in both directions, flow control and topic aliases, each by its number.

import {
  decode,
  type Frame,
  type Message,
  packet,
  packetType,
  property,
  type RawPeer,
} from '@tobymq/testkit';
import { describe, expect, test } from 'vitest';
import { answerSubscribe, nothingBeforeMarker, outcome, scripted } from '../support.ts';

const nextPublish = async (peer: RawPeer): Promise<Message> =>
  decode.publish(await peer.expect(packetType.PUBLISH), 5);
const nextAck = async (peer: RawPeer, type: number): Promise<{ id: number; reason: number }> =>
  decode.ack(await peer.expect(type), 5);

describe('sending', () => {
  test('[MQTT-4.3.1-1] [MQTT-2.2.1-2] [MQTT-3.3.1-2] QoS 0 has no identifier and no DUP', async () => {
    const { client, peer } = await scripted();
    await client.publish('a', 'x');
    await client.publish('a', 'x', { retain: true });
    expect((await peer.next()).bytes.toString('hex')).toBe('300500016100' + '78');
    expect((await peer.next()).bytes[0]).toBe(0x31);
  });

  test('[MQTT-4.3.2-2] [MQTT-4.3.3-2] the first PUBLISH of QoS 1 and 2 has its identifier and no DUP', async () => {
    const { client, peer } = await scripted();
    void outcome(client.publish('a', '', { qos: 1 }));
    void outcome(client.publish('a', '', { qos: 2 }));
    const frames: Frame[] = [await peer.next(), await peer.next()];
    expect(frames.map((frame) => frame.bytes[0])).toEqual([0x32, 0x34]);
  });

  test('[MQTT-2.2.1-3] [MQTT-2.3.1-2] [N10] identifiers are never 0 and never in use, for PUBLISH, SUBSCRIBE and UNSUBSCRIBE together', async () => {
    const { client, peer } = await scripted({ sendMaximum: 65_535, offline: { maxMessages: 100_000 } });
    const seen = new Set<number>();
    const open = client.subscribe('x');
    await answerSubscribe(peer);
    const results = Array.from({ length: 100 }, () => outcome(client.publish('a', '', { qos: 1 })));
    for (let i = 0; i < 100; i++) seen.add((await nextPublish(peer)).id);
    client.subscribe('b');
    seen.add(decode.subscribe(await peer.expect(packetType.SUBSCRIBE), 5).id);
    const leaving = open.unsubscribe();
    seen.add(decode.unsubscribe(await peer.expect(packetType.UNSUBSCRIBE), 5).id);
    expect(seen.size).toBe(102);
    expect(seen.has(0)).toBe(false);
    await client.close();
    await leaving;
    await Promise.all(results);
  });

  test('[MQTT-2.2.1-3] [MQTT-2.3.1-1] after the wrap-around identifiers in use are skipped', async () => {
    const { client, peer } = await scripted();
    const stuck = outcome(client.publish('stuck', '', { qos: 1 }));
    const first = (await nextPublish(peer)).id;
    const seen = new Set<number>();
    for (let round = 0; round < 70; round++) {
      const batch = Array.from({ length: 1000 }, () => client.publish('a', '', { qos: 1 }));
      const acks: Buffer[] = [];
      for (let i = 0; i < 1000; i++) {
        const { id } = await nextPublish(peer);
        seen.add(id);
        acks.push(packet.puback({ id }));
      }
      peer.send(...acks);
      await Promise.all(batch);
    }
    expect([seen.has(0), seen.has(first), seen.size]).toEqual([false, false, 65_534]);
    await client.close();
    await stuck;
  });

  test('[MQTT-4.3.2-3] [MQTT-2.2.1-6] only the PUBACK with its identifier completes a QoS 1 publish', async () => {
    const { client, peer } = await scripted();
    let isDone = false;
    const publishing = client.publish('a', '', { qos: 1 }).then((result) => {
      isDone = true;
      return result;
    });
    const { id } = await nextPublish(peer);
    peer.send(packet.puback({ id: id + 1 }), packet.pubcomp({ id: 999 }), packet.suback({ id, codes: [0] }));
    await client.publish('marker');
    expect(isDone).toBe(false);
    peer.send(packet.puback({ id, reason: 0x10 }));
    expect(await publishing).toEqual({ reasonCode: 0x10 });
  });

  test('[MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] QoS 2: PUBREC is answered with PUBREL, PUBCOMP completes', async () => {
    const { client, peer } = await scripted();
    const publishing = client.publish('a', '', { qos: 2 });
    const { id } = await nextPublish(peer);
    peer.send(packet.pubrec({ id }));
    const release = await peer.expect(packetType.PUBREL);
    expect(release.bytes.toString('hex')).toBe(`6202${id.toString(16).padStart(4, '0')}`);
    peer.send(packet.pubcomp({ id }));
    expect(await publishing).toEqual({ reasonCode: 0 });
  });

  test('[MQTT-4.3.3-6] after PUBREC the PUBLISH is not sent again, only PUBREL', async () => {
    const { client, peer, again } = await scripted();
    const publishing = client.publish('a', '', { qos: 2 });
    const { id } = await nextPublish(peer);
    peer.send(packet.pubrec({ id }));
    await peer.expect(packetType.PUBREL);
    peer.destroy();
    const second = await again();
    expect(await nextAck(second, packetType.PUBREL)).toMatchObject({ id });
    second.send(packet.pubcomp({ id }));
    await publishing;
  });

  test('[MQTT-4.4.0-2] [MQTT-4.3.3-4] a refusal by PUBACK or PUBREC ends the exchange; it is not sent again', async () => {
    const { client, peer, again } = await scripted();
    const one = outcome(client.publish('a', '', { qos: 1 }));
    peer.send(
      packet.puback({
        id: (await nextPublish(peer)).id,
        reason: 0x97,
        properties: [[property.reasonString, 'too much']],
      }),
    );
    const two = outcome(client.publish('b', '', { qos: 2 }));
    peer.send(packet.pubrec({ id: (await nextPublish(peer)).id, reason: 0x87 }));
    expect(await one).toMatchObject({
      code: 'TOBYMQ_PUBLISH_REFUSED',
      reasonCode: 0x97,
      topic: 'a',
      message: expect.stringContaining('too much'),
    });
    expect(await two).toMatchObject({ code: 'TOBYMQ_PUBLISH_REFUSED', reasonCode: 0x87, topic: 'b' });
    await nothingBeforeMarker(client, peer);
    peer.destroy();
    await nothingBeforeMarker(client, await again());
  });

  test('[MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-3.3.1-1] [MQTT-2.3.1-3] open messages are repeated in their order with DUP, and at no other time', async () => {
    const { client, peer, again } = await scripted();
    const results = ['1', '2', '3'].map((payload, i) =>
      client.publish('a', payload, { qos: i === 1 ? 2 : 1 }),
    );
    const sent = [await nextPublish(peer), await nextPublish(peer), await nextPublish(peer)];
    await nothingBeforeMarker(client, peer);
    peer.destroy();
    const second = await again();
    for (const { id, payload, qos } of sent) {
      expect(await nextPublish(second)).toMatchObject({ id, payload, qos, dup: true });
      second.send(qos === 1 ? packet.puback({ id }) : packet.pubrec({ id, reason: 0x10 }));
    }
    second.send(packet.pubcomp({ id: (await nextAck(second, packetType.PUBREL)).id }));
    await Promise.all(results);
  });

  test('[MQTT-4.6.0-4] PUBRELs follow the order of their PUBRECs', async () => {
    const { client, peer } = await scripted();
    void outcome(client.publish('a', '', { qos: 2 }));
    void outcome(client.publish('a', '', { qos: 2 }));
    const ids = [(await nextPublish(peer)).id, (await nextPublish(peer)).id];
    peer.send(packet.pubrec({ id: ids[1]! }), packet.pubrec({ id: ids[0]! }));
    expect([
      (await nextAck(peer, packetType.PUBREL)).id,
      (await nextAck(peer, packetType.PUBREL)).id,
    ]).toEqual(ids.reverse());
  });

  test('[N35] PUBREC for an unknown identifier is answered with PUBREL 0x92', async () => {
    const { peer } = await scripted();
    peer.send(packet.pubrec({ id: 77 }));
    expect(await nextAck(peer, packetType.PUBREL)).toMatchObject({ id: 77, reason: 0x92 });
  });

  test('[MQTT-3.3.2-14] [MQTT-3.3.2-2] [MQTT-4.7.3-1] [MQTT-4.7.3-3] wildcards, empty and oversized topics are refused locally', async () => {
    const { client, peer } = await scripted();
    for (const topic of ['a/+', '#', '', 'x'.repeat(65_536), 'a\0', '\udc00']) {
      await expect(client.publish(topic)).rejects.toMatchObject({ code: 'TOBYMQ_TOPIC_INVALID' });
    }
    await expect(client.publish('a', '', { responseTopic: 'b/#' })).rejects.toMatchObject({
      code: 'TOBYMQ_PUBLISH_INVALID',
    });
    await nothingBeforeMarker(client, peer);
    await client.publish('x'.repeat(65_535));
    expect((await nextPublish(peer)).topic).toHaveLength(65_535);
  });

  test('[MQTT-3.3.4-6] a PUBLISH of ours carries what was asked for, and no subscription identifier', async () => {
    const { client, peer } = await scripted();
    await client.publish('a', 'x', {
      contentType: 'c',
      payloadFormat: 'text',
      responseTopic: 'r',
      correlationData: Uint8Array.of(1),
      expiry: '1 min',
      userProperties: [
        ['k', '1'],
        ['l', '2'],
        ['k', '3'],
      ],
    });
    const { properties } = await nextPublish(peer);
    expect([...properties.keys()].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 8, 9, 0x26]);
    expect(properties.get(property.userProperty)).toEqual([
      ['k', '1'],
      ['l', '2'],
      ['k', '3'],
    ]);
    expect(properties.get(property.messageExpiryInterval)).toEqual([60]);
  });
});

describe('the server’s limits', () => {
  test('[MQTT-3.3.4-7] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [N58] no more than Receive Maximum are open; each end releases one', async () => {
    const { client, peer } = await scripted({}, { properties: [[property.receiveMaximum, 2]] });
    const results = Array.from({ length: 5 }, (_, i) => outcome(client.publish('a', String(i), { qos: 2 })));
    const [first, second] = [await nextPublish(peer), await nextPublish(peer)];
    peer.send(packet.pubrec({ id: first!.id }));
    await peer.expect(packetType.PUBREL);
    peer.send(packet.pubrec({ id: second!.id, reason: 0x80 }));
    const third = await nextPublish(peer);
    expect(third.payload.toString()).toBe('2');
    peer.send(packet.pubcomp({ id: first!.id }));
    expect((await nextPublish(peer)).payload.toString()).toBe('3');
    expect(client.stats()).toMatchObject({ openOutgoing: 2, queuedMessages: 1 });
    await client.close();
    await Promise.all(results);
  });

  test('[N58] a PUBREL of an earlier connection does not widen the window', async () => {
    const { client, peer, again } = await scripted({}, { properties: [[property.receiveMaximum, 1]] });
    const results = Array.from({ length: 4 }, (_, i) => outcome(client.publish('a', String(i), { qos: 2 })));
    const { id } = await nextPublish(peer);
    peer.send(packet.pubrec({ id }));
    await peer.expect(packetType.PUBREL);
    peer.destroy();
    const second = await again({ sessionPresent: true, properties: [[property.receiveMaximum, 1]] });
    await second.expect(packetType.PUBREL);
    await nextPublish(second);
    second.send(packet.pubcomp({ id }));
    await expect.poll(() => client.stats().openOutgoing).toBe(1);
    expect(second.unread).toEqual([]);
    await client.close();
    await Promise.all(results);
  });

  test('[MQTT-3.3.4-8] [MQTT-4.9.0-3] a full window holds back nothing but PUBLISH', async () => {
    const { client, peer } = await scripted(
      { keepAlive: '1 s' },
      { properties: [[property.receiveMaximum, 1]] },
    );
    const results = [
      outcome(client.publish('a', '', { qos: 1 })),
      outcome(client.publish('a', '', { qos: 1 })),
    ];
    await nextPublish(peer);
    const subscription = client.subscribe('s');
    await answerSubscribe(peer);
    peer.send(packet.publish({ topic: 's', qos: 1, id: 3 }));
    (await subscription.next()).value.ack();
    await peer.expect(packetType.PUBACK);
    await peer.expect(packetType.PINGREQ);
    await client.close();
    await Promise.all(results);
  });

  test('[MQTT-3.2.2-15] a packet of the maximum size is sent, a larger one is refused, SUBSCRIBE included', async () => {
    const { client, peer } = await scripted({}, { properties: [[property.maximumPacketSize, 50]] });
    const overhead = 2 + 2 + 1 + 1;
    await client.publish('a', 'x'.repeat(50 - overhead));
    expect((await peer.expect(packetType.PUBLISH)).bytes).toHaveLength(50);
    await expect(client.publish('a', 'x'.repeat(51 - overhead))).rejects.toMatchObject({
      code: 'TOBYMQ_SERVER_LIMIT',
      reasonCode: 0x95,
    });
    await expect(client.publish('a', 'x'.repeat(51 - overhead), { qos: 1 })).rejects.toMatchObject({
      reasonCode: 0x95,
    });
    await expect(client.on('f'.repeat(50), () => {})).rejects.toMatchObject({
      code: 'TOBYMQ_SERVER_LIMIT',
      reasonCode: 0x95,
    });
    await nothingBeforeMarker(client, peer);
  });

  test('[MQTT-3.2.2-11] [MQTT-3.2.2-14] QoS and retain beyond the limits are errors, also for what was queued before', async () => {
    const server = await scripted();
    server.peer.destroy();
    await expect.poll(() => server.client.connected).toBe(false);
    const queued = [
      server.client.publish('a', '', { qos: 2 }),
      server.client.publish('a', '', { retain: true }),
    ].map(outcome);
    const peer = await server.again({
      properties: [
        [property.maximumQoS, 0],
        [property.retainAvailable, 0],
      ],
    });
    expect(await Promise.all(queued)).toMatchObject([{ reasonCode: 0x9b }, { reasonCode: 0x9a }]);
    await expect(server.client.publish('a', '', { qos: 1 })).rejects.toMatchObject({ reasonCode: 0x9b });
    await nothingBeforeMarker(server.client, peer);
  });

  test('[MQTT-3.2.2-17] [MQTT-3.3.2-9] [MQTT-3.3.2-8] repeated topics get aliases up to the maximum, and mean the right topic', async () => {
    const { client, peer } = await scripted({}, { properties: [[property.topicAliasMaximum, 2]] });
    const topics = ['topic/1', 'topic/2', 'topic/3', 'topic/4', 'topic/5'];
    const sent = [...topics, ...topics, ...topics, 'topic/5', 'topic/5', 'topic/4', 'topic/5'];
    for (const topic of sent) await client.publish(topic, topic);
    const known = new Map<number, string>();
    let aliased = 0;
    for (const topic of sent) {
      const message = await nextPublish(peer);
      const alias = message.properties.get(property.topicAlias)?.[0] as number | undefined;
      if (alias !== undefined) {
        expect(alias === 1 || alias === 2).toBe(true);
        if (message.topic !== '') known.set(alias, message.topic);
        else aliased++;
      }
      expect(message.topic === '' ? known.get(alias!) : message.topic).toBe(topic);
      expect(message.payload.toString()).toBe(topic);
    }
    expect(aliased).toBeGreaterThan(2);
  });

  test('[MQTT-3.2.2-18] [MQTT-3.3.2-7] without a maximum, and on a new connection, no alias of before is used', async () => {
    const { client, peer, again } = await scripted({}, { properties: [[property.topicAliasMaximum, 10]] });
    for (let i = 0; i < 3; i++) await client.publish('some/topic');
    await nextPublish(peer);
    expect((await nextPublish(peer)).properties.size).toBe(1);
    expect((await nextPublish(peer)).topic).toBe('');
    peer.destroy();
    const second = await again();
    for (let i = 0; i < 3; i++) await client.publish('some/topic');
    for (let i = 0; i < 3; i++)
      expect(await nextPublish(second)).toMatchObject({ topic: 'some/topic', properties: new Map() });
  });
});

describe('receiving', () => {
  test('[MQTT-3.3.4-1] [MQTT-2.2.1-5] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11] each QoS is answered with its packet and identifier', async () => {
    const { client, peer } = await scripted();
    const pending = client.on('t', () => {});
    await answerSubscribe(peer);
    await pending;
    peer.send(
      packet.publish({ topic: 't' }),
      packet.publish({ topic: 't', qos: 1, id: 0x1234 }),
      packet.publish({ topic: 't', qos: 2, id: 0x1234 + 1 }),
    );
    expect((await peer.next()).bytes.toString('hex')).toBe('40021234');
    expect((await peer.next()).bytes.toString('hex')).toBe('50021235');
    peer.send(packet.pubrel({ id: 0x1235 }));
    expect((await peer.next()).bytes.toString('hex')).toBe('70021235');
  });

  test('[MQTT-4.5.0-2] a message that the application ignores is acknowledged: at once if told so, else when somebody takes it', async () => {
    const { peer } = await scripted({ unclaimed: 'discard' });
    peer.send(packet.publish({ topic: 'nobody', qos: 1, id: 5 }));
    expect(await nextAck(peer, packetType.PUBACK)).toMatchObject({ id: 5 });
    const held = await scripted();
    held.peer.send(packet.publish({ topic: 'nobody', qos: 1, id: 6 }));
    const { value } = await held.client.messages().next();
    value.ack();
    expect(await nextAck(held.peer, packetType.PUBACK)).toMatchObject({ id: 6 });
  });

  test('[MQTT-4.6.0-2] [MQTT-4.6.0-3] acknowledgements follow the order of arrival, however the handlers finish', async () => {
    const { client, peer } = await scripted();
    const finish = new Map<string, () => void>();
    const pending = client.on(
      't',
      (message) => new Promise<void>((resolve) => finish.set(message.text, resolve)),
      { concurrency: 9 },
    );
    await answerSubscribe(peer);
    await pending;
    for (const [id, qos] of [
      [3, 1],
      [1, 2],
      [2, 1],
      [7, 2],
    ] as const)
      peer.send(packet.publish({ topic: 't', payload: String(id), qos, id }));
    await expect.poll(() => finish.size).toBe(4);
    for (const id of ['7', '2', '1', '3']) finish.get(id)!();
    const order = [];
    for (let i = 0; i < 4; i++) order.push((await peer.next()).bytes.toString('hex'));
    expect(order).toEqual(['40020003', '50020001', '40020002', '50020007']);
  });

  test('[MQTT-4.3.2-5] after PUBACK the identifier means a new message, whatever DUP says', async () => {
    const { client, peer } = await scripted();
    let count = 0;
    const pending = client.on('t', () => count++);
    await answerSubscribe(peer);
    await pending;
    peer.send(packet.publish({ topic: 't', qos: 1, id: 1 }));
    await peer.expect(packetType.PUBACK);
    peer.send(packet.publish({ topic: 't', qos: 1, id: 1, dup: true }));
    await peer.expect(packetType.PUBACK);
    expect(count).toBe(2);
  });

  test('[MQTT-4.3.3-10] [MQTT-4.3.3-12] until PUBREL a repeated QoS 2 PUBLISH is answered and not delivered, also after a reconnect', async () => {
    const { client, peer, again } = await scripted();
    let count = 0;
    const pending = client.on('t', () => count++);
    await answerSubscribe(peer);
    await pending;
    const message = packet.publish({ topic: 't', qos: 2, id: 1 });
    const repeated = packet.publish({ topic: 't', qos: 2, id: 1, dup: true });
    peer.send(message);
    await peer.expect(packetType.PUBREC);
    peer.send(repeated);
    await peer.expect(packetType.PUBREC);
    peer.destroy();
    const second = await again();
    second.send(repeated);
    await second.expect(packetType.PUBREC);
    expect(count).toBe(1);
    second.send(packet.pubrel({ id: 1 }));
    await second.expect(packetType.PUBCOMP);
    second.send(message);
    await second.expect(packetType.PUBREC);
    expect(count).toBe(2);
  });

  test('[N35] PUBREL for an unknown identifier is answered with PUBCOMP 0x92', async () => {
    const { peer } = await scripted();
    peer.send(packet.pubrel({ id: 9 }));
    expect(await nextAck(peer, packetType.PUBCOMP)).toMatchObject({ id: 9, reason: 0x92 });
  });

  test('[MQTT-3.3.4-9] [N28] more open messages than our Receive Maximum end the connection with 0x93', async () => {
    const { peer, client } = await scripted({ receiveMaximum: 2, reconnect: false, onError: () => {} });
    for (const id of [1, 2, 3]) peer.send(packet.publish({ topic: 't', qos: 1, id }));
    expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x93);
    await peer.expectClose();
    expect(client.state).toMatchObject({ reason: { reasonCode: 0x93 } });
  });

  test('[MQTT-3.3.2-10] [N25] every alias up to our maximum is understood, and can be set anew', async () => {
    const { client, peer } = await scripted({ topicAliasMaximum: 10 });
    const messages = client.messages();
    const alias = (value: number): [number, number][] => [[property.topicAlias, value]];
    peer.send(
      packet.publish({ topic: 'one', properties: alias(1) }),
      packet.publish({ topic: 'ten', properties: alias(10) }),
      packet.publish({ topic: '', properties: alias(1) }),
      packet.publish({ topic: '', properties: alias(10) }),
      packet.publish({ topic: 'new', properties: alias(1) }),
      packet.publish({ topic: '', properties: alias(1) }),
    );
    const topics = [];
    for (let i = 0; i < 6; i++) topics.push((await messages.next()).value.topic);
    expect(topics).toEqual(['one', 'ten', 'one', 'ten', 'new', 'new']);
  });

  test('[MQTT-3.3.2-7] an alias of the server does not outlive the connection', async () => {
    const { peer, again } = await scripted();
    peer.send(packet.publish({ topic: 'one', properties: [[property.topicAlias, 1]] }));
    peer.destroy();
    const second = await again();
    second.send(packet.publish({ topic: '', properties: [[property.topicAlias, 1]] }));
    expect(decode.reason(await second.expect(packetType.DISCONNECT), 5).reason).toBe(0x82);
  });

  test('[MQTT-1.5.4-3] U+FEFF is kept wherever it stands', async () => {
    const { client, peer } = await scripted();
    const messages = client.messages();
    peer.send(packet.publish({ topic: '\ufefft' }));
    expect((await messages.next()).value.topic).toBe('\ufefft');
    await client.publish('\ufefft');
    expect((await nextPublish(peer)).topic).toBe('\ufefft');
  });

  test('[N09] the same identifier may be open in both directions', async () => {
    const { client, peer } = await scripted();
    const subscription = client.subscribe('t');
    await answerSubscribe(peer);
    const publishing = client.publish('a', '', { qos: 2 });
    const { id } = await nextPublish(peer);
    peer.send(packet.publish({ topic: 't', qos: 2, id }), packet.pubrec({ id }));
    (await subscription.next()).value.ack();
    expect(await nextAck(peer, packetType.PUBREL)).toMatchObject({ id, reason: 0 });
    expect(await nextAck(peer, packetType.PUBREC)).toMatchObject({ id, reason: 0 });
    peer.send(packet.pubrel({ id }), packet.pubcomp({ id }));
    expect(await nextAck(peer, packetType.PUBCOMP)).toMatchObject({ id, reason: 0 });
    await publishing;
  });

  test('[MQTT-4.9.0-1] [N52] what belonged to the connection does not outlive it: the new Receive Maximum counts', async () => {
    const { client, peer, again } = await scripted({}, { properties: [[property.receiveMaximum, 5]] });
    const results = Array.from({ length: 5 }, (_, i) => client.publish('a', String(i), { qos: 1 }));
    for (let i = 0; i < 5; i++) await nextPublish(peer);
    peer.destroy();
    const second = await again({ sessionPresent: true, properties: [[property.receiveMaximum, 1]] });
    for (let i = 0; i < 5; i++) {
      const message = await nextPublish(second);
      expect(message).toMatchObject({ dup: true, payload: Buffer.from(String(i)) });
      expect(second.unread).toEqual([]);
      second.send(packet.puback({ id: message.id }));
    }
    await Promise.all(results);
  });
});
