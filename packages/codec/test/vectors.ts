// Wire vectors: packets and their bytes, written by hand from the standards. They are walked by the tests for decoding,
// encoding and splitting, and seed the fuzzer.

import { type PacketInput, PacketType, type ProtocolVersion, ReasonCode, type Role } from '@tobymq/codec';

export interface Vector {
  readonly name: string;
  readonly version: ProtocolVersion;
  /** The side that receives it. */
  readonly to: Role;
  readonly hex: string;
  readonly packet: PacketInput;
  /** Set for bytes that are legal but not the form that our encoder writes. */
  readonly isOtherForm?: true;
}

export function bytesOf(hex: string): Uint8Array {
  const digits = hex.replaceAll(/\s/g, '');
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Vectors that are the same in 3.1, 3.1.1 and 5.0, with the bytes that only 5.0 has where `|` stands. */
function inAllVersions(name: string, to: Role, hex: string, packet: PacketInput): Vector[] {
  return ([3, 4, 5] as const).map((version) => ({
    name: `${name} (version ${version})`,
    version,
    to,
    hex: version === 5 ? hex.replace('|', '00').replace(/\[(\w\w)-1\]/, '$1') : shorter(hex),
    packet,
  }));
}

/** Without the property length that `|` stands for, and with `[nn-1]`, a remaining length, one less. */
function shorter(hex: string): string {
  return hex
    .replace('|', '')
    .replace(/\[(\w\w)-1\]/, (_, length) => (Number.parseInt(length, 16) - 1).toString(16).padStart(2, '0'));
}

const userProperties = [
  ['a', '1'],
  ['b', ''],
  ['a', '2'],
] as const;
const USER = '26 0001 61 0001 31  26 0001 62 0000  26 0001 61 0001 32';

const connectFields = {
  type: PacketType.Connect,
  clientId: 'c1',
  cleanStart: false,
  keepAlive: 10,
  username: 'u',
  password: Uint8Array.of(0xff, 0x00),
  will: { topic: 'w/t', payload: Uint8Array.of(0xfe), qos: 2, retain: true },
} as const;

export const vectors: readonly Vector[] = [
  {
    name: 'CONNECT of 3.1, short',
    version: 3,
    to: 'server',
    hex: '10 10 0006 4d5149736470 03 02 003c 0002 6331',
    packet: { type: PacketType.Connect, clientId: 'c1' },
  },
  {
    name: 'CONNECT of 3.1.1, short',
    version: 4,
    to: 'server',
    hex: '10 0e 0004 4d515454 04 02 003c 0002 6331',
    packet: { type: PacketType.Connect, clientId: 'c1' },
  },
  {
    name: 'CONNECT of 5.0, short',
    version: 5,
    to: 'server',
    hex: '10 0d 0004 4d515454 05 02 003c 00 0000',
    packet: { type: PacketType.Connect, clientId: '' },
  },
  {
    name: 'CONNECT of 3.1 with everything',
    version: 3,
    to: 'server',
    hex: '10 1f 0006 4d5149736470 03 f4 000a 0002 6331 0003 772f74 0001 fe 0001 75 0002 ff00',
    packet: connectFields,
  },
  {
    name: 'CONNECT of 3.1.1 with everything',
    version: 4,
    to: 'server',
    hex: '10 1d 0004 4d515454 04 f4 000a 0002 6331 0003 772f74 0001 fe 0001 75 0002 ff00',
    packet: connectFields,
  },
  {
    name: 'CONNECT of 5.0 with everything',
    version: 5,
    to: 'server',
    hex: `10 7c 0004 4d515454 05 f4 000a
      31 11 00000064 21 000a 27 00001000 22 0005 19 01 17 00 ${USER} 15 0001 6d 16 0002 ff00
      0002 6331
      2c 18 0000000a 01 01 02 0000003c 03 0001 74 08 0001 72 09 0001 07 ${USER}
      0003 772f74 0001 fe 0001 75 0002 ff00`,
    packet: {
      ...connectFields,
      properties: {
        sessionExpiryInterval: 100,
        receiveMaximum: 10,
        maximumPacketSize: 4096,
        topicAliasMaximum: 5,
        requestResponseInformation: true,
        requestProblemInformation: false,
        userProperties,
        authenticationMethod: 'm',
        authenticationData: Uint8Array.of(0xff, 0),
      },
      will: {
        ...connectFields.will,
        properties: {
          willDelayInterval: 10,
          payloadFormatIndicator: 1,
          messageExpiryInterval: 60,
          contentType: 't',
          responseTopic: 'r',
          correlationData: Uint8Array.of(7),
          userProperties,
        },
      },
    },
  },
  {
    name: 'CONNECT of 5.0 with a password but no user name',
    version: 5,
    to: 'server',
    hex: '10 12 0004 4d515454 05 42 003c 00 0002 6331 0001 70',
    packet: { type: PacketType.Connect, clientId: 'c1', password: text('p') },
  },
  {
    name: 'CONNACK of 3.1',
    version: 3,
    to: 'client',
    hex: '20 02 00 00',
    packet: { type: PacketType.Connack },
  },
  {
    name: 'CONNACK of 3.1.1 with a session',
    version: 4,
    to: 'client',
    hex: '20 02 01 00',
    packet: { type: PacketType.Connack, sessionPresent: true },
  },
  {
    name: 'CONNACK of 3.1.1, refused',
    version: 4,
    to: 'client',
    hex: '20 02 00 05',
    packet: { type: PacketType.Connack, reasonCode: 5 },
  },
  {
    name: 'CONNACK of 5.0, short',
    version: 5,
    to: 'client',
    hex: '20 03 00 00 00',
    packet: { type: PacketType.Connack },
  },
  {
    name: 'CONNACK of 5.0 with everything',
    version: 5,
    to: 'client',
    hex: `20 4c 01 00 49 22 0000 13 0000 12 0001 69 25 00 27 00000001 21 ffff 24 01 11 ffffffff 1f 0002 6f6b ${USER}
      28 00 29 01 2a 00 1a 0001 72 1c 0001 73 15 0001 6d 16 0000`,
    packet: {
      type: PacketType.Connack,
      sessionPresent: true,
      properties: {
        sessionExpiryInterval: 0xffff_ffff,
        receiveMaximum: 65_535,
        maximumQoS: 1,
        retainAvailable: false,
        maximumPacketSize: 1,
        assignedClientIdentifier: 'i',
        topicAliasMaximum: 0,
        reasonString: 'ok',
        userProperties,
        wildcardSubscriptionAvailable: false,
        subscriptionIdentifierAvailable: true,
        sharedSubscriptionAvailable: false,
        serverKeepAlive: 0,
        responseInformation: 'r',
        serverReference: 's',
        authenticationMethod: 'm',
        authenticationData: new Uint8Array(0),
      },
    },
  },
  {
    name: 'CONNACK of 5.0, refused',
    version: 5,
    to: 'client',
    hex: '20 03 00 87 00',
    packet: { type: PacketType.Connack, reasonCode: ReasonCode.NotAuthorized },
  },
  {
    name: 'CONNACK in the form of 3.1.1 as the answer to a CONNECT of 5.0',
    version: 5,
    to: 'client',
    hex: '20 02 00 01',
    packet: { type: PacketType.Connack, reasonCode: ReasonCode.UnsupportedProtocolVersion },
    isOtherForm: true,
  },
  ...inAllVersions('PUBLISH QoS 0', 'server', '30 [07-1] 0003 612f62 | 78', {
    type: PacketType.Publish,
    topic: 'a/b',
    payload: text('x'),
  }),
  ...inAllVersions('PUBLISH QoS 1, retained, repeated', 'client', '3b [09-1] 0003 612f62 1234 | 78', {
    type: PacketType.Publish,
    topic: 'a/b',
    payload: text('x'),
    qos: 1,
    retain: true,
    dup: true,
    packetId: 0x1234,
  }),
  ...inAllVersions('PUBLISH QoS 2, empty', 'server', '34 [08-1] 0003 612f62 ffff |', {
    type: PacketType.Publish,
    topic: 'a/b',
    qos: 2,
    packetId: 65_535,
  }),
  ...inAllVersions(
    'PUBLISH with U+FEFF and a character outside the basic plane',
    'server',
    '30 [0b-1] 0008 efbbbf74 f09f9880 |',
    {
      type: PacketType.Publish,
      topic: '\ufefft\u{1f600}',
    },
  ),
  {
    name: 'PUBLISH of 5.0 with everything a client may send',
    version: 5,
    to: 'server',
    hex: `30 30 0001 74 2c 01 01 02 0000003c 03 0001 63 08 0001 72 09 0003 000102 23 0005 ${USER}`,
    packet: {
      type: PacketType.Publish,
      topic: 't',
      properties: {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 60,
        contentType: 'c',
        responseTopic: 'r',
        correlationData: Uint8Array.of(0, 1, 2),
        topicAlias: 5,
        userProperties,
      },
    },
  },
  {
    name: 'PUBLISH of 5.0 with its properties in another order',
    version: 5,
    to: 'server',
    hex: `30 30 0001 74 2c ${USER} 23 0005 09 0003 000102 08 0001 72 03 0001 63 02 0000003c 01 01`,
    packet: {
      type: PacketType.Publish,
      topic: 't',
      properties: {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 60,
        contentType: 'c',
        responseTopic: 'r',
        correlationData: Uint8Array.of(0, 1, 2),
        topicAlias: 5,
        userProperties,
      },
    },
    isOtherForm: true,
  },
  {
    name: 'PUBLISH of 5.0 with subscription identifiers, twice the same',
    version: 5,
    to: 'client',
    hex: '30 0f 0001 74 09 0b 05 0b ffffff7f 0b 05 21 22',
    packet: {
      type: PacketType.Publish,
      topic: 't',
      payload: Uint8Array.of(0x21, 0x22),
      properties: { subscriptionIdentifiers: [5, 268_435_455, 5] },
    },
  },
  {
    name: 'PUBLISH of 5.0 with a topic alias instead of a topic name',
    version: 5,
    to: 'server',
    hex: '30 07 0000 03 23 0001 78',
    packet: { type: PacketType.Publish, topic: '', payload: text('x'), properties: { topicAlias: 1 } },
  },
  ...(
    [
      [PacketType.Puback, 'PUBACK', '40'],
      [PacketType.Pubrec, 'PUBREC', '50'],
      [PacketType.Pubrel, 'PUBREL', '62'],
      [PacketType.Pubcomp, 'PUBCOMP', '70'],
    ] as const
  ).flatMap(([type, name, first]): Vector[] => {
    const reasonCode = type === PacketType.Puback || type === PacketType.Pubrec ? 0x87 : 0x92;
    const code = reasonCode.toString(16);
    return [
      ...inAllVersions(name, 'server', `${first} 02 1234`, { type, packetId: 0x1234 }),
      {
        name: `${name} with a reason code`,
        version: 5,
        to: 'client',
        hex: `${first} 03 0001 ${code}`,
        packet: { type, packetId: 1, reasonCode },
      },
      {
        name: `${name} with properties`,
        version: 5,
        to: 'server',
        hex: `${first} 1d 0001 ${code} 19 1f 0002 6e6f ${USER}`,
        packet: { type, packetId: 1, reasonCode, properties: { reasonString: 'no', userProperties } },
      },
      {
        name: `${name} with a needless reason code`,
        version: 5,
        to: 'server',
        hex: `${first} 03 0001 00`,
        packet: { type, packetId: 1 },
        isOtherForm: true,
      },
      {
        name: `${name} with a needless property length`,
        version: 5,
        to: 'server',
        hex: `${first} 04 0001 00 00`,
        packet: { type, packetId: 1 },
        isOtherForm: true,
      },
    ];
  }),
  ...inAllVersions('SUBSCRIBE', 'server', '82 [0d-1] fffe | 0003 612f2b 01 0001 23 02', {
    type: PacketType.Subscribe,
    packetId: 0xfffe,
    subscriptions: [
      { filter: 'a/+', qos: 1 },
      { filter: '#', qos: 2 },
    ],
  }),
  {
    name: 'SUBSCRIBE of 5.0 with everything',
    version: 5,
    to: 'server',
    hex: `82 2d 0001 18 0b 808001 ${USER} 0001 74 2d 000b 247368617265 2f 67 2f2f 74 1a`,
    packet: {
      type: PacketType.Subscribe,
      packetId: 1,
      subscriptions: [
        { filter: 't', qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: '$share/g//t', qos: 2, retainAsPublished: true, retainHandling: 1 },
      ],
      properties: { subscriptionIdentifier: 16_384, userProperties },
    },
  },
  ...([3, 4] as const).map(
    (version): Vector => ({
      name: `SUBACK (version ${version})`,
      version,
      to: 'client',
      hex: '90 05 0007 00 01 02',
      packet: { type: PacketType.Suback, packetId: 7, reasonCodes: [0, 1, 2] },
    }),
  ),
  {
    name: 'SUBACK of 3.1.1 with a failure',
    version: 4,
    to: 'client',
    hex: '90 04 0007 80 00',
    packet: { type: PacketType.Suback, packetId: 7, reasonCodes: [0x80, 0] },
  },
  {
    name: 'SUBACK of 5.0',
    version: 5,
    to: 'client',
    hex: '90 0a 0007 05 1f 0002 6e6f 00 87',
    packet: {
      type: PacketType.Suback,
      packetId: 7,
      reasonCodes: [0, 0x87],
      properties: { reasonString: 'no' },
    },
  },
  ...inAllVersions('UNSUBSCRIBE', 'server', 'a2 [0b-1] 0007 | 0003 612f2b 0001 23', {
    type: PacketType.Unsubscribe,
    packetId: 7,
    filters: ['a/+', '#'],
  }),
  {
    name: 'UNSUBSCRIBE of 5.0 with user properties',
    version: 5,
    to: 'server',
    hex: `a2 1a 0007 14 ${USER} 0001 74`,
    packet: { type: PacketType.Unsubscribe, packetId: 7, filters: ['t'], properties: { userProperties } },
  },
  ...([3, 4] as const).map(
    (version): Vector => ({
      name: `UNSUBACK (version ${version})`,
      version,
      to: 'client',
      hex: 'b0 02 0007',
      packet: { type: PacketType.Unsuback, packetId: 7, reasonCodes: [] },
    }),
  ),
  {
    name: 'UNSUBACK of 5.0',
    version: 5,
    to: 'client',
    hex: 'b0 06 0007 00 00 11 87',
    packet: { type: PacketType.Unsuback, packetId: 7, reasonCodes: [0, 0x11, 0x87] },
  },
  ...inAllVersions('PINGREQ', 'server', 'c0 00', { type: PacketType.Pingreq }),
  ...inAllVersions('PINGRESP', 'client', 'd0 00', { type: PacketType.Pingresp }),
  ...inAllVersions('DISCONNECT', 'server', 'e0 00', { type: PacketType.Disconnect }),
  {
    name: 'DISCONNECT of 5.0 with a reason code',
    version: 5,
    to: 'server',
    hex: 'e0 01 04',
    packet: { type: PacketType.Disconnect, reasonCode: ReasonCode.DisconnectWithWillMessage },
  },
  {
    name: 'DISCONNECT of 5.0 from a client with properties',
    version: 5,
    to: 'server',
    hex: `e0 20 00 1e 11 00000000 1f 0002 6f6b ${USER}`,
    packet: {
      type: PacketType.Disconnect,
      properties: { sessionExpiryInterval: 0, reasonString: 'ok', userProperties },
    },
  },
  {
    name: 'DISCONNECT of 5.0 from a server with a reference',
    version: 5,
    to: 'client',
    hex: 'e0 06 9d 04 1c 0001 73',
    packet: {
      type: PacketType.Disconnect,
      reasonCode: ReasonCode.ServerMoved,
      properties: { serverReference: 's' },
    },
  },
  {
    name: 'AUTH from a client',
    version: 5,
    to: 'server',
    hex: `f0 22 19 20 15 0001 6d 16 0002 ff00 1f 0000 ${USER}`,
    packet: {
      type: PacketType.Auth,
      reasonCode: ReasonCode.ReAuthenticate,
      properties: {
        authenticationMethod: 'm',
        authenticationData: Uint8Array.of(0xff, 0),
        reasonString: '',
        userProperties,
      },
    },
  },
  {
    name: 'AUTH from a server',
    version: 5,
    to: 'client',
    hex: 'f0 06 00 04 15 0001 6d',
    packet: { type: PacketType.Auth, properties: { authenticationMethod: 'm' } },
  },
];
