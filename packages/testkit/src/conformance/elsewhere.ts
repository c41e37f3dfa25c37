// Statements that no raw client can show: they bind the client alone and are held by the tests of the client, or they
// need more than a running server. Together with the cases they make the whole catalogue.

import type { MqttVersion } from '../packet.ts';

/** Ids by version, each with the place where it is tested or the reason why there is nothing to test. */
export const testedElsewhere: readonly {
  readonly version: MqttVersion;
  readonly where: string;
  readonly ids: readonly string[];
}[] = [
  {
    version: 5,
    where: 'tests of the client',
    ids: [
      'MQTT-3.1.2-20',
      'MQTT-3.1.2-21',
      'MQTT-3.2.2-4',
      'MQTT-3.2.2-5',
      'MQTT-3.2.2-18',
      'MQTT-3.2.2-21',
      'MQTT-3.3.2-10',
      'MQTT-3.3.4-8',
      'MQTT-4.5.0-2',
      'MQTT-4.6.0-1',
      'MQTT-4.6.0-2',
      'MQTT-4.6.0-3',
      'MQTT-4.6.0-4',
      'MQTT-4.12.0-3',
      'MQTT-6.0.0-3',
      'N10',
      'N12',
      'N17',
      'N60',
    ],
  },
  // Permissions of the server that a client has to cope with.
  { version: 5, where: 'tests of the client', ids: ['N22', 'N40', 'N43'] },
  {
    version: 4,
    where: 'tests of the client',
    ids: [
      'MQTT-2.3.1-2',
      'MQTT-2.3.1-3',
      'MQTT-3.1.2-23',
      'MQTT-3.1.3-1',
      'MQTT-3.1.3-7',
      'MQTT-3.14.4-1',
      'MQTT-4.5.0-2',
      'MQTT-4.6.0-1',
      'MQTT-4.6.0-2',
      'MQTT-4.6.0-3',
      'MQTT-4.6.0-4',
      'MQTT-6.0.0-3',
      'M12',
    ],
  },
  { version: 4, where: 'N17 and N40 of 5.0; the client does the same in both versions', ids: ['M08', 'M11'] },
  { version: 4, where: 'tests of the transports of the client', ids: ['MQTT-7.1.2-1'] },
  {
    version: 4,
    where: 'a bridge to another server is a client of it, and uses the client',
    ids: ['MQTT-7.0.0-1'],
  },
  { version: 3, where: 'tests of the client', ids: ['V31-16'] },
  { version: 3, where: 'tests of the durable store, which restart a server', ids: ['V31-27'] },
];
