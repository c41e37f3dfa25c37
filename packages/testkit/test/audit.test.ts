// The audit finds what is wrong in the packets of a server, whatever the case around it was about.

import { auditConnection, FrameSplitter, type MqttVersion } from '@tobymq/testkit';
import { expect, test } from 'vitest';

function audit(hex: string, version: MqttVersion = 5): void {
  auditConnection(new FrameSplitter().feed(Buffer.from(hex.replaceAll(' ', ''), 'hex')), version);
}

const connack = '20 03 00 00 00';

test.each<[claim: string, hex: string, version?: MqttVersion]>([
  ['a whole exchange', `${connack} 90 04 0001 00 00 30 04 0001 61 00 d0 00 e0 01 8b`],
  ['a refusal', '20 03 00 85 00'],
  ['AUTH before CONNACK', `f0 06 18 04 15 0001 4d ${connack}`],
  ['acknowledgements of 3.1.1', '20 02 01 00 40 02 0001 b0 02 0001', 4],
  ['a repeated PUBREL of 3.1', '20 02 00 00 6a 02 0001', 3],
])('%s is fine', (_claim, hex, version) => {
  expect(() => audit(hex, version)).not.toThrow();
});

test.each<[claim: string, hex: string, version?: MqttVersion]>([
  ['a second CONNACK', `${connack} ${connack}`],
  ['a packet before CONNACK', `d0 00 ${connack}`],
  ['a packet after DISCONNECT or a refusal', `${connack} e0 01 8b d0 00`],
  ['a packet after DISCONNECT or a refusal', '20 03 00 85 00 e0 01 85'],
  ['Session Present in a refusal', '20 03 01 85 00'],
  ['Connect Acknowledge Flags', '20 03 02 00 00'],
  ['Connect Acknowledge Flags', '20 02 01 00', 3],
  ['reason code', '20 03 00 05 00'],
  ['reason code', `${connack} 40 03 0001 05`],
  ['reason code', `${connack} e0 01 04`],
  ['reason code', '20 02 00 00 90 03 0001 80', 3],
  ['return code', '20 02 00 06', 4],
  ['reserved flags', `${connack} 41 02 0001`],
  ['reserved flags', `${connack} 60 02 0001`],
  ['a Remaining Length that is not the shortest', `${connack} d0 80 00`],
  ['a packet that no server sends', `${connack} c0 00`],
  ['a packet that no server sends', '20 02 00 00 e0 00', 4],
  ['QoS 3', `${connack} 36 06 0001 61 0001 00`],
  ['DUP at QoS 0', `${connack} 38 04 0001 61 00`],
  ['Packet Identifier 0', `${connack} 32 06 0001 61 0000 00`],
  ['a wildcard in a Topic Name', `${connack} 30 04 0001 2b 00`],
  ['Topic Alias 0', `${connack} 30 07 0001 61 03 23 0000`],
  ['Session Expiry Interval from the server', `${connack} e0 07 8b 05 11 00000001`],
  ['bytes left over', `${connack} 40 05 0001 00 00 ff`],
])('%s is found', (claim, hex, version) => {
  expect(() => audit(hex, version)).toThrow(claim);
});
