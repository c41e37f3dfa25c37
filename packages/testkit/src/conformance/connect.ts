// 3.1 CONNECT, what it does: ClientID, extra checks, takeover, what may follow it.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { field, property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import { connectWith, malformed } from './connect-format.ts';

export const connectCases = casesOf('3.1 CONNECT: meaning', [
  {
    v5: 'MQTT-3.1.2-28',
    title: 'without being asked for, Response Information does not come',
    async run(t) {
      const s = t.canConfigure ? await t.withServer({ responseInformation: 'answers/' }) : t;
      const asked0 = await s.connect({ properties: [[property.requestResponseInformation, 0]] });
      const silent = await s.connect();
      for (const { connack } of [asked0, silent]) {
        ok(!connack.properties.has(property.responseInformation), 'CONNACK has no Response Information');
      }
      if (t.canConfigure) {
        const asked = await s.connect({ properties: [[property.requestResponseInformation, 1]] });
        equal(
          asked.connack.properties.get(property.responseInformation),
          ['answers/'],
          'Response Information',
        );
      }
    },
  },
  {
    v5: 'MQTT-3.1.2-29',
    title:
      'with Request Problem Information 0 acknowledgements have no reason strings, and messages keep their properties',
    async run(t) {
      const s = t.canConfigure
        ? await t.withServer({ talkative: true, deny: { publish: ['no/#'], subscribe: ['no/#'] } })
        : t;
      const client = await s.connect({ properties: [[property.requestProblemInformation, 0]] });
      await client.subscribe(s.topic('a'), 1);
      const codes = [await client.subscribe('no/way', 1), await client.unsubscribe('never/subscribed')];
      await client.publish('no/body', 'x', { qos: 1 });
      const properties = [[property.userProperty, ['k', 'v']] as const];
      await client.publish(s.topic('a'), 'x', { qos: 1, properties });
      const message = await client.message();
      equal(message.properties.get(property.userProperty), [['k', 'v']], 'User Properties of the message');
      const acks = client.peer.history
        .filter((f) => f.type === packetType.PUBACK)
        .map((f) => decode.ack(f, 5));
      for (const { properties: seen } of [...codes, ...acks]) {
        ok(!seen.has(property.reasonString), 'no Reason String in an acknowledgement');
        ok(!seen.has(property.userProperty), 'no User Property in an acknowledgement');
      }
    },
  },
  {
    v5: 'MQTT-3.1.3-1',
    title: 'all fields of CONNECT are used as what they are, in the order of the standard',
    needs: ['retain', 'qos1'],
    async run(t) {
      const s = t.canConfigure ? await t.withServer({ users: { toby: 'secret' } }) : t;
      const credentials = { username: 'toby', password: 'secret' };
      const observer = await s.connect(credentials);
      await observer.subscribe(s.topic('will'), 1);
      const properties = [[property.contentType, 'text/plain'] as const];
      const will = { topic: s.topic('will'), payload: 'gone', qos: 1, properties };
      const client = await s.connect({ ...credentials, will });
      await client.cut();
      const message = await observer.message();
      equal(message.payload.toString(), 'gone', 'payload of the Will');
      equal(message.qos, 1, 'QoS of the Will');
      equal(message.properties.get(property.contentType), ['text/plain'], 'Content Type of the Will');
    },
  },
  {
    v5: 'MQTT-3.1.3-2',
    v311: 'MQTT-3.1.3-2',
    title: 'the ClientID identifies the session',
    async run(t) {
      const [one, two] = [t.clientId(), t.clientId()];
      const first = await t.connectSession(one);
      await first.subscribe(t.topic('one'));
      const second = await t.connectSession(two);
      await second.subscribe(t.topic('two'));
      await first.cut();
      await second.cut();
      const again = await t.connectSession(one);
      ok(again.connack.sessionPresent, 'the session is present');
      const publisher = await t.publisher();
      await publisher.publish(t.topic('one'), '1');
      await publisher.publish(t.topic('two'), '2');
      equal(await t.collectTexts(again), ['1'], 'messages in the first session');
    },
  },
  {
    v5: 'MQTT-3.1.3-5',
    v311: 'MQTT-3.1.3-5',
    title: 'ClientIDs of 1 to 23 letters and digits are accepted',
    async run(t) {
      const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
      const ids = [
        alphabet.slice(0, 23),
        alphabet.slice(23, 46),
        alphabet.slice(46),
        `${t.clientId()}${alphabet}`.slice(0, 23),
      ];
      for (const clientId of [...ids, 'Z']) {
        // Another run may hold the same name at this moment, so that only the answer counts.
        const peer = await t.open();
        peer.send(t.connectBytes({ clientId }));
        equal(
          decode.connack(await peer.expect(packetType.CONNACK), t.version).reason,
          0,
          `ClientID ${clientId}`,
        );
        peer.destroy();
      }
    },
  },
  {
    v5: 'MQTT-3.1.3-6',
    v311: 'MQTT-3.1.3-6',
    title: 'clients without ClientID get different ones and do not disturb each other',
    needs: ['anonymous'],
    async run(t) {
      const first = await t.connect({ clientId: '' });
      const second = await t.connect({ clientId: '' });
      await first.ping();
      await second.ping();
      const name = property.assignedClientIdentifier;
      const ids = [first, second].map(({ connack }) => connack.properties.get(name)?.[0]);
      ok(t.version !== 5 || ids[0] !== ids[1], 'the assigned ClientIDs differ');
      if (t.strict && t.version === 5) {
        ok(
          /^auto-[0-9a-f]{8}-/i.test(String(ids[0])),
          `the assigned ClientID begins with auto- and a UUID: ${ids[0]}`,
        );
      }
    },
  },
  {
    v5: 'MQTT-3.1.3-7',
    title: 'an assigned ClientID is told in CONNACK and resumes the session like any other',
    needs: ['anonymous'],
    async run(t) {
      const client = await t.connect({ clientId: '', expiry: 60 });
      const [assigned] = client.connack.properties.get(property.assignedClientIdentifier) ?? [];
      ok(typeof assigned === 'string' && assigned.length > 0, 'CONNACK has an Assigned Client Identifier');
      await client.cut();
      const again = await t.connectSession(assigned);
      ok(again.connack.sessionPresent, 'the session of the assigned ClientID is present');
    },
  },
  {
    v311: ['MQTT-3.1.3-8'],
    title: 'a CONNECT without ClientID and with Clean Session 0 is refused with 0x02',
    async run(t) {
      const peer = await t.open();
      peer.send(t.connectBytes({ clientId: '', clean: false }));
      const frames = await peer.expectClose();
      equal(
        frames.map((f) => f.bytes.toString('hex')),
        ['20020002'],
        'the answer',
      );
    },
  },
  {
    v5: 'MQTT-3.1.3-8',
    v311: 'MQTT-3.1.3-9',
    title: 'a ClientID that the server does not accept is refused',
    async run(t) {
      const s = await t.withServer({ clientIdLengthMaximum: 40 });
      const peer = await s.open();
      peer.send(s.connectBytes({ clientId: 'x'.repeat(41) }));
      const frames = await peer.expectClose();
      equal(
        frames.map((f) => decode.connack(f, t.version).reason),
        [t.version === 5 ? 0x85 : 2],
        'codes of the answer',
      );
    },
  },
  {
    v5: 'MQTT-3.1.4-2',
    v311: 'M09',
    title: 'wrong credentials are refused with the fitting code',
    async run(t) {
      const s = await t.withServer({ users: { toby: 'secret' } });
      await s.connect({ username: 'toby', password: 'secret' });
      for (const credentials of [
        { username: 'toby', password: 'wrong' },
        { username: 'nobody', password: 'x' },
        {},
      ]) {
        const peer = await s.open();
        peer.send(s.connectBytes(credentials));
        const frames = await peer.expectClose();
        equal(frames.length, 1, 'packets before the close');
        const codes = t.version === 5 ? [0x86, 0x87] : [4, 5];
        oneOf(decode.connack(frames[0]!, t.version).reason, codes, 'code of CONNACK');
      }
    },
  },
  {
    v5: 'MQTT-3.1.4-3',
    v311: 'MQTT-3.1.4-2',
    title: 'a second connection with the same ClientID takes the place of the first',
    async run(t) {
      const clientId = t.clientId();
      const observer = await t.connect();
      await observer.subscribe(t.topic('will'));
      const first = await t.connect({ clientId, will: { topic: t.topic('will'), payload: 'gone' } });
      const second = await t.connect({ clientId });
      const frames = await first.peer.expectClose();
      const codes = frames.map((f) => decode.reason(f, t.version).reason);
      oneOf(codes, t.version === 5 ? [[0x8e]] : [[]], 'codes of DISCONNECT on the first connection');
      equal((await observer.message()).payload.toString(), 'gone', 'the Will of the first connection');
      await second.ping();
    },
  },
  {
    v5: 'MQTT-3.1.4-4',
    v311: 'MQTT-3.1.4-3',
    title: 'on takeover the session is kept or discarded as the new CONNECT says',
    async run(t) {
      const clientId = t.clientId();
      await t.connectSession(clientId);
      const second = await t.connectSession(clientId);
      ok(second.connack.sessionPresent, 'Session Present after a takeover that resumes');
      const third = await t.connectSession(clientId, { clean: true });
      ok(!third.connack.sessionPresent, 'no Session Present after a takeover that starts clean');
    },
  },
  {
    v5: 'MQTT-3.1.4-4',
    title: 'on takeover a delayed Will goes out if the session ends, and not if it is resumed',
    async run(t) {
      const clientId = t.clientId();
      const observer = await t.connect();
      await observer.subscribe(t.topic('will'));
      const properties = [[property.willDelayInterval, 60] as const];
      const will = { topic: t.topic('will'), payload: 'resumed', properties };
      await t.connectSession(clientId, { will });
      await t.connectSession(clientId, { will: { ...will, payload: 'ended' } });
      equal(await t.collectTexts(observer), [], 'Wills after the session was resumed');
      await t.connectSession(clientId, { clean: true });
      equal((await observer.message()).payload.toString(), 'ended', 'the Will after a clean start');
    },
  },
  {
    v5: 'MQTT-3.1.4-5',
    v311: 'MQTT-3.1.4-4',
    title: 'a correct CONNECT is answered with CONNACK 0x00',
    async run(t) {
      const client = await t.connect();
      equal(client.connack.reason, 0, 'reason code');
      if (t.version === 4) {
        equal(client.peer.history[0]?.bytes.toString('hex'), '20020000', 'the bytes of CONNACK');
      }
    },
  },
  {
    v5: 'MQTT-3.1.4-6',
    v311: 'MQTT-3.1.4-5',
    title: 'what follows a refused CONNECT in the same write is not processed',
    needs: ['retain'],
    async run(t) {
      const { version } = t;
      const publish = packet.publish({ version, topic: t.topic('after'), payload: 'x', retain: true });
      const observer = await t.connect();
      await observer.subscribe(t.topic('after'));
      const bad = connectWith(t, 0x03, field(t.clientId()));
      await t.refusesConnect(Buffer.concat([bad, publish]), malformed);
      equal(await t.collectTexts(observer), [], 'messages behind a refused CONNECT');
      const late = await t.connect();
      await late.subscribe(t.topic('after'));
      equal(await t.collectTexts(late), [], 'retained messages behind a refused CONNECT');
      const good = await t.open();
      good.send(
        Buffer.concat([t.connectBytes(), packet.publish({ version, topic: t.topic('after'), payload: 'y' })]),
      );
      equal((await observer.message()).payload.toString(), 'y', 'the message behind a good CONNECT');
    },
  },
  {
    v5: 'N16',
    v311: 'M07',
    title: 'a connection without CONNECT is closed after a while',
    async run(t) {
      const s = await t.withServer({ connectTimeoutMs: 300 });
      const silent = await s.open();
      const slow = await s.open();
      slow.send('10');
      equal((await silent.expectClose()).length, 0, 'packets on the silent connection');
      equal((await slow.expectClose()).length, 0, 'packets on the slow connection');
    },
  },
  {
    v5: 'N18',
    v311: 'M10',
    title: 'packets sent right behind CONNECT are handled in order',
    async run(t) {
      const { version } = t;
      const peer = await t.open();
      peer.send(
        t.connectBytes(),
        packet.subscribe({ version, id: 1, filters: [[t.topic('a'), 0]] }),
        packet.publish({ version, topic: t.topic('a'), payload: 'x' }),
      );
      await peer.expect(packetType.CONNACK);
      await peer.take(packetType.SUBACK);
      equal(
        decode.publish(await peer.take(packetType.PUBLISH), version).payload.toString(),
        'x',
        'the message',
      );
    },
  },
]);
