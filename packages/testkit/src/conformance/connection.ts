// Connections: PINGREQ and Keep Alive, DISCONNECT either way, errors and what they close, the transport.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property } from '../properties.ts';
import { casesOf } from './case.ts';
import { equal, ok } from './check.ts';

export const connectionCases = casesOf('Connections', [
  {
    v5: 'MQTT-3.14.0-1',
    title: 'a server sends no DISCONNECT before it has accepted the connection',
    async run(t) {
      const attempts = [
        packet.connect({ clientId: t.clientId(), flags: 0x03 }),
        packet.connect({ clientId: t.clientId(), properties: [[property.receiveMaximum, 0]] }),
        packet.connect({ clientId: t.clientId(), level: 9 }),
        packet.pingreq(),
      ];
      for (const bytes of attempts) {
        const peer = await t.open();
        peer.send(bytes);
        const types = (await peer.expectClose()).map((f) => f.type);
        ok(!types.includes(packetType.DISCONNECT), 'no DISCONNECT before CONNACK');
      }
    },
  },
  {
    v5: 'MQTT-3.14.1-1',
    v311: 'MQTT-3.14.1-1',
    title: 'DISCONNECT with wrong flag bits closes the connection as an error, and the Will is published',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('will'));
      const will = { topic: t.topic('will'), payload: 'gone' };
      for (let flags = 1; flags < 16; flags += 1) {
        await t.refusesPacket(packet.disconnect({ firstByte: 0xe0 | flags }), { codes: [0x81] }, { will });
        equal((await observer.message()).payload.toString(), 'gone', `the Will after flags ${flags}`);
      }
    },
  },
  {
    v5: 'MQTT-3.14.2-1',
    title: 'a DISCONNECT with a code that is not in its table is refused',
    async run(t) {
      for (const reason of [0x03, 0x92]) {
        const codes = t.strict ? [0x82, 0x81] : [0x82];
        const client = await t.connect();
        client.send(packet.disconnect({ reason }));
        const frames = await client.peer.expectClose();
        for (const frame of frames) {
          ok(codes.includes(decode.reason(frame, 5).reason), 'a code that says why');
        }
      }
    },
  },
  {
    v5: 'MQTT-3.14.2-2',
    title: 'a DISCONNECT of the server has no Session Expiry Interval',
    async run(t) {
      const clientId = t.clientId();
      const first = await t.connectSession(clientId);
      await t.connectSession(clientId);
      const frames = await first.peer.expectClose();
      for (const frame of frames) {
        ok(
          !decode.reason(frame, 5).properties.has(property.sessionExpiryInterval),
          'no Session Expiry Interval',
        );
      }
    },
  },
  {
    v5: ['MQTT-3.14.2-3', 'MQTT-3.14.2-4'],
    title: 'a DISCONNECT of the server never exceeds the Maximum Packet Size of the client',
    async run(t) {
      const s = t.canConfigure ? await t.withServer({ talkative: true }) : t;
      const limited = async (maximum: number): Promise<number> => {
        const client = await s.connect({ properties: [[property.maximumPacketSize, maximum]] });
        client.send(packet.publish({ topic: 'a', payload: 'x', properties: [[property.topicAlias, 0]] }));
        const [goodbye] = await client.peer.expectClose();
        const size = goodbye?.bytes.length ?? 0;
        ok(size <= maximum, `DISCONNECT has ${size} bytes, the client takes ${maximum}`);
        return size;
      };
      const full = await limited(1000);
      await limited(Math.max(full - 1, 30));
      await limited(30);
    },
  },
  {
    v5: 'MQTT-3.14.4-1',
    v311: 'MQTT-3.14.4-2',
    title: 'what a client sends behind its DISCONNECT is not processed',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('a'));
      const client = await t.connect();
      client.send(packet.disconnect(), client.publishBytes(t.topic('a'), 'late'));
      await client.peer.expectClose();
      equal(await t.collectTexts(observer), [], 'messages behind DISCONNECT');
    },
  },
  {
    v5: ['MQTT-3.14.4-2', 'MQTT-4.13.2-1'],
    title: 'after its DISCONNECT the server closes, even if the client keeps its half open',
    async run(t) {
      const peer = await t.open({ allowHalfOpen: true });
      peer.send(t.connectBytes());
      await peer.expect(packetType.CONNACK);
      peer.send('36 06 00 01 61 00 01 00');
      const frames = await peer.expectClose();
      ok(
        frames.every((frame) => frame.type === packetType.DISCONNECT),
        'at most a DISCONNECT comes before the close',
      );
    },
  },
  {
    v5: 'N47',
    v311: 'M13',
    v31: 'V31-17',
    title: 'after a DISCONNECT the server closes if the client does not',
    async run(t) {
      const client = await t.connect();
      client.send('e0 00');
      equal((await client.peer.expectClose()).length, 0, 'packets after DISCONNECT');
    },
  },
  {
    v5: 'N59',
    v311: 'MQTT-4.8.0-1',
    title: 'an error closes the connection that it came in on, and no other',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('a'));
      for (const bytes of ['36 06 00 01 61 00 01 00', '00 00', '82 02 00 01', 'c0 80 80 80 80 01']) {
        await t.refusesPacket(bytes, { codes: [0x81, 0x82] });
        await observer.ping();
      }
      await (await t.publisher()).publish(t.topic('a'), 'still here');
      equal(await t.collectTexts(observer), ['still here'], 'messages of the other client');
    },
  },
  {
    v5: 'MQTT-4.13.1-1',
    title: 'a malformed packet and a protocol error close the connection with 0x81 and 0x82',
    async run(t) {
      await t.refusesPacket('36 06 00 01 61 00 01 00', { codes: [0x81] });
      await t.refusesPacket('82 03 00 01 00', { codes: [0x82, ...(t.strict ? [] : [0x81])] });
    },
  },
  {
    v311: 'MQTT-4.8.0-2',
    title: 'a message that cannot be stored is not acknowledged',
    async run(t) {
      const s = await t.withServer({ storeFails: true });
      const observer = await s.connect();
      const client = await s.connect();
      client.send(client.publishBytes(s.topic('a'), 'x', { qos: 1, retain: true, id: 9 }));
      // The standard closes the connection. Keeping it is kinder while a disk is full: the client repeats the message.
      await Promise.race([client.peer.expectClose(), client.ping().catch(() => {})]);
      await observer.ping();
      await t.sleep(300);
      client.expectQuiet('after the PUBLISH');
    },
  },
  {
    v5: 'MQTT-3.2.2-22',
    title: 'the Keep Alive of the server counts if it sends one, otherwise that of the client',
    async run(t) {
      const s = t.canConfigure ? await t.withServer({ serverKeepAlive: 1 }) : t;
      const since = performance.now();
      const client = await s.connect({ keepAlive: t.canConfigure ? 600 : 1 });
      ok(
        !t.canConfigure || client.connack.properties.has(property.serverKeepAlive),
        'the server tells its Keep Alive',
      );
      const keepAlive = Number(client.connack.properties.get(property.serverKeepAlive)?.[0] ?? 1);
      await client.peer.expectClose({ timeout: keepAlive * 1500 + 9000 });
      const elapsed = performance.now() - since;
      ok(
        elapsed >= keepAlive * 1500 - 50,
        `closed after ${Math.round(elapsed)} ms with a Keep Alive of ${keepAlive} s`,
      );
    },
  },
  {
    v5: 'MQTT-3.12.4-1',
    v311: 'MQTT-3.12.4-1',
    title: 'every PINGREQ is answered with PINGRESP',
    async run(t) {
      const client = await t.connect();
      client.send('c000 c000 c000');
      for (let index = 0; index < 3; index += 1) {
        equal((await client.peer.next()).bytes.toString('hex'), 'd000', 'the answer');
      }
    },
  },
  {
    v311: 'M17',
    title: 'Keep Alive 0 turns the timeout off',
    async run(t) {
      const client = await t.connect({ keepAlive: 0 });
      await t.sleep(3000);
      await client.ping();
    },
  },
  {
    v5: 'MQTT-4.2.0-1',
    v311: ['MQTT-7.1.1-1', 'MQTT-7.0.0-2'],
    title: 'packets sent byte by byte and many in one write mean the same',
    async run(t) {
      const { version } = t;
      const peer = await t.open();
      const topic = t.topic('a');
      await peer.sendByteByByte(t.connectBytes());
      await peer.expect(packetType.CONNACK);
      await peer.sendByteByByte(packet.subscribe({ version, id: 1, filters: [[topic, 0]] }));
      await peer.expect(packetType.SUBACK);
      await peer.sendByteByByte(packet.publish({ version, topic, payload: 'slow' }));
      equal(
        decode.publish(await peer.expect(packetType.PUBLISH), version).payload.toString(),
        'slow',
        'payload',
      );
      const many = Array.from({ length: 50 }, (_, n) =>
        packet.publish({ version, topic, payload: String(n) }),
      );
      peer.send(...many);
      for (let index = 0; index < 50; index += 1) {
        const message = decode.publish(await peer.expect(packetType.PUBLISH), version);
        equal(message.payload.toString(), String(index), 'payload');
      }
    },
  },
]);
