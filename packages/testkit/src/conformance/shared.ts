// 4.8 Subscriptions, shared ones in particular.

import { decode } from '../decode.ts';
import { packetType } from '../frames.ts';
import { packet } from '../packet.ts';
import { casesOf } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';

async function members(
  t: Context,
  count: number,
  qos: number,
  filter = `$share/g/${t.topic('s')}`,
): Promise<Client[]> {
  const clients: Client[] = [];
  for (let index = 0; index < count; index += 1) {
    const client = await t.connect();
    await client.subscribe(filter, qos);
    clients.push(client);
  }
  return clients;
}

async function publishCount(t: Context, count: number, qos: number, topic = t.topic('s')): Promise<void> {
  const publisher = await t.publisher();
  for (let index = 0; index < count; index += 1) {
    await publisher.publish(topic, String(index), { qos });
  }
}

/** Two resumable members, one message; the member that got it, unacknowledged, and the other one. */
async function chosenMember(
  t: Context,
  qos: number,
  expiry: number,
): Promise<{ chosen: Client; other: Client }> {
  const pair = [
    await t.connectSession(t.clientId(), { expiry }),
    await t.connectSession(t.clientId(), { expiry }),
  ] as const;
  for (const client of pair) {
    await client.subscribe(`$share/g/${t.topic('s')}`, qos);
  }
  await publishCount(t, 1, qos);
  const hasMessage = (client: Client): boolean =>
    client.peer.unread.some((f) => f.type === packetType.PUBLISH);
  while (!pair.some(hasMessage)) {
    await Promise.all(pair.map((client) => client.ping()));
  }
  const winner = hasMessage(pair[0]) ? pair[0] : pair[1];
  await winner.message({ ack: false });
  return { chosen: winner, other: winner === pair[0] ? pair[1] : pair[0] };
}

async function neverGrantedShare(t: Context, filter: string): Promise<void> {
  const client = await t.connect();
  client.send(packet.subscribe({ id: 1, filters: [[filter, 0]] }));
  const answer = await client.peer.next().catch(() => undefined);
  if (answer?.type === packetType.SUBACK) {
    const [code = 0] = decode.codes(answer, 5).codes;
    ok(code >= 0x80, `filter ${filter} was granted with ${code}`);
  } else if (answer !== undefined) {
    oneOf(decode.reason(answer, 5).reason, [0x81, 0x82, 0x8f], `code for filter ${filter}`);
  }
}

export const sharedCases = casesOf('4.8 Shared subscriptions', [
  {
    v5: 'MQTT-3.8.3-4',
    title: 'No Local on a shared subscription closes the connection',
    needs: ['share'],
    async run(t) {
      const filters = [[`$share/g/${t.topic('s')}`, 0x04] as const];
      await t.refusesPacket(packet.subscribe({ id: 1, filters }), {
        codes: t.strict ? [0x82] : [0x82, 0x81],
      });
    },
  },
  {
    v5: 'MQTT-4.8.2-1',
    title: 'a share without a name is not granted',
    needs: ['share'],
    run: (t) => neverGrantedShare(t, `$share//${t.topic('s')}`),
  },
  {
    v5: 'MQTT-4.8.2-2',
    title:
      'a ShareName with wildcards, or without a filter behind it, is not granted; an empty first level is',
    needs: ['share'],
    async run(t) {
      for (const filter of ['$share/g', '$share/g/', '$share/a+/t', '$share/#/t', '$share/a#b/t']) {
        await neverGrantedShare(t, filter);
      }
      const client = await t.connect();
      const topic = `/${t.topic('slash')}`;
      equal((await client.subscribe(`$share/g/${topic}`)).codes, [0], 'code for a filter that begins with /');
      await (await t.publisher()).publish(topic, 'x');
      equal(await t.collectTexts(client), ['x'], 'messages');
    },
  },
  {
    v5: 'MQTT-4.8.2-3',
    title: 'the granted QoS of the chosen member limits its delivery',
    needs: ['share', 'qos1'],
    async run(t) {
      const [zero] = await members(t, 1, 0);
      const [one] = await members(t, 1, 1);
      await publishCount(t, 20, 1);
      const atZero = await t.collect(zero!);
      const atOne = await t.collect(one!);
      equal(atZero.length + atOne.length, 20, 'messages of both members');
      ok(
        atZero.every((message) => message.qos === 0),
        'the member with QoS 0 gets QoS 0',
      );
      ok(
        atOne.every((message) => message.qos <= 1),
        'the member with QoS 1 gets at most QoS 1',
      );
    },
  },
  {
    v5: 'MQTT-4.8.2-4',
    title: 'an interrupted QoS 2 delivery is finished with the same member when it comes back',
    needs: ['share', 'qos2'],
    async run(t) {
      const { chosen, other } = await chosenMember(t, 2, 300);
      await chosen.cut();
      const again = await t.connectSession(chosen.clientId);
      const message = await again.message();
      equal([message.payload.toString(), message.dup], ['0', true], 'the repeat');
      equal(await t.collectTexts(other), [], 'messages of the other member');
    },
  },
  {
    v5: 'MQTT-4.8.2-5',
    title: 'a QoS 2 delivery whose member ends its session goes to no one else',
    needs: ['share', 'qos2'],
    async run(t) {
      for (const expiry of [0, 1]) {
        const { chosen, other } = await chosenMember(t, 2, expiry);
        await chosen.cut();
        await t.sleep(expiry === 0 ? 300 : 2500);
        equal(await t.collectTexts(other), [], `messages of the other member, expiry ${expiry}`);
        await other.disconnect();
        await t.discardSession(other.clientId);
      }
    },
  },
  {
    v5: 'MQTT-4.8.2-6',
    title: 'a message that a member refuses goes to no other member',
    needs: ['share', 'qos1'],
    async run(t) {
      const { chosen, other } = await chosenMember(t, 1, 300);
      const published = chosen.peer.history.find((frame) => frame.type === packetType.PUBLISH);
      chosen.send(packet.puback({ id: decode.publish(published!, 5).id, reason: 0x80 }));
      await chosen.ping();
      equal(await t.collectTexts(other), [], 'messages of the other member');
      await chosen.cut();
      await t.sleep(100);
      equal(await t.collectTexts(other), [], 'messages of the other member after the first has left');
    },
  },
  {
    v5: 'N41',
    title: 'a shared subscription gets no retained messages',
    needs: ['share', 'retain'],
    async run(t) {
      await (await t.publisher()).publish(t.topic('s'), 'kept', { retain: true, qos: 1 });
      const [member] = await members(t, 1, 1);
      equal(await t.collectTexts(member!), [], 'retained messages');
    },
  },
  {
    v5: 'N53',
    title: 'each message goes to one member of the group',
    needs: ['share', 'qos1'],
    async run(t) {
      const group = await members(t, 3, 1);
      await publishCount(t, 300, 1);
      const seen: string[] = [];
      for (const member of group) {
        seen.push(...(await t.collectTexts(member)));
      }
      const expected = Array.from({ length: 300 }, (_, index) => index);
      equal(
        seen.map(Number).sort((a, b) => a - b),
        expected,
        'messages of all members',
      );
    },
  },
  {
    v5: 'N54',
    title: 'other groups and ordinary subscriptions get copies of their own',
    needs: ['share'],
    async run(t) {
      const groups = [
        ...(await members(t, 1, 0, `$share/g1/${t.topic('s')}`)),
        ...(await members(t, 1, 0, `$share/g2/${t.topic('s')}`)),
        ...(await members(t, 1, 0, t.topic('s'))),
      ];
      await publishCount(t, 1, 0);
      for (const client of groups) {
        equal(await t.collectTexts(client), ['0'], 'messages');
      }
    },
  },
  {
    v5: 'N55',
    title: 'a QoS 1 message whose member ends its session without PUBACK goes to another member',
    needs: ['share', 'qos1'],
    async run(t) {
      const endings = [
        (chosen: Client) => chosen.cut(),
        (chosen: Client) => t.connect({ clientId: chosen.clientId }),
      ];
      for (const end of endings) {
        const { chosen, other } = await chosenMember(t, 1, 0);
        await end(chosen);
        if (t.strict) {
          equal((await other.message()).payload.toString(), '0', 'the message');
        } else {
          // The standard says "should".
          await t.sleep(200);
          oneOf(await t.collectTexts(other), [['0'], []], 'messages of the other member');
        }
        await other.disconnect();
      }
    },
  },
  {
    v5: 'N56',
    title: 'a second SUBSCRIBE to the same share does not count twice',
    needs: ['share'],
    async run(t) {
      const [twice, other] = await members(t, 2, 0);
      await twice!.subscribe(`$share/g/${t.topic('s')}`);
      await publishCount(t, 10, 0);
      const both = [...(await t.collectTexts(twice!)), ...(await t.collectTexts(other!))];
      equal(both.length, 10, 'messages of both members');
      await twice!.unsubscribe(`$share/g/${t.topic('s')}`);
      await publishCount(t, 10, 0);
      equal(await t.collectTexts(twice!), [], 'messages of the member that left');
      equal((await t.collectTexts(other!)).length, 10, 'messages of the member that stayed');
    },
  },
  {
    v5: 'N57',
    title: 'when the last member leaves, the group ends',
    needs: ['share', 'qos1'],
    async run(t) {
      const [last] = await members(t, 1, 1);
      await last!.disconnect();
      await publishCount(t, 3, 1);
      const [next] = await members(t, 1, 1);
      equal(await t.collectTexts(next!), [], 'messages of the next member');
    },
  },
]);
