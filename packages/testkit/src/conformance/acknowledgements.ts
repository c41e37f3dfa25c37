// 3.4 to 3.7 PUBACK, PUBREC, PUBREL, PUBCOMP: codes, sizes, unknown identifiers.

import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import { openDelivery } from './qos.ts';

export const acknowledgementCases = casesOf('3.4 to 3.7 Acknowledgements', [
  {
    v5: 'MQTT-3.3.4-1',
    v311: 'MQTT-3.3.4-1',
    title: 'a PUBLISH is answered with nothing, PUBACK or PUBREC, as its QoS says',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      for (const qos of [0, 1, 2]) {
        client.send(client.publishBytes(t.topic('a'), 'x', { qos, id: 10 + qos }));
        if (qos > 0) {
          await client.ack(qos === 1 ? packetType.PUBACK : packetType.PUBREC, 10 + qos);
        }
        await client.ping();
        client.expectQuiet(`after the answer at QoS ${qos}`);
      }
    },
  },
  {
    v5: ['MQTT-3.4.2-1', 'MQTT-3.5.2-1'],
    title: 'PUBACK and PUBREC with a code that is not in their table are refused; ours are in it',
    needs: ['qos2'],
    async run(t) {
      for (const [qos, firstByte] of [
        [1, 0x40],
        [2, 0x50],
      ] as const) {
        for (const reason of [0x92, 0x05]) {
          const { client, open } = await openDelivery(t, qos);
          client.send(packet.puback({ id: open.id, reason, firstByte }));
          await t.refused(client, { codes: [0x82, 0x81], advisory: true, besides: [packetType.PUBREL] });
        }
      }
      const client = await t.connect();
      const codes = [
        await client.publish(t.topic('b'), 'x', { qos: 1 }),
        await client.publish(t.topic('b'), 'x', { qos: 2 }),
      ];
      for (const code of codes) {
        oneOf(code, t.strict ? [0x10] : [0x00, 0x10], 'code for a message that nobody subscribed to');
      }
    },
  },
  {
    v5: ['MQTT-3.6.2-1', 'MQTT-3.7.2-1', 'N35'],
    v311: 'M19',
    title: 'PUBREC and PUBREL of an unknown identifier are answered and do no harm',
    needs: ['qos2'],
    async run(t) {
      const client = await t.connect();
      const codes = t.strict ? [0x00] : [0x00, 0x92];
      client.send(packet.pubrec({ id: 999 }));
      oneOf((await client.ack(packetType.PUBREL, 999)).reason, codes, 'code of PUBREL');
      client.send(packet.pubcomp({ id: 999 }), packet.pubrel({ id: 998 }));
      oneOf((await client.ack(packetType.PUBCOMP, 998)).reason, codes, 'code of PUBCOMP');
      await client.ping();
      if (t.version === 5) {
        // A failing PUBREC ends an exchange; no PUBREL belongs to it.
        client.send(packet.pubrec({ id: 997, reason: 0x80 }));
        await client.ping();
        client.expectQuiet('after a failing PUBREC of an unknown identifier');
      }
    },
  },
  {
    v5: 'N36',
    title: 'an acknowledgement of an identifier that is not open touches no other exchange',
    needs: ['qos2'],
    async run(t) {
      const { clientId, client, open } = await openDelivery(t, 2);
      client.send(packet.puback({ id: 999 }), packet.pubcomp({ id: 998 }));
      await client.ping();
      if (t.strict) {
        // An acknowledgement of the wrong kind does not end the exchange either.
        client.send(packet.puback({ id: open.id }), packet.pubcomp({ id: open.id }));
        await client.ping();
      }
      await client.cut();
      const again = await t.connectSession(clientId);
      const repeated = await again.message();
      equal([repeated.id, repeated.payload.toString()], [open.id, 'open'], 'the repeat of the open delivery');
    },
  },
  {
    v5: ['MQTT-3.4.2-2', 'MQTT-3.4.2-3', 'MQTT-3.5.2-2', 'MQTT-3.5.2-3'],
    title:
      'PUBACK and PUBREC drop reason string and User Property rather than exceed the Maximum Packet Size',
    needs: ['qos2'],
    async run(t) {
      const s = await t.withServer({ talkative: true, deny: { publish: ['no/#'] } });
      const roomy = await s.connect();
      const tight = await s.connect({ properties: [[property.maximumPacketSize, 30]] });
      for (const qos of [1, 2]) {
        const type = qos === 1 ? packetType.PUBACK : packetType.PUBREC;
        roomy.send(roomy.publishBytes('no/way', 'x', { qos, id: qos }));
        const full = await roomy.ack(type, qos);
        equal(full.reason, 0x87, 'code with room');
        ok(full.properties.has(property.reasonString), 'with room a reason string comes');
        equal(await tight.publish('no/way', 'x', { qos, id: qos }), 0x87, 'code without room');
      }
      const sizes = tight.peer.history.map((f) => f.bytes.length);
      ok(
        sizes.every((size) => size <= 30),
        `no packet exceeds 30 bytes: ${sizes.join(', ')}`,
      );
    },
  },
  {
    v5: ['MQTT-3.6.2-2', 'MQTT-3.6.2-3', 'MQTT-3.7.2-2', 'MQTT-3.7.2-3'],
    title: 'PUBREL and PUBCOMP never exceed the Maximum Packet Size of the client',
    needs: ['qos2'],
    async run(t) {
      const s = t.canConfigure ? await t.withServer({ talkative: true }) : t;
      const client = await s.connect({ properties: [[property.maximumPacketSize, 30]] });
      client.send(packet.pubrec({ id: 5 }), packet.pubrel({ id: 6 }));
      await client.ack(packetType.PUBREL, 5);
      await client.ack(packetType.PUBCOMP, 6);
      const sizes = client.peer.history.map((f) => f.bytes.length);
      ok(
        sizes.every((size) => size <= 30),
        `no packet exceeds 30 bytes: ${sizes.join(', ')}`,
      );
    },
  },
]);
