// What MQTT 3.1 does differently from 3.1.1. The text of 3.1 has no numbered statements and is silent in many places;
// "accepts" below is what a server has to tolerate from clients of its time.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet, type RawConnect } from '../packet.ts';
import { field } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Context } from './context.ts';

/** The return code for a CONNECT, or undefined for a close without CONNACK. */
async function answerTo(t: Context, options: RawConnect): Promise<number | undefined> {
  const peer = await t.open();
  peer.send(packet.connect({ version: 3, clientId: t.clientId(), ...options }));
  const answer = await peer.next().catch(() => undefined);
  peer.destroy();
  return answer && decode.connack(answer, 3).reason;
}

/** By the letter the CONNECT is fine. A foreign server may apply the rules of 3.1.1. */
async function accepts(t: Context, what: string, options: RawConnect): Promise<void> {
  const code = await answerTo(t, options);
  oneOf(code, t.strict ? [0] : [0, undefined], `return code for ${what}`);
}

/** After these bytes the connection still answers; a foreign server may close it by the rules of 3.1.1. */
async function carriesOn(t: Context, bytes: string | Buffer): Promise<void> {
  const client = await t.connect();
  client.send(bytes);
  const isOpen = await client.ping().then(
    () => true,
    () => false,
  );
  ok(isOpen || !t.strict, `the connection was closed after ${Buffer.from(bytes).toString('hex')}`);
}

export const v31Cases = casesOf('MQTT 3.1', [
  {
    v31: 'V31-01',
    title: 'MQIsdp with level 3 is accepted',
    async run(t) {
      const peer = await t.open();
      peer.send('10 0f 00 06 4d 51 49 73 64 70 03 02 00 3c 00 01', Buffer.from('a'));
      equal((await peer.next()).bytes.toString('hex'), '20020000', 'the answer');
    },
  },
  {
    v31: 'V31-02',
    title: 'name and level belong together',
    async run(t) {
      const codes = t.strict ? [1] : [1, undefined];
      oneOf(await answerTo(t, { level: 4 }), codes, 'return code for MQIsdp with level 4');
      const mixed = await t.open();
      mixed.send(packet.connect({ version: 3, protocolName: 'MQTT', clientId: t.clientId() }));
      const answer = await mixed.next().catch(() => undefined);
      // The form of 5.0 is seen as well.
      oneOf(answer?.body[1], t.strict ? [1] : [1, 0x84, undefined], 'return code for MQTT with level 3');
    },
  },
  {
    v31: 'V31-03',
    title: 'a ClientID of 23 characters is accepted, a longer one accepted or refused with 0x02',
    async run(t) {
      equal(
        await answerTo(t, { clientId: t.clientId().padEnd(23, 'x') }),
        0,
        'return code for 23 characters',
      );
      oneOf(
        await answerTo(t, { clientId: t.clientId().padEnd(24, 'x') }),
        [0, 2],
        'return code for 24 characters',
      );
    },
  },
  {
    v31: 'V31-04',
    title: 'a CONNECT without ClientID is refused with 0x02, even with Clean Session 1',
    async run(t) {
      for (const clean of [true, false]) {
        const peer = await t.open();
        peer.send(packet.connect({ version: 3, clientId: '', clean }));
        const frames = await peer.expectClose();
        equal(
          frames.map((f) => f.bytes.toString('hex')),
          ['20020002'],
          'the answer',
        );
      }
    },
  },
  {
    v31: 'V31-05',
    title: 'the first byte of CONNACK is 0, also for a stored session',
    async run(t) {
      const clientId = t.clientId();
      await (await t.connectSession(clientId)).cut();
      const again = await t.connectSession(clientId);
      equal(again.peer.history[0]?.bytes.toString('hex'), '20020000', 'the answer');
    },
  },
  {
    v31: 'V31-06',
    title: 'wrong credentials are refused with 0x04 or 0x05',
    async run(t) {
      const s = await t.withServer({ users: { toby: 'secret' } });
      await s.connect({ username: 'toby', password: 'secret' });
      oneOf(await answerTo(s, { username: 'toby', password: 'wrong' }), [4, 5], 'return code');
    },
  },
  {
    v31: 'V31-07',
    title: 'the reserved Connect Flag is not checked',
    run: (t) => accepts(t, 'flags 0x03', { flags: 0x03 }),
  },
  {
    v31: 'V31-08',
    title: 'with Will Flag 0 the other bits of the Will are not checked',
    async run(t) {
      await accepts(t, 'flags 0x0a', { flags: 0x0a });
      await accepts(t, 'flags 0x22', { flags: 0x22 });
    },
  },
  {
    v31: 'V31-09',
    title: 'User Name and Password may be missing although their flags are set',
    async run(t) {
      await accepts(t, 'a missing User Name', { flags: 0x82 });
      await accepts(t, 'missing User Name and Password', { flags: 0xc2 });
      await accepts(t, 'a missing Password', {
        flags: 0xc2,
        payload: Buffer.concat([field(t.clientId()), field('u')]),
      });
    },
  },
  {
    v31: 'V31-10',
    title: 'a Password without User Name is refused',
    async run(t) {
      const payload = Buffer.concat([field(t.clientId()), field('password')]);
      await t.refusesConnect(packet.connect({ version: 3, flags: 0x42, payload }), { codes: [] });
    },
  },
  {
    v31: 'V31-11',
    title: 'Will Message and Password may hold any bytes, and the Will arrives byte for byte',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('will'));
      const payload = Buffer.from('fffe00c0af', 'hex');
      const client = await t.connect({
        will: { topic: t.topic('will'), payload },
        username: 'u',
        password: payload,
      });
      await client.cut();
      equal(
        (await observer.message()).payload.toString('hex'),
        payload.toString('hex'),
        'payload of the Will',
      );
    },
  },
  {
    v31: 'V31-12',
    title: 'User Name and Password may be longer than 12 characters',
    async run(t) {
      const long = 'x'.repeat(100);
      oneOf(await answerTo(t, { username: long, password: long }), [0, 4, 5], 'return code');
      if (t.canConfigure) {
        const s = await t.withServer({ users: { [long]: long } });
        equal(
          await answerTo(s, { username: long, password: long }),
          0,
          'return code for correct credentials',
        );
      }
    },
  },
  {
    v31: 'V31-13',
    title: 'a second connection with the same ClientID takes the place of the first',
    async run(t) {
      const clientId = t.clientId();
      const first = await t.connect({ clientId });
      const second = await t.connect({ clientId });
      equal((await first.peer.expectClose()).length, 0, 'packets on the first connection');
      await second.ping();
    },
  },
  {
    v31: 'V31-14',
    title: 'packets sent right behind CONNECT are handled, although 3.1 clients wait',
    async run(t) {
      const peer = await t.open();
      const subscribe = packet.subscribe({ version: 3, id: 1, filters: [[t.topic('a'), 0]] });
      peer.send(
        t.connectBytes(),
        subscribe,
        packet.publish({ version: 3, topic: t.topic('a'), payload: 'x' }),
      );
      await peer.expect(packetType.CONNACK);
      await peer.take(packetType.SUBACK);
      equal(decode.publish(await peer.take(packetType.PUBLISH), 3).payload.toString(), 'x', 'the message');
    },
  },
  {
    v31: 'V31-18',
    title: 'a Keep Alive timeout keeps the subscriptions of a session',
    needs: ['qos1'],
    async run(t) {
      const clientId = t.clientId();
      const client = await t.connectSession(clientId, { keepAlive: 1 });
      await client.subscribe(t.topic('a'), 1);
      await client.peer.expectClose({ timeout: 10_000 });
      await (await t.publisher()).publish(t.topic('a'), 'x', { qos: 1 });
      equal(await t.collectTexts(await t.connectSession(clientId)), ['x'], 'messages');
    },
  },
  {
    v31: 'V31-19',
    title: 'flag bits without a meaning are not checked',
    async run(t) {
      await carriesOn(t, Buffer.from('c100', 'hex'));
      const client = await t.connect();
      client.send('c1 00');
      const isAnswered = await client.peer.take(packetType.PINGRESP).then(
        () => true,
        () => false,
      );
      ok(isAnswered || !t.strict, 'a PINGREQ with a stray flag is answered');
      const leaving = await t.connect();
      leaving.send('e8 00');
      equal((await leaving.peer.expectClose()).length, 0, 'packets after DISCONNECT');
    },
  },
  {
    v31: 'V31-20',
    title: 'PUBREL, SUBSCRIBE and UNSUBSCRIBE may have DUP 1',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      const filters = [[t.topic('a'), 0]] as const;
      const attempt = async (bytes: Buffer, type: number): Promise<void> => {
        client.send(bytes);
        const answer = await client.peer.take(type).catch(() => undefined);
        ok(answer !== undefined || !t.strict, `${bytes.subarray(0, 1).toString('hex')} is answered`);
      };
      client.send(client.publishBytes(t.topic('b'), 'x', { qos: 2, id: 3 }));
      await client.ack(packetType.PUBREC, 3);
      await attempt(packet.pubrel({ id: 3, firstByte: 0x6a }), packetType.PUBCOMP);
      await attempt(packet.subscribe({ version: 3, id: 1, filters, firstByte: 0x8a }), packetType.SUBACK);
      await attempt(
        packet.unsubscribe({ version: 3, id: 2, filters: ['a'], firstByte: 0xaa }),
        packetType.UNSUBACK,
      );
    },
  },
  {
    v31: 'V31-21',
    title: 'PUBLISH and SUBSCRIBE may be repeated on an open connection',
    needs: ['qos2'],
    async run(t) {
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 2);
      const client = await t.connect();
      for (const dup of [false, true]) {
        client.send(client.publishBytes(t.topic('a'), 'once', { qos: 2, id: 5, dup }));
        await client.ack(packetType.PUBREC, 5);
      }
      client.send(packet.pubrel({ id: 5 }));
      await client.ack(packetType.PUBCOMP, 5);
      const subscribe = packet.subscribe({ version: 3, id: 6, filters: [[t.topic('b'), 1]] });
      client.send(subscribe, subscribe);
      equal((await client.codes(packetType.SUBACK, 6)).codes, [1], 'codes of the first SUBACK');
      equal((await client.codes(packetType.SUBACK, 6)).codes, [1], 'codes of the second SUBACK');
      equal(await t.collectTexts(subscriber, { from: client }), ['once'], 'messages');
    },
  },
  {
    v31: 'V31-22',
    title: 'what is open is repeated on reconnect',
    needs: ['qos2'],
    async run(t) {
      const clientId = t.clientId();
      const client = await t.connectSession(clientId);
      const publisher = await t.publisher();
      await client.subscribe(t.topic('a'), 2);
      await publisher.publish(t.topic('a'), 'released', { qos: 2 });
      const released = await client.message({ ack: false });
      client.send(packet.pubrec({ id: released.id }));
      await client.ack(packetType.PUBREL, released.id);
      await publisher.publish(t.topic('a'), 'open', { qos: 1 });
      const open = await client.message({ ack: false });
      await client.cut();
      const again = await t.connectSession(clientId);
      await again.ack(packetType.PUBREL, released.id);
      again.send(packet.pubcomp({ id: released.id }));
      const repeated = await again.message();
      equal([repeated.id, repeated.dup, repeated.payload.toString()], [open.id, true, 'open'], 'the repeat');
    },
  },
  {
    v31: 'V31-23',
    title: 'identifier 0 is refused',
    async run(t) {
      const filters = [[t.topic('a'), 0]] as const;
      await t.refusesPacket(packet.subscribe({ version: 3, id: 0, filters }), { codes: [] });
      const publish = packet.publish({ version: 3, topic: t.topic('a'), qos: 1, id: 0 });
      await t.refusesPacket(publish, { codes: [] });
    },
  },
  {
    v31: 'V31-24',
    title: 'a forbidden subscription is acknowledged with a granted QoS and delivers nothing',
    async run(t) {
      const s = await t.withServer({ deny: { subscribe: ['no/#'] } });
      const client = await s.connect();
      const { codes } = await client.subscribe('no/way', 1);
      oneOf(codes, [[0], [1], [2]], 'codes of SUBACK');
      await (await s.publisher()).publish('no/way', 'x', { qos: 1 });
      equal(await s.collectTexts(client), [], 'messages');
    },
  },
  {
    v31: 'V31-25',
    title: 'a forbidden PUBLISH is acknowledged and dropped',
    needs: ['qos2'],
    async run(t) {
      const s = await t.withServer({ deny: { publish: ['no/#'] } });
      const observer = await s.connect();
      await observer.subscribe('no/#');
      const client = await s.connect();
      await client.publish('no/way', 'x', { qos: 1 });
      await client.publish('no/way', 'x', { qos: 2 });
      await client.ping();
      equal(await s.collectTexts(observer), [], 'messages');
    },
  },
  {
    v31: 'V31-26',
    title: 'an empty retained message removes the retained message',
    needs: ['retain'],
    async run(t) {
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      await publisher.publish(t.topic('a'), '', { retain: true, qos: 1 });
      const late = await t.connect();
      await late.subscribe(t.topic('a'));
      equal(await t.collectTexts(late), [], 'retained messages');
    },
  },
  {
    v31: 'V31-28',
    title: 'the same SUBSCRIBE again may send the retained messages again',
    needs: ['retain'],
    async run(t) {
      await (await t.publisher()).publish(t.topic('a'), 'A', { retain: true, qos: 1 });
      const client = await t.connect();
      await client.subscribe(t.topic('a'));
      equal(await t.collectTexts(client), ['A'], 'retained messages of the first SUBSCRIBE');
      await client.subscribe(t.topic('a'));
      oneOf(await t.collectTexts(client), [['A'], []], 'retained messages of the second');
    },
  },
  {
    v31: 'V31-29',
    title: 'SUBSCRIBE and UNSUBSCRIBE without a filter are acknowledged or close the connection',
    async run(t) {
      for (const [bytes, expected] of [
        ['82 02 00 01', '90020001'],
        ['a2 02 00 01', 'b0020001'],
      ] as const) {
        const client = await t.connect();
        client.send(bytes);
        const answer = await client.peer.next().catch(() => undefined);
        oneOf(answer?.bytes.toString('hex'), [expected, undefined], 'the answer');
      }
    },
  },
  {
    v31: 'V31-30',
    title: 'DUP 1 at QoS 0 is not an error',
    run: (t) => carriesOn(t, packet.publish({ version: 3, topic: t.topic('a'), payload: 'x', dup: true })),
  },
  {
    v31: 'V31-32',
    title: 'a delivered message has exactly the published topic',
    needs: ['wildcard'],
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('#'));
      await (await t.publisher()).publish(t.topic('some/topic'), 'x');
      equal((await client.message()).topic, t.topic('some/topic'), 'topic');
    },
  },
  {
    v31: 'V31-33',
    title: 'U+0000 in its two-byte form, as old Java clients wrote it, is refused in a topic',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('#'));
      const topic = Buffer.concat([Buffer.from(t.topic('a')), Buffer.from('c080', 'hex')]);
      await t.refusesPacket(packet.publish({ version: 3, topic, payload: 'x' }), {
        codes: [],
        advisory: true,
      });
      equal(await t.collectTexts(observer), [], 'messages');
    },
  },
]);
