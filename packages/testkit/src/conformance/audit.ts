// Looks at every packet that a server sent during a case, whatever the case was about: flags, reason codes, order and
// the rules that hold at all times. A case fails if the audit finds anything.

import { decode } from '../decode.ts';
import { describeFrame, type Frame, packetType } from '../frames.ts';
import type { MqttVersion } from '../packet.ts';
import { property, variableByteInteger } from '../properties.ts';
import { ConformanceFailure, ok, oneOf } from './check.ts';

/** Reason codes that a server may put into each packet of 5.0. */
const publishCodes = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const reasonCodes = new Map<number, readonly number[]>([
  [
    packetType.CONNACK,
    [
      0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99,
      0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
    ],
  ],
  [packetType.PUBACK, publishCodes],
  [packetType.PUBREC, publishCodes],
  [packetType.PUBREL, [0x00, 0x92]],
  [packetType.PUBCOMP, [0x00, 0x92]],
  [packetType.SUBACK, [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]],
  [packetType.UNSUBACK, [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]],
  [
    packetType.DISCONNECT,
    [
      0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96,
      0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
    ],
  ],
  [packetType.AUTH, [0x00, 0x18]],
]);

const fromServer = new Set<number>([
  packetType.CONNACK,
  packetType.PUBLISH,
  packetType.PUBACK,
  packetType.PUBREC,
  packetType.PUBREL,
  packetType.PUBCOMP,
  packetType.SUBACK,
  packetType.UNSUBACK,
  packetType.PINGRESP,
]);

/** Throws if the packets that a server sent on one connection break a rule that always holds. */
export function auditConnection(frames: readonly Frame[], version: MqttVersion): void {
  let isAccepted = false;
  let isOver = false;
  for (const frame of frames) {
    try {
      ok(!isOver, 'a packet after DISCONNECT or a refusal'); // [MQTT-3.14.4-1], [MQTT-3.2.2-7]
      auditFixedHeader(frame, version);
      if (frame.type === packetType.CONNACK) {
        ok(!isAccepted, 'a second CONNACK'); // [MQTT-3.2.0-2]
        isAccepted = auditConnack(frame, version);
        isOver = !isAccepted; // [MQTT-3.2.2-7]
      } else {
        ok(isAccepted || frame.type === packetType.AUTH, 'a packet before CONNACK'); // [MQTT-3.2.0-1], [MQTT-3.14.0-1]
        auditPacket(frame, version);
        isOver = frame.type === packetType.DISCONNECT;
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ConformanceFailure(`${why}, in ${describeFrame(frame)}`);
    }
  }
}

function auditFixedHeader(frame: Frame, version: MqttVersion): void {
  const isKnown = fromServer.has(frame.type) || (version === 5 && frame.type >= packetType.DISCONNECT);
  ok(isKnown, 'a packet that no server sends');
  // [MQTT-1.5.5-1]
  const header = Buffer.concat([frame.bytes.subarray(0, 1), variableByteInteger(frame.body.length)]);
  ok(frame.bytes.subarray(0, header.length).equals(header), 'a Remaining Length that is not the shortest');
  if (frame.type !== packetType.PUBLISH) {
    // [MQTT-2.1.3-1]; 3.1 allows DUP on a repeated PUBREL
    const expected = frame.type === packetType.PUBREL ? 2 : 0;
    const masked = version === 3 && frame.type === packetType.PUBREL ? frame.flags & 7 : frame.flags;
    oneOf(masked, [expected], 'reserved flags');
  }
}

function auditConnack(frame: Frame, version: MqttVersion): boolean {
  // A version that the server does not know may be refused in the form of 5.0.
  const isUnknownVersion = frame.body.length > 2 && frame.body[1] === 0x84;
  const connack = decode.connack(frame, isUnknownVersion ? 5 : version);
  oneOf(connack.flags, version === 3 ? [0] : [0, 1], 'Connect Acknowledge Flags'); // [MQTT-3.2.2-1]
  if (isUnknownVersion || (version === 5 && frame.body.length > 2)) {
    oneOf(connack.reason, reasonCodes.get(packetType.CONNACK) ?? [], 'reason code'); // [MQTT-3.2.2-8]
  } else {
    oneOf(connack.reason, [0, 1, 2, 3, 4, 5], 'return code');
  }
  ok(connack.reason === 0 || !connack.sessionPresent, 'Session Present in a refusal'); // [MQTT-3.2.2-6]
  return connack.reason === 0;
}

function auditPacket(frame: Frame, version: MqttVersion): void {
  switch (frame.type) {
    case packetType.PUBLISH: {
      const message = decode.publish(frame, version);
      ok(message.qos < 3, 'QoS 3'); // [MQTT-3.3.1-4]
      ok(message.qos > 0 || !message.dup, 'DUP at QoS 0'); // [MQTT-3.3.1-2]
      ok(message.qos === 0 || message.id > 0, 'Packet Identifier 0'); // [MQTT-2.2.1-4]
      ok(!/[+#]/.test(message.topic), 'a wildcard in a Topic Name'); // [MQTT-3.3.2-2]
      ok(message.properties.get(property.topicAlias)?.[0] !== 0, 'Topic Alias 0'); // [MQTT-3.3.2-8]
      break;
    }
    case packetType.SUBACK:
      checkCodes(decode.codes(frame, version).codes, frame.type, version);
      break;
    case packetType.UNSUBACK:
      checkCodes(decode.codes(frame, version).codes, frame.type, version);
      break;
    case packetType.DISCONNECT:
    case packetType.AUTH: {
      const { reason, properties } = decode.reason(frame, version);
      checkCodes([reason], frame.type, version);
      ok(!properties.has(property.sessionExpiryInterval), 'Session Expiry Interval from the server'); // [MQTT-3.14.2-2]
      break;
    }
    case packetType.PINGRESP:
      oneOf(frame.body.length, [0], 'length of PINGRESP');
      break;
    default:
      checkCodes([decode.ack(frame, version).reason], frame.type, version);
  }
}

function checkCodes(codes: readonly number[], type: number, version: MqttVersion): void {
  // [MQTT-3.9.3-2] of 3.1.1; 3.1 has no code for a refused subscription
  const older = type !== packetType.SUBACK ? [0] : version === 4 ? [0, 1, 2, 0x80] : [0, 1, 2];
  for (const code of codes) {
    oneOf(code, version === 5 ? (reasonCodes.get(type) ?? []) : older, 'reason code');
  }
}
