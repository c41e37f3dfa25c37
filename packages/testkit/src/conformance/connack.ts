// 3.2 CONNACK: order, Session Present, limits that the server announces.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';

export const connackCases = casesOf('3.2 CONNACK', [
  {
    v5: 'MQTT-3.2.0-1',
    v311: 'MQTT-3.2.0-1',
    title: 'CONNACK is the first packet, also when queued messages and pipelined requests wait',
    needs: ['qos1'],
    async run(t) {
      const clientId = t.clientId();
      const first = await t.connectSession(clientId);
      await first.subscribe(t.topic('a'), 1);
      await first.cut();
      const publisher = await t.publisher();
      await publisher.publish(t.topic('a'), 'queued', { qos: 1 });
      const peer = await t.open();
      const { version } = t;
      const connect = t.connectBytes({ clientId, clean: false, expiry: 300 });
      peer.send(connect, packet.subscribe({ version, id: 1, filters: [[t.topic('b'), 0]] }));
      await peer.expect(packetType.CONNACK);
      await peer.take(packetType.SUBACK);
      equal(
        decode.publish(await peer.take(packetType.PUBLISH), version).payload.toString(),
        'queued',
        'the message',
      );
    },
  },
  {
    v5: 'MQTT-3.2.0-2',
    title: 'one CONNACK per connection',
    async run(t) {
      const client = await t.connect();
      await client.ping();
      await t.refusesPacket(t.connectBytes(), { codes: [0x82] });
      equal(client.peer.history.filter((f) => f.type === packetType.CONNACK).length, 1, 'CONNACKs');
    },
  },
  {
    v5: 'MQTT-3.2.2-1',
    v311: 'M06',
    title: 'the Connect Acknowledge Flags are 0 or 1',
    async run(t) {
      const clientId = t.clientId();
      const first = await t.connectSession(clientId);
      equal(first.connack.flags, 0, 'flags of a new session');
      await first.cut();
      const second = await t.connectSession(clientId);
      equal(second.connack.flags, 1, 'flags of a resumed session');
    },
  },
  {
    v5: 'MQTT-3.2.2-2',
    v311: 'MQTT-3.2.2-1',
    title: 'an accepted clean start has Session Present 0',
    async run(t) {
      const clientId = t.clientId();
      await (await t.connectSession(clientId)).cut();
      const clean = await t.connectSession(clientId, { clean: true });
      equal([clean.connack.flags, clean.connack.reason], [0, 0], 'flags and code');
    },
  },
  {
    v5: 'MQTT-3.2.2-3',
    v311: ['MQTT-3.2.2-2', 'MQTT-3.2.2-3'],
    title: 'Session Present says whether there was a session',
    async run(t) {
      const clientId = t.clientId();
      const first = await t.connectSession(clientId);
      equal([first.connack.flags, first.connack.reason], [0, 0], 'flags and code without a session');
      await first.cut();
      const second = await t.connectSession(clientId);
      equal([second.connack.flags, second.connack.reason], [1, 0], 'flags and code with a session');
    },
  },
  {
    v5: 'MQTT-3.2.2-6',
    v311: 'MQTT-3.2.2-4',
    title: 'a refusal has Session Present 0, even if there is a session',
    async run(t) {
      const s = await t.withServer({ users: { toby: 'secret' } });
      const clientId = s.clientId();
      const good = await s.connectSession(clientId, { username: 'toby', password: 'secret' });
      await good.cut();
      const peer = await s.open();
      peer.send(s.connectBytes({ clientId, clean: false, expiry: 300, username: 'toby', password: 'wrong' }));
      const connack = decode.connack(await peer.expect(packetType.CONNACK), t.version);
      equal(connack.flags, 0, 'flags');
      oneOf(connack.reason, t.version === 5 ? [0x86, 0x87] : [4, 5], 'code');
    },
  },
  {
    v5: 'MQTT-3.2.2-7',
    v311: 'MQTT-3.2.2-5',
    title: 'after a refusing CONNACK the server closes, even if the client keeps its half open',
    async run(t) {
      const peer = await t.open({ allowHalfOpen: true });
      peer.send(packet.connect({ version: t.version, clientId: t.clientId(), level: 99 }));
      const frames = await peer.expectClose();
      ok(
        frames.every((f) => decode.connack(f, f.body.length > 2 ? 5 : 4).reason !== 0),
        'only refusals come',
      );
    },
  },
  {
    v5: 'MQTT-3.2.2-8',
    v311: 'MQTT-3.2.2-6',
    title: 'CONNACK codes are those of the table',
    async run(t) {
      const { version } = t;
      const attempts = [
        packet.connect({ version, clientId: t.clientId() }),
        packet.connect({ version, clientId: t.clientId(), level: 77 }),
        packet.connect({ version, clientId: t.clientId(), flags: 0x03 }),
        packet.connect({ version, clientId: '', clean: false }),
        packet.connect({ version, clientId: t.clientId(), username: 'a', password: 'b' }),
      ];
      for (const bytes of attempts) {
        // The audit at the end of every case compares the codes with the table.
        const peer = await t.open();
        peer.send(bytes);
        await peer.next().catch(() => ok(peer.closed, 'neither CONNACK nor close'));
        peer.destroy();
      }
    },
  },
  {
    v5: 'MQTT-3.2.2-9',
    title: 'a server with a Maximum QoS announces it, another does not',
    async run(t) {
      const plain = await t.connect();
      oneOf(plain.connack.properties.get(property.maximumQoS)?.[0], [undefined, 0, 1], 'Maximum QoS');
      if (t.canConfigure) {
        ok(!plain.connack.properties.has(property.maximumQoS), 'no Maximum QoS without a limit');
        for (const maximumQoS of [0, 1] as const) {
          const s = await t.withServer({ maximumQoS });
          const limited = await s.connect();
          equal(limited.connack.properties.get(property.maximumQoS), [maximumQoS], 'Maximum QoS');
        }
      }
    },
  },
  {
    v5: 'MQTT-3.2.2-10',
    title: 'a server with a Maximum QoS accepts subscriptions with any QoS and grants what it can',
    async run(t) {
      const s = await t.withServer({ maximumQoS: 1 });
      const client = await s.connect();
      const { codes } = await client.subscribe([
        [s.topic('0'), 0],
        [s.topic('1'), 1],
        [s.topic('2'), 2],
      ]);
      equal(codes, [0, 1, 1], 'granted QoS');
    },
  },
  {
    v5: ['MQTT-3.2.2-11', 'N26'],
    title:
      'a PUBLISH above Maximum QoS closes the connection with 0x9B, a retained one without Retain with 0x9A',
    async run(t) {
      const s = await t.withServer({ maximumQoS: 0 });
      for (const qos of [1, 2]) {
        await s.refusesPacket(packet.publish({ topic: s.topic('q'), qos, payload: 'x' }), { codes: [0x9b] });
      }
      const unretained = await t.withServer({ retainAvailable: false });
      await unretained.refusesPacket(packet.publish({ topic: 'r', retain: true, payload: 'x' }), {
        codes: [0x9a],
      });
    },
  },
  {
    v5: 'MQTT-3.2.2-12',
    title: 'a Will above Maximum QoS is refused with 0x9B',
    async run(t) {
      const s = await t.withServer({ maximumQoS: 1 });
      const will = { topic: s.topic('will'), payload: 'x', qos: 2 };
      await s.refusesConnect(s.connectBytes({ will }), { codes: [0x9b] });
    },
  },
  {
    v5: 'MQTT-3.2.2-13',
    title: 'a retained Will on a server without retained messages is refused with 0x9A',
    async run(t) {
      const s = await t.withServer({ retainAvailable: false });
      const will = { topic: s.topic('will'), payload: 'x', retain: true };
      await s.refusesConnect(packet.connect({ clientId: s.clientId(), will }), { codes: [0x9a] });
    },
  },
  {
    v5: 'MQTT-3.2.2-14',
    title: 'a server without retained messages says so and refuses a retained PUBLISH with 0x9A',
    async run(t) {
      const s = await t.withServer({ retainAvailable: false });
      const client = await s.connect();
      equal(client.connack.properties.get(property.retainAvailable), [0], 'Retain Available');
      client.send(packet.publish({ topic: s.topic('r'), payload: 'x', retain: true }));
      await s.refused(client, { codes: [0x9a] });
    },
  },
  {
    v5: ['MQTT-3.2.2-15', 'N27'],
    title:
      'a packet above the Maximum Packet Size of the server closes the connection with 0x95 before it is complete',
    async run(t) {
      const s = await t.withServer({ maximumPacketSize: 1000 });
      const client = await s.connect();
      equal(client.connack.properties.get(property.maximumPacketSize), [1000], 'Maximum Packet Size');
      const bytes = packet.publish({ topic: s.topic('big'), payload: Buffer.alloc(990) });
      client.send(bytes.subarray(0, 100));
      await s.refused(client, { codes: [0x95] });
      const fits = await s.connect();
      const overhead = packet.publish({ topic: s.topic('fits'), payload: Buffer.alloc(500) }).length - 500;
      await fits.publish(s.topic('fits'), Buffer.alloc(1000 - overhead));
      await fits.ping();
    },
  },
  {
    v5: 'MQTT-3.2.2-16',
    title: 'assigned ClientIDs are unique, and are not sent to a client that brought its own',
    needs: ['anonymous'],
    async run(t) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => t.connect({ clientId: '' })));
      const name = property.assignedClientIdentifier;
      const ids = new Set(clients.map(({ connack }) => connack.properties.get(name)?.[0]));
      equal(ids.size, 100, 'different assigned ClientIDs');
      ok(!ids.has(undefined) && !ids.has(''), 'no assigned ClientID is empty');
      const own = await t.connect();
      ok(!own.connack.properties.has(name), 'no Assigned Client Identifier beside an own ClientID');
    },
  },
  {
    v5: ['MQTT-3.2.2-17', 'MQTT-3.3.2-9'],
    title: 'an alias above the Topic Alias Maximum of the server closes the connection with 0x94',
    async run(t) {
      const client = await t.connect();
      const maximum = Number(client.connack.properties.get(property.topicAliasMaximum)?.[0] ?? 0);
      if (maximum < 65_535) {
        const properties = [[property.topicAlias, maximum + 1] as const];
        client.send(packet.publish({ topic: t.topic('alias'), payload: 'x', properties }));
        await t.refused(client, { codes: [0x94] });
      }
    },
  },
  {
    v5: 'MQTT-3.2.2-19',
    title: 'a CONNACK is never larger than the Maximum Packet Size of the client',
    async run(t) {
      const s = t.canConfigure ? await t.withServer({ talkative: true, users: { toby: 'secret' } }) : t;
      const peer = await s.open();
      const properties = [[property.maximumPacketSize, 20] as const];
      peer.send(packet.connect({ clientId: s.clientId(), properties, username: 'toby', password: 'wrong' }));
      const answer = await peer.next().catch(() => undefined);
      ok(answer === undefined || answer.bytes.length <= 20, `CONNACK has ${answer?.bytes.length} bytes`);
      const tiny = await s.open();
      tiny.send(packet.connect({ clientId: s.clientId(), properties: [[property.maximumPacketSize, 4]] }));
      const frames = await tiny.expectClose({ timeout: 1500 }).catch(() => tiny.history);
      ok(
        frames.every((f) => f.bytes.length <= 4),
        'a client with a limit of 4 bytes gets no larger CONNACK',
      );
    },
  },
  {
    v5: 'MQTT-3.2.2-20',
    title:
      'a refusing CONNACK drops reason string and User Properties rather than exceed the Maximum Packet Size',
    async run(t) {
      const s = await t.withServer({ talkative: true, users: { toby: 'secret' } });
      const sizeOfRefusal = async (maximum: number): Promise<number> => {
        const peer = await s.open();
        const properties = [[property.maximumPacketSize, maximum] as const];
        peer.send(
          packet.connect({ clientId: s.clientId(), properties, username: 'toby', password: 'wrong' }),
        );
        const [answer] = await peer.expectClose();
        ok(answer !== undefined, 'a CONNACK comes before the close');
        oneOf(decode.connack(answer, 5).reason, [0x86, 0x87], 'code of CONNACK');
        return answer.bytes.length;
      };
      const size = await sizeOfRefusal(10_000);
      ok(size > 100, `with room the reason string comes: ${size} bytes`);
      ok((await sizeOfRefusal(size - 1)) < size, 'one byte less, and it is left out');
    },
  },
  {
    v5: 'N52',
    title: 'Receive Maximum, Maximum Packet Size and Keep Alive belong to the connection, not to the session',
    needs: ['qos1'],
    async run(t) {
      const clientId = t.clientId();
      const first = await t.connectSession(clientId, {
        properties: [
          [property.receiveMaximum, 1],
          [property.maximumPacketSize, 100],
        ],
      });
      await first.subscribe(t.topic('a'), 1);
      await first.cut();
      const second = await t.connectSession(clientId);
      const publisher = await t.publisher();
      for (const payload of ['1', '2', 'x'.repeat(200)]) {
        await publisher.publish(t.topic('a'), payload, { qos: 1 });
      }
      const lengths: number[] = [];
      for (let index = 0; index < 3; index += 1) {
        lengths.push((await second.message({ ack: false })).payload.length);
      }
      equal(lengths, [1, 1, 200], 'lengths of the three open deliveries');
    },
  },
]);
