// 3.3 PUBLISH: flags, retained messages, properties, aliases, overlapping subscriptions.

import type { Message } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property, type RawProperty } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';

const texts = (messages: readonly Message[]): string[] =>
  messages.map((message) => message.payload.toString());

/** What a fresh subscriber to the topic gets at once. */
async function retainedOf(t: Context, topic: string, options = 2): Promise<Message[]> {
  const subscriber = await t.connect();
  await subscriber.subscribe(topic, options);
  return t.collect(subscriber);
}

/** Publishes with properties and returns the one message that a subscriber gets. */
async function passOn(t: Context, ...properties: readonly RawProperty[]): Promise<Message> {
  const subscriber = await t.connect();
  await subscriber.subscribe(t.topic('pass'), 1);
  await (await t.publisher()).publish(t.topic('pass'), 'x', { qos: 1, properties });
  const message = await subscriber.message();
  await subscriber.disconnect();
  return message;
}

/** A string property with bytes that are not UTF-8 closes the connection. */
async function refusesBadString(t: Context, id: number): Promise<void> {
  const properties = [[id, Buffer.from('c328', 'hex')] as const];
  await t.refusesPacket(packet.publish({ topic: t.topic('bad'), properties }), { codes: [0x81] });
}

async function announcedAliases(client: Client): Promise<number> {
  return Number(client.connack.properties.get(property.topicAliasMaximum)?.[0] ?? 0);
}

export const publishCases = casesOf('3.3 PUBLISH', [
  {
    v5: 'MQTT-3.3.1-2',
    v311: 'MQTT-3.3.1-2',
    title: 'DUP 1 at QoS 0 is refused',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('a'));
      const bytes = packet.publish({ version: t.version, topic: t.topic('a'), payload: 'x', dup: true });
      const frames = await t.refusesPacket(bytes, {
        codes: t.strict ? [0x81] : [0x81, 0x82],
        advisory: true,
      });
      equal(frames.length, 0, 'answers');
    },
  },
  {
    v5: 'MQTT-3.3.1-3',
    v311: 'MQTT-3.3.1-3',
    title: 'DUP of an incoming PUBLISH is not passed on',
    needs: ['qos2'],
    async run(t) {
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 2);
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'x', { qos: 1, dup: true });
      await publisher.publish(t.topic('a'), 'y', { qos: 2, dup: true });
      for (let index = 0; index < 2; index += 1) {
        equal((await subscriber.message()).dup, false, 'DUP');
      }
    },
  },
  {
    v5: 'MQTT-3.3.1-4',
    v311: 'MQTT-3.3.1-4',
    title: 'QoS bits 11 close the connection',
    async run(t) {
      const bytes = packet.publish({ version: t.version, topic: t.topic('a'), payload: 'x', qos: 3, id: 1 });
      await t.refusesPacket(bytes, { codes: [0x81] });
    },
  },
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
  {
    v5: ['MQTT-3.3.2-1'],
    v311: 'MQTT-3.3.2-1',
    title: 'a topic that is not UTF-8 closes the connection',
    async run(t) {
      const topic = Buffer.concat([Buffer.from(t.topic('')), Buffer.from('ff', 'hex')]);
      for (const qos of [0, 1, 2]) {
        const bytes = packet.publish({ version: t.version, topic, payload: 'x', qos, id: 1 });
        await t.refusesPacket(bytes, { codes: [0x81, 0x90] });
      }
    },
  },
  {
    v5: ['MQTT-3.3.2-2', 'MQTT-4.7.0-1'],
    v311: ['MQTT-3.3.2-2', 'MQTT-4.7.1-1'],
    title: 'a topic with a wildcard is refused and not delivered',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('#'));
      for (const name of ['a/+', 'a/#', 'a#b', '+']) {
        for (const qos of [0, 1]) {
          const client = await t.connect();
          client.send(client.publishBytes(t.topic(name), 'x', { qos, id: 1 }));
          if (t.strict) {
            await t.refused(client, { codes: [0x90, 0x81] });
          } else {
            await Promise.race([client.peer.expectClose(), client.ping().catch(() => {})]);
          }
        }
      }
      equal(await t.collectTexts(observer), [], 'messages under a topic with a wildcard');
    },
  },
  {
    v5: 'MQTT-3.3.2-4',
    title: 'the Payload Format Indicator is passed on',
    async run(t) {
      const id = property.payloadFormatIndicator;
      equal((await passOn(t, [id, 1])).properties.get(id), [1], 'indicator 1');
      oneOf((await passOn(t, [id, 0])).properties.get(id)?.[0], [0, undefined], 'indicator 0');
      ok(!(await passOn(t)).properties.has(id), 'no indicator where none was sent');
    },
  },
  {
    v5: 'MQTT-3.3.2-5',
    title: 'a message that expired before its delivery began is not delivered',
    needs: ['qos1'],
    async run(t) {
      const clientId = t.clientId();
      const client = await t.connectSession(clientId);
      await client.subscribe(t.topic('a'), 1);
      await client.cut();
      const publisher = await t.publisher();
      const properties = [[property.messageExpiryInterval, 1] as const];
      await publisher.publish(t.topic('a'), 'short', { qos: 1, properties });
      await publisher.publish(t.topic('a'), 'long', { qos: 1 });
      await t.sleep(2500);
      equal(await t.collectTexts(await t.connectSession(clientId)), ['long'], 'messages');
    },
  },
  {
    v5: 'MQTT-3.3.2-6',
    title: 'the Message Expiry Interval is reduced by the time that the message waited',
    needs: ['qos1'],
    async run(t) {
      const id = property.messageExpiryInterval;
      oneOf((await passOn(t, [id, 10])).properties.get(id)?.[0], [10, 9], 'interval for a client online');
      const clientId = t.clientId();
      const client = await t.connectSession(clientId);
      await client.subscribe(t.topic('a'), 1);
      await client.cut();
      await (await t.publisher()).publish(t.topic('a'), 'x', { qos: 1, properties: [[id, 20]] });
      await t.sleep(2200);
      const message = await (await t.connectSession(clientId)).message();
      const left = Number(message.properties.get(id)?.[0]);
      ok(left >= 15 && left <= 18, `Message Expiry Interval after 2.2 of 20 seconds: ${left}`);
    },
  },
  {
    v5: 'MQTT-3.3.2-7',
    title: 'Topic Aliases end with the connection',
    needs: ['alias'],
    async run(t) {
      const clientId = t.clientId();
      const first = await t.connectSession(clientId);
      const alias = [[property.topicAlias, 1] as const];
      await first.publish(t.topic('a'), 'x', { qos: 1, properties: alias });
      await first.cut();
      const again = await t.connectSession(clientId);
      again.send(again.publishBytes('', 'y', { qos: 1, id: 1, properties: alias }));
      await t.refused(again, { codes: t.strict ? [0x82] : [0x82, 0x94, 0x81] });
    },
  },
  {
    v5: ['MQTT-3.3.2-8', 'N24'],
    title: 'Topic Alias 0 closes the connection with 0x94',
    async run(t) {
      const bytes = packet.publish({
        topic: t.topic('a'),
        payload: 'x',
        properties: [[property.topicAlias, 0]],
      });
      await t.refusesPacket(bytes, { codes: [0x94] });
      const client = await t.connect();
      const maximum = await announcedAliases(client);
      if (maximum < 65_535) {
        const properties = [[property.topicAlias, maximum + 1] as const];
        client.send(client.publishBytes(t.topic('a'), 'x', { properties }));
        await t.refused(client, { codes: [0x94] });
      }
    },
  },
  {
    v5: ['MQTT-3.1.2-26', 'MQTT-3.3.2-11'],
    title: 'the server uses no alias above the Topic Alias Maximum of the client',
    async run(t) {
      const subscriber = await t.connect({ properties: [[property.topicAliasMaximum, 2]] });
      await subscriber.subscribe(t.topic('+'));
      const publisher = await t.publisher();
      const names = ['a', 'b', 'c', 'd', 'e'].map((name) => t.topic(name));
      for (const topic of [...names, ...names]) {
        await publisher.publish(topic, 'x');
      }
      const aliases: unknown[] = [];
      for (const topic of [...names, ...names]) {
        // The client resolves aliases, so that a wrong one shows up as a wrong topic.
        const message = await subscriber.message();
        equal(message.topic, topic, 'topic');
        aliases.push(message.properties.get(property.topicAlias)?.[0]);
      }
      ok(
        aliases.every((alias) => alias === undefined || alias === 1 || alias === 2),
        `aliases: ${aliases.join(', ')}`,
      );
      if (t.strict) {
        equal(aliases.slice(0, 2), [1, 2], 'aliases are given in the order of first use');
      }
    },
  },
  {
    v5: 'MQTT-3.1.2-27',
    title: 'without a Topic Alias Maximum of the client the server uses no alias',
    async run(t) {
      for (const options of [{}, { properties: [[property.topicAliasMaximum, 0] as const] }]) {
        const subscriber = await t.connect(options);
        await subscriber.subscribe(t.topic('a'));
        const publisher = await t.publisher();
        for (let index = 0; index < 3; index += 1) {
          await publisher.publish(t.topic('a'), 'x');
          const message = await subscriber.message();
          ok(!message.properties.has(property.topicAlias), 'no Topic Alias');
          equal(message.topic, t.topic('a'), 'topic');
        }
      }
    },
  },
  {
    v5: ['MQTT-3.3.2-12', 'N25'],
    title:
      'every alias up to the announced maximum can be set, used and set anew, apart from those of the server',
    needs: ['alias'],
    async run(t) {
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('+'), 1);
      const client = await t.connect({ properties: [[property.topicAliasMaximum, 5]] });
      await client.subscribe(t.topic('e'), 1);
      const maximum = await announcedAliases(client);
      const send = async (topic: string, alias: number): Promise<void> => {
        await client.publish(topic, 'x', { qos: 1, properties: [[property.topicAlias, alias]] });
      };
      await send(t.topic('a'), 1);
      await send('', 1);
      await send(t.topic('b'), maximum);
      await send('', maximum);
      await send(t.topic('c'), 1);
      await send('', 1);
      await (await t.publisher()).publish(t.topic('e'), 'x', { qos: 1 });
      await client.message();
      await send('', 1);
      const topics = (await t.collect(subscriber, { from: client })).map((m) => m.topic);
      const expected = ['a', 'a', ...(maximum === 1 ? ['b', 'b'] : ['b', 'b']), 'c', 'c', 'e', 'c'];
      equal(
        topics,
        expected.map((name) => t.topic(name)),
        'topics',
      );
    },
  },
  {
    v5: ['N23', 'MQTT-4.7.3-1'],
    title: 'an empty topic without alias, or with an alias that was not set, closes the connection with 0x82',
    async run(t) {
      await t.refusesPacket(packet.publish({ topic: '', payload: 'x' }), {
        codes: t.strict ? [0x82] : [0x82, 0x81],
      });
      if (t.has('alias')) {
        const bytes = packet.publish({ topic: '', payload: 'x', properties: [[property.topicAlias, 1]] });
        await t.refusesPacket(bytes, { codes: t.strict ? [0x82] : [0x82, 0x94, 0x81] });
      }
    },
  },
  {
    v311: 'MQTT-4.7.3-1',
    title: 'an empty topic is refused',
    async run(t) {
      await t.refusesPacket(packet.publish({ version: 4, topic: '', payload: 'x' }), {
        codes: [],
        advisory: true,
      });
    },
  },
  {
    v5: 'MQTT-3.3.2-13',
    title: 'a Response Topic that is not UTF-8 closes the connection',
    run: (t) => refusesBadString(t, property.responseTopic),
  },
  {
    v5: 'MQTT-3.3.2-14',
    title: 'a Response Topic with a wildcard is refused and the message is not delivered',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('a'));
      const client = await t.connect();
      const properties = [[property.responseTopic, 'answers/#'] as const];
      client.send(client.publishBytes(t.topic('a'), 'x', { qos: 1, id: 1, properties }));
      if (t.strict) {
        await t.refused(client, { codes: [0x82, 0x90, 0x81] });
      } else {
        await Promise.race([client.peer.expectClose(), client.ping().catch(() => {})]);
      }
      equal(await t.collectTexts(observer), [], 'messages');
    },
  },
  {
    v5: 'MQTT-3.3.2-15',
    title: 'the Response Topic is passed on, also with retained and queued messages',
    needs: ['retain', 'qos1'],
    async run(t) {
      const single = [property.responseTopic, 'answers/here'] as const;
      equal((await passOn(t, single)).properties.get(single[0]), [single[1]], 'Response Topic');
      const clientId = t.clientId();
      const offline = await t.connectSession(clientId);
      await offline.subscribe(t.topic('q'), 1);
      await offline.cut();
      await (await t.publisher()).publish(t.topic('q'), 'x', { qos: 1, retain: true, properties: [single] });
      const queued = await (await t.connectSession(clientId)).message();
      equal(queued.properties.get(single[0]), [single[1]], 'Response Topic of the queued message');
      const [retained] = await retainedOf(t, t.topic('q'));
      equal(retained?.properties.get(single[0]), [single[1]], 'Response Topic of the retained message');
    },
  },
  {
    v5: 'MQTT-3.3.2-16',
    title: 'Correlation Data is passed on byte by byte',
    async run(t) {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
      const message = await passOn(t, [property.correlationData, bytes]);
      equal(message.properties.get(property.correlationData), [bytes], 'Correlation Data');
    },
  },
  {
    v5: ['MQTT-3.3.2-17', 'MQTT-3.3.2-18'],
    title: 'all User Properties are passed on unchanged and in order',
    async run(t) {
      const pairs = [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
        ['', ''],
        ['a', '1'],
      ] as const;
      const message = await passOn(t, ...pairs.map((pair) => [property.userProperty, pair] as const));
      equal(message.properties.get(property.userProperty), pairs, 'User Properties');
    },
  },
  {
    v5: 'MQTT-3.3.2-19',
    title: 'a Content Type that is not UTF-8 closes the connection',
    run: (t) => refusesBadString(t, property.contentType),
  },
  {
    v5: 'MQTT-3.3.2-20',
    title: 'the Content Type is passed on',
    async run(t) {
      const message = await passOn(t, [property.contentType, 'text/plain; charset=utf-8']);
      equal(message.properties.get(property.contentType), ['text/plain; charset=utf-8'], 'Content Type');
    },
  },
  {
    v5: 'N29',
    title: 'a payload that contradicts its Payload Format Indicator is refused with 0x99 or passed on',
    needs: ['qos1'],
    async run(t) {
      const client = await t.connect();
      const properties = [[property.payloadFormatIndicator, 1] as const];
      client.send(
        client.publishBytes(t.topic('a'), Buffer.from([0xff, 0xfe]), { qos: 1, id: 1, properties }),
      );
      const frame = await client.peer.next();
      const code = frame.type === packetType.PUBACK ? (frame.body[2] ?? 0) : (frame.body[0] ?? 0);
      oneOf(code, frame.type === packetType.PUBACK ? [0x00, 0x10, 0x99] : [0x99], 'code of the answer');
    },
  },
  {
    v5: 'MQTT-3.3.4-6',
    title: 'a PUBLISH of a client with a Subscription Identifier is refused and not delivered',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('a'));
      const properties = [[property.subscriptionIdentifier, 1] as const];
      // 3.3.4 makes it a Protocol Error; as a property in the wrong place it could also be called malformed.
      const codes = t.strict ? [0x82] : [0x82, 0x81];
      await t.refusesPacket(packet.publish({ topic: t.topic('a'), payload: 'x', properties }), { codes });
      equal(await t.collectTexts(observer), [], 'messages');
    },
  },
  {
    v5: 'N34',
    title: 'PUBACK and PUBREC are 0x00 with a subscriber, and 0x00 or 0x10 without',
    needs: ['qos2'],
    async run(t) {
      const publisher = await t.publisher();
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 2);
      for (const qos of [1, 2]) {
        equal(await publisher.publish(t.topic('a'), 'x', { qos }), 0x00, 'code with a subscriber');
        const alone = await publisher.publish(t.topic('b'), 'x', { qos });
        oneOf(alone, t.strict ? [0x10] : [0x00, 0x10], 'code without a subscriber');
      }
    },
  },
]);
