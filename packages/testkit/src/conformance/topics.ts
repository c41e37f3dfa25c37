// 4.7 Topic Names and Topic Filters: wildcards, $ topics, lengths, exact comparison.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { casesOf } from './case.ts';
import { equal, ok } from './check.ts';
import type { Context } from './context.ts';

/** The filter is never granted: the connection is closed, or SUBACK refuses it. */
async function neverGranted(t: Context, filter: string): Promise<void> {
  const client = await t.connect();
  client.send(packet.subscribe({ version: t.version, id: 1, filters: [[filter, 0]] }));
  const answer = t.strict ? undefined : await client.peer.next().catch(() => undefined);
  if (answer?.type === packetType.SUBACK) {
    const [code = 0] = decode.codes(answer, t.version).codes;
    ok(code >= 0x80, `filter ${filter} was granted with ${code}`);
  } else if (answer === undefined) {
    await t.refused(client, { codes: t.strict ? [0x81] : [0x81, 0x82, 0x8f] });
  } else {
    ok(
      [0x81, 0x82, 0x8f].includes(decode.reason(answer, t.version).reason),
      `filter ${filter}: a code that says why`,
    );
    await client.peer.expectClose();
  }
}

/** Which of the topics, all below the prefix of the case, a subscription to the filter receives. */
async function matches(t: Context, filter: string, topics: readonly string[]): Promise<string[]> {
  const client = await t.connect();
  equal((await client.subscribe(t.topic(filter))).codes, [0], `grant of ${filter}`);
  const publisher = await t.publisher();
  for (const topic of topics) {
    await publisher.publish(t.topic(topic), 'x');
  }
  const prefix = t.topic('').length;
  const seen = (await t.collect(client)).map((message) => message.topic.slice(prefix));
  await client.disconnect();
  return seen;
}

async function expectMatches(
  t: Context,
  filter: string,
  yes: readonly string[],
  no: readonly string[],
): Promise<void> {
  equal(await matches(t, filter, [...yes, ...no]), [...yes], `topics that ${filter} receives`);
}

/** A topic near a limit: granted and delivered whole, or refused. TobyMQ delivers it. */
async function deliveredOrRefused(t: Context, topic: string): Promise<void> {
  const client = await t.connect();
  client.send(packet.subscribe({ version: t.version, id: 1, filters: [[topic, 0]] }));
  const answer = await client.peer.next().catch(() => undefined);
  const isGranted = answer?.type === packetType.SUBACK && decode.codes(answer, t.version).codes[0] === 0;
  ok(isGranted || !t.strict, 'the filter is granted');
  if (isGranted) {
    await client.publish(topic, 'x');
    equal((await client.message()).topic, topic, 'topic');
  }
}

async function granted(t: Context, filters: readonly string[]): Promise<void> {
  const client = await t.connect();
  const { codes } = await client.subscribe(filters.map((filter) => [filter, 0x00] as const));
  equal(
    codes,
    filters.map(() => 0),
    `codes for ${filters.join(' ')}`,
  );
}

export const topicCases = casesOf('4.7 Topic names and filters', [
  {
    v5: ['MQTT-4.7.1-1', 'MQTT-3.3.2-3'],
    v311: ['MQTT-4.7.1-2', 'MQTT-3.3.2-3'],
    title: '# stands alone or behind / at the end, and matches the parent and everything below it',
    needs: ['wildcard'],
    async run(t) {
      for (const filter of ['a#', 'a/#/b', '#/a', 'a/b#', '##']) {
        await neverGranted(t, t.topic(filter));
      }
      await neverGranted(t, '#/a');
      await expectMatches(t, 'a/#', ['a', 'a/', 'a/b', 'a/b/c', 'a//'], ['b', 'ab', 'A/b', '']);
      await granted(t, ['#', t.topic('a/#')]);
    },
  },
  {
    v5: 'MQTT-4.7.1-2',
    v311: 'MQTT-4.7.1-3',
    title: '+ fills a whole level, and matches exactly one',
    needs: ['wildcard'],
    async run(t) {
      for (const filter of ['a+', '+a/b', 'a/+b', 'a/b+/c', '++']) {
        await neverGranted(t, t.topic(filter));
      }
      await expectMatches(t, 'a/+', ['a/b', 'a/'], ['a', 'a/b/c', 'b/c']);
      await expectMatches(t, 'b/+/c', ['b/x/c', 'b//c'], ['b/c', 'b/x/y/c', 'b/x/d']);
      await expectMatches(t, '+/+', ['/x', 'y/z'], ['z', 'a/b/c']);
      await expectMatches(t, '+', ['only', ''], ['/only', 'two/levels']);
      await expectMatches(t, 'c/+/#', ['c/x', 'c/x/y', 'c/'], ['c']);
      await granted(t, ['+', '+/a/#', 'a/+/b', '/+']);
    },
  },
  {
    v311: 'MQTT-3.8.3-2',
    title: 'wildcards work, or every filter with one is refused',
    async run(t) {
      if (t.has('wildcard')) {
        await expectMatches(t, 'a/+', ['a/b'], ['a']);
      } else {
        await neverGranted(t, t.topic('a/+'));
      }
    },
  },
  {
    v5: 'MQTT-4.7.2-1',
    v311: 'MQTT-4.7.2-1',
    v31: 'V31-31',
    title: 'a filter that begins with a wildcard does not match a topic that begins with $',
    needs: ['wildcard'],
    async run(t) {
      // Everybody's messages match #, so that a server of its own is quieter where there is one.
      const s = t.canConfigure ? await t.withServer({}) : t;
      const dollar = `$${s.clientId()}`;
      const wild = await s.connect();
      const direct = await s.connect();
      const publisher = await s.publisher();
      for (const retain of s.has('retain') ? [true, false] : [false]) {
        await publisher.publish(`${dollar}/x`, 'hidden', { retain, qos: 1 });
      }
      await wild.subscribe('#');
      await wild.subscribe('+/x');
      await direct.subscribe(`${dollar}/#`);
      const retained = await s.collectTexts(direct);
      await publisher.publish(`${dollar}/x`, 'hidden', { qos: 1 });
      const live = await s.collectTexts(direct);
      const seen = (await s.collect(wild)).filter((message) => message.topic.startsWith(dollar));
      equal(
        seen.map((message) => message.topic),
        [],
        'topics with $ under a wildcard',
      );
      // A server may forbid clients to publish there; then nothing arrives at all.
      ok(!t.strict || live.length === 1, 'the filter with $ gets the message');
      ok(!t.strict || retained.length === 1, 'the filter with $ gets the retained message');
      await publisher.publish(`${dollar}/x`, '', { retain: true, qos: 1 });
    },
  },
  {
    v5: 'MQTT-4.7.3-1',
    v311: 'MQTT-4.7.3-1',
    title: 'an empty filter is not granted',
    run: (t) => neverGranted(t, ''),
  },
  {
    v5: 'MQTT-4.7.3-3',
    v311: 'MQTT-4.7.3-3',
    title: 'a topic of 65,535 bytes is delivered, or refused by a limit',
    async run(t) {
      await deliveredOrRefused(t, t.topic('x').padEnd(65_535, 'x'));
    },
  },
  {
    v5: 'MQTT-4.7.3-4',
    v311: 'MQTT-4.7.3-4',
    title: 'topics are compared character by character, without any normalization',
    async run(t) {
      const different = ['a', 'A', 'a/', '/a', 'a//b', 'a/b', 'caf\u00e9', 'cafe\u0301', '\u212b', '\u00c5'];
      for (const topic of different) {
        equal(await matches(t, topic, different), [topic], `topics that ${JSON.stringify(topic)} receives`);
      }
    },
  },
  {
    v5: 'N62',
    v311: 'M20',
    title: 'blanks, and leading, trailing and doubled / are part of a topic',
    async run(t) {
      const different = ['a b', ' a b', 'a  b', 'a//b', '/a', 'a/', '//'];
      for (const topic of different) {
        equal(await matches(t, topic, different), [topic], `topics that ${JSON.stringify(topic)} receives`);
      }
      const slash = await t.connect();
      await slash.subscribe('/');
      await (await t.publisher()).publish('/', t.topic('slash'));
      equal((await slash.message()).topic, '/', 'topic');
    },
  },
  {
    v5: 'MQTT-4.7.3-3',
    title: 'a topic of 200 levels is delivered, or refused by a limit; 201 levels are too many for TobyMQ',
    async run(t) {
      const topic = t.topic('x').concat('/x'.repeat(197));
      equal(topic.split('/').length, 200, 'levels of the topic');
      await deliveredOrRefused(t, topic);
      if (t.strict) {
        const client = await t.connect();
        client.send(packet.subscribe({ id: 1, filters: [[`${topic}/x`, 0]] }));
        const code = (await client.peer.next()).bytes.at(-1) ?? 0;
        ok(code >= 0x80, `a filter of 201 levels was granted with ${code}`);
        const bytes = packet.publish({ topic: `${topic}/x`, payload: 'x' });
        await t.refusesPacket(bytes, { codes: [0x81, 0x82, 0x90] });
      }
    },
  },
]);
