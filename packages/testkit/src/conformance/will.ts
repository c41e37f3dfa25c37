// Will messages: 3.1.2.5, 3.1.2.6, 3.1.3.2 and 3.14.4.

import { packet } from '../packet.ts';
import { property, type RawProperty } from '../properties.ts';
import { casesOf, type Scenario } from './case.ts';
import { equal, ok, oneOf } from './check.ts';
import type { Client } from './client.ts';
import { type Context, v5Properties } from './context.ts';

function willOf(t: Context, payload = 'gone', ...properties: readonly RawProperty[]) {
  return { topic: t.topic('will'), payload, ...v5Properties(t.version, properties) };
}

async function observe(t: Context, options = 0): Promise<Client> {
  const observer = await t.connect();
  await observer.subscribe(t.topic('will'), options);
  return observer;
}

/** Milliseconds until the observer has a Will with this payload. */
async function timeToWill(observer: Client, payload: string, since: number): Promise<number> {
  const message = await observer.message({ timeout: 8000 });
  equal(message.payload.toString(), payload, 'payload of the Will');
  return performance.now() - since;
}

const keepAliveLoss: Scenario = {
  v5: 'MQTT-3.1.2-22',
  v311: 'MQTT-3.1.2-24',
  v31: 'V31-15',
  title: 'silence for one and a half Keep Alives closes the connection and publishes the Will',
  async run(t) {
    const observer = await observe(t);
    const silent = await t.connect({ keepAlive: 2, will: willOf(t) });
    const busy = await t.connect({ keepAlive: 2 });
    const without = await t.connect({ keepAlive: 0 });
    const keepBusy = async (): Promise<void> => {
      for (let index = 0; index < 4; index += 1) {
        await t.sleep(2000);
        await busy.ping();
      }
    };
    const pinging = t.aside(keepBusy());
    // Any packet begins the time anew.
    await t.sleep(1000);
    const since = performance.now();
    await silent.ping();
    await silent.peer.expectClose({ timeout: 9000 });
    const elapsed = performance.now() - since;
    // The clock of a server may tick in whole seconds, which moves the moment, but never before 1.5 times.
    ok(elapsed >= 2950, `closed ${Math.round(elapsed)} ms after the last packet, before 3000 ms`);
    equal((await observer.message()).payload.toString(), 'gone', 'the Will');
    const codes = silent.peer.history.slice(2).map((f) => f.bytes[2]);
    oneOf(codes, t.version === 5 ? (t.strict ? [[0x8d]] : [[0x8d], []]) : [[]], 'codes of DISCONNECT');
    await pinging;
    await busy.ping();
    await without.ping();
  },
};

export const willCases = casesOf('Will', [
  keepAliveLoss,
  {
    v5: 'MQTT-3.1.2-7',
    v311: 'MQTT-3.1.2-8',
    title: 'the Will is published when the connection is cut',
    async run(t) {
      const observer = await observe(t);
      const client = await t.connect({ will: willOf(t) });
      await client.cut();
      const message = await observer.message();
      equal([message.payload.toString(), message.retain, message.qos], ['gone', false, 0], 'the Will');
    },
  },
  {
    v5: 'MQTT-3.1.2-8',
    v311: 'MQTT-3.1.2-8',
    title: 'the Will is published after a protocol error and not after DISCONNECT',
    async run(t) {
      const observer = await observe(t);
      const polite = await t.connect({ will: willOf(t, 'polite') });
      await polite.disconnect();
      const wrong = await t.connect({ will: willOf(t, 'wrong') });
      wrong.send('36 05 00 01 61 00 01');
      await wrong.peer.expectClose();
      equal((await observer.message()).payload.toString(), 'wrong', 'the only Will');
      equal(await t.collectTexts(observer), [], 'further Wills');
    },
  },
  {
    v5: ['MQTT-3.1.2-8', 'N46'],
    title: 'the Will is published after DISCONNECT 0x04',
    async run(t) {
      const observer = await observe(t);
      const client = await t.connect({ will: willOf(t) });
      await client.disconnect(packet.disconnect({ reason: 0x04 }));
      equal((await observer.message()).payload.toString(), 'gone', 'the Will');
    },
  },
  {
    v5: 'MQTT-3.1.2-8',
    title: 'a Will with a delay waits for the delay or for the end of the session, whichever comes first',
    async run(t) {
      const observer = await observe(t);
      const delayed = await t.connect({
        expiry: 30,
        will: willOf(t, 'delay', [property.willDelayInterval, 2]),
      });
      const since = performance.now();
      await delayed.cut();
      const elapsed = await timeToWill(observer, 'delay', since);
      ok(elapsed >= 1950, `the Will came after ${Math.round(elapsed)} ms, before its delay of 2000 ms`);
      const short = await t.connect({
        expiry: 1,
        will: willOf(t, 'expiry', [property.willDelayInterval, 20]),
      });
      const cutAt = performance.now();
      await short.cut();
      const early = await timeToWill(observer, 'expiry', cutAt);
      ok(early >= 950, `the Will came after ${Math.round(early)} ms, before the session ended after 1000 ms`);
    },
  },
  {
    v5: 'MQTT-3.1.2-10',
    v311: 'MQTT-3.1.2-10',
    title: 'a Will that was published is gone',
    async run(t) {
      const observer = await observe(t);
      const clientId = t.clientId();
      const first = await t.connectSession(clientId, { will: willOf(t) });
      await first.cut();
      equal((await observer.message()).payload.toString(), 'gone', 'the Will');
      const second = await t.connectSession(clientId);
      await second.cut();
      equal(await t.collectTexts(observer), [], 'Wills of a connection without Will');
    },
  },
  {
    v311: 'MQTT-3.1.2-12',
    title: 'without a Will nothing is published when the connection is cut',
    async run(t) {
      const observer = await t.connect();
      await observer.subscribe(t.topic('#'));
      const client = await t.connect();
      await client.cut();
      equal(await t.collectTexts(observer), [], 'messages');
    },
  },
  {
    v5: 'MQTT-3.1.2-14',
    v311: 'MQTT-3.1.2-16',
    title: 'with Will Retain 0 the Will is not retained',
    async run(t) {
      const observer = await observe(t);
      await (await t.connect({ will: willOf(t) })).cut();
      await observer.message();
      const late = await observe(t);
      equal(await t.collectTexts(late), [], 'retained Wills');
    },
  },
  {
    v5: 'MQTT-3.1.2-15',
    v311: 'MQTT-3.1.2-17',
    title: 'with Will Retain 1 the Will is published as a retained message',
    needs: ['retain'],
    async run(t) {
      const observer = await observe(t);
      await (await t.connect({ will: { ...willOf(t), retain: true } })).cut();
      await observer.message();
      const late = await observe(t);
      const [message] = await t.collect(late);
      equal([message?.payload.toString(), message?.retain], ['gone', true], 'the retained Will');
    },
  },
  {
    v311: 'MQTT-3.1.2-9',
    title: 'the Will is published with its QoS',
    needs: ['qos2'],
    async run(t) {
      const observer = await observe(t, 2);
      for (const qos of [0, 1, 2]) {
        await (await t.connect({ will: { ...willOf(t), qos } })).cut();
        equal((await observer.message()).qos, qos, 'QoS of the Will');
      }
    },
  },
  {
    v5: 'MQTT-3.1.3-9',
    title: 'a client that comes back within the Will Delay stops the Will',
    async run(t) {
      const observer = await observe(t);
      const clientId = t.clientId();
      const will = willOf(t, 'delayed', [property.willDelayInterval, 2]);
      await (await t.connectSession(clientId, { will })).cut();
      await t.connectSession(clientId);
      await t.sleep(3200);
      equal(await t.collectTexts(observer), [], 'Wills');
    },
  },
  {
    v5: 'MQTT-3.1.3-10',
    title: 'User Properties of the Will keep their order',
    async run(t) {
      const observer = await observe(t);
      const pairs = [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ] as const;
      const will = willOf(t, 'gone', ...pairs.map((pair) => [property.userProperty, pair] as const));
      await (await t.connect({ will })).cut();
      equal((await observer.message()).properties.get(property.userProperty), pairs, 'User Properties');
    },
  },
  {
    v5: 'N20',
    title: 'the properties of the Will go out with it, the Will Delay Interval does not',
    async run(t) {
      const observer = await observe(t);
      const properties: RawProperty[] = [
        [property.willDelayInterval, 1],
        [property.payloadFormatIndicator, 1],
        [property.messageExpiryInterval, 100],
        [property.contentType, 'text/plain'],
        [property.responseTopic, 'answer'],
        [property.correlationData, Buffer.from([0, 1, 255])],
        [property.userProperty, ['k', 'v']],
      ];
      await (await t.connect({ expiry: 30, will: willOf(t, 'gone', ...properties) })).cut();
      const { properties: seen } = await observer.message();
      ok(!seen.has(property.willDelayInterval), 'no Will Delay Interval');
      for (const [id, value] of properties.slice(1)) {
        const expected = id === property.messageExpiryInterval ? seen.get(id) : [value];
        equal(seen.get(id), expected, `property 0x${id.toString(16)}`);
      }
      // The interval begins when the Will is published, not when it was given to the server.
      oneOf(Number(seen.get(property.messageExpiryInterval)?.[0]), [99, 100], 'Message Expiry Interval');
    },
  },
  {
    v5: 'MQTT-3.14.4-3',
    v311: 'MQTT-3.14.4-3',
    title: 'DISCONNECT drops the Will for good',
    async run(t) {
      const observer = await observe(t);
      const delay = [property.willDelayInterval, 1] as const;
      await (await t.connect({ will: willOf(t) })).disconnect();
      await (await t.connect({ expiry: 1, will: willOf(t, 'later', delay) })).disconnect();
      await t.sleep(t.version === 5 ? 2200 : 100);
      equal(await t.collectTexts(observer), [], 'Wills');
    },
  },
  {
    v5: 'MQTT-4.7.0-1',
    v311: 'MQTT-4.7.1-1',
    title: 'a Will Topic with a wildcard is refused',
    async run(t) {
      for (const name of ['a/#', 'a/+', '#']) {
        const bytes = t.connectBytes({ will: { ...willOf(t), topic: t.topic(name) } });
        await t.refusesConnect(bytes, { codes: [0x81, 0x82, 0x90] });
      }
    },
  },
  {
    v5: 'MQTT-4.7.3-1',
    v311: 'MQTT-4.7.3-1',
    title: 'an empty Will Topic is refused',
    async run(t) {
      await t.refusesConnect(t.connectBytes({ will: { ...willOf(t), topic: '' } }), {
        codes: [0x81, 0x82, 0x90],
      });
    },
  },
  {
    v311: 'M21',
    title: 'the Will is published with exactly its bytes, which may be none',
    async run(t) {
      const observer = await observe(t);
      for (const payload of [Buffer.alloc(0), Buffer.from([0, 255, 1, 2, 3])]) {
        await (await t.connect({ will: { ...willOf(t), payload } })).cut();
        equal(
          (await observer.message()).payload.toString('hex'),
          payload.toString('hex'),
          'payload of the Will',
        );
      }
    },
  },
]);
