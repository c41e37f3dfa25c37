// 6 WebSocket as a transport. Needs a server with a WebSocket listener.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { opcode } from '../raw-websocket.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';

export const webSocketCases = casesOf('6 WebSocket', [
  {
    v5: 'MQTT-6.0.0-1',
    v311: 'MQTT-6.0.0-1',
    title: 'MQTT comes in binary frames, and a text frame closes the connection',
    needs: ['ws'],
    async run(t) {
      const { peer, socket } = await t.openWebSocket();
      peer.send(t.connectBytes());
      await peer.expect(packetType.CONNACK);
      ok(
        socket.opcodes.every((code) => code === opcode.BINARY),
        `opcodes of the frames: ${socket.opcodes.join(', ')}`,
      );
      socket.sendFrame(opcode.TEXT, packet.pingreq());
      const frames = await peer.expectClose();
      ok(
        !frames.some((frame) => frame.type === packetType.PINGRESP),
        'a packet in a text frame is not handled',
      );
    },
  },
  {
    v5: 'MQTT-6.0.0-2',
    v311: 'MQTT-6.0.0-2',
    title: 'frames and packets need not be aligned',
    needs: ['ws'],
    async run(t) {
      const { version } = t;
      const { peer, socket } = await t.openWebSocket();
      for (const byte of t.connectBytes()) {
        socket.sendFrame(opcode.BINARY, Buffer.from([byte]));
      }
      await peer.expect(packetType.CONNACK);
      const topic = t.topic('ws');
      const together = Buffer.concat([
        packet.subscribe({ version, id: 1, filters: [[topic, 0]] }),
        packet.publish({ version, topic, payload: 'together' }),
      ]);
      peer.send(together);
      await peer.take(packetType.SUBACK);
      equal(
        decode.publish(await peer.take(packetType.PUBLISH), version).payload.toString(),
        'together',
        'payload',
      );
      const cut = packet.publish({ version, topic, payload: 'fragmented' });
      socket.sendFrame(opcode.BINARY, cut.subarray(0, 3), false);
      socket.sendFrame(opcode.CONTINUATION, cut.subarray(3, 8), false);
      socket.sendFrame(opcode.CONTINUATION, cut.subarray(8), true);
      equal(
        decode.publish(await peer.take(packetType.PUBLISH), version).payload.toString(),
        'fragmented',
        'payload',
      );
    },
  },
  {
    v5: 'MQTT-6.0.0-4',
    v311: 'MQTT-6.0.0-4',
    title: 'the server selects the subprotocol mqtt',
    needs: ['ws'],
    async run(t) {
      for (const protocols of [['mqtt'], ['foo', 'mqtt']]) {
        const { socket } = await t.openWebSocket(protocols);
        equal(socket.subprotocol, 'mqtt', `subprotocol for ${protocols.join(', ')}`);
      }
    },
  },
  {
    v31: 'V31-34',
    title: 'the subprotocol mqttv3.1 is selected, or the offer refused',
    needs: ['ws'],
    async run(t) {
      const opened = await t.openWebSocket(['mqttv3.1']).catch(() => undefined);
      oneOf(opened?.socket.subprotocol, t.strict ? ['mqttv3.1'] : ['mqttv3.1', undefined], 'subprotocol');
      if (opened?.socket.subprotocol) {
        opened.peer.send(t.connectBytes());
        equal(decode.connack(await opened.peer.expect(packetType.CONNACK), 3).reason, 0, 'code of CONNACK');
      }
    },
  },
]);
