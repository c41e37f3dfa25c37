// 1.5 Data representation: UTF-8 strings and Variable Byte Integers.

import { packet } from '../packet.ts';
import { field, property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal } from './check.ts';
import { type Context, v5Properties } from './context.ts';

const badUtf8 = [
  ['a broken sequence', Buffer.from('61c328', 'hex')],
  ['a surrogate', Buffer.from('eda080', 'hex')],
  ['an overlong form', Buffer.from('c0af', 'hex')],
] as const;

/** The bytes of a topic of this case, with some raw bytes at its end. */
function topicWith(t: Context, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(t.topic('x')), bytes]);
}

async function refusesTopics(t: Context, topics: readonly Buffer[]): Promise<void> {
  const observer = await t.connect();
  await observer.subscribe(t.topic('#'));
  for (const topic of topics) {
    const bytes = packet.publish({ version: t.version, topic, payload: 'x' });
    await t.refusesPacket(bytes, { codes: [0x81] });
  }
  equal(await t.collectTexts(observer), [], 'messages under a malformed topic');
}

export const stringCases = casesOf('1.5 Data representation', [
  {
    v5: 'MQTT-1.5.4-1',
    v311: 'MQTT-1.5.3-1',
    title: 'a topic that is not well-formed UTF-8 closes the connection and is not passed on',
    run: (t) =>
      refusesTopics(
        t,
        badUtf8.map(([, bytes]) => topicWith(t, bytes)),
      ),
  },
  {
    v5: ['MQTT-1.5.4-2', 'MQTT-4.7.3-2'],
    v311: ['MQTT-1.5.3-2', 'MQTT-4.7.3-2'],
    title: 'U+0000 in a topic, filter, ClientID or User Name closes the connection',
    async run(t) {
      const nul = Buffer.from('610062', 'hex');
      await refusesTopics(t, [topicWith(t, nul)]);
      const { version } = t;
      await t.refusesPacket(packet.subscribe({ version, id: 1, filters: [[topicWith(t, nul), 0]] }), {
        codes: [0x81],
      });
      const refusal = { codes: [0x81, 0x85], returnCodes: [2] };
      await t.refusesConnect(packet.connect({ version, clientId: nul }), refusal);
      await t.refusesConnect(packet.connect({ version, clientId: t.clientId(), username: nul }), {
        codes: [0x81, 0x86],
        returnCodes: [4],
      });
      if (version === 5) {
        const properties = [[property.userProperty, [nul, 'v']] as const];
        await t.refusesPacket(packet.publish({ topic: t.topic('u'), properties }), { codes: [0x81] });
      }
    },
  },
  {
    v5: 'MQTT-1.5.4-3',
    v311: 'MQTT-1.5.3-3',
    title: 'U+FEFF in a topic is a character like any other and is kept',
    async run(t) {
      const publisher = await t.publisher();
      const subscriber = await t.connect();
      const topic = `\ufeff${t.topic('bom')}`;
      await subscriber.subscribe(topic);
      await publisher.publish(t.topic('bom'), 'without');
      await publisher.publish(topic, 'with');
      const messages = await t.collect(subscriber);
      equal(
        messages.map((message) => [message.topic, message.payload.toString()]),
        [[topic, 'with']],
        'messages under U+FEFF',
      );
      const [start] = subscriber.peer.history.filter((frame) => frame.type === 3);
      equal(start?.body.subarray(2, 5).toString('hex'), 'efbbbf', 'first bytes of the topic');
    },
  },
  {
    v5: 'MQTT-1.5.5-1',
    title:
      'Remaining Length is written in the fewest bytes; a longer form is refused or understood, nothing else',
    async run(t) {
      const publisher = await t.publisher();
      const subscriber = await t.connect();
      const topic = t.topic('length');
      await subscriber.subscribe(topic);
      // Topic with its length, and Property Length 0, come before the payload.
      const overhead = field(topic).length + 1;
      const sizes = [127, 128, 16_383, 16_384, 2_097_151, 2_097_152].filter(
        (size) => size < 100_000 || t.strict,
      );
      for (const size of sizes) {
        await publisher.publish(topic, Buffer.alloc(size - overhead));
        const message = await subscriber.message();
        equal(message.payload.length, size - overhead, 'length of the payload');
        const frame = subscriber.peer.history.at(-1);
        const expected = size < 128 ? 2 : size < 16_384 ? 3 : size < 2_097_152 ? 4 : 5;
        equal(
          (frame?.bytes.length ?? 0) - (frame?.body.length ?? 0),
          expected,
          `header bytes for a length of ${size}`,
        );
      }
      await t.refusesPacket('c0 80 00', { codes: [0x81], optional: true });
    },
  },
  {
    v5: 'MQTT-1.5.7-1',
    title: 'name and value of a User Property are checked like any string',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('#'));
      for (const bytes of [...badUtf8.map(([, bad]) => bad), Buffer.from('610062', 'hex')]) {
        for (const pair of [[bytes, 'value'] as const, ['name', bytes] as const]) {
          const properties = [[property.userProperty, pair] as const];
          await t.refusesPacket(packet.publish({ topic: t.topic('p'), properties }), { codes: [0x81] });
        }
      }
      equal(await t.collectTexts(observer), [], 'messages with a malformed User Property');
    },
  },
  {
    v5: 'N07',
    v311: 'M05',
    title: 'a control character in a topic is refused, or the message is delivered: never half of both',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('#'));
      const topic = topicWith(t, Buffer.from([1]));
      const publisher = await t.connect();
      publisher.send(
        packet.publish({ version: t.version, topic, payload: 'x', ...v5Properties(t.version, []) }),
      );
      if (t.strict) {
        await t.refused(publisher, { codes: [0x81] });
        equal(await t.collectTexts(observer), [], 'messages under a topic with a control character');
        return;
      }
      const isOpen = await publisher.ping().then(
        () => true,
        () => false,
      );
      equal(
        await t.collectTexts(observer),
        isOpen ? ['x'] : [],
        'messages under a topic with a control character',
      );
    },
  },
]);
