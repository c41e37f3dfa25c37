// 3.8 and 3.9 SUBSCRIBE and SUBACK, and overlapping subscriptions of 3.3.4.

import type { Message } from '../decode.ts';
import { packetType } from '../frames.ts';
import { frame, packet } from '../packet.ts';
import { property, uint16 } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Context } from './context.ts';

export const badFilter = Buffer.from('612fc328', 'hex');

export function emptyRequest(t: Context, firstByte: number): Buffer {
  return frame(firstByte, uint16(1), t.version === 5 ? Buffer.from([0]) : Buffer.alloc(0));
}

const subscriptionIds = (message: Message): unknown[] => [
  ...(message.properties.get(property.subscriptionIdentifier) ?? []),
];

/** One client subscribed to `o/#` with QoS 1 and to `o/+` with QoS 2; what it gets for one QoS 2 message. */
async function overlapping(t: Context): Promise<Message[]> {
  const subscriber = await t.connect();
  const id = (value: number) =>
    t.version === 5 && t.has('subid') ? [[property.subscriptionIdentifier, value] as const] : undefined;
  await subscriber.subscribe(t.topic('o/#'), 1, id(5));
  await subscriber.subscribe(t.topic('o/+'), 2, id(9));
  await (await t.publisher()).publish(t.topic('o/b'), 'x', { qos: 2 });
  return t.collect(subscriber, { qos: 2 });
}

export const subscribeCases = casesOf('3.8 to 3.9 SUBSCRIBE', [
  {
    v5: 'MQTT-3.8.3-1',
    v311: 'MQTT-3.8.3-1',
    title: 'a Topic Filter that is not UTF-8 closes the connection',
    async run(t) {
      const bytes = packet.subscribe({ version: t.version, id: 1, filters: [[badFilter, 0]] });
      await t.refusesPacket(bytes, { codes: [0x81] });
    },
  },
  {
    v5: 'MQTT-3.8.3-2',
    v311: 'MQTT-3.8.3-3',
    title: 'a SUBSCRIBE without a filter closes the connection',
    async run(t) {
      await t.refusesPacket(emptyRequest(t, 0x82), { codes: t.strict ? [0x82] : [0x82, 0x81] });
    },
  },
  {
    v5: 'MQTT-3.8.3-3',
    title: 'with No Local a client does not get its own messages',
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 0x05);
      await client.publish(t.topic('a'), 'own', { qos: 1 });
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'other', { qos: 1 });
      equal(await t.collectTexts(client), ['other'], 'messages');
    },
  },
  {
    v5: 'MQTT-3.8.3-5',
    v311: 'MQTT-3.8.3-4',
    title: 'reserved bits in the options of a filter close the connection',
    async run(t) {
      const codes = t.strict ? [0x81] : [0x81, 0x82];
      for (const options of t.version === 5 ? [0x40, 0x80] : [0x03, 0x04, 0x80]) {
        const bytes = packet.subscribe({ version: t.version, id: 1, filters: [[t.topic('a'), options]] });
        await t.refusesPacket(bytes, { codes });
      }
    },
  },
  {
    v5: 'N37',
    title: 'Maximum QoS 3 and Retain Handling 3 close the connection',
    async run(t) {
      for (const options of [0x03, 0x30]) {
        const bytes = packet.subscribe({ id: 1, filters: [[t.topic('a'), options]] });
        await t.refusesPacket(bytes, { codes: t.strict ? [0x82] : [0x82, 0x81] });
      }
    },
  },
  {
    v5: ['MQTT-3.8.4-1', 'MQTT-3.8.4-2'],
    v311: ['MQTT-3.8.4-1', 'MQTT-3.8.4-2'],
    title: 'every SUBSCRIBE is answered with a SUBACK of its identifier',
    async run(t) {
      const { version } = t;
      const client = await t.connect();
      const request = (id: number) => packet.subscribe({ version, id, filters: [[t.topic('a'), 0]] });
      client.send(request(11), request(12));
      const ids = [
        (await client.peer.take(packetType.SUBACK)).body,
        (await client.peer.take(packetType.SUBACK)).body,
      ];
      equal(ids.map((body) => body.readUInt16BE(0)).sort(), [11, 12], 'identifiers');
    },
  },
  {
    v5: 'MQTT-3.8.4-3',
    v311: 'MQTT-3.8.4-3',
    title: 'the same filter again replaces the subscription',
    needs: ['qos1'],
    async run(t) {
      const hasIds = t.version === 5 && t.has('subid');
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 0, hasIds ? [[property.subscriptionIdentifier, 1]] : undefined);
      await client.subscribe(t.topic('a'), 1, hasIds ? [[property.subscriptionIdentifier, 2]] : undefined);
      await (await t.publisher()).publish(t.topic('a'), 'x', { qos: 1 });
      const messages = await t.collect(client);
      equal(messages.length, 1, 'copies');
      equal(messages[0]?.qos, 1, 'QoS');
      equal(subscriptionIds(messages[0]!), hasIds ? [2] : [], 'Subscription Identifiers');
    },
  },
  {
    v5: 'MQTT-3.8.4-4',
    v311: 'MQTT-3.8.4-3',
    title: 'replacing a subscription sends the retained messages again and loses nothing of a running stream',
    needs: ['retain', 'qos1'],
    async run(t) {
      const publisher = await t.publisher();
      await publisher.publish(t.topic('r'), 'kept', { qos: 1, retain: true });
      const client = await t.connect();
      for (let index = 0; index < 2; index += 1) {
        await client.subscribe(t.topic('r'), 1);
        equal(await t.collectTexts(client), ['kept'], 'retained messages');
      }
      const count = 100;
      await client.subscribe(t.topic('s'), 1);
      const publishAll = async (): Promise<void> => {
        for (let index = 0; index < count; index += 1) {
          await publisher.publish(t.topic('s'), String(index), { qos: 1 });
        }
      };
      const stream = t.aside(publishAll());
      const seen: string[] = [];
      for (let index = 0; index < count; index += 1) {
        if (index % 10 === 0) {
          await client.subscribe(t.topic('s'), 1);
        }
        seen.push((await client.message()).payload.toString());
      }
      await stream;
      equal(
        seen,
        Array.from({ length: count }, (_, index) => String(index)),
        'messages of the stream',
      );
    },
  },
  {
    v5: ['MQTT-3.8.4-5', 'MQTT-3.8.4-6'],
    v311: ['MQTT-3.8.4-4', 'MQTT-3.8.4-5'],
    title: 'several filters get one SUBACK with one code each; of equal filters the last one counts',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      const { codes } = await client.subscribe([
        [t.topic('a'), 0],
        [t.topic('b'), 1],
        [t.topic('c'), 2],
        [t.topic('a'), 2],
      ]);
      equal(codes, [0, 1, 2, 2], 'codes');
      await (await t.publisher()).publish(t.topic('a'), 'x', { qos: 2 });
      const messages = await t.collect(client, { qos: 2 });
      equal(
        messages.map((m) => m.qos),
        [2],
        'QoS of the copies',
      );
    },
  },
  {
    v5: ['MQTT-3.8.4-7', 'MQTT-3.9.3-1', 'MQTT-3.9.3-2', 'N61'],
    v311: ['MQTT-3.9.3-1', 'MQTT-3.9.3-2'],
    title:
      'codes stand in the order of the filters; a refused one delivers nothing and leaves the connection open',
    async run(t) {
      const s = await t.withServer({ deny: { subscribe: ['no/#'] } });
      const client = await s.connect();
      const { codes } = await client.subscribe([
        [s.topic('a'), 0],
        ['no/way', 0],
        [s.topic('b'), 1],
      ]);
      equal(codes, [0, t.version === 5 ? 0x87 : 0x80, 1], 'codes');
      const publisher = await s.publisher();
      await publisher.publish('no/way', 'x');
      await publisher.publish(s.topic('b'), 'y');
      equal(await s.collectTexts(client), ['y'], 'messages');
      await client.ping();
    },
  },
  {
    v5: 'MQTT-3.8.4-8',
    v311: 'MQTT-3.8.4-6',
    title: 'messages are delivered at the lower of published and granted QoS',
    needs: ['qos2'],
    async run(t) {
      const publisher = await t.publisher();
      for (const granted of [0, 1, 2]) {
        const client = await t.connect();
        equal((await client.subscribe(t.topic('m'), granted)).codes, [granted], 'granted QoS');
        for (const published of [0, 1, 2]) {
          await publisher.publish(t.topic('m'), 'x', { qos: published });
          equal(
            (await client.message()).qos,
            Math.min(granted, published),
            `QoS of ${published} under ${granted}`,
          );
        }
      }
    },
  },
  {
    v5: 'MQTT-3.3.4-2',
    v311: 'MQTT-3.3.5-1',
    title: 'overlapping subscriptions get the message at the highest granted QoS',
    needs: ['wildcard', 'qos2'],
    async run(t) {
      const qos = (await overlapping(t)).map((message) => message.qos).sort();
      oneOf(qos, t.strict ? [[2]] : [[2], [1, 2]], 'QoS of the copies');
    },
  },
  {
    v5: ['MQTT-3.3.4-3', 'MQTT-3.3.4-4', 'MQTT-3.3.4-5', 'N33'],
    title: 'the identifiers of all matching subscriptions go out: all on one copy, or each on its own',
    needs: ['wildcard', 'subid', 'qos2'],
    async run(t) {
      const messages = await overlapping(t);
      const ids = messages.map((message) =>
        subscriptionIds(message)
          .map(Number)
          .sort((a, b) => a - b),
      );
      const ordered = ids.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
      oneOf(
        ordered,
        t.strict ? [[[5, 9]]] : [[[5, 9]], [[5], [9]]],
        'Subscription Identifiers of the copies',
      );
    },
  },
  {
    v5: 'N38',
    title: 'Subscription Identifier 0, or two of them, is refused; the smallest and the largest are accepted',
    needs: ['subid'],
    async run(t) {
      const id = property.subscriptionIdentifier;
      const request = (...properties: readonly (readonly [number, number])[]) =>
        packet.subscribe({ id: 1, filters: [[t.topic('a'), 0]], properties });
      await t.refusesPacket(request([id, 0]), { codes: t.strict ? [0x82] : [0x82, 0x81] });
      await t.refusesPacket(request([id, 1], [id, 2]), { codes: t.strict ? [0x82] : [0x82, 0x81] });
      const client = await t.connect();
      for (const value of [1, 268_435_455]) {
        await client.subscribe(t.topic('a'), 0, [[id, value]]);
        await (await t.publisher()).publish(t.topic('a'), 'x');
        equal(subscriptionIds(await client.message()), [value], 'Subscription Identifier');
      }
    },
  },
  {
    v5: 'N39',
    title: 'a server without wildcard, identified or shared subscriptions says so and refuses them',
    async run(t) {
      const offers = [
        [{ wildcardSubscriptionAvailable: false }, property.wildcardSubscriptionAvailable, 'a/#', [], 0xa2],
        [
          { sharedSubscriptionAvailable: false },
          property.sharedSubscriptionAvailable,
          '$share/g/a',
          [],
          0x9e,
        ],
        [
          { subscriptionIdentifierAvailable: false },
          property.subscriptionIdentifierAvailable,
          'a',
          [[property.subscriptionIdentifier, 1]],
          0xa1,
        ],
      ] as const;
      for (const [settings, announcement, filter, properties, code] of offers) {
        const s = await t.withServer(settings);
        const client = await s.connect();
        equal(client.connack.properties.get(announcement), [0], 'announcement in CONNACK');
        client.send(packet.subscribe({ id: 1, filters: [[filter, 0]], properties }));
        const answer = await client.peer.next();
        const isSuback = answer.type === packetType.SUBACK;
        equal(isSuback ? answer.body.at(-1) : answer.body[0], code, 'code of SUBACK or DISCONNECT');
      }
    },
  },
  {
    v5: 'N42',
    title: 'a subscription that is replaced by one without identifier has none any more',
    needs: ['subid'],
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 0, [[property.subscriptionIdentifier, 5]]);
      await client.subscribe(t.topic('a'), 0);
      await (await t.publisher()).publish(t.topic('a'), 'x');
      equal(subscriptionIds(await client.message()), [], 'Subscription Identifiers');
    },
  },
  {
    v5: ['MQTT-3.9.2-1', 'MQTT-3.9.2-2', 'MQTT-3.11.2-1', 'MQTT-3.11.2-2'],
    title:
      'SUBACK and UNSUBACK drop reason string and User Property rather than exceed the Maximum Packet Size',
    async run(t) {
      const s = await t.withServer({ talkative: true, deny: { subscribe: ['no/#'] } });
      const roomy = await s.connect();
      const tight = await s.connect({ properties: [[property.maximumPacketSize, 30]] });
      const { properties } = await roomy.subscribe('no/way');
      ok(properties.has(property.reasonString), 'with room a reason string comes');
      equal((await tight.subscribe('no/way')).codes, [0x87], 'code of SUBACK');
      equal((await tight.unsubscribe('no/way')).codes, [0x11], 'code of UNSUBACK');
      const sizes = tight.peer.history.map((f) => f.bytes.length);
      ok(
        sizes.every((size) => size <= 30),
        `no packet exceeds 30 bytes: ${sizes.join(', ')}`,
      );
    },
  },
  {
    v311: 'MQTT-3.3.5-2',
    title:
      'a PUBLISH that is not authorized is acknowledged as usual or closes the connection, and reaches nobody',
    needs: ['qos1'],
    async run(t) {
      const s = await t.withServer({ deny: { publish: ['no/#'] } });
      const observer = await s.connect();
      await observer.subscribe('no/#');
      const client = await s.connect();
      client.send(client.publishBytes('no/way', 'x', { qos: 1, id: 1 }));
      const answer = await client.peer.next().catch(() => undefined);
      oneOf(answer?.bytes.toString('hex'), ['40020001', undefined], 'the answer');
      equal(await s.collectTexts(observer), [], 'messages');
    },
  },
]);
