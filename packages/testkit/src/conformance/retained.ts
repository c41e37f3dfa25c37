// 3.3.1.3 RETAIN: what is stored, what replaces it, and who gets it when.

import type { Message } from '../decode.ts';
import { property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Context } from './context.ts';

const texts = (messages: readonly Message[]): string[] =>
  messages.map((message) => message.payload.toString());

/** What a fresh subscriber to the topic gets at once. */
export async function retainedOf(t: Context, topic: string, options = 2): Promise<Message[]> {
  const subscriber = await t.connect();
  await subscriber.subscribe(topic, options);
  return t.collect(subscriber);
}

export const retainedCases = casesOf('3.3 PUBLISH: retained messages', [
  {
    v5: 'MQTT-3.3.1-5',
    v311: ['MQTT-3.3.1-5', 'MQTT-3.3.1-8'],
    title:
      'the last retained message of a topic is kept with its QoS and goes to a new subscriber with RETAIN 1',
    needs: ['retain', 'qos2'],
    async run(t) {
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      const properties =
        t.version === 5 ? { properties: [[property.contentType, 'text/plain'] as const] } : {};
      await publisher.publish(t.topic('a'), 'B', { retain: true, qos: 2, ...properties });
      for (const granted of [0, 1, 2]) {
        const messages = await retainedOf(t, t.topic('a'), granted);
        equal(
          messages.map((m) => [m.payload.toString(), m.retain, m.qos]),
          [['B', true, granted]],
          `retained message for a subscription with QoS ${granted}`,
        );
        if (t.version === 5) {
          equal(messages[0]?.properties.get(property.contentType), ['text/plain'], 'Content Type');
        }
      }
    },
  },
  {
    v311: 'MQTT-3.3.1-6',
    title: 'a new wildcard subscription gets the last retained message of every matching topic',
    needs: ['retain', 'wildcard'],
    async run(t) {
      const publisher = await t.publisher();
      await publisher.publish(t.topic('r/1'), 'A', { retain: true, qos: 1 });
      await publisher.publish(t.topic('r/1'), 'B', { retain: true, qos: 1 });
      await publisher.publish(t.topic('r/2'), 'C', { retain: true, qos: 1 });
      equal(texts(await retainedOf(t, t.topic('r/#'))).sort(), ['B', 'C'], 'retained messages');
    },
  },
  {
    v5: 'N32',
    v311: 'MQTT-3.3.1-7',
    title: 'a retained QoS 0 message replaces the one before it',
    needs: ['retain', 'qos1'],
    async run(t) {
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      await publisher.publish(t.topic('a'), 'B', { retain: true });
      await publisher.ping();
      oneOf(texts(await retainedOf(t, t.topic('a'))), t.strict ? [['B']] : [['B'], []], 'retained messages');
    },
  },
  {
    v5: 'MQTT-3.3.1-6',
    v311: 'MQTT-3.3.1-10',
    title: 'an empty retained message is passed on and removes the retained message',
    needs: ['retain'],
    async run(t) {
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      const online = await t.connect();
      await online.subscribe(t.topic('a'));
      await online.message();
      await publisher.publish(t.topic('a'), '', { retain: true, qos: 1 });
      const message = await online.message();
      equal([message.payload.length, message.retain], [0, false], 'length and RETAIN of the empty message');
      equal(texts(await retainedOf(t, t.topic('a'))), [], 'retained messages');
    },
  },
  {
    v5: 'MQTT-3.3.1-7',
    v311: 'MQTT-3.3.1-11',
    title: 'an empty retained message is not stored',
    needs: ['retain'],
    async run(t) {
      await (await t.publisher()).publish(t.topic('a'), '', { retain: true, qos: 1 });
      equal(texts(await retainedOf(t, t.topic('a'))), [], 'retained messages');
    },
  },
  {
    v5: 'MQTT-3.3.1-8',
    v311: 'MQTT-3.3.1-12',
    title: 'a message with RETAIN 0 leaves the retained message alone',
    needs: ['retain'],
    async run(t) {
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      await publisher.publish(t.topic('a'), 'B', { qos: 1 });
      await publisher.publish(t.topic('a'), '', { qos: 1 });
      await publisher.publish(t.topic('b'), 'B', { qos: 1 });
      equal(texts(await retainedOf(t, t.topic('a'))), ['A'], 'retained messages');
      equal(texts(await retainedOf(t, t.topic('b'))), [], 'retained messages of a topic without any');
    },
  },
  {
    v5: 'MQTT-3.3.1-9',
    title: 'with Retain Handling 0 every SUBSCRIBE sends the retained messages',
    needs: ['retain'],
    async run(t) {
      await (await t.publisher()).publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      const subscriber = await t.connect();
      for (let index = 0; index < 2; index += 1) {
        await subscriber.subscribe(t.topic('a'), 0x01);
        equal(await t.collectTexts(subscriber), ['A'], 'retained messages');
      }
    },
  },
  {
    v5: 'MQTT-3.3.1-10',
    title: 'with Retain Handling 1 only a new subscription gets the retained messages',
    needs: ['retain'],
    async run(t) {
      await (await t.publisher()).publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 0x11);
      equal(await t.collectTexts(subscriber), ['A'], 'retained messages of a new subscription');
      await subscriber.subscribe(t.topic('a'), 0x11);
      equal(await t.collectTexts(subscriber), [], 'retained messages of an existing subscription');
      await subscriber.unsubscribe(t.topic('a'));
      await subscriber.subscribe(t.topic('a'), 0x11);
      equal(await t.collectTexts(subscriber), ['A'], 'retained messages after UNSUBSCRIBE');
    },
  },
  {
    v5: 'MQTT-3.3.1-11',
    title: 'with Retain Handling 2 no retained messages are sent',
    async run(t) {
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'A', { retain: t.has('retain'), qos: 1 });
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 0x21);
      equal(await t.collectTexts(subscriber), [], 'retained messages');
      await publisher.publish(t.topic('a'), 'B', { qos: 1 });
      equal(await t.collectTexts(subscriber), ['B'], 'messages published later');
    },
  },
  {
    v5: 'MQTT-3.3.1-12',
    v311: 'MQTT-3.3.1-9',
    title: 'an established subscription gets messages with RETAIN 0',
    needs: ['retain'],
    async run(t) {
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 1);
      await (await t.publisher()).publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      equal((await subscriber.message()).retain, false, 'RETAIN');
    },
  },
  {
    v5: 'MQTT-3.3.1-13',
    title: 'with Retain As Published the RETAIN flag is passed on',
    needs: ['retain'],
    async run(t) {
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 0x09);
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      await publisher.publish(t.topic('a'), 'B', { qos: 1 });
      equal(
        [(await subscriber.message()).retain, (await subscriber.message()).retain],
        [true, false],
        'RETAIN flags',
      );
    },
  },
  {
    v5: 'N30',
    title: 'a retained message for a new subscription has RETAIN 1 even without Retain As Published',
    needs: ['retain'],
    async run(t) {
      await (await t.publisher()).publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      for (const options of [0x01, 0x09]) {
        const [message] = await retainedOf(t, t.topic('a'), options);
        equal(message?.retain, true, 'RETAIN');
      }
    },
  },
  {
    v5: 'N31',
    title: 'a retained message that has expired is gone, and one that has not counts down',
    needs: ['retain'],
    async run(t) {
      const publisher = await t.publisher();
      const expiry = (seconds: number) => [[property.messageExpiryInterval, seconds] as const];
      await publisher.publish(t.topic('a'), 'short', { retain: true, qos: 1, properties: expiry(1) });
      await publisher.publish(t.topic('b'), 'long', { retain: true, qos: 1, properties: expiry(100) });
      await t.sleep(2500);
      equal(texts(await retainedOf(t, t.topic('a'))), [], 'expired retained messages');
      const [message] = await retainedOf(t, t.topic('b'));
      const left = Number(message?.properties.get(property.messageExpiryInterval)?.[0]);
      ok(left >= 90 && left <= 98, `Message Expiry Interval after 2.5 of 100 seconds: ${left}`);
    },
  },
]);
