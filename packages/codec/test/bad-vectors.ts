// Bytes that the standards forbid, with the reason code that the connection has to be closed with. The ids in the names
// are those of the MQTT 5.0 standard, or of the 3.1.1 standard where the row's versions are 3 and 4 only.

import type { ProtocolVersion, Role } from '@tobymq/codec';

export interface BadVector {
  readonly name: string;
  readonly versions: readonly ProtocolVersion[];
  readonly to: Role;
  /** A CONNECT has the name and level of its version where `{connect}` stands; in 5.0 `|` is an empty property section. */
  readonly hex: string;
  readonly reasonCode: number;
}

const ALL = [3, 4, 5] as const;
const V5 = [5] as const;
const V34 = [3, 4] as const;
const V45 = [4, 5] as const;

type Row = readonly [name: string, hex: string, reasonCode: number];

function rows(versions: readonly ProtocolVersion[], to: Role, table: readonly Row[]): BadVector[] {
  return table.map(([name, hex, reasonCode]) => ({ name, versions, to, hex, reasonCode }));
}

/** The topic name, filter or other text fields of these bytes are bad wherever they stand. */
const badTexts: readonly (readonly [name: string, hex: string])[] = [
  ['MQTT-1.5.4-1: a cut sequence', '61c328'],
  ['MQTT-1.5.4-1: a surrogate', 'eda080'],
  ['MQTT-1.5.4-1: an overlong form', 'c0af'],
  ['MQTT-1.5.4-1: above U+10FFFF', 'f4908080'],
  ['MQTT-1.5.4-1: a sequence that the field cuts', '61e282'],
  ['MQTT-1.5.4-1: a byte that never occurs', 'ff'],
  ['MQTT-1.5.4-2: U+0000', '610062'],
  ['V31-33: U+0000 in the modified form of Java', 'c080'],
];

function field(hex: string): string {
  return (hex.length / 2).toString(16).padStart(4, '0') + hex;
}

/** A packet of a first byte and a body; `|` in the body is the empty property section of 5.0. */
function packet(first: string, body: string, version: ProtocolVersion): string {
  const content = body.replaceAll(/\s/g, '').replaceAll('|', version === 5 ? '00' : '');
  const length = content.length / 2;
  return `${first}${length.toString(16).padStart(2, '0')}${content}`;
}

export function hexFor(vector: BadVector, version: ProtocolVersion): string {
  const head = { 3: '00064d514973647003', 4: '00044d51545404', 5: '00044d51545405' }[version];
  const hex = vector.hex.replaceAll('{connect}', head);
  // "first: body" has its length computed; everything else is complete.
  const [first, body] = hex.split(':');
  return body === undefined ? hex.replaceAll(/\s/g, '') : packet(first!, body, version);
}

const textRows = badTexts.flatMap(([name, hex]) => [
  ...rows(ALL, 'server', [
    [`${name} in a topic name (MQTT-3.3.2-1)`, `30: ${field(hex)} |`, 0x81],
    [`${name} in a topic filter (MQTT-3.8.3-1)`, `82: 0001 | ${field(hex)} 00`, 0x81],
    [`${name} in an UNSUBSCRIBE filter (MQTT-3.10.3-1)`, `a2: 0001 | ${field(hex)}`, 0x81],
    [`${name} in a client identifier (MQTT-3.1.3-4)`, `10: {connect} 02 003c | ${field(hex)}`, 0x81],
    [`${name} in a Will topic (MQTT-3.1.3-11)`, `10: {connect} 06 003c | 000163 | ${field(hex)} 0000`, 0x81],
    [`${name} in a user name (MQTT-3.1.3-12)`, `10: {connect} 82 003c | 000163 ${field(hex)}`, 0x81],
  ]),
  ...rows(V5, 'server', [
    [`${name} in a response topic (MQTT-3.3.2-13)`, property('30: 000174', `08 ${field(hex)}`), 0x81],
    [`${name} in a content type (MQTT-3.3.2-19)`, property('30: 000174', `03 ${field(hex)}`), 0x81],
    [
      `${name} in a user property's name (MQTT-1.5.7-1)`,
      property('30: 000174', `26 ${field(hex)} 0000`),
      0x81,
    ],
    [
      `${name} in a user property's value (MQTT-1.5.7-1)`,
      property('30: 000174', `26 0000 ${field(hex)}`),
      0x81,
    ],
    [`${name} in a reason string`, property('40: 0001 80', `1f ${field(hex)}`), 0x81],
  ]),
  ...rows(ALL, 'client', [[`${name} in a topic name from the server`, `30: ${field(hex)} |`, 0x81]]),
]);

/** A body that ends with a property section. */
function property(start: string, properties: string): string {
  const content = properties.replaceAll(/\s/g, '');
  return `${start} ${(content.length / 2).toString(16).padStart(2, '0')} ${content}`;
}

const formatRows = [
  ...rows(ALL, 'server', [
    ['N01, M01: a remaining length of 5 bytes', 'c0 80 80 80 80 01', 0x81],
    ['MQTT-1.5.5-1: a remaining length in 2 bytes that fits into 1', 'c0 80 00', 0x81],
    ['N05, M02: packet type 0', '00 00', 0x81],
    ['N06, M03: CONNACK from a client', '20: 00 00 |', 0x82],
    ['N06, M03: SUBACK from a client', '90: 0001 | 00', 0x82],
    ['N06, M03: UNSUBACK from a client', 'b0: 0001', 0x82],
    ['N06, M03: PINGRESP from a client', 'd0 00', 0x82],
    ['N04, M04: bytes after PINGREQ', 'c0 01 00', 0x81],
    ['N04: bytes after a CONNECT', '10: {connect} 02 003c | 000163 00', 0x81],
    ['N04: a CONNECT that ends in the keep alive', '10: {connect} 02 00', 0x81],
    ['N04: a PUBLISH whose topic goes beyond the packet', '30: 0005 6162', 0x81],
    ['N04: a PUBLISH without room for a topic length', '30: 00', 0x81],
    ['N04: a PUBLISH that ends in its packet identifier', '32: 0001 74 00', 0x81],
    ['N04: an acknowledgement of 1 byte', '40: 00', 0x81],
    ['N04: a SUBSCRIBE that ends before the options', '82: 0001 | 000174', 0x81],
    ['MQTT-3.3.1-4: PUBLISH with QoS 3', '36: 000174 0001 |', 0x81],
    ['MQTT-2.2.1-3: PUBLISH with the packet identifier 0', '32: 000174 0000 |', 0x82],
    ['MQTT-2.2.1-3: SUBSCRIBE with the packet identifier 0', '82: 0000 | 000174 00', 0x82],
    ['MQTT-2.2.1-3: UNSUBSCRIBE with the packet identifier 0', 'a2: 0000 | 000174', 0x82],
    ['PUBACK with the packet identifier 0', '40: 0000', 0x82],
    ['PUBREC with the packet identifier 0', '50: 0000', 0x82],
    ['PUBREL with the packet identifier 0', '62: 0000', 0x82],
    ['PUBCOMP with the packet identifier 0', '70: 0000', 0x82],
    ['MQTT-3.3.2-2, MQTT-4.7.0-1: PUBLISH to a/+', '30: 0003 612f2b |', 0x82],
    ['MQTT-3.3.2-2, MQTT-4.7.0-1: PUBLISH to a#b', '30: 0003 612362 |', 0x82],
    ['MQTT-4.7.3-1, N23: PUBLISH to an empty topic name', '30: 0000 |', 0x82],
    ['MQTT-3.8.3-2: SUBSCRIBE without a filter', '82: 0001 |', 0x82],
    ['MQTT-3.10.3-2: UNSUBSCRIBE without a filter', 'a2: 0001 |', 0x82],
    ['MQTT-4.7.0-1: a Will topic with a wildcard', '10: {connect} 06 003c | 000163 | 0003 612f23 0000', 0x82],
    ['MQTT-4.7.3-1: an empty Will topic', '10: {connect} 06 003c | 000163 | 0000 0000', 0x82],
    ['MQTT-3.1.2-12: a Will with QoS 3', '10: {connect} 1e 003c | 000163 | 000174 0000', 0x81],
    ['MQTT-3.1.2-9: a Will flag without a Will', '10: {connect} 06 003c | 000163', 0x81],
    ['MQTT-3.1.2-9: a Will without a payload', '10: {connect} 06 003c | 000163 | 000174', 0x81],
    ['MQTT-3.1.3-3: CONNECT without a client identifier', '10: {connect} 02 003c |', 0x81],
    ['MQTT-3.1.2-16: a user name without its flag', '10: {connect} 02 003c | 000163 000175', 0x81],
    ['MQTT-3.1.2-18: a password without its flag', '10: {connect} 82 003c | 000163 000175 000170', 0x81],
  ]),
  ...rows(V45, 'server', [
    ['MQTT-3.1.2-3: the reserved connect flag', '10: {connect} 03 003c | 000163', 0x81],
    ['MQTT-3.1.2-11: Will QoS 1 without a Will', '10: {connect} 0a 003c | 000163', 0x81],
    ['MQTT-3.1.2-11: Will QoS 2 without a Will', '10: {connect} 12 003c | 000163', 0x81],
    ['MQTT-3.1.2-13: Will Retain without a Will', '10: {connect} 22 003c | 000163', 0x81],
    ['MQTT-3.1.2-17: a user name flag without a user name', '10: {connect} 82 003c | 000163', 0x81],
    ['MQTT-3.1.2-19: a password flag without a password', '10: {connect} c2 003c | 000163 000175', 0x81],
    ['MQTT-3.3.1-2: DUP with QoS 0', '38: 000174 |', 0x81],
  ]),
  ...rows(V34, 'server', [
    [
      '3.1.1 MQTT-3.1.2-22, V31-10: a password without a user name',
      '10: {connect} 42 003c 000163 000170',
      0x81,
    ],
    ['M02: packet type 15', 'f0 00', 0x81],
    ['M04: PUBACK with 3 bytes', '40 03 0001 00', 0x81],
    ['M04: PUBREC with 3 bytes', '50 03 0001 00', 0x81],
    ['M04: PUBREL with 3 bytes', '62 03 0001 00', 0x81],
    ['M04: PUBCOMP with 3 bytes', '70 03 0001 00', 0x81],
    ['M04: DISCONNECT with 1 byte', 'e0 01 00', 0x81],
    ['3.1.1 MQTT-3.8.3-4: SUBSCRIBE with QoS 3', '82: 0001 000174 03', 0x81],
  ]),
  ...rows([4], 'server', [
    ['3.1.1 MQTT-3.8.3-4: SUBSCRIBE with reserved bits, 0x04', '82: 0001 000174 04', 0x81],
    ['3.1.1 MQTT-3.8.3-4: SUBSCRIBE with reserved bits, 0x80', '82: 0001 000174 80', 0x81],
  ]),
  ...rows(ALL, 'client', [
    ['N06, M03: CONNECT from a server', '10: {connect} 02 003c | 000163', 0x82],
    ['N06, M03: SUBSCRIBE from a server', '82: 0001 | 000174 00', 0x82],
    ['N06, M03: UNSUBSCRIBE from a server', 'a2: 0001 | 000174', 0x82],
    ['N06, M03: PINGREQ from a server', 'c0 00', 0x82],
    ['MQTT-3.3.1-4: PUBLISH with QoS 3 from the server', '36: 000174 0001 |', 0x81],
    ['MQTT-3.3.2-2: PUBLISH to a wildcard from the server', '30: 0003 612f2b |', 0x82],
    ['SUBACK without a code', '90: 0001 |', 0x82],
    ['N04: a CONNACK of 1 byte', '20 01 00', 0x81],
    ['N04: bytes after a CONNACK', '20: 00 00 | 00', 0x81],
    ['N04: bytes after PINGRESP', 'd0 01 00', 0x81],
  ]),
  ...rows(V45, 'client', [['MQTT-3.2.2-1, M06: connect acknowledge flags 2', '20: 02 00 |', 0x81]]),
  ...rows(V34, 'client', [
    ['M03: DISCONNECT from a server', 'e0 00', 0x82],
    ['3.1.1 MQTT-3.2.2-6: CONNACK with the return code 6', '20 02 00 06', 0x82],
    ['3.1.1 MQTT-3.9.3-2: SUBACK with the return code 3', '90 03 0001 03', 0x82],
    ['M04: UNSUBACK with 3 bytes', 'b0 03 0001 00', 0x81],
  ]),
  ...rows([4], 'client', [['3.1.1 MQTT-3.2.2-4: CONNACK that refuses, with a session', '20 02 01 05', 0x82]]),
];

const version5Rows = [
  ...rows(V5, 'server', [
    ['MQTT-2.2.2-1: SUBSCRIBE without a property length', '82: 0001 000174 00', 0x81],
    ['N01: a property length of 5 bytes', '30: 000174 8080808001', 0x81],
    ['MQTT-1.5.5-1: a property length that is not in its shortest form', '30: 000174 8000', 0x81],
    ['N02: an unknown property in PUBLISH', property('30: 000174', '7f 00'), 0x81],
    ['N02: an identifier of 2 bytes', property('30: 000174', '8101 00'), 0x81],
    ['N02: Session Expiry Interval in PUBLISH', property('30: 000174', '11 00000000'), 0x81],
    ['N02: Topic Alias in CONNECT', `${property('10: {connect} 02 003c', '23 0001')} 000163`, 0x81],
    ['N02: Server Keep Alive in CONNECT', `${property('10: {connect} 02 003c', '13 0001')} 000163`, 0x81],
    [
      'N02: Topic Alias in the Will',
      `${property('10: {connect} 06 003c 00 000163', '23 0001')} 000174 0000`,
      0x81,
    ],
    ['N02: Reason String in SUBSCRIBE', `${property('82: 0001', '1f 0000')} 000174 00`, 0x81],
    ['N02: Subscription Identifier in UNSUBSCRIBE', `${property('a2: 0001', '0b 01')} 000174`, 0x81],
    ['N02: Session Expiry Interval in PUBACK', property('40: 0001 00', '11 00000000'), 0x81],
    ['N02: a property that is cut short', property('30: 000174', '02 0000'), 0x81],
    ['N02: a user property that is cut short', property('30: 000174', '26 0001 61 00'), 0x81],
    ['N02: a string property that is cut short', property('30: 000174', '03 00'), 0x81],
    ['N02: a topic alias that is cut short', property('30: 000174', '23 00'), 0x81],
    ['N04: a property length beyond the packet', '30: 000174 05 01 00', 0x81],
    ['N04: a property length beyond an acknowledgement', '40: 0001 00 05 1f 0000', 0x81],
    ['N04: bytes after the properties of PUBACK', '40: 0001 00 00 00', 0x81],
    ['N04: bytes after the properties of DISCONNECT', 'e0: 00 00 00', 0x81],
    ['PUBLISH: Payload Format Indicator 2', property('30: 000174', '01 02'), 0x82],
    ['MQTT-3.3.2-14: a response topic with a wildcard', property('30: 000174', '08 0003 612f23'), 0x82],
    ['MQTT-4.7.3-1: an empty response topic', property('30: 000174', '08 0000'), 0x82],
    ['MQTT-3.3.2-8, N24: Topic Alias 0', property('30: 000174', '23 0000'), 0x94],
    [
      'MQTT-3.3.4-6: PUBLISH from a client with a subscription identifier',
      property('30: 000174', '0b 01'),
      0x82,
    ],
    ['N11: Receive Maximum 0', `${property('10: {connect} 02 003c', '21 0000')} 000163`, 0x82],
    ['N11: Maximum Packet Size 0', `${property('10: {connect} 02 003c', '27 00000000')} 000163`, 0x82],
    ['N11: Request Response Information 2', `${property('10: {connect} 02 003c', '19 02')} 000163`, 0x82],
    ['N11: Request Problem Information 2', `${property('10: {connect} 02 003c', '17 02')} 000163`, 0x82],
    [
      'N13: authentication data without a method',
      `${property('10: {connect} 02 003c', '16 0000')} 000163`,
      0x82,
    ],
    ['N37: SUBSCRIBE with QoS 3', '82: 0001 00 000174 03', 0x82],
    ['N37: SUBSCRIBE with Retain Handling 3', '82: 0001 00 000174 30', 0x82],
    ['N38: Subscription Identifier 0', `${property('82: 0001', '0b 00')} 000174 00`, 0x82],
    ['N38: two subscription identifiers', `${property('82: 0001', '0b 01 0b 02')} 000174 00`, 0x82],
    ['N01: a subscription identifier of 5 bytes', `${property('82: 0001', '0b 8080808001')} 000174 00`, 0x81],
    ['MQTT-3.8.3-5: reserved bits 0x40 in the options', '82: 0001 00 000174 40', 0x81],
    ['MQTT-3.8.3-5: reserved bits 0x80 in the options', '82: 0001 00 000174 80', 0x81],
    ['MQTT-3.8.3-4: No Local on a shared subscription', '82: 0001 00 000a 247368617265 2f 67 2f 74 04', 0x82],
    ['MQTT-3.4.2-1: PUBACK with 0x92', '40: 0001 92', 0x82],
    ['MQTT-3.4.2-1: PUBACK with 0x05', '40: 0001 05', 0x82],
    ['MQTT-3.4.2-1: PUBACK with 0x10 from a client', '40: 0001 10', 0x82],
    ['MQTT-3.5.2-1: PUBREC with 0x92', '50: 0001 92', 0x82],
    ['MQTT-3.6.2-1: PUBREL with 0x87', '62: 0001 87', 0x82],
    ['MQTT-3.7.2-1: PUBCOMP with 0x10', '70: 0001 10', 0x82],
    ['MQTT-3.14.2-1: DISCONNECT with 0x03', 'e0: 03', 0x82],
    ['MQTT-3.14.2-1: DISCONNECT with 0x92', 'e0: 92', 0x82],
    ['MQTT-3.14.2-1: DISCONNECT with 0x8e from a client', 'e0: 8e', 0x82],
    ['DISCONNECT from a client with a server reference', property('e0: 00', '1c 0000'), 0x82],
    ['MQTT-3.15.2-1: AUTH with 0x00 from a client', property('f0: 00', '15 0000'), 0x82],
    ['MQTT-3.15.2-1: AUTH with 0x87', property('f0: 87', '15 0000'), 0x82],
    ['MQTT-4.12.0-5, N48: AUTH without a method', 'f0: 18 00', 0x82],
    ['N48: AUTH with a remaining length of 0', 'f0 00', 0x82],
  ]),
  ...rows(V5, 'client', [
    ['MQTT-2.2.2-1: CONNACK without a property length', '20: 00 00', 0x81],
    ['N02: Topic Alias in CONNACK', property('20: 00 00', '23 0001'), 0x81],
    ['N02: Session Expiry Interval in SUBACK', `${property('90: 0001', '11 00000000')} 00`, 0x81],
    ['N11: Receive Maximum 0 in CONNACK', property('20: 00 00', '21 0000'), 0x82],
    ['N11: Maximum Packet Size 0 in CONNACK', property('20: 00 00', '27 00000000'), 0x82],
    ['N12: Maximum QoS 2', property('20: 00 00', '24 02'), 0x82],
    ['N12: Retain Available 2', property('20: 00 00', '25 02'), 0x82],
    ['N12: Wildcard Subscription Available 2', property('20: 00 00', '28 02'), 0x82],
    ['N12: Subscription Identifier Available 2', property('20: 00 00', '29 02'), 0x82],
    ['N12: Shared Subscription Available 2', property('20: 00 00', '2a 02'), 0x82],
    ['MQTT-3.2.2-8: CONNACK with 0x01', '20: 00 01 00', 0x82],
    ['MQTT-3.2.2-8: CONNACK with 0x8e', '20: 00 8e 00', 0x82],
    ['MQTT-3.2.2-6: CONNACK that refuses, with a session', '20: 01 87 00', 0x82],
    ['N33: Subscription Identifier 0 in PUBLISH', property('30: 000174', '0b 00'), 0x82],
    ['N24: Topic Alias 0 from the server', property('30: 000174', '23 0000'), 0x94],
    ['N23: an empty topic name and no alias from the server', '30: 0000 00', 0x82],
    ['MQTT-3.9.3-2: SUBACK with 0x03', '90: 0001 00 03', 0x82],
    ['MQTT-3.11.3-2: UNSUBACK with 0x01', 'b0: 0001 00 01', 0x82],
    ['UNSUBACK without a code', 'b0: 0001 00', 0x82],
    ['MQTT-3.14.2-1: DISCONNECT with 0x04 from a server', 'e0: 04', 0x82],
    ['MQTT-3.14.2-2: a session expiry interval from a server', property('e0: 00', '11 00000000'), 0x82],
    ['MQTT-3.15.2-1: AUTH with 0x19 from a server', property('f0: 19', '15 0000'), 0x82],
  ]),
];

/** N03: every property that may appear once, twice, in every packet that may have it. */
const values: Readonly<Record<string, string>> = {
  '01': '01',
  '02': '00000001',
  '03': '000161',
  '08': '000161',
  '09': '000161',
  '0b': '01',
  '11': '00000001',
  '12': '000161',
  '13': '0001',
  '15': '000161',
  '16': '000161',
  '17': '01',
  '18': '00000001',
  '19': '01',
  '1a': '000161',
  '1c': '000161',
  '1f': '000161',
  '21': '0001',
  '22': '0001',
  '23': '0001',
  '24': '01',
  '25': '01',
  '27': '00000001',
  '28': '01',
  '29': '01',
  '2a': '01',
};

const repeatable: readonly (readonly [packet: string, to: Role, start: string, end: string, ids: string])[] =
  [
    ['CONNECT', 'server', '10: {connect} 02 003c', '000163', '11 15 16 17 19 21 22 27'],
    ['Will', 'server', '10: {connect} 06 003c 00 000163', '000174 0000', '01 02 03 08 09 18'],
    ['CONNACK', 'client', '20: 00 00', '', '11 12 13 15 16 1a 1c 1f 21 22 24 25 27 28 29 2a'],
    ['PUBLISH', 'server', '30: 000174', '', '01 02 03 08 09 23'],
    ['PUBACK', 'server', '40: 0001 00', '', '1f'],
    ['PUBREC', 'server', '50: 0001 00', '', '1f'],
    ['PUBREL', 'server', '62: 0001 00', '', '1f'],
    ['PUBCOMP', 'server', '70: 0001 00', '', '1f'],
    ['SUBSCRIBE', 'server', '82: 0001', '000174 00', '0b'],
    ['SUBACK', 'client', '90: 0001', '00', '1f'],
    ['UNSUBACK', 'client', 'b0: 0001', '00', '1f'],
    ['DISCONNECT', 'server', 'e0: 00', '', '11 1f'],
    ['DISCONNECT', 'client', 'e0: 00', '', '1c'],
    ['AUTH', 'server', 'f0: 18', '', '15 16 1f'],
  ];

const repeatedRows = repeatable.flatMap(([name, to, start, end, ids]) =>
  ids
    .split(' ')
    .flatMap((id) =>
      rows(V5, to, [
        [
          `N03: property 0x${id} twice in ${name}`,
          `${property(start, `${id}${values[id]}${id}${values[id]}`)} ${end}`,
          0x82,
        ],
      ]),
    ),
);

export const badVectors: readonly BadVector[] = [
  ...textRows,
  ...formatRows,
  ...version5Rows,
  ...repeatedRows,
];
