// 4.3 to 4.6 Quality of Service, retransmission, receipt, order.

import type { Message } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';

/** A resumable subscriber to `a` with one open delivery at this QoS. */
export async function openDelivery(
  t: Context,
  qos: number,
): Promise<{ clientId: string; client: Client; open: Message }> {
  const clientId = t.clientId();
  const client = await t.connectSession(clientId);
  await client.subscribe(t.topic('a'), qos);
  await (await t.publisher()).publish(t.topic('a'), 'open', { qos });
  return { clientId, client, open: await client.message({ ack: false }) };
}

/** Publishes at QoS 2 up to the PUBREC. */
async function publishUntilPubrec(
  client: Client,
  topic: string,
  payload: string,
  id: number,
  dup = false,
): Promise<number> {
  client.send(client.publishBytes(topic, payload, { qos: 2, id, dup }));
  return (await client.ack(packetType.PUBREC, id)).reason;
}

async function release(client: Client, id: number): Promise<number> {
  client.send(packet.pubrel({ id }));
  return (await client.ack(packetType.PUBCOMP, id)).reason;
}

export const qosCases = casesOf('4.3 to 4.6 QoS, retry, order', [
  {
    v5: 'MQTT-4.3.1-1',
    v311: 'MQTT-4.3.1-1',
    title: 'a QoS 0 message is delivered with QoS 0 and DUP 0',
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 2);
      await client.publish(t.topic('a'), 'x');
      equal((await client.peer.take(packetType.PUBLISH)).bytes[0], 0x30, 'first byte');
    },
  },
  {
    v5: ['MQTT-4.3.2-1', 'MQTT-4.3.2-2', 'MQTT-4.3.3-1', 'MQTT-4.3.3-2'],
    v311: 'MQTT-4.3.2-1',
    title: 'each new QoS 1, 2 message goes out with DUP 0 and an identifier that is not in use',
    needs: ['qos2'],
    async run(t) {
      const publisher = await t.publisher();
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 2);
      const seen: Message[] = [];
      for (let index = 0; index < 10; index += 1) {
        const qos = (index % 2) + 1;
        await publisher.publish(t.topic('a'), String(index), { qos });
        const message = await client.message({ ack: false });
        equal([message.qos, message.dup], [qos, false], 'QoS and DUP');
        seen.push(message);
      }
      equal(new Set(seen.map(({ id }) => id)).size, 10, 'different identifiers of ten open deliveries');
      ok(
        seen.every(({ id }) => id > 0),
        'no identifier is 0',
      );
    },
  },
  {
    v5: ['MQTT-4.3.2-3', 'MQTT-3.3.1-1'],
    v311: ['MQTT-4.3.2-1', 'MQTT-3.3.1-1'],
    title: 'a QoS 1 delivery without PUBACK is repeated after a reconnect with the same identifier and DUP 1',
    needs: ['qos1'],
    async run(t) {
      const { clientId, client, open } = await openDelivery(t, 1);
      await client.cut();
      const again = await t.connectSession(clientId);
      const repeated = await again.message();
      equal([repeated.id, repeated.dup, repeated.payload.toString()], [open.id, true, 'open'], 'the repeat');
      await again.ping();
      await again.cut();
      const third = await t.connectSession(clientId);
      equal(await t.collectTexts(third), [], 'repeats after the PUBACK');
    },
  },
  {
    v5: 'MQTT-4.3.2-4',
    v311: ['MQTT-4.3.2-2', 'MQTT-3.3.4-1'],
    title: 'a QoS 1 PUBLISH is answered with PUBACK, and then belongs to the server',
    needs: ['qos1'],
    async run(t) {
      const clientId = t.clientId();
      const offline = await t.connectSession(clientId);
      await offline.subscribe(t.topic('a'), 1);
      await offline.cut();
      const publisher = await t.connect();
      await publisher.publish(t.topic('a'), 'owned', { qos: 1 });
      publisher.peer.reset();
      const again = await t.connectSession(clientId);
      equal((await again.message()).payload.toString(), 'owned', 'the message');
    },
  },
  {
    v5: 'MQTT-4.3.2-5',
    v311: 'MQTT-4.3.2-2',
    title: 'after PUBACK the same identifier means a new message, whatever DUP says',
    needs: ['qos1'],
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 1);
      await client.publish(t.topic('a'), 'first', { qos: 1, id: 1000 });
      await client.publish(t.topic('a'), 'second', { qos: 1, id: 1000, dup: true });
      equal(await t.collectTexts(client), ['first', 'second'], 'messages');
    },
  },
  {
    v5: 'MQTT-4.3.3-3',
    v311: 'MQTT-4.3.3-1',
    title: 'a QoS 2 delivery without PUBREC is repeated after a reconnect',
    needs: ['qos2'],
    async run(t) {
      const { clientId, client, open } = await openDelivery(t, 2);
      await client.cut();
      const again = await t.connectSession(clientId);
      const repeated = await again.message();
      equal(
        [repeated.id, repeated.dup, repeated.qos],
        [open.id, true, 2],
        'identifier, DUP and QoS of the repeat',
      );
    },
  },
  {
    v5: 'MQTT-4.3.3-4',
    title: 'PUBREC below 0x80 is answered with PUBREL, a failing one ends the exchange',
    needs: ['qos2'],
    async run(t) {
      const publisher = await t.publisher();
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 2);
      await publisher.publish(t.topic('a'), 'x', { qos: 2 });
      await client.message();
      await publisher.publish(t.topic('a'), 'x', { qos: 2 });
      const { id } = await client.message({ ack: false });
      client.send(packet.pubrec({ id, reason: 0x80 }));
      await client.ping();
      client.expectQuiet('after a PUBREC of 0x80');
    },
  },
  {
    v5: ['MQTT-4.3.3-5', 'MQTT-4.3.3-6'],
    v311: 'MQTT-4.3.3-1',
    title: 'a PUBREL without PUBCOMP is repeated after a reconnect, and the PUBLISH is not',
    needs: ['qos2'],
    async run(t) {
      const { clientId, client, open } = await openDelivery(t, 2);
      client.send(packet.pubrec({ id: open.id }));
      await client.ack(packetType.PUBREL, open.id);
      await client.cut();
      const again = await t.connectSession(clientId);
      await again.ack(packetType.PUBREL, open.id);
      again.send(packet.pubcomp({ id: open.id }));
      equal(await t.collectTexts(again), [], 'messages after PUBREL');
    },
  },
  {
    v5: 'MQTT-4.3.3-7',
    title: 'a QoS 2 message that was sent once does not expire',
    needs: ['qos2'],
    async run(t) {
      const clientId = t.clientId();
      const client = await t.connectSession(clientId);
      await client.subscribe(t.topic('a'), 2);
      const properties = [[property.messageExpiryInterval, 1] as const];
      await (await t.publisher()).publish(t.topic('a'), 'sent', { qos: 2, properties });
      const { id } = await client.message({ ack: false });
      await client.cut();
      await t.sleep(2500);
      const again = await t.connectSession(clientId);
      const repeated = await again.message();
      equal([repeated.id, repeated.payload.toString()], [id, 'sent'], 'the repeat');
    },
  },
  {
    v5: 'MQTT-4.3.3-8',
    v311: 'MQTT-4.3.3-2',
    title: 'a QoS 2 PUBLISH is answered with PUBREC',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      oneOf(await publishUntilPubrec(client, t.topic('a'), 'x', 5), [0x00, 0x10], 'code of PUBREC');
      await release(client, 5);
    },
  },
  {
    v5: 'MQTT-4.3.3-9',
    title: 'after a failing PUBREC the same identifier means a new message',
    needs: ['qos2'],
    async run(t) {
      const s = await t.withServer({ deny: { publish: ['no/#'] } });
      const client = await s.connect();
      await client.subscribe(s.topic('a'), 2);
      equal(await publishUntilPubrec(client, 'no/way', 'x', 1000), 0x87, 'code of PUBREC');
      equal(
        await client.publish(s.topic('a'), 'allowed', { qos: 2, id: 1000 }),
        0,
        'code of the second PUBREC',
      );
      equal(await s.collectTexts(client), ['allowed'], 'messages');
    },
  },
  {
    v5: 'MQTT-4.3.3-10',
    v311: 'MQTT-4.3.3-2',
    title:
      'until PUBREL a repeated QoS 2 PUBLISH is answered with PUBREC and not delivered again, also after a reconnect',
    needs: ['qos2'],
    async run(t) {
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 2);
      const clientId = t.clientId();
      const first = await t.connectSession(clientId);
      await publishUntilPubrec(first, t.topic('a'), 'once', 9);
      await publishUntilPubrec(first, t.topic('a'), 'once', 9, true);
      await first.cut();
      const again = await t.connectSession(clientId);
      await publishUntilPubrec(again, t.topic('a'), 'once', 9, true);
      equal(await release(again, 9), 0, 'code of PUBCOMP');
      equal(await t.collectTexts(subscriber, { from: again }), ['once'], 'messages');
    },
  },
  {
    v5: 'MQTT-4.3.3-11',
    v311: ['MQTT-4.3.3-2', 'M18'],
    title: 'PUBREL is answered with PUBCOMP of the same identifier',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      await publishUntilPubrec(client, t.topic('a'), 'x', 0x1234);
      equal(await release(client, 0x1234), 0, 'code of PUBCOMP');
      oneOf(
        await release(client, 0x4321),
        t.strict ? [0x00] : [0x00, 0x92],
        'code of PUBCOMP for an unknown identifier',
      );
    },
  },
  {
    v5: 'MQTT-4.3.3-12',
    v311: 'MQTT-4.3.3-2',
    title: 'after PUBCOMP the identifier means a new message',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 2);
      await client.publish(t.topic('a'), 'first', { qos: 2, id: 1000 });
      await client.publish(t.topic('a'), 'second', { qos: 2, id: 1000 });
      equal(await t.collectTexts(client), ['first', 'second'], 'messages');
    },
  },
  {
    v5: 'MQTT-4.3.3-13',
    title: 'a QoS 2 exchange is finished even if the message has expired meanwhile',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      const properties = [[property.messageExpiryInterval, 1] as const];
      client.send(client.publishBytes(t.topic('a'), 'x', { qos: 2, id: 3, properties }));
      await client.ack(packetType.PUBREC, 3);
      await t.sleep(2500);
      equal(await release(client, 3), 0, 'code of PUBCOMP');
    },
  },
  {
    v5: 'MQTT-4.4.0-1',
    v311: 'MQTT-4.4.0-1',
    title:
      'open PUBLISH and PUBREL packets are repeated on reconnect, in order and with their identifiers, and only then',
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
      await publisher.publish(t.topic('a'), 'one', { qos: 1 });
      await publisher.publish(t.topic('a'), 'two', { qos: 2 });
      const open = [await client.message({ ack: false }), await client.message({ ack: false })];
      await t.sleep(1500);
      client.expectQuiet('on an open connection');
      await client.cut();
      const again = await t.connectSession(clientId);
      await again.ack(packetType.PUBREL, released.id);
      again.send(packet.pubcomp({ id: released.id }));
      const repeated = [await again.message(), await again.message()];
      const show = (messages: readonly Message[]) => messages.map((m) => [m.id, m.payload.toString()]);
      equal(show(repeated), show(open), 'identifiers and payloads of the repeats');
      ok(
        repeated.every(({ dup }) => dup),
        'every repeat has DUP 1',
      );
    },
  },
  {
    v5: 'MQTT-4.4.0-2',
    title: 'a failing PUBACK or PUBREC acknowledges: the message is not repeated',
    needs: ['qos2'],
    async run(t) {
      const one = await openDelivery(t, 1);
      one.client.send(packet.puback({ id: one.open.id, reason: 0x80 }));
      await one.client.ping();
      await one.client.cut();
      equal(await t.collectTexts(await t.connectSession(one.clientId)), [], 'repeats after PUBACK 0x80');
      const two = await openDelivery(t, 2);
      two.client.send(packet.pubrec({ id: two.open.id, reason: 0x83 }));
      await two.client.ping();
      await two.client.cut();
      equal(await t.collectTexts(await t.connectSession(two.clientId)), [], 'repeats after PUBREC 0x83');
    },
  },
  {
    v5: 'MQTT-4.5.0-1',
    v311: 'MQTT-4.5.0-1',
    title: 'a message goes to every session with a matching subscription, online or not',
    needs: ['qos2'],
    async run(t) {
      const clientId = t.clientId();
      const offline = await t.connectSession(clientId);
      await offline.subscribe(t.topic('a'), 2);
      await offline.cut();
      const online = await t.connect();
      await online.subscribe(t.topic('a'), 2);
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), '1', { qos: 1 });
      await publisher.publish(t.topic('a'), '2', { qos: 2 });
      equal((await t.collectTexts(online)).sort(), ['1', '2'], 'messages of the client online');
      const back = await t.connectSession(clientId);
      equal((await t.collectTexts(back)).sort(), ['1', '2'], 'messages of the client that was offline');
    },
  },
  {
    v5: ['MQTT-4.6.0-5', 'MQTT-4.6.0-6'],
    v311: ['MQTT-4.6.0-5', 'MQTT-4.6.0-6'],
    title:
      'messages of one client on one topic and QoS arrive in the order of sending, online and after a reconnect',
    needs: ['qos2'],
    async run(t) {
      const count = 300;
      const publisher = await t.publisher();
      const online = await t.connect();
      const clientId = t.clientId();
      const offline = await t.connectSession(clientId);
      await online.subscribe(t.topic('order'), 2);
      await offline.subscribe(t.topic('order'), 2);
      await offline.cut();
      const expected = Array.from({ length: count }, (_, index) => String(index));
      const ofQos = (messages: readonly Message[], qos: number): string[] =>
        messages.filter((m) => m.qos === qos).map((m) => m.payload.toString());
      const seen: Message[] = [];
      for (let start = 0; start < count; start += 10) {
        const batch = expected
          .slice(start, start + 10)
          .flatMap((text) => [0, 1, 2].map((qos) => ({ text, qos })));
        const published = t.aside(
          Promise.all(batch.map(({ text, qos }) => publisher.publish(t.topic('order'), text, { qos }))),
        );
        for (let index = 0; index < batch.length; index += 1) {
          seen.push(await online.message());
        }
        await published;
      }
      for (const qos of [0, 1, 2]) {
        equal(ofQos(seen, qos), expected, `order at QoS ${qos}`);
      }
      const back = await t.connectSession(clientId);
      const queued: Message[] = [];
      // A server may keep QoS 0 messages for an offline session; that is not asked here.
      while (queued.filter((m) => m.qos > 0).length < 2 * count) {
        queued.push(await back.message());
      }
      equal(ofQos(queued, 1), expected, 'order at QoS 1 after the reconnect');
      equal(ofQos(queued, 2), expected, 'order at QoS 2 after the reconnect');
    },
  },
  {
    v311: 'M16',
    title: 'a repeated PUBLISH on an open connection is accepted',
    needs: ['qos2'],
    async run(t) {
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'), 2);
      const client = await t.connect();
      await publishUntilPubrec(client, t.topic('a'), 'x', 4);
      await publishUntilPubrec(client, t.topic('a'), 'x', 4, true);
      await release(client, 4);
      equal(await t.collectTexts(subscriber, { from: client }), ['x'], 'messages');
    },
  },
]);
