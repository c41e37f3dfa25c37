// 2.1 to 2.2 Packet format: flags, lengths, identifiers, properties, direction.

import { packetType } from '../frames.ts';
import { frame, type MqttVersion, packet } from '../packet.ts';
import { field, property, type RawProperty, uint16 } from '../properties.ts';
import { casesOf, type Scenario } from './case.ts';
import { equal, ok } from './check.ts';
import type { Context } from './context.ts';

/** A correct packet of each type that a client sends after CONNECT. */
function clientPackets(version: MqttVersion, topic: string): ReadonlyMap<number, Buffer> {
  return new Map([
    [packetType.PUBACK, packet.puback({ id: 1 })],
    [packetType.PUBREC, packet.pubrec({ id: 1 })],
    [packetType.PUBREL, packet.pubrel({ id: 1 })],
    [packetType.PUBCOMP, packet.pubcomp({ id: 1 })],
    [packetType.SUBSCRIBE, packet.subscribe({ version, id: 1, filters: [[topic, 0]] })],
    [packetType.UNSUBSCRIBE, packet.unsubscribe({ version, id: 1, filters: [topic] })],
    [packetType.PINGREQ, packet.pingreq()],
    [packetType.DISCONNECT, packet.disconnect()],
    ...(version === 5 ? [[packetType.AUTH, packet.auth({ reason: 0x18, properties: [] })] as const] : []),
  ]);
}

/** Sends the packet with each of the fifteen wrong values of its low four bits. */
async function refusesWrongFlags(t: Context, type: number): Promise<void> {
  const correct = clientPackets(t.version, t.topic('flags')).get(type);
  ok(correct !== undefined, `no packet of type ${type}`);
  const right = correct.readUInt8(0) & 0x0f;
  for (let flags = 0; flags < 16; flags += 1) {
    if (flags !== right) {
      const bytes = Buffer.from(correct);
      bytes.writeUInt8((type << 4) | flags, 0);
      // An AUTH on a connection without a method is a Protocol Error as well; either finding may come first.
      const codes = type === packetType.AUTH ? [0x81, 0x82] : [0x81];
      await t.refusesPacket(bytes, { codes });
    }
  }
}

function wrongFlags(type: number, name: string, ids: Pick<Scenario, 'v5' | 'v311'>): Scenario {
  return {
    ...ids,
    title: `${name} with any wrong flag bits closes the connection and is not answered`,
    run: (t) => refusesWrongFlags(t, type),
  };
}

/** Properties that may come once, by packet, with a valid value. */
const onceInConnect: readonly RawProperty[] = [
  [property.sessionExpiryInterval, 1],
  [property.receiveMaximum, 10],
  [property.maximumPacketSize, 10_000],
  [property.topicAliasMaximum, 5],
  [property.requestResponseInformation, 0],
  [property.requestProblemInformation, 1],
  [property.authenticationMethod, 'no-such-method'],
];
const onceInPublish: readonly RawProperty[] = [
  [property.payloadFormatIndicator, 1],
  [property.messageExpiryInterval, 100],
  [property.contentType, 'text/plain'],
  [property.responseTopic, 'answer'],
  [property.correlationData, Buffer.from('c')],
];

export const formatCases = casesOf('2.1 to 2.2 Packet format', [
  {
    v5: 'MQTT-2.1.3-1',
    v311: 'MQTT-2.2.2-2',
    title: 'every packet with wrong flag bits closes the connection',
    async run(t) {
      const types = [...clientPackets(t.version, 'x').keys()];
      const connects = Array.from({ length: 15 }, (_, index) =>
        t.refusesConnect(
          packet.connect({ version: t.version, clientId: t.clientId(), firstByte: 0x11 + index }),
          {
            codes: [0x81],
          },
        ),
      );
      await Promise.all([...connects, ...types.map((type) => refusesWrongFlags(t, type))]);
    },
  },
  {
    v311: 'MQTT-2.2.2-1',
    title: 'reserved flag bits of the packets from the server have the values of the table',
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a'), 2);
      await client.publish(t.topic('a'), 'x', { qos: 2 });
      await client.publish(t.topic('a'), 'x', { qos: 1 });
      await client.message();
      await client.message();
      await client.unsubscribe(t.topic('a'));
      await client.ping();
      const flags = client.peer.history.map(
        (f) => `${f.type}:${f.type === packetType.PUBLISH ? 0 : f.flags}`,
      );
      equal(
        [...new Set(flags)].sort(),
        ['11:0', '13:0', '2:0', '3:0', '4:0', '5:0', '6:2', '7:0', '9:0'],
        'flags by packet type',
      );
    },
  },
  wrongFlags(packetType.PUBREL, 'PUBREL', { v5: 'MQTT-3.6.1-1', v311: 'MQTT-3.6.1-1' }),
  wrongFlags(packetType.SUBSCRIBE, 'SUBSCRIBE', { v5: 'MQTT-3.8.1-1', v311: 'MQTT-3.8.1-1' }),
  wrongFlags(packetType.UNSUBSCRIBE, 'UNSUBSCRIBE', { v5: 'MQTT-3.10.1-1', v311: 'MQTT-3.10.1-1' }),
  wrongFlags(packetType.AUTH, 'AUTH', { v5: 'MQTT-3.15.1-1' }),
  {
    v5: 'MQTT-2.2.1-2',
    v311: 'MQTT-2.3.1-5',
    title: 'a QoS 0 PUBLISH is passed on without a Packet Identifier, byte by byte as it should be',
    async run(t) {
      const client = await t.connect();
      const topic = t.topic('q0');
      await client.subscribe(topic);
      await client.publish(topic, 'payload');
      const received = await client.peer.take(packetType.PUBLISH);
      const properties = t.version === 5 ? Buffer.from([0]) : Buffer.alloc(0);
      const expected = frame(0x30, field(topic), properties, Buffer.from('payload'));
      equal(received.bytes.toString('hex'), expected.toString('hex'), 'the forwarded PUBLISH');
    },
  },
  {
    v5: ['MQTT-2.2.1-3'],
    v311: 'MQTT-2.3.1-1',
    title: 'SUBSCRIBE, UNSUBSCRIBE and QoS 1, 2 PUBLISH with Packet Identifier 0 are refused',
    async run(t) {
      const { version } = t;
      const topic = t.topic('zero');
      const refusal = { codes: t.strict ? [0x82] : [0x81, 0x82], advisory: version === 5 };
      const observer = await t.connect();
      await observer.subscribe(topic);
      await t.refusesPacket(packet.subscribe({ version, id: 0, filters: [[topic, 0]] }), refusal);
      await t.refusesPacket(packet.unsubscribe({ version, id: 0, filters: [topic] }), refusal);
      for (const qos of [1, 2]) {
        await t.refusesPacket(packet.publish({ version, topic, qos, id: 0, payload: 'x' }), refusal);
      }
      equal(await t.collectTexts(observer), [], 'messages published with identifier 0');
    },
  },
  {
    v5: 'MQTT-2.2.1-4',
    title: 'identifiers of open deliveries are not reused while more than 65,535 others come and go',
    needs: ['qos1'],
    async run(t) {
      const publisher = await t.publisher();
      const subscriber = await t.connect({ properties: [[property.receiveMaximum, 200]] });
      const topic = t.topic('many');
      await subscriber.subscribe(topic, 1);
      const open = new Set<number>();
      for (let index = 0; index < 3; index += 1) {
        await publisher.publish(topic, 'open', { qos: 1 });
        open.add((await subscriber.message({ ack: false })).id);
      }
      equal(open.size, 3, 'different identifiers of three open deliveries');
      const batch = 100;
      for (let sent = 0; sent < 66_000; sent += batch) {
        const packets = Array.from({ length: batch }, (_, index) =>
          packet.publish({ topic, payload: 'more', qos: 1, id: index + 1000 }),
        );
        publisher.send(...packets);
        for (let index = 0; index < batch; index += 1) {
          const { id } = await subscriber.message();
          ok(id !== 0 && !open.has(id), `identifier ${id} is 0 or belongs to an open delivery`);
        }
        for (let index = 0; index < batch; index += 1) {
          await publisher.ack(packetType.PUBACK, index + 1000);
        }
        subscriber.peer.history.length = 0;
        publisher.peer.history.length = 0;
      }
    },
  },
  {
    v311: 'MQTT-2.3.1-4',
    title: 'identifiers of open deliveries are not reused, and are the same after a reconnect',
    needs: ['qos1'],
    async run(t) {
      const publisher = await t.publisher();
      const clientId = t.clientId();
      const subscriber = await t.connectSession(clientId);
      const topic = t.topic('open');
      await subscriber.subscribe(topic, 1);
      await publisher.publish(topic, 'open', { qos: 1 });
      const open = await subscriber.message({ ack: false });
      for (let index = 0; index < 300; index += 1) {
        await publisher.publish(topic, 'x', { qos: 1 });
        const { id } = await subscriber.message();
        ok(id !== 0 && id !== open.id, `identifier ${id} is 0 or open`);
      }
      await subscriber.cut();
      const again = await t.connectSession(clientId);
      const repeated = await again.message();
      equal([repeated.id, repeated.payload.toString()], [open.id, 'open'], 'the repeated delivery');
    },
  },
  {
    v5: 'MQTT-2.2.1-5',
    v311: 'MQTT-2.3.1-6',
    title: 'PUBACK, PUBREC and PUBCOMP repeat the identifier of the PUBLISH',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      await client.publish(t.topic('a'), 'x', { qos: 1, id: 0x1234 });
      await client.publish(t.topic('a'), 'x', { qos: 2, id: 0x4321 });
      const ids = client.peer.history
        .slice(1)
        .map((f) => `${f.type} ${f.body.subarray(0, 2).toString('hex')}`);
      equal(ids, ['4 1234', '5 4321', '7 4321'], 'types and identifiers of the acknowledgements');
    },
  },
  {
    v5: 'MQTT-2.2.1-6',
    v311: 'MQTT-2.3.1-7',
    title: 'SUBACK and UNSUBACK repeat the identifier of their request',
    async run(t) {
      const { version } = t;
      const client = await t.connect();
      client.send(packet.subscribe({ version, id: 0xfffe, filters: [[t.topic('a'), 0]] }));
      await client.codes(packetType.SUBACK, 0xfffe);
      client.send(packet.unsubscribe({ version, id: 7, filters: [t.topic('a')] }));
      await client.codes(packetType.UNSUBACK, 7);
    },
  },
  {
    v5: 'MQTT-2.2.2-1',
    title: 'the Property Length is written even if it is 0, and has to be there',
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic('a'));
      await client.unsubscribe(t.topic('a'));
      // The decoders demand a Property Length in CONNACK, SUBACK and UNSUBACK.
      const without = packet.subscribe({ id: 1, filters: [['a/b', 0]], properties: Buffer.alloc(0) });
      await t.refusesPacket(without, { codes: [0x81] });
    },
  },
  {
    v5: 'N01',
    v311: 'M01',
    title: 'a Variable Byte Integer of more than four bytes closes the connection',
    async run(t) {
      await t.refusesPacket('c0 80 80 80 80 01', { codes: [0x81] });
      await t.refusesPacket('30 ff ff ff ff 7f', { codes: [0x81] });
      if (t.version === 5) {
        const overlong = Buffer.from('8080808001', 'hex');
        await t.refusesPacket(packet.publish({ topic: 'a', properties: overlong }), { codes: [0x81] });
        const inside = Buffer.concat([Buffer.from([6, 0x0b]), overlong]);
        await t.refusesPacket(packet.subscribe({ id: 1, filters: [['a', 0]], properties: inside }), {
          codes: [0x81],
        });
      }
    },
  },
  {
    v5: 'N02',
    title: 'a property that does not belong into the packet, or that nobody knows, closes the connection',
    async run(t) {
      const topic = t.topic('p');
      const unknown = Buffer.from([2, 0x7f, 0]);
      const wrongInConnect = [[property.topicAlias, 1] as const];
      await t.refusesConnect(packet.connect({ clientId: t.clientId(), properties: wrongInConnect }), {
        codes: [0x81],
      });
      await t.refusesConnect(packet.connect({ clientId: t.clientId(), properties: unknown }), {
        codes: [0x81],
      });
      const wrongInPublish = [[property.sessionExpiryInterval, 1] as const];
      // A property in the wrong place is malformed by 2.2.2.2; 0x82 is widespread and tells the client as much.
      await t.refusesPacket(packet.publish({ topic, properties: wrongInPublish }), { codes: [0x81, 0x82] });
      await t.refusesPacket(packet.publish({ topic, properties: unknown }), { codes: [0x81] });
      const cut = Buffer.from([3, property.messageExpiryInterval, 0, 0]);
      await t.refusesPacket(packet.publish({ topic, properties: cut }), { codes: [0x81] });
      await t.refusesPacket(packet.subscribe({ id: 1, filters: [[topic, 0]], properties: unknown }), {
        codes: [0x81],
      });
    },
  },
  {
    v5: 'N03',
    title:
      'a property that may come once closes the connection when it comes twice; User Properties may repeat',
    async run(t) {
      const topic = t.topic('twice');
      for (const single of onceInConnect) {
        const bytes = packet.connect({ clientId: t.clientId(), properties: [single, single] });
        await t.refusesConnect(bytes, { codes: [0x82] });
      }
      for (const single of onceInPublish) {
        await t.refusesPacket(packet.publish({ topic, properties: [single, single] }), { codes: [0x82] });
      }
      const delay = [property.willDelayInterval, 1] as const;
      const will = { topic, payload: 'x', properties: [delay, delay] };
      await t.refusesConnect(packet.connect({ clientId: t.clientId(), will }), { codes: [0x82] });
      const reason = [property.reasonString, 'r'] as const;
      const expiry = [property.sessionExpiryInterval, 1] as const;
      await t.refusesPacket(packet.puback({ id: 1, reason: 0, properties: [reason, reason] }), {
        codes: [0x82],
      });
      await t.refusesPacket(packet.disconnect({ reason: 0, properties: [reason, reason] }), {
        codes: [0x82],
      });
      await t.refusesPacket(
        packet.disconnect({ reason: 0, properties: [expiry, expiry] }),
        { codes: [0x82] },
        { expiry: 10 },
      );
      const user = [property.userProperty, ['a', '1']] as const;
      const client = await t.connect({ properties: [user, user] });
      await client.publish(topic, 'x', { qos: 1, properties: [user, user] });
    },
  },
  {
    v5: 'N04',
    v311: 'M04',
    title: 'lengths that contradict each other close the connection',
    async run(t) {
      const refusal = { codes: [0x81] };
      const connect = t.connectBytes();
      await t.refusesConnect(frame(0x10, connect.subarray(2), Buffer.from('xx')), refusal);
      await t.refusesPacket('c0 01 00', refusal);
      await t.refusesPacket(frame(0x30, uint16(20), Buffer.from('short')), refusal);
      if (t.version === 5) {
        const beyond = Buffer.from([100]);
        await t.refusesPacket(packet.publish({ topic: 'a', properties: beyond }), refusal);
        await t.refusesPacket(frame(0x40, Buffer.from([0, 1, 0, 0, 0xff])), refusal);
        await t.refusesPacket(frame(0xe0, Buffer.from([0, 0, 0xff])), refusal);
      } else {
        await t.refusesPacket('40 03 00 01 00', refusal);
        await t.refusesPacket('62 03 00 01 00', refusal);
        await t.refusesPacket('e0 01 00', refusal);
      }
    },
  },
  {
    v5: 'N05',
    v311: 'M02',
    title: 'a forbidden packet type closes the connection',
    async run(t) {
      await t.refusesPacket('00 00', { codes: t.strict ? [0x81] : [0x81, 0x82] });
      if (t.version === 4) {
        await t.refusesPacket('f0 00', { codes: [] });
      }
    },
  },
  {
    v5: 'N06',
    v311: 'M03',
    title: 'a packet that only servers send closes the connection when a client sends it',
    async run(t) {
      const { version } = t;
      const packets = [
        packet.connack({ version }),
        packet.suback({ version, id: 1, codes: [0] }),
        packet.unsuback({ version, id: 1, codes: version === 5 ? [0] : [] }),
        packet.pingresp(),
      ];
      for (const bytes of packets) {
        await t.refusesPacket(bytes, { codes: t.strict ? [0x82] : [0x81, 0x82] });
      }
    },
  },
  {
    v5: 'N08',
    title: 'properties are accepted in any order',
    async run(t) {
      const properties: RawProperty[] = [
        [property.userProperty, ['a', '1']],
        [property.topicAliasMaximum, 2],
        [property.receiveMaximum, 5],
        [property.userProperty, ['b', '2']],
        [property.sessionExpiryInterval, 0],
      ];
      await t.connect({ properties });
      await t.connect({ properties: properties.toReversed() });
    },
  },
  {
    v5: 'N09',
    v311: 'M15',
    title: 'the same identifier may be open in both directions',
    needs: ['qos2'],
    async run(t) {
      const publisher = await t.publisher();
      const client = await t.connect();
      const topic = t.topic('both');
      await client.subscribe(topic, 2);
      await publisher.publish(topic, 'down', { qos: 2 });
      const down = await client.message({ ack: false });
      client.send(client.publishBytes(t.topic('up'), 'up', { qos: 2, id: down.id }));
      await client.ack(packetType.PUBREC, down.id);
      client.send(packet.pubrec({ id: down.id }));
      await client.ack(packetType.PUBREL, down.id);
      client.send(packet.pubrel({ id: down.id }), packet.pubcomp({ id: down.id }));
      await client.ack(packetType.PUBCOMP, down.id);
      await client.ping();
      client.expectQuiet('after both exchanges');
    },
  },
]);
