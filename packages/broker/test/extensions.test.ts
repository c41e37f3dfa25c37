// The extension API: who comes in, who may what, messages seen and changed on their way, and what is told of.

import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import type { DropInfo, Extension, PublishAnswer } from '../src/index.ts';
import { connectPeer, openPeer, publishPacket, startBroker, subscribe, until } from './support.ts';

test('the first authenticator that answers decides, and nobody answering is a refusal', async () => {
  const asked: string[] = [];
  const { port } = await startBroker({
    extensions: [
      {
        name: 'silent',
        authenticate: ({ clientId }) => {
          asked.push(clientId);
          return undefined;
        },
      },
      {
        name: 'users',
        authenticate: ({ username }) =>
          username === 'anna'
            ? { allow: true }
            : username === 'bert'
              ? { allow: false, reasonCode: 0x86, reason: 'wrong' }
              : undefined,
      },
    ],
  });
  const answers: number[] = [];
  for (const username of ['anna', 'bert', 'carl']) {
    const peer = await openPeer(port);
    peer.send(packet.connect({ version: 5, clientId: username, username }));
    answers.push(decode.connack(await peer.expect(packetType.CONNACK), 5).reason);
  }
  expect(answers).toEqual([0, 0x86, 0x87]);
  expect(asked).toEqual(['anna', 'bert', 'carl']);
});

test('an authenticator that answers later holds up its own client only, and what that sent stays in order', async () => {
  let release: (() => void) | undefined;
  const { port, broker } = await startBroker({
    extensions: [
      {
        name: 'slow',
        authenticate: ({ clientId }) =>
          clientId === 'slow'
            ? new Promise((resolve) => {
                release = () => resolve({ allow: true });
              })
            : { allow: true },
      },
    ],
  });
  const slow = await openPeer(port);
  slow.send(
    packet.connect({ version: 5, clientId: 'slow' }),
    packet.subscribe({ version: 5, id: 1, filters: [['t', 0]] }),
    publishPacket('t', 'one'),
    publishPacket('t', 'two'),
  );
  const quick = await connectPeer(port, { clientId: 'quick' });
  await quick.ping();
  expect(broker.client('slow')).toBeUndefined();
  await until(() => release !== undefined);
  release?.();
  await slow.expect(packetType.CONNACK);
  await slow.expect(packetType.SUBACK);
  expect(decode.publish(await slow.expect(packetType.PUBLISH), 5).payload.toString()).toBe('one');
  expect(decode.publish(await slow.expect(packetType.PUBLISH), 5).payload.toString()).toBe('two');
});

test('a rule is asked once per topic until authorization is invalidated', async () => {
  let isAllowed = true;
  let asked = 0;
  const { port, broker } = await startBroker({
    extensions: [
      {
        name: 'rules',
        authorizePublish: () => {
          asked++;
          return isAllowed;
        },
      },
    ],
  });
  const peer = await connectPeer(port, { clientId: 'c' });
  const publish = async (id: number) => {
    peer.send(publishPacket('a', 'x', { qos: 1, id }));
    return decode.ack(await peer.expect(packetType.PUBACK), 5).reason;
  };
  expect([await publish(1), await publish(2)]).toEqual([0x10, 0x10]);
  expect(asked).toBe(1);
  isAllowed = false;
  expect(await publish(3)).toBe(0x10);
  broker.invalidateAuthorization();
  expect(await publish(4)).toBe(0x87);
  expect(asked).toBe(2);
});

test('a 3.1.1 client gets its acknowledgement for a message that it may not publish, and nobody gets the message', async () => {
  const { port, broker } = await startBroker({
    extensions: [{ name: 'rules', authorizePublish: (_client, { topic }) => topic !== 'secret' }],
  });
  const peer = await connectPeer(port, { version: 4, clientId: 'old' });
  await subscribe(peer, '#', 0, 4);
  peer.send(packet.publish({ version: 4, topic: 'secret', payload: 'x', qos: 1, id: 9 }));
  await peer.expect(packetType.PUBACK);
  peer.send(packet.publish({ version: 4, topic: 'open', payload: 'y' }));
  expect(decode.publish(await peer.expect(packetType.PUBLISH), 4).topic).toBe('open');
  expect(broker.metrics.dropped['not-authorized']).toBe(1);
});

test('a subscribe rule can lower the QoS and refuse a filter', async () => {
  const { port } = await startBroker({
    extensions: [
      {
        name: 'rules',
        authorizeSubscribe: (_client, { filter }) => (filter === 'no' ? false : { allow: true, qosMax: 1 }),
      },
    ],
  });
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(
    packet.subscribe({
      version: 5,
      id: 3,
      filters: [
        ['yes', 2],
        ['no', 2],
      ],
    }),
  );
  expect(decode.codes(await peer.expect(packetType.SUBACK), 5).codes).toEqual([1, 0x87]);
});

test('a delivery rule keeps a message from one receiver and not from another', async () => {
  const drops: DropInfo[] = [];
  const { port } = await startBroker({
    extensions: [
      {
        name: 'reading',
        authorizeDelivery: ({ clientId }, topic) => !(clientId === 'a' && topic === 'x/1'),
        onDropped: (info) => drops.push(info),
      },
    ],
  });
  const a = await connectPeer(port, { clientId: 'a' });
  const b = await connectPeer(port, { clientId: 'b' });
  await subscribe(a, 'x/#');
  await subscribe(b, 'x/#');
  b.send(publishPacket('x/1', 'one'), publishPacket('x/2', 'two'));
  expect(decode.publish(await a.expect(packetType.PUBLISH), 5).topic).toBe('x/2');
  expect(decode.publish(await b.expect(packetType.PUBLISH), 5).topic).toBe('x/1');
  expect(drops).toEqual([{ reason: 'not-authorized', topic: 'x/1', clientId: 'a', count: 1 }]);
});

test('message hooks change and drop messages, at once and later, only for the topics that they ask for', async () => {
  const seen: string[] = [];
  const { port } = await startBroker({
    extensions: [
      {
        name: 'editor',
        publishFilters: ['edit/#'],
        onPublish: async ({ topic, payload }) => {
          seen.push(topic);
          await Promise.resolve();
          if (topic === 'edit/drop') return { drop: true, reasonCode: 0x99 };
          return { payload: Buffer.from(`${Buffer.from(payload)}!`), topic: `${topic}/done` };
        },
      },
    ],
  });
  const peer = await connectPeer(port, { clientId: 'c' });
  await subscribe(peer, '#');
  peer.send(publishPacket('edit/a', 'hello'), publishPacket('plain', 'x'));
  const edited = decode.publish(await peer.expect(packetType.PUBLISH), 5);
  expect([edited.topic, edited.payload.toString()]).toEqual(['edit/a/done', 'hello!']);
  expect(decode.publish(await peer.expect(packetType.PUBLISH), 5).topic).toBe('plain');
  peer.send(publishPacket('edit/drop', 'x', { qos: 1, id: 5 }));
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5).reason).toBe(0x99);
  expect(seen).toEqual(['edit/a', 'edit/drop']);
});

test('a hook that throws or rejects denies, is counted, and takes nothing down', async () => {
  const broken: Extension = {
    name: 'broken',
    authorizePublish: (_client, { topic }) => {
      if (topic === 'throw') throw new Error('rule');
      if (topic === 'reject') return Promise.reject(new Error('rule'));
      return true;
    },
    authorizeSubscribe: () => {
      throw new Error('rule');
    },
    onPublish: ({ topic }) => {
      if (topic === 'hook') throw new Error('hook');
      return undefined;
    },
    onConnected: () => {
      throw new Error('event');
    },
  };
  const { port, broker } = await startBroker({ extensions: [broken] });
  const peer = await connectPeer(port, { clientId: 'c' });
  const codes: number[] = [];
  for (const topic of ['throw', 'reject', 'hook', 'fine']) {
    peer.send(publishPacket(topic, 'x', { qos: 1, id: 1 }));
    codes.push(decode.ack(await peer.expect(packetType.PUBACK), 5).reason);
  }
  expect(codes).toEqual([0x83, 0x83, 0x83, 0x10]);
  expect(decode.codes(await subscribe(peer, 'a'), 5).codes).toEqual([0x83]);
  expect(broker.metrics.extensionFailures).toBe(5);
});

test('events tell of connections, subscriptions and the end of sessions', async () => {
  const events: string[] = [];
  const { port } = await startBroker({
    extensions: [
      {
        name: 'watcher',
        onConnected: ({ clientId }, present) => events.push(`connected ${clientId} ${present}`),
        onDisconnected: ({ clientId }, { reasonCode, initiator }) =>
          events.push(`disconnected ${clientId} ${reasonCode} ${initiator}`),
        onSubscribed: ({ clientId }, filter, qos) => events.push(`subscribed ${clientId} ${filter} ${qos}`),
        onUnsubscribed: ({ clientId }, filter) => events.push(`unsubscribed ${clientId} ${filter}`),
        onSessionEnded: (clientId, reason) => events.push(`ended ${clientId} ${reason}`),
      },
    ],
  });
  const peer = await connectPeer(port, { clientId: 'c' });
  await subscribe(peer, 'a/+', 1);
  peer.send(packet.unsubscribe({ version: 5, id: 2, filters: ['a/+'] }));
  await peer.expect(packetType.UNSUBACK);
  peer.send(packet.disconnect());
  await peer.expectClose();
  expect(events).toEqual([
    'connected c false',
    'subscribed c a/+ 1',
    'unsubscribed c a/+',
    'ended c disconnected',
    'disconnected c 0 client',
  ]);
});

test('an address that is not welcome is closed before a byte is read', async () => {
  const { port, broker } = await startBroker({
    extensions: [{ name: 'addresses', acceptConnection: () => false }],
  });
  const peer = await openPeer(port);
  await peer.expectClose();
  expect(broker.metrics.socketsRefused).toBe(1);
});

test('an extension that is added at run time is asked by clients that are connected already', async () => {
  const { port, broker } = await startBroker();
  const peer = await connectPeer(port, { clientId: 'c' });
  const publish = async () => {
    peer.send(publishPacket('a', 'x', { qos: 1, id: 1 }));
    return decode.ack(await peer.expect(packetType.PUBACK), 5).reason;
  };
  const rules: Extension = { name: 'rules', authorizePublish: () => false };
  expect(await publish()).toBe(0x10);
  await broker.addExtension(rules);
  expect(await publish()).toBe(0x87);
  await broker.removeExtension(rules);
  expect(await publish()).toBe(0x10);
});

test('extensions start in order and stop in reverse, and one that fails stops the start', async () => {
  const order: string[] = [];
  const extension = (name: string): Extension => ({
    name,
    start: () => void order.push(`start ${name}`),
    stop: () => void order.push(`stop ${name}`),
  });
  const { broker } = await startBroker({ extensions: [extension('a'), extension('b')] });
  await broker.stop();
  expect(order).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  const failing: Extension = { name: 'bad', start: () => Promise.reject(new Error('no')) };
  await expect(startBroker({ extensions: [failing] })).rejects.toMatchObject({
    code: 'TOBYMQ_EXTENSION_FAILED',
  });
});

test('credentials that expire end the connection', async () => {
  const { port } = await startBroker({
    extensions: [{ name: 'token', authenticate: () => ({ allow: true, expiresAt: Date.now() + 50 }) }],
  });
  const peer = await connectPeer(port, { clientId: 'c' });
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0xa0);
  await peer.expectClose();
});

test('a client that authenticates again keeps its connection as long as its new credentials count', async () => {
  let nowMs = 1_000_000;
  const method = [[property.authenticationMethod, 'token']] as const;
  const { port } = await startBroker({
    clock: { now: () => nowMs },
    extensions: [
      {
        name: 'token',
        authenticationExchange: () => ({ step: () => ({ allow: true, expiresAt: nowMs + 60_000 }) }),
      },
    ],
  });
  const renewed = await connectPeer(port, { clientId: 'renewed', properties: method });
  const expired = await connectPeer(port, { clientId: 'expired', properties: method });
  nowMs += 30_000;
  renewed.send(packet.auth({ reason: 0x19, properties: method }));
  await renewed.expect(packetType.AUTH);
  nowMs += 31_000;
  expect(decode.reason(await expired.expect(packetType.DISCONNECT), 5).reason).toBe(0xa0);
  await renewed.ping();
  nowMs += 30_000;
  expect(decode.reason(await renewed.expect(packetType.DISCONNECT), 5).reason).toBe(0xa0);
});

test.each([
  ['at once', (topic: string) => ({ topic })],
  ['later', (topic: string) => Promise.resolve({ topic })],
])('a hook that gives a message a topic that there cannot be keeps it back, %s', async (_when, onPublish) => {
  const reports: unknown[] = [];
  const topics = ['a/#', 'x'.repeat(70_000), 'good'];
  const { port } = await startBroker({
    logger: { log: (_level, event, { hook }) => void (event === 'extension-failed' && reports.push(hook)) },
    extensions: [{ name: 'faulty', onPublish: () => onPublish(topics.shift()!) }],
  });
  const subscriber = await connectPeer(port, { clientId: 's' });
  await subscribe(subscriber, '#', 0);
  const publisher = await connectPeer(port, { clientId: 'p' });
  const reasons: number[] = [];
  for (const id of [1, 2, 3]) {
    publisher.send(publishPacket('a', 'x', { qos: 1, id }));
    reasons.push(decode.ack(await publisher.expect(packetType.PUBACK), 5).reason);
  }
  expect(reasons).toEqual([0x83, 0x83, 0]);
  expect(decode.publish(await subscriber.expect(packetType.PUBLISH), 5).topic).toBe('good');
  expect(reports).toEqual(['onPublish', 'onPublish']);
});

test('credentials whose end is no number have expired', async () => {
  const authenticate = () => ({ allow: true, expiresAt: Date.parse('never') }) as const;
  const { port } = await startBroker({ extensions: [{ name: 'token', authenticate }] });
  const peer = await connectPeer(port, { clientId: 'c' });
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0xa0);
});

test('a hook that makes a Will impossible to encode takes nothing down', async () => {
  const events: string[] = [];
  const { port } = await startBroker({
    logger: { log: (_level, event) => events.push(event) },
    extensions: [{ name: 'faulty', onPublish: () => ({ properties: { contentType: 'x'.repeat(70_000) } }) }],
  });
  const peer = await connectPeer(port, { clientId: 'c', will: { topic: 'w', payload: 'x' } });
  peer.destroy();
  await until(() => events.includes('extension-failed'));
  await (await connectPeer(port, { clientId: 'd' })).ping();
});

test("a Will is asked about and seen by the extensions of its client's listener", async () => {
  const asked: string[] = [];
  const acl: Extension = {
    name: 'acl',
    authorizePublish: (_client, { topic }) => {
      asked.push(topic);
      return topic !== 'forbidden';
    },
    onPublish: ({ topic }) => ({ topic: `seen/${topic}` }),
  };
  const { port, broker } = await startBroker({}, { extensions: [acl] });
  const published: string[] = [];
  broker.subscribe('#', ({ topic }) => published.push(topic));
  for (const topic of ['forbidden', 'allowed']) {
    const peer = await connectPeer(port, { clientId: topic, will: { topic, payload: 'x' } });
    peer.destroy();
    await until(() => asked.includes(topic));
  }
  await until(() => published.length > 0);
  expect(published).toEqual(['seen/allowed']);
  expect(broker.metrics.dropped['not-authorized']).toBe(1);
});

test('a QoS 2 message whose connection ended while a hook looked at it is delivered once, when it comes again', async () => {
  const answers: (() => void)[] = [];
  const onPublish = () => new Promise<undefined>((resolve) => answers.push(() => resolve(undefined)));
  const { port, broker } = await startBroker({ extensions: [{ name: 'slow', onPublish }] });
  const received: string[] = [];
  broker.subscribe('#', ({ topic }) => received.push(topic));
  const properties = [[property.sessionExpiryInterval, 100]] as const;
  const options = { clientId: 'c', clean: false, properties };
  const first = await connectPeer(port, options);
  first.send(publishPacket('t', 'x', { qos: 2, id: 1 }));
  await until(() => answers.length === 1);
  const second = await connectPeer(port, options);
  second.send(publishPacket('t', 'x', { qos: 2, id: 1, dup: true }));
  await until(() => answers.length === 2);
  for (const answer of answers) answer();
  await second.expect(packetType.PUBREC);
  expect(received).toEqual(['t']);
});

test('an event hook and a handler of messages that reject later are reported and take nothing down', async () => {
  const reports: unknown[] = [];
  const late = () => Promise.reject(new Error('later'));
  const { port, broker } = await startBroker({
    logger: { log: (_level, event, { hook }) => void (event === 'extension-failed' && reports.push(hook)) },
    extensions: [{ name: 'late', onConnected: late }],
  });
  const subscription = broker.subscribe('t', late);
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(publishPacket('t', 'x'));
  await until(() => reports.length === 2);
  expect(reports).toEqual(['onConnected', 'subscribe']);
  expect(broker.metrics.extensionFailures).toBe(2);
  subscription.close();
});

test.each([
  ['at once', (answer: PublishAnswer) => answer],
  ['later', (answer: PublishAnswer) => Promise.resolve(answer)],
])(
  'a hook that gives a message properties that there cannot be keeps it back, %s',
  async (_when, onPublish) => {
    const answers: PublishAnswer[] = [
      { properties: { contentType: 'x'.repeat(70_000) } },
      { properties: { messageExpiryInterval: -1 } },
      { properties: { contentType: 'good' } },
    ];
    const { port, broker } = await startBroker({
      extensions: [{ name: 'faulty', onPublish: () => onPublish(answers.shift()) }],
    });
    const publisher = await connectPeer(port, { clientId: 'p' });
    const reasons: number[] = [];
    for (const id of [1, 2, 3]) {
      publisher.send(publishPacket('a', 'x', { qos: 1, id }));
      reasons.push(decode.ack(await publisher.expect(packetType.PUBACK), 5).reason);
    }
    expect(reasons).toEqual([0x83, 0x83, 0x10]);
    expect(broker.metrics).toMatchObject({ extensionFailures: 2, malformedPackets: 0 });
  },
);

test('an extension that is removed before its start does not keep another one from being stopped', async () => {
  const order: string[] = [];
  const last: Extension = { name: 'last', stop: () => void order.push('stop last') };
  const first: Extension = {
    name: 'first',
    start: (broker) => broker.removeExtension(last),
    stop: () => void order.push('stop first'),
  };
  const { broker } = await startBroker({
    extensions: [{ name: 'zero', stop: () => void order.push('stop zero') }, first, last],
  });
  await broker.stop();
  expect(order).toEqual(['stop first', 'stop zero']);
});
