// What the encoder refuses, and the forms that it chooses. The bytes themselves are in the vectors.

import {
  CodecError,
  Decoder,
  encode,
  encodedSize,
  encodeInto,
  type PacketInput,
  PacketType,
  type ProtocolVersion,
} from '@tobymq/codec';
import { expect, test } from 'vitest';
import { hexOf } from './vectors.ts';

const publish = { type: PacketType.Publish, topic: 't' } as const;
const connect = { type: PacketType.Connect, clientId: 'c' } as const;
const subscribe = { type: PacketType.Subscribe, packetId: 1 } as const;
const puback = { type: PacketType.Puback, packetId: 1 } as const;

/** What a caller without the type checker can pass as well. */
function untyped(packet: object): PacketInput {
  return packet as PacketInput;
}

const badTexts = ['\ud800', 'a\udc00', 'a\0b', 'x'.repeat(65_536), 'ä'.repeat(32_768)];

type Row = readonly [name: string, packet: PacketInput, versions?: readonly ProtocolVersion[]];
const V5 = [5] as const;
const V34 = [3, 4] as const;

const refused: readonly Row[] = [
  ...badTexts.flatMap((text): Row[] => [
    ['MQTT-1.5.4-1, -2: a bad topic name', { ...publish, topic: text }],
    ['MQTT-1.5.4-1, -2: a bad client identifier', { ...connect, clientId: text }],
    ['MQTT-1.5.4-1, -2: a bad user name', { ...connect, username: text }],
    ['MQTT-1.5.4-1, -2: a bad Will topic', { ...connect, will: { topic: text } }],
    ['MQTT-1.5.4-1, -2: a bad topic filter', { ...subscribe, subscriptions: [{ filter: text }] }],
    ['MQTT-1.5.4-1, -2: a bad content type', { ...publish, properties: { contentType: text } }, V5],
    ['MQTT-1.5.4-1, -2: a bad response topic', { ...publish, properties: { responseTopic: text } }, V5],
    [
      'MQTT-1.5.7-1: a bad name of a user property',
      { ...publish, properties: { userProperties: [[text, '']] } },
      V5,
    ],
    [
      'MQTT-1.5.7-1: a bad value of a user property',
      { ...puback, properties: { userProperties: [['', text]] } },
      V5,
    ],
  ]),
  ['MQTT-4.7.3-1: an empty topic name', { ...publish, topic: '' }],
  ['MQTT-4.7.3-1: an empty topic name with other properties', { ...publish, topic: '', properties: {} }, V5],
  ['MQTT-3.3.2-2: a topic name with "+"', { ...publish, topic: 'a/+' }],
  ['MQTT-3.3.2-2: a topic name with "#"', { ...publish, topic: '#' }],
  [
    'MQTT-3.3.2-14: a response topic with a wildcard',
    { ...publish, properties: { responseTopic: 'a/#' } },
    V5,
  ],
  ['MQTT-4.7.0-1: a Will topic with a wildcard', { ...connect, will: { topic: 'a/#' } }],
  ['MQTT-3.3.1-4: QoS 3', untyped({ ...publish, qos: 3, packetId: 1 })],
  ['a QoS that is no number', untyped({ ...publish, qos: '1', packetId: 1 })],
  ['MQTT-3.3.1-2: DUP with QoS 0', { ...publish, dup: true }],
  ['MQTT-2.2.1-2: a packet identifier with QoS 0', { ...publish, packetId: 1 }],
  ['MQTT-2.2.1-3: QoS 1 without a packet identifier', { ...publish, qos: 1 }],
  ['MQTT-2.2.1-3: the packet identifier 65,536', { ...publish, qos: 1, packetId: 65_536 }],
  ['a packet identifier that is no whole number', { ...publish, qos: 1, packetId: 1.5 }],
  ['a payload that is a string', untyped({ ...publish, payload: 'text' })],
  ['a topic name that is no string', untyped({ ...publish, topic: 7 })],
  ['MQTT-3.3.2-8: the topic alias 0', { ...publish, properties: { topicAlias: 0 } }, V5],
  ['a topic alias above 65,535', { ...publish, properties: { topicAlias: 65_536 } }, V5],
  ['N33: the subscription identifier 0', { ...publish, properties: { subscriptionIdentifiers: [0] } }, V5],
  [
    'a subscription identifier of 5 bytes',
    { ...publish, properties: { subscriptionIdentifiers: [2 ** 28] } },
    V5,
  ],
  [
    'a message expiry interval of 33 bits',
    { ...publish, properties: { messageExpiryInterval: 2 ** 32 } },
    V5,
  ],
  ['a negative message expiry interval', { ...publish, properties: { messageExpiryInterval: -1 } }, V5],
  ['a payload format indicator of 2', untyped({ ...publish, properties: { payloadFormatIndicator: 2 } }), V5],
  [
    'correlation data of 65,536 bytes',
    { ...publish, properties: { correlationData: new Uint8Array(65_536) } },
    V5,
  ],
  ['properties of PUBLISH before 5.0', { ...publish, properties: {} }, V34],
  ['properties of CONNECT before 5.0', { ...connect, properties: {} }, V34],
  ['properties of the Will before 5.0', { ...connect, will: { topic: 't', properties: {} } }, V34],
  ['properties of PUBACK before 5.0', { ...puback, properties: {} }, V34],
  ['properties of DISCONNECT before 5.0', { type: PacketType.Disconnect, properties: {} }, V34],
  ['a property that the packet cannot have', untyped({ ...connect, properties: { topicAlias: 1 } }), V5],
  ['MQTT-3.1.2-12: a Will with QoS 3', untyped({ ...connect, will: { topic: 't', qos: 3 } })],
  ['a Will payload of 65,536 bytes', { ...connect, will: { topic: 't', payload: new Uint8Array(65_536) } }],
  ['a password of 65,536 bytes', { ...connect, username: '', password: new Uint8Array(65_536) }],
  ['a password that is a string', untyped({ ...connect, username: '', password: 'secret' })],
  ['3.1.1 MQTT-3.1.2-22: a password without a user name', { ...connect, password: new Uint8Array(1) }, V34],
  ['a Keep Alive above 65,535', { ...connect, keepAlive: 65_536 }],
  ['a CONNECT of another version', { ...connect, protocolVersion: 3 }, [4, 5]],
  ['N11: Receive Maximum 0', { ...connect, properties: { receiveMaximum: 0 } }, V5],
  ['N11: Maximum Packet Size 0', { ...connect, properties: { maximumPacketSize: 0 } }, V5],
  ['a flag that is a number', untyped({ ...connect, properties: { requestProblemInformation: 1 } }), V5],
  [
    'N13: authentication data without a method',
    { ...connect, properties: { authenticationData: new Uint8Array(1) } },
    V5,
  ],
  [
    'user properties that are an object',
    untyped({ ...connect, properties: { userProperties: { a: '1' } } }),
    V5,
  ],
  ['MQTT-3.2.2-8: CONNACK with a code of DISCONNECT', { type: PacketType.Connack, reasonCode: 0x8e }, V5],
  ['CONNACK with a reason code before 5.0', { type: PacketType.Connack, reasonCode: 0x87 }, V34],
  [
    'MQTT-3.2.2-6: CONNACK that refuses, with a session',
    { type: PacketType.Connack, reasonCode: 5, sessionPresent: true },
    V34,
  ],
  [
    'MQTT-3.2.2-6: CONNACK that refuses, with a session',
    { type: PacketType.Connack, reasonCode: 0x87, sessionPresent: true },
    V5,
  ],
  ['N12: Maximum QoS 2', untyped({ type: PacketType.Connack, properties: { maximumQoS: 2 } }), V5],
  ['PUBACK with the packet identifier 0', { ...puback, packetId: 0 }],
  ['MQTT-3.4.2-1: PUBACK with the reason code 0x92', { ...puback, reasonCode: 0x92 }, V5],
  ['PUBACK with a reason code before 5.0', { ...puback, reasonCode: 0x80 }, V34],
  [
    'MQTT-3.6.2-1: PUBREL with the reason code 0x80',
    { type: PacketType.Pubrel, packetId: 1, reasonCode: 0x80 },
    V5,
  ],
  ['MQTT-3.8.3-2: SUBSCRIBE without a filter', { ...subscribe, subscriptions: [] }],
  ['SUBSCRIBE with the packet identifier 0', { ...subscribe, packetId: 0, subscriptions: [{ filter: 't' }] }],
  ['MQTT-4.7.1-1: a bad topic filter', { ...subscribe, subscriptions: [{ filter: 'a#' }] }],
  ['MQTT-4.8.2-1: a bad shared filter', { ...subscribe, subscriptions: [{ filter: '$share//t' }] }],
  ['N37: SUBSCRIBE with QoS 3', untyped({ ...subscribe, subscriptions: [{ filter: 't', qos: 3 }] })],
  ['N37: Retain Handling 3', untyped({ ...subscribe, subscriptions: [{ filter: 't', retainHandling: 3 }] })],
  [
    'MQTT-3.8.3-4: No Local on a shared filter',
    { ...subscribe, subscriptions: [{ filter: '$share/g/t', noLocal: true }] },
    V5,
  ],
  ['No Local before 5.0', { ...subscribe, subscriptions: [{ filter: 't', noLocal: true }] }, V34],
  [
    'N38: Subscription Identifier 0',
    { ...subscribe, subscriptions: [{ filter: 't' }], properties: { subscriptionIdentifier: 0 } },
    V5,
  ],
  ['SUBACK without a code', { type: PacketType.Suback, packetId: 1, reasonCodes: [] }],
  ['MQTT-3.9.3-2: SUBACK with the code 3', { type: PacketType.Suback, packetId: 1, reasonCodes: [3] }],
  [
    'V31-24: SUBACK with 0x80 in MQTT 3.1',
    { type: PacketType.Suback, packetId: 1, reasonCodes: [0x80] },
    [3],
  ],
  ['MQTT-3.10.3-2: UNSUBSCRIBE without a filter', { type: PacketType.Unsubscribe, packetId: 1, filters: [] }],
  ['a bad filter in UNSUBSCRIBE', { type: PacketType.Unsubscribe, packetId: 1, filters: ['a/#/b'] }],
  ['UNSUBACK without a code', { type: PacketType.Unsuback, packetId: 1 }, V5],
  [
    'MQTT-3.11.3-2: UNSUBACK with the code 1',
    { type: PacketType.Unsuback, packetId: 1, reasonCodes: [1] },
    V5,
  ],
  ['UNSUBACK with codes before 5.0', { type: PacketType.Unsuback, packetId: 1, reasonCodes: [0] }, V34],
  ['MQTT-3.14.2-1: DISCONNECT with the reason code 3', { type: PacketType.Disconnect, reasonCode: 3 }, V5],
  ['DISCONNECT with a reason code before 5.0', { type: PacketType.Disconnect, reasonCode: 4 }, V34],
  [
    "DISCONNECT with a client's and a server's property",
    { type: PacketType.Disconnect, properties: { sessionExpiryInterval: 1, serverReference: 's' } },
    V5,
  ],
  ['AUTH before 5.0', { type: PacketType.Auth, properties: { authenticationMethod: 'm' } }, V34],
  ['MQTT-4.12.0-5: AUTH without a method', { type: PacketType.Auth, reasonCode: 0x18 }, V5],
  [
    'MQTT-3.15.2-1: AUTH with another code',
    { type: PacketType.Auth, reasonCode: 0x87, properties: { authenticationMethod: 'm' } },
    V5,
  ],
  ['a packet of an unknown type', untyped({ type: 16 })],
];

const cases = refused.flatMap(([name, packet, versions = [3, 4, 5]]) =>
  versions.map((version) => ({ name, packet, version })),
);

test.each(cases)('refuses $name, version $version, and touches no byte', ({ packet, version }) => {
  const target = new Uint8Array(200_000);
  for (const run of [
    () => encode(packet, version),
    () => encodedSize(packet, version),
    () => encodeInto(packet, version, target, 0),
  ]) {
    try {
      run();
      expect.fail('it was encoded');
    } catch (error) {
      expect(error).toBeInstanceOf(CodecError);
      expect(error).toMatchObject({ code: 'TOBYMQ_PACKET_NOT_ENCODABLE' });
    }
  }
  expect(target.every((byte) => byte === 0)).toBe(true);
});

test('a payload that makes the packet longer than a remaining length can say is refused', () => {
  // The memory is only reserved by the system, never touched.
  const payload = new Uint8Array(268_435_455);
  expect(() => encodedSize({ ...publish, payload }, 4)).toThrow('more than 268,435,455');
  expect(encodedSize({ ...publish, payload: payload.subarray(3) }, 4)).toBe(268_435_460);
});

test('a packet that does not fit into the buffer is refused', () => {
  const target = new Uint8Array(6);
  expect(encodeInto(publish, 4, target, 1)).toBe(6);
  expect(() => encodeInto(publish, 4, target, 2)).toThrow('PUBLISH: 5 bytes are more than the buffer has');
});

test('fields that are left out have their defaults', () => {
  expect(hexOf(encode(connect, 5))).toBe('100e00044d5154540502003c00000163');
  expect(hexOf(encode(publish, 4))).toBe('3003000174');
  expect(hexOf(encode({ ...subscribe, subscriptions: [{ filter: 't' }] }, 5))).toBe(
    '82070001000001' + '7400',
  );
});

test('MQTT-1.5.5-1: lengths take as few bytes as possible', () => {
  for (const [size, lengthBytes] of [
    [124, 1],
    [125, 2],
    [16_380, 2],
    [16_381, 3],
    [2_097_148, 3],
    [2_097_149, 4],
  ] as const) {
    const bytes = encode({ ...publish, payload: new Uint8Array(size) }, 4);
    expect(bytes.length).toBe(1 + lengthBytes + 3 + size);
    expect(new Decoder({ role: 'server', version: 4 }).push(bytes)).toHaveLength(1);
  }
  for (const size of [110, 122, 123, 124, 125, 126, 127, 128, 129, 16_370, 16_379, 16_384]) {
    // The property length of CONNECT grows over its own borders: the section is moved to make room for it.
    const input = { ...connect, properties: { authenticationMethod: 'm'.repeat(size) } };
    const [packet] = new Decoder({ role: 'server' }).push(encode(input, 5));
    expect(packet).toMatchObject(input);
    const other = { ...publish, properties: { contentType: 'm'.repeat(size) } };
    expect(new Decoder({ role: 'server', version: 5 }).push(encode(other, 5))).toMatchObject([other]);
  }
});

test('small results share a block of memory and do not overlap', () => {
  const results = Array.from({ length: 2000 }, (_, index) => encode({ ...puback, packetId: index + 1 }, 4));
  for (const [index, bytes] of results.entries()) {
    expect(hexOf(bytes)).toBe(`4002${(index + 1).toString(16).padStart(4, '0')}`);
  }
});
