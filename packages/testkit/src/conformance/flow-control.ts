// 4.9 Flow control, and the Maximum Packet Size of the client.

import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';

/** A subscriber to `a` with this Receive Maximum, for which this many QoS 1 messages were published. */
async function windowed(t: Context, receiveMaximum: number, count: number): Promise<Client> {
  const subscriber = await t.connect({ properties: [[property.receiveMaximum, receiveMaximum]] });
  await subscriber.subscribe(t.topic('a'), 2);
  const publisher = await t.publisher();
  for (let index = 1; index <= count; index += 1) {
    await publisher.publish(t.topic('a'), String(index), { qos: 1 });
  }
  return subscriber;
}

/** Messages that are delivered now, without acknowledging them. */
async function delivered(t: Context, client: Client): Promise<{ id: number; text: string }[]> {
  const messages = await t.collect(client, { qos: 0, ack: false });
  return messages.map((message) => ({ id: message.id, text: message.payload.toString() }));
}

export const flowControlCases = casesOf('4.9 Flow control and packet size', [
  {
    v5: ['MQTT-3.3.4-7', 'N28'],
    title: 'a client with more open QoS 1, 2 messages than the server takes is disconnected with 0x93',
    needs: ['qos2'],
    async run(t) {
      const s = t.canConfigure ? await t.withServer({ receiveMaximum: 3 }) : t;
      const client = await s.connect();
      const announced = Number(client.connack.properties.get(property.receiveMaximum)?.[0] ?? 65_535);
      ok(!t.canConfigure || announced === 3, `the server announces its Receive Maximum: ${announced}`);
      if (announced > 2000) {
        return;
      }
      // A QoS 2 exchange stays open until PUBREL, so that the window is full for certain.
      for (let id = 1; id <= announced + 1; id += 1) {
        client.send(client.publishBytes(s.topic('a'), 'x', { qos: 2, id }));
      }
      const seen = await s.refused(client, { codes: [0x93], besides: [packetType.PUBREC] });
      ok(seen.length <= announced, `${seen.length} PUBRECs for ${announced} exchanges`);
    },
  },
  {
    v5: 'MQTT-3.3.4-7',
    title: 'finished exchanges, and those of an earlier connection, do not count against Receive Maximum',
    needs: ['qos2'],
    async run(t) {
      const s = t.canConfigure ? await t.withServer({ receiveMaximum: 3 }) : t;
      const clientId = s.clientId();
      const first = await s.connectSession(clientId);
      const announced = Number(first.connack.properties.get(property.receiveMaximum)?.[0] ?? 65_535);
      const count = Math.min(announced, 50);
      for (let index = 0; index <= count; index += 1) {
        await first.publish(s.topic('a'), 'x', { qos: 1 });
        await first.publish(s.topic('a'), 'x', { qos: 2 });
      }
      for (let id = 1000; id < 1000 + count; id += 1) {
        first.send(first.publishBytes(s.topic('a'), 'x', { qos: 2, id }));
        await first.ack(packetType.PUBREC, id);
      }
      await first.cut();
      const again = await s.connectSession(clientId);
      for (let id = 1000; id < 1000 + count; id += 1) {
        again.send(again.publishBytes(s.topic('a'), 'x', { qos: 2, id, dup: true }));
        await again.ack(packetType.PUBREC, id);
        again.send(packet.pubrel({ id }));
        await again.ack(packetType.PUBCOMP, id);
      }
      for (let id = 2000; id < 2000 + count; id += 1) {
        again.send(again.publishBytes(s.topic('a'), 'x', { qos: 2, id }));
        await again.ack(packetType.PUBREC, id);
      }
      await again.ping();
    },
  },
  {
    v5: ['MQTT-3.3.4-9', 'MQTT-4.9.0-2'],
    title: 'no more QoS 1, 2 messages are open towards a client than its Receive Maximum',
    needs: ['qos1'],
    async run(t) {
      const client = await windowed(t, 2, 5);
      const first = await delivered(t, client);
      equal(
        first.map(({ text }) => text),
        ['1', '2'],
        'open deliveries',
      );
      client.send(packet.puback({ id: first[0]!.id }));
      equal(
        (await delivered(t, client)).map(({ text }) => text),
        ['3'],
        'deliveries after one PUBACK',
      );
      client.send(packet.puback({ id: first[1]!.id }));
      equal(
        (await delivered(t, client)).map(({ text }) => text),
        ['4'],
        'deliveries after another',
      );
    },
  },
  {
    v5: ['MQTT-3.3.4-10', 'MQTT-4.9.0-3'],
    title: 'a full window holds back nothing but PUBLISH',
    needs: ['qos2'],
    async run(t) {
      const client = await windowed(t, 1, 3);
      equal((await delivered(t, client)).length, 1, 'open deliveries');
      await client.ping();
      equal((await client.subscribe(t.topic('b'), 1)).codes, [1], 'codes of SUBACK');
      await client.publish(t.topic('c'), 'x', { qos: 1 });
      await client.publish(t.topic('c'), 'x', { qos: 2 });
      await client.unsubscribe(t.topic('b'));
    },
  },
  {
    v5: 'MQTT-4.9.0-1',
    title: 'with Receive Maximum 1 messages come one by one',
    needs: ['qos1'],
    async run(t) {
      const client = await windowed(t, 1, 3);
      for (const text of ['1', '2', '3']) {
        const now = await delivered(t, client);
        equal(
          now.map((message) => message.text),
          [text],
          'open deliveries',
        );
        client.send(packet.puback({ id: now[0]!.id }));
      }
      equal(await delivered(t, client), [], 'deliveries after the last one');
    },
  },
  {
    v5: 'N58',
    title: 'the window is new with each connection, and a PUBCOMP of the last one does not widen it',
    needs: ['qos2'],
    async run(t) {
      const clientId = t.clientId();
      const properties = [[property.receiveMaximum, 2] as const];
      const first = await t.connectSession(clientId, { properties });
      await first.subscribe(t.topic('a'), 2);
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'released', { qos: 2 });
      const { id } = await first.message({ ack: false });
      first.send(packet.pubrec({ id }));
      await first.ack(packetType.PUBREL, id);
      await first.cut();
      const again = await t.connectSession(clientId, { properties });
      await again.ack(packetType.PUBREL, id);
      for (const text of ['1', '2', '3', '4']) {
        await publisher.publish(t.topic('a'), text, { qos: 1 });
      }
      const before = await delivered(t, again);
      oneOf(before.length, [1, 2], 'open deliveries beside the PUBREL');
      again.send(packet.pubcomp({ id }));
      const after = await delivered(t, again);
      equal(before.length + after.length, 2, 'open deliveries after the PUBCOMP');
    },
  },
  {
    v5: 'N58',
    title: 'a successful PUBREC leaves the window closed; PUBCOMP and a failing PUBREC open it',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect({ properties: [[property.receiveMaximum, 1]] });
      await client.subscribe(t.topic('a'), 2);
      const publisher = await t.publisher();
      for (const text of ['1', '2', '3']) {
        await publisher.publish(t.topic('a'), text, { qos: 2 });
      }
      const [first] = await delivered(t, client);
      equal(first?.text, '1', 'the first delivery');
      const { id } = first!;
      client.send(packet.pubrec({ id }));
      await client.ack(packetType.PUBREL, id);
      equal(await delivered(t, client), [], 'deliveries after PUBREC');
      client.send(packet.pubcomp({ id }));
      const [second] = await delivered(t, client);
      equal(second?.text, '2', 'the delivery after PUBCOMP');
      client.send(packet.pubrec({ id: second!.id, reason: 0x80 }));
      equal(
        (await delivered(t, client)).map(({ text }) => text),
        ['3'],
        'deliveries after a failing PUBREC',
      );
    },
  },
  {
    v5: 'MQTT-3.1.2-24',
    title: 'the server sends no packet above the Maximum Packet Size of the client',
    async run(t) {
      const topic = t.topic('size');
      const overhead = packet.publish({ topic, payload: '' }).length;
      const limit = overhead + 20;
      const client = await t.connect({ properties: [[property.maximumPacketSize, limit]] });
      await client.subscribe(topic);
      const publisher = await t.publisher();
      for (const length of [19, 20, 21, 5]) {
        await publisher.publish(topic, 'x'.repeat(length));
      }
      const lengths = (await t.collect(client)).map((message) => message.payload.length);
      equal(lengths, [19, 20, 5], 'lengths of the delivered payloads');
      if (t.has('retain')) {
        await publisher.publish(topic, 'x'.repeat(21), { retain: true, qos: 1 });
        await client.unsubscribe(topic);
        await client.subscribe(topic);
        equal(await t.collectTexts(client), [], 'retained messages above the limit');
      }
    },
  },
  {
    v5: 'MQTT-3.1.2-25',
    title:
      'a message too large for the client counts as delivered: the next one comes, and it does not come back',
    needs: ['qos1'],
    async run(t) {
      const clientId = t.clientId();
      const properties = [
        [property.maximumPacketSize, 100],
        [property.receiveMaximum, 1],
      ] as const;
      const client = await t.connectSession(clientId, { properties });
      await client.subscribe(t.topic('a'), 1);
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'x'.repeat(200), { qos: 1 });
      await publisher.publish(t.topic('a'), 'small', { qos: 1 });
      equal((await client.message()).payload.toString(), 'small', 'the message');
      await client.ping();
      await client.cut();
      equal(await t.collectTexts(await t.connectSession(clientId)), [], 'messages after the reconnect');
    },
  },
]);
