// Sessions: Clean Start and Clean Session, Session Expiry, what is kept and for how long.

import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok } from './check.ts';
import type { Context } from './context.ts';

/** A session with a subscription to `a`, left by its client. */
async function leaveSession(t: Context, clientId: string, expiry = 300): Promise<void> {
  const client = await t.connectSession(clientId, { expiry });
  await client.subscribe(t.topic('a'), t.has('qos2') ? 2 : 1);
  await client.cut();
}

async function publishToA(t: Context, ...payloads: readonly string[]): Promise<void> {
  const publisher = await t.publisher();
  for (const [index, payload] of payloads.entries()) {
    await publisher.publish(t.topic('a'), payload, { qos: (index % 2) + 1 });
  }
}

export const sessionCases = casesOf('Sessions', [
  {
    v5: 'MQTT-3.1.2-4',
    v311: 'MQTT-3.1.2-6',
    title: 'a clean start throws the old session away',
    needs: ['qos2'],
    async run(t) {
      const clientId = t.clientId();
      await leaveSession(t, clientId);
      await publishToA(t, 'old');
      const clean = await t.connect({ clientId });
      ok(!clean.connack.sessionPresent, 'no Session Present');
      await publishToA(t, 'new');
      equal(await t.collectTexts(clean), [], 'messages of the old subscription');
      await clean.cut();
      const again = await t.connectSession(clientId);
      ok(!again.connack.sessionPresent, 'the clean session left nothing behind');
    },
  },
  {
    v5: 'MQTT-3.1.2-5',
    v311: ['MQTT-3.1.2-4', 'MQTT-3.1.2-5', 'MQTT-4.1.0-1'],
    title: 'a stored session is resumed with its subscriptions and its queued messages',
    needs: ['qos2'],
    async run(t) {
      const clientId = t.clientId();
      await leaveSession(t, clientId);
      await publishToA(t, 'qos 1', 'qos 2');
      const again = await t.connectSession(clientId);
      ok(again.connack.sessionPresent, 'Session Present');
      equal((await t.collectTexts(again)).sort(), ['qos 1', 'qos 2'], 'queued messages');
      await publishToA(t, 'later');
      equal(await t.collectTexts(again), ['later'], 'messages of the resumed subscription');
    },
  },
  {
    v5: 'MQTT-3.1.2-6',
    title: 'Clean Start 0 without a stored session begins a new one',
    async run(t) {
      const client = await t.connect({ clean: false });
      ok(!client.connack.sessionPresent, 'no Session Present');
      await client.subscribe(t.topic('a'));
      await (await t.publisher()).publish(t.topic('a'), 'x');
      equal(await t.collectTexts(client), ['x'], 'messages');
    },
  },
  {
    v5: 'MQTT-3.1.2-23',
    title: 'a Session Expiry Interval keeps the session after the close',
    needs: ['qos1'],
    async run(t) {
      const clientId = t.clientId();
      await leaveSession(t, clientId, 30);
      await publishToA(t, 'kept');
      const again = await t.connectSession(clientId);
      ok(again.connack.sessionPresent, 'Session Present');
      equal(await t.collectTexts(again), ['kept'], 'queued messages');
    },
  },
  {
    v5: 'MQTT-4.1.0-1',
    v311: 'MQTT-4.1.0-2',
    title: 'a session lasts at least as long as its connection',
    needs: ['qos2'],
    async run(t) {
      const clients = [await t.connect(), await t.connect({ expiry: 1 })];
      for (const client of clients) {
        await client.subscribe(t.topic('a'));
        client.send(client.publishBytes(t.topic('b'), 'open', { qos: 2, id: 77 }));
        await client.ack(packetType.PUBREC, 77);
      }
      await t.sleep(2500);
      for (const client of clients) {
        client.send(packet.pubrel({ id: 77 }));
        equal((await client.ack(packetType.PUBCOMP, 77)).reason, 0, 'code of PUBCOMP');
      }
      await (await t.publisher()).publish(t.topic('a'), 'x');
      for (const client of clients) {
        equal(await t.collectTexts(client), ['x'], 'messages');
      }
    },
  },
  {
    v5: ['MQTT-4.1.0-2', 'N14'],
    title: 'a session ends when its Session Expiry Interval has passed after the close',
    async run(t) {
      const [never, one, zero] = [t.clientId(), t.clientId(), t.clientId()];
      await leaveSession(t, never, 0xffffffff);
      await leaveSession(t, one, 1);
      await leaveSession(t, zero, 0);
      const again = await t.connectSession(zero);
      ok(!again.connack.sessionPresent, 'expiry 0: the session is gone at once');
      await publishToA(t, 'old');
      await t.sleep(2700);
      const expired = await t.connectSession(one);
      ok(!expired.connack.sessionPresent, 'expiry 1: the session is gone after 2.7 seconds');
      equal(await t.collectTexts(expired), [], 'messages of the expired session');
      const kept = await t.connectSession(never);
      ok(kept.connack.sessionPresent, 'expiry 0xFFFFFFFF: the session is there');
    },
  },
  {
    v5: 'MQTT-4.1.0-2',
    title: 'the Session Expiry Interval of the last CONNECT counts',
    async run(t) {
      const [shorter, longer] = [t.clientId(), t.clientId()];
      await leaveSession(t, shorter, 300);
      await leaveSession(t, shorter, 1);
      await leaveSession(t, longer, 1);
      await leaveSession(t, longer, 300);
      await t.sleep(2700);
      ok(
        !(await t.connectSession(shorter)).connack.sessionPresent,
        '300, then 1 second: the session is gone',
      );
      ok(
        (await t.connectSession(longer)).connack.sessionPresent,
        '1, then 300 seconds: the session is there',
      );
    },
  },
  {
    v5: 'N15',
    title: 'a server with a cap on sessions announces it in CONNACK, and the cap counts',
    async run(t) {
      const s = await t.withServer({ sessionExpiryMaximum: 1 });
      const clientId = s.clientId();
      const client = await s.connectSession(clientId, { expiry: 1000 });
      equal(client.connack.properties.get(property.sessionExpiryInterval), [1], 'Session Expiry Interval');
      await client.cut();
      await t.sleep(2700);
      ok(!(await s.connectSession(clientId)).connack.sessionPresent, 'the session is gone after 2.7 seconds');
    },
  },
  {
    v5: 'N44',
    title: 'a Session Expiry Interval in DISCONNECT after 0 in CONNECT is refused, and the Will is published',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('will'));
      const properties = [[property.sessionExpiryInterval, 10] as const];
      const will = { topic: t.topic('will'), payload: 'gone' };
      await t.refusesPacket(packet.disconnect({ reason: 0, properties }), { codes: [0x82] }, { will });
      equal((await observer.message()).payload.toString(), 'gone', 'the Will');
    },
  },
  {
    v5: 'N45',
    title: 'a Session Expiry Interval in DISCONNECT replaces the one in force',
    async run(t) {
      const clientId = t.clientId();
      const leaveWith = async (expiry: number): Promise<void> => {
        const client = await t.connectSession(clientId);
        const properties = [[property.sessionExpiryInterval, expiry] as const];
        await client.disconnect(packet.disconnect({ reason: 0, properties }));
      };
      await leaveWith(0);
      ok(!(await t.connectSession(clientId)).connack.sessionPresent, 'expiry 0: the session is gone');
      await leaveWith(60);
      ok((await t.connectSession(clientId)).connack.sessionPresent, 'expiry 60: the session is there');
      await leaveWith(1);
      await t.sleep(2700);
      ok(
        !(await t.connectSession(clientId)).connack.sessionPresent,
        'expiry 1: the session is gone after 2.7 s',
      );
    },
  },
  {
    v5: 'N50',
    v311: 'MQTT-3.1.2-7',
    title: 'retained messages outlive the session that published them',
    needs: ['retain'],
    async run(t) {
      const publisher = await t.connect();
      await publisher.publish(t.topic('a'), 'kept', { retain: true, qos: 1 });
      await publisher.disconnect();
      const subscriber = await t.connect();
      await subscriber.subscribe(t.topic('a'));
      equal(await t.collectTexts(subscriber), ['kept'], 'retained messages');
    },
  },
  {
    v5: 'N51',
    v311: 'M14',
    title:
      'subscriptions with options and identifiers, open and queued messages and received identifiers survive',
    needs: ['qos2'],
    async run(t) {
      const clientId = t.clientId();
      const client = await t.connectSession(clientId);
      const withId =
        t.version === 5 && t.has('subid') ? [[property.subscriptionIdentifier, 42] as const] : undefined;
      const options = t.version === 5 ? 0x0e : 2; // No Local, Retain As Published, QoS 2
      await client.subscribe(t.topic('a'), options, withId);
      client.send(client.publishBytes(t.topic('b'), 'up', { qos: 2, id: 500 }));
      await client.ack(packetType.PUBREC, 500);
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'open', { qos: 1 });
      await client.message({ ack: false });
      await client.cut();
      await publisher.publish(t.topic('a'), 'queued', { qos: 2, retain: true });
      const again = await t.connectSession(clientId);
      const messages = await t.collect(again);
      equal(
        messages.map((m) => [m.payload.toString(), m.dup, m.retain]),
        [
          ['open', true, false],
          ['queued', false, t.version === 5],
        ],
        'payload, DUP and RETAIN of the messages after the reconnect',
      );
      if (withId) {
        equal(messages[1]?.properties.get(property.subscriptionIdentifier), [42], 'Subscription Identifier');
        await again.publish(t.topic('a'), 'own', { qos: 1 });
        equal(await t.collectTexts(again), [], 'own messages of a subscription with No Local');
      }
      again.send(packet.pubrel({ id: 500 }));
      equal((await again.ack(packetType.PUBCOMP, 500)).reason, 0, 'code of PUBCOMP after the reconnect');
    },
  },
]);
