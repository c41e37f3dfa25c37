// 3.3.2.3.4 Topic Alias, both ways.

import { packet } from '../packet.ts';
import { property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok } from './check.ts';
import type { Client } from './client.ts';

async function announcedAliases(client: Client): Promise<number> {
  return Number(client.connack.properties.get(property.topicAliasMaximum)?.[0] ?? 0);
}

export const aliasCases = casesOf('3.3 PUBLISH: topic aliases', [
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
]);
