// 3.3 PUBLISH: flags, topic, and the properties that are passed on.

import type { Message } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property, type RawProperty } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Context } from './context.ts';
import { retainedOf } from './retained.ts';

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

export const publishCases = casesOf('3.3 PUBLISH: flags and properties', [
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
            await t.refused(client, { codes: [0x90, 0x82, 0x81] });
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
    v5: 'MQTT-3.3.2-17',
    title: 'all properties of a message are passed on together, also with an expiry and with a Topic Alias',
    async run(t) {
      const kept: readonly RawProperty[] = [
        [property.payloadFormatIndicator, 1],
        [property.contentType, 'text/plain'],
        [property.responseTopic, 'answers/here'],
        [property.correlationData, Buffer.from([0, 255])],
        [property.userProperty, ['k', 'v']],
      ];
      const companions: readonly (readonly RawProperty[])[] = [
        [],
        [[property.messageExpiryInterval, 1000]],
        ...(t.has('alias') ? [[[property.topicAlias, 1] as const]] : []),
      ];
      for (const companion of companions) {
        const { properties } = await passOn(t, ...companion, ...kept);
        for (const [id, value] of kept) {
          equal(
            properties.get(id),
            [value],
            `property 0x${id.toString(16)} beside ${JSON.stringify(companion)}`,
          );
        }
      }
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
      await subscriber.disconnect();
      const left = await publisher.publish(t.topic('a'), 'x', { qos: 1 });
      oneOf(left, t.strict ? [0x10] : [0x00, 0x10], 'code after the subscriber has left');
    },
  },
]);
