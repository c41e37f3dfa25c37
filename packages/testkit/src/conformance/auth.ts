// 4.12 Enhanced authentication and 3.15 AUTH. Most of it needs a server with the method TEST-METHOD.

import { decode, type Reason } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { property, type RawProperty } from '../properties.ts';
import type { RawPeer } from '../raw-peer.ts';
import { casesOf } from './case.ts';
import { equal, ok } from './check.ts';
import { Client } from './client.ts';
import type { Context } from './context.ts';

const method = 'TEST-METHOD';

function exchange(data: string | undefined, name = method): RawProperty[] {
  const properties: RawProperty[] = [[property.authenticationMethod, name]];
  if (data !== undefined) {
    properties.push([property.authenticationData, Buffer.from(data)]);
  }
  return properties;
}

const authPacket = (reason: number, data?: string, name?: string): Buffer =>
  packet.auth({ reason, properties: exchange(data, name) });

/** CONNECT with the method, up to the server's question. */
async function askedForMore(
  t: Context,
  ...further: readonly RawProperty[]
): Promise<{ peer: RawPeer; auth: Reason }> {
  const peer = await t.open();
  peer.send(t.connectBytes({ properties: [...exchange('hello'), ...further] }));
  return { peer, auth: decode.reason(await peer.expect(packetType.AUTH), 5) };
}

/** The whole exchange. */
async function authenticated(t: Context): Promise<Client> {
  const { peer } = await askedForMore(t);
  peer.send(authPacket(0x18, 'please'));
  const connack = decode.connack(await peer.expect(packetType.CONNACK), 5);
  equal(connack.reason, 0, 'code of CONNACK');
  equal(connack.properties.get(property.authenticationMethod), [method], 'Authentication Method of CONNACK');
  return new Client(peer, 5, '', connack, () => {});
}

const server = (t: Context): Promise<Context> => t.withServer({ enhancedAuthentication: true });

export const authCases = casesOf('4.12 Enhanced authentication', [
  {
    v5: 'MQTT-4.12.0-1',
    title: 'an unknown Authentication Method is refused with 0x8C or 0x87',
    async run(t) {
      const bytes = t.connectBytes({ properties: exchange('x', 'no-such-method') });
      await t.refusesConnect(bytes, { codes: [0x8c, 0x87] });
    },
  },
  {
    v5: ['MQTT-4.12.0-2', 'MQTT-4.12.0-5'],
    title: 'the server asks with AUTH 0x18, and names the method in AUTH and CONNACK',
    async run(t) {
      const s = await server(t);
      const { auth } = await askedForMore(s);
      equal(auth.reason, 0x18, 'code of AUTH');
      equal(auth.properties.get(property.authenticationMethod), [method], 'Authentication Method');
      equal(auth.properties.get(property.authenticationData), [Buffer.from('more')], 'Authentication Data');
      await authenticated(s);
      const { peer } = await askedForMore(s);
      peer.send(authPacket(0x18, 'please', 'OTHER-METHOD'));
      for (const frame of await peer.expectClose()) {
        ok(
          [0x82, 0x8c].includes(decode.connack(frame, 5).reason),
          'another method is refused with 0x82 or 0x8C',
        );
      }
    },
  },
  {
    v5: 'MQTT-4.12.0-4',
    title: 'wrong data at any step is refused',
    async run(t) {
      const s = await server(t);
      await s.refusesConnect(s.connectBytes({ properties: exchange('wrong') }), { codes: [0x86, 0x87] });
      const { peer } = await askedForMore(s);
      peer.send(authPacket(0x18, 'wrong'));
      for (const frame of await peer.expectClose()) {
        ok([0x86, 0x87].includes(decode.connack(frame, 5).reason), 'the code says why');
      }
    },
  },
  {
    v5: 'MQTT-3.1.2-30',
    title: 'another packet than AUTH or DISCONNECT during the exchange is refused and not processed',
    async run(t) {
      const s = await server(t);
      const observer = await authenticated(s);
      await observer.subscribe(s.topic('a'));
      const { peer } = await askedForMore(s);
      peer.send(packet.publish({ topic: s.topic('a'), payload: 'early' }));
      await peer.expectClose();
      equal(await s.collectTexts(observer, { from: observer }), [], 'messages');
    },
  },
  {
    v5: 'MQTT-4.12.0-6',
    title: 'without a method in CONNECT the server sends no AUTH and no method',
    async run(t) {
      const client = await t.connect();
      ok(
        !client.connack.properties.has(property.authenticationMethod),
        'no Authentication Method in CONNACK',
      );
    },
  },
  {
    v5: ['MQTT-4.12.0-7', 'N48'],
    title:
      'AUTH on a connection without a method, or without a method in it, closes the connection with 0x82',
    async run(t) {
      const codes = t.strict ? [0x82] : [0x82, 0x8c];
      await t.refusesPacket(authPacket(0x19), { codes });
      await t.refusesPacket(packet.auth({ reason: 0x18, properties: [] }), { codes });
      await t.refusesPacket('f0 00', { codes: [...codes, 0x81] });
      if (t.canConfigure) {
        const s = await server(t);
        const client = await authenticated(s);
        client.send(packet.auth({ reason: 0x19, properties: [] }));
        await s.refused(client, { codes: [0x82] });
      }
    },
  },
  {
    v5: ['MQTT-4.12.1-1', 'N49'],
    title: 're-authentication with the same method ends with AUTH 0x00, and other packets flow meanwhile',
    async run(t) {
      const s = await server(t);
      const client = await authenticated(s);
      client.send(authPacket(0x19, 'hello'));
      equal(
        decode.reason(await client.peer.expect(packetType.AUTH), 5).reason,
        0x18,
        'code of the first AUTH',
      );
      await client.publish(s.topic('a'), 'x', { qos: 1 });
      client.send(authPacket(0x18, 'please'));
      const done = decode.reason(await client.peer.expect(packetType.AUTH), 5);
      equal(done.reason, 0x00, 'code of the last AUTH');
      equal(done.properties.get(property.authenticationMethod), [method], 'Authentication Method');
      client.send(authPacket(0x19, 'hello', 'OTHER-METHOD'));
      await s.refused(client, { codes: [0x82, 0x8c] });
    },
  },
  {
    v5: 'MQTT-4.12.1-2',
    title: 'a failed re-authentication closes the connection',
    async run(t) {
      const s = await server(t);
      const client = await authenticated(s);
      client.send(authPacket(0x19, 'wrong'));
      await s.refused(client, { codes: [0x86, 0x87], besides: [packetType.AUTH] });
    },
  },
  {
    v5: 'MQTT-3.15.2-1',
    title: 'an AUTH with a code that no client sends is refused',
    async run(t) {
      const s = await server(t);
      const client = await authenticated(s);
      client.send(authPacket(0x00, 'hello'));
      await s.refused(client, { codes: [0x82, 0x81] });
    },
  },
  {
    v5: ['MQTT-3.15.2-2', 'MQTT-3.15.2-3'],
    title: 'AUTH never exceeds the Maximum Packet Size of the client',
    async run(t) {
      const s = await t.withServer({ enhancedAuthentication: true, talkative: true });
      const { peer } = await askedForMore(s, [property.maximumPacketSize, 40]);
      const [auth] = peer.history;
      ok((auth?.bytes.length ?? 0) <= 40, `AUTH has ${auth?.bytes.length} bytes, the client takes 40`);
    },
  },
]);
