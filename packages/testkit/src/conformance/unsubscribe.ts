// 3.10 and 3.11 UNSUBSCRIBE and UNSUBACK.

import { packet } from '../packet.ts';
import { casesOf } from './case.ts';
import { equal } from './check.ts';
import { badFilter, emptyRequest } from './subscribe.ts';

export const unsubscribeCases = casesOf('3.10 to 3.11 UNSUBSCRIBE', [
  {
    v5: 'MQTT-3.10.3-1',
    v311: 'MQTT-3.10.3-1',
    title: 'a Topic Filter in UNSUBSCRIBE that is not UTF-8 closes the connection',
    async run(t) {
      const bytes = packet.unsubscribe({ version: t.version, id: 1, filters: [badFilter] });
      await t.refusesPacket(bytes, { codes: [0x81] });
    },
  },
  {
    v5: 'MQTT-3.10.3-2',
    v311: 'MQTT-3.10.3-2',
    title: 'an UNSUBSCRIBE without a filter closes the connection',
    async run(t) {
      await t.refusesPacket(emptyRequest(t, 0xa2), { codes: t.strict ? [0x82] : [0x82, 0x81] });
    },
  },
  {
    v5: 'MQTT-3.10.4-1',
    v311: 'MQTT-3.10.4-1',
    title:
      'UNSUBSCRIBE removes the subscription whose filter is the same character by character, and no other',
    needs: ['wildcard'],
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a/+'));
      await client.unsubscribe(t.topic('a/b'), t.topic('a/#'), t.topic('A/+'));
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a/b'), '1');
      equal(await t.collectTexts(client), ['1'], 'messages while subscribed');
      await client.unsubscribe(t.topic('a/+'));
      await publisher.publish(t.topic('a/b'), '2');
      equal(await t.collectTexts(client), [], 'messages afterwards');
    },
  },
  {
    v5: 'MQTT-3.10.4-2',
    v311: 'MQTT-3.10.4-2',
    title: 'after UNSUBACK no new messages come',
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 1);
      await client.unsubscribe(t.topic('a'));
      await (await t.publisher()).publish(t.topic('a'), 'x', { qos: 1 });
      equal(await t.collectTexts(client), [], 'messages');
    },
  },
  {
    v5: 'MQTT-3.10.4-3',
    v311: 'MQTT-3.10.4-3',
    title: 'a delivery that has begun is finished after UNSUBSCRIBE, also after a reconnect',
    needs: ['qos2'],
    async run(t) {
      const clientId = t.clientId();
      const client = await t.connectSession(clientId);
      await client.subscribe(t.topic('a'), 2);
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'one', { qos: 2 });
      await publisher.publish(t.topic('a'), 'two', { qos: 2 });
      const one = await client.message({ ack: false });
      const two = await client.message({ ack: false });
      await client.unsubscribe(t.topic('a'));
      await client.acknowledge(one);
      await client.ping();
      await client.cut();
      const again = await t.connectSession(clientId);
      const repeated = await again.message();
      equal([repeated.id, repeated.payload.toString()], [two.id, 'two'], 'the repeat');
    },
  },
  {
    v5: 'MQTT-3.10.4-4',
    v311: 'MQTT-3.10.4-4',
    title: 'UNSUBSCRIBE is answered with an UNSUBACK of its identifier',
    async run(t) {
      const client = await t.connect();
      client.send(packet.unsubscribe({ version: t.version, id: 0x0107, filters: [t.topic('a')] }));
      const answer = await client.peer.next();
      const expected = t.version === 5 ? 'b00401070011' : 'b0020107';
      equal(answer.bytes.toString('hex'), expected, 'the bytes of UNSUBACK');
    },
  },
  {
    v5: 'MQTT-3.10.4-5',
    v311: 'MQTT-3.10.4-5',
    title: 'an UNSUBACK comes even if nothing was removed',
    async run(t) {
      const client = await t.connect();
      const { codes } = await client.unsubscribe(t.topic('never'));
      equal(codes, t.version === 5 ? [0x11] : [], 'codes');
    },
  },
  {
    v5: ['MQTT-3.10.4-6', 'MQTT-3.11.3-1', 'MQTT-3.11.3-2'],
    v311: 'MQTT-3.10.4-6',
    title: 'several filters get one UNSUBACK, with codes in their order',
    async run(t) {
      const client = await t.connect();
      await client.subscribe([
        [t.topic('a'), 0],
        [t.topic('c'), 0],
      ]);
      const { codes } = await client.unsubscribe(t.topic('a'), t.topic('b'), t.topic('c'));
      equal(codes, t.version === 5 ? [0x00, 0x11, 0x00] : [], 'codes');
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'x');
      await publisher.publish(t.topic('c'), 'x');
      equal(await t.collectTexts(client), [], 'messages');
    },
  },
]);
