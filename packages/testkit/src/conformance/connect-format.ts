// 3.1 CONNECT, its form: first packet, protocol name and version, flags, fields, properties.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { frame, packet } from '../packet.ts';
import { field, property, uint16 } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Context, Refusal } from './context.ts';

export const malformed: Refusal = { codes: [0x81] };
const badBytes = Buffer.from('fffe', 'hex');

/** CONNECT with these flags and exactly this payload. */
export function connectWith(t: Context, flags: number, ...payload: readonly Buffer[]): Buffer {
  return packet.connect({ version: t.version, flags, payload: Buffer.concat(payload) });
}

/** Fields of a Will: properties in 5.0, topic, payload. */
function willFields(t: Context): Buffer {
  return Buffer.concat([
    t.version === 5 ? Buffer.from([0]) : Buffer.alloc(0),
    field(t.topic('will')),
    field('gone'),
  ]);
}

export const connectFormatCases = casesOf('3.1 CONNECT: form', [
  {
    v5: 'MQTT-3.1.0-1',
    v311: 'MQTT-3.1.0-1',
    title: 'any other packet than CONNECT at the start closes the connection without an answer',
    async run(t) {
      const { version } = t;
      const observer = await t.connect();
      await observer.subscribe(t.topic('#'));
      const first = [
        packet.pingreq(),
        packet.publish({ version, topic: t.topic('early'), payload: 'x' }),
        packet.subscribe({ version, id: 1, filters: [[t.topic('early'), 0]] }),
        packet.disconnect(),
        ...(version === 5
          ? [packet.auth({ reason: 0x18, properties: [[property.authenticationMethod, 'm']] })]
          : []),
      ];
      for (const bytes of first) {
        await t.refusesConnect(bytes, { codes: [0x81, 0x82] });
      }
      equal(await t.collectTexts(observer), [], 'messages published before CONNECT');
    },
  },
  {
    v5: 'MQTT-3.1.0-2',
    v311: 'MQTT-3.1.0-2',
    title: 'a second CONNECT closes the connection, and the Will is published',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('will'));
      const will = { topic: t.topic('will'), payload: 'gone' };
      await t.refusesPacket(t.connectBytes(), { codes: [0x82] }, { will });
      equal((await observer.message()).payload.toString(), 'gone', 'the Will');
    },
  },
  {
    v5: 'MQTT-3.1.2-1',
    v311: 'MQTT-3.1.2-1',
    title: 'an unknown Protocol Name is refused',
    async run(t) {
      for (const protocolName of ['MQTU', 'mqtt', '']) {
        const bytes = packet.connect({ version: t.version, clientId: t.clientId(), protocolName });
        await t.refusesConnect(bytes, { codes: [0x84, 0x81, 0x82], returnCodes: t.strict ? [] : [1] });
      }
    },
  },
  {
    v5: 'MQTT-3.1.2-2',
    v311: 'MQTT-3.1.2-2',
    title: 'an unsupported Protocol Version is refused',
    async run(t) {
      for (const level of [6, 0, 255]) {
        const peer = await t.open();
        peer.send(packet.connect({ version: t.version, clientId: t.clientId(), level }));
        const frames = await peer.expectClose();
        ok(frames.length <= 1, 'at most a CONNACK comes before the close');
        const [connack] = frames;
        // 3.1.1 demands a CONNACK, 5.0 permits one; its form is that of either version.
        ok(connack !== undefined || t.version === 5, 'expected a CONNACK before the close');
        if (connack !== undefined) {
          const { reason } = decode.connack(connack, connack.body.length > 2 ? 5 : 4);
          equal(reason, connack.body.length > 2 ? 0x84 : 1, 'code for an unsupported version');
        }
      }
    },
  },
  {
    v5: 'MQTT-3.1.2-3',
    v311: 'MQTT-3.1.2-3',
    title: 'the reserved Connect Flag has to be 0',
    run: (t) => t.refusesConnect(connectWith(t, 0x03, field(t.clientId())), malformed).then(() => {}),
  },
  {
    v5: 'MQTT-3.1.2-9',
    v311: 'MQTT-3.1.2-9',
    title: 'with Will Flag 1 the fields of the Will have to be there',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x06, field(t.clientId())), malformed);
      const properties = t.version === 5 ? Buffer.from([0]) : Buffer.alloc(0);
      await t.refusesConnect(connectWith(t, 0x06, field(t.clientId()), properties, field('will')), malformed);
      const complete = await t.open();
      complete.send(connectWith(t, 0x06, field(t.clientId()), willFields(t)));
      equal(
        decode.connack(await complete.expect(packetType.CONNACK), t.version).reason,
        0,
        'with all fields',
      );
      complete.send(packet.disconnect());
      await complete.expectClose();
    },
  },
  {
    v5: 'MQTT-3.1.2-11',
    v311: ['MQTT-3.1.2-11', 'MQTT-3.1.2-13'],
    title: 'with Will Flag 0 the Will QoS has to be 0',
    async run(t) {
      for (const flags of [0x0a, 0x12]) {
        await t.refusesConnect(connectWith(t, flags, field(t.clientId())), malformed);
      }
    },
  },
  {
    v5: 'MQTT-3.1.2-12',
    v311: 'MQTT-3.1.2-14',
    title: 'Will QoS 3 is refused',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x1e, field(t.clientId()), willFields(t)), malformed);
    },
  },
  {
    v5: 'MQTT-3.1.2-13',
    v311: 'MQTT-3.1.2-15',
    title: 'with Will Flag 0 Will Retain has to be 0',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x22, field(t.clientId())), malformed);
    },
  },
  {
    v5: ['MQTT-3.1.2-16', 'MQTT-3.1.2-18'],
    v311: 'MQTT-3.1.2-18',
    title: 'without User Name and Password Flag a surplus field is refused',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x02, field(t.clientId()), field('surplus')), malformed);
    },
  },
  {
    v311: 'MQTT-3.1.2-20',
    title: 'without Password Flag a field behind the User Name is refused',
    async run(t) {
      await t.refusesConnect(
        connectWith(t, 0x82, field(t.clientId()), field('user'), field('surplus')),
        malformed,
      );
    },
  },
  {
    v5: 'MQTT-3.1.2-17',
    v311: 'MQTT-3.1.2-19',
    title: 'with User Name Flag 1 the User Name has to be there',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x82, field(t.clientId())), malformed);
    },
  },
  {
    v5: 'MQTT-3.1.2-19',
    v311: 'MQTT-3.1.2-21',
    title: 'with Password Flag 1 the Password has to be there',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0xc2, field(t.clientId()), field('user')), malformed);
      if (t.version === 5) {
        const peer = await t.open();
        peer.send(connectWith(t, 0x42, field(t.clientId()), field('password')));
        const { reason } = decode.connack(await peer.expect(packetType.CONNACK), 5);
        oneOf(reason, [0, 0x86, 0x87], 'a Password without User Name is correct by its format');
      }
    },
  },
  {
    v311: 'MQTT-3.1.2-22',
    title: 'a Password without User Name is refused',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x42, field(t.clientId()), field('password')), malformed);
    },
  },
  {
    v5: 'MQTT-3.1.3-3',
    v311: 'MQTT-3.1.3-3',
    title: 'a CONNECT without ClientID field is refused',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x02), malformed);
    },
  },
  {
    v5: 'MQTT-3.1.3-4',
    v311: 'MQTT-3.1.3-4',
    title: 'a ClientID that is not UTF-8 is refused',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x02, field(badBytes)), {
        codes: [0x81, 0x85],
        returnCodes: [2],
      });
    },
  },
  {
    v5: 'MQTT-3.1.3-11',
    v311: 'MQTT-3.1.3-10',
    title: 'a Will Topic that is not UTF-8 is refused',
    async run(t) {
      const properties = t.version === 5 ? Buffer.from([0]) : Buffer.alloc(0);
      const payload = [field(t.clientId()), properties, field(badBytes), field('gone')];
      await t.refusesConnect(connectWith(t, 0x06, ...payload), { codes: [0x81, 0x90] });
    },
  },
  {
    v5: 'MQTT-3.1.3-12',
    v311: 'MQTT-3.1.3-11',
    title: 'a User Name that is not UTF-8 is refused, a Password of any bytes is not',
    async run(t) {
      await t.refusesConnect(connectWith(t, 0x82, field(t.clientId()), field(badBytes)), {
        codes: [0x81, 0x86],
        returnCodes: [4],
      });
      const peer = await t.open();
      peer.send(connectWith(t, 0xc2, field(t.clientId()), field('user'), field(badBytes)));
      const { reason } = decode.connack(await peer.expect(packetType.CONNACK), t.version);
      oneOf(reason, [0, 4, 5, 0x86, 0x87], 'the Password is not judged by its form');
    },
  },
  {
    v5: 'MQTT-3.1.4-1',
    v311: 'MQTT-3.1.4-1',
    title: 'a CONNECT of the wrong form is refused',
    async run(t) {
      const good = t.connectBytes();
      await t.refusesConnect(frame(0x10, good.subarray(2, good.length - 4)), malformed);
      await t.refusesConnect(frame(0x10, good.subarray(2), uint16(7)), malformed);
      await t.refusesConnect(frame(0x10), malformed);
      if (t.version === 5) {
        const properties = [[property.receiveMaximum, 0] as const];
        await t.refusesConnect(packet.connect({ clientId: t.clientId(), properties }), { codes: [0x82] });
      }
    },
  },
  {
    v5: 'N11',
    title: 'values outside their range in the properties of CONNECT are refused',
    async run(t) {
      const wrong = [
        [property.receiveMaximum, 0],
        [property.maximumPacketSize, 0],
        [property.requestProblemInformation, 2],
        [property.requestResponseInformation, 2],
      ] as const;
      for (const single of wrong) {
        await t.refusesConnect(packet.connect({ clientId: t.clientId(), properties: [single] }), {
          codes: [0x82],
        });
      }
    },
  },
  {
    v5: 'N13',
    title: 'Authentication Data without an Authentication Method is refused',
    async run(t) {
      const properties = [[property.authenticationData, Buffer.from('x')] as const];
      await t.refusesConnect(packet.connect({ clientId: t.clientId(), properties }), { codes: [0x82] });
    },
  },
  {
    v5: 'N19',
    title: 'a Will that contradicts its Payload Format Indicator is refused with 0x99 or accepted',
    async run(t) {
      const properties = [[property.payloadFormatIndicator, 1] as const];
      const will = { topic: t.topic('will'), payload: Buffer.from([0xff]), properties };
      const peer = await t.open();
      peer.send(packet.connect({ clientId: t.clientId(), will }));
      oneOf(decode.connack(await peer.expect(packetType.CONNACK), 5).reason, [0, 0x99], 'code of CONNACK');
    },
  },
  {
    v5: 'N21',
    title: 'a bad CONNECT is answered with a fitting CONNACK or with a bare close',
    async run(t) {
      for (const bytes of [connectWith(t, 0x1e, field(t.clientId()), willFields(t)), connectWith(t, 0x02)]) {
        await t.refusesConnect(bytes, malformed);
      }
    },
  },
]);
