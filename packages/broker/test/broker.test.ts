// The broker as a library: in-process clients, inspection, $SYS, starting and stopping.

import { Server } from 'node:net';
import { decode, packet, packetType, property } from '@tobymq/testkit';
import { expect, test, vi } from 'vitest';
import { Broker, type LogFields, MemoryStore, type ReceivedMessage } from '../src/index.ts';
import { connectPeer, openPeer, publishPacket, startBroker, subscribe, until } from './support.ts';

test('a program publishes and subscribes without a connection, with properties and retained messages', async () => {
  const { broker } = await startBroker();
  await broker.publish({ topic: 'a/old', payload: 'kept', retain: true });
  const received: ReceivedMessage[] = [];
  const subscription = broker.subscribe('a/#', (message) => received.push(message));
  const properties = { contentType: 'text/plain', userProperties: [['k', 'v']] } as const;
  const { matched } = await broker.publish({ topic: 'a/new', payload: 'live', qos: 1, properties });
  await until(() => received.length === 2);
  expect(matched).toBe(1);
  const byTopic = Object.fromEntries(received.map((message) => [message.topic, message]));
  expect(byTopic['a/old']).toMatchObject({ retain: true, qos: 0 });
  expect(byTopic['a/new']).toMatchObject({ retain: false, qos: 1, properties });
  subscription.close();
  expect((await broker.publish({ topic: 'a/new', payload: '' })).matched).toBe(0);
});

test('what a program may not do is refused with a code', async () => {
  const { broker } = await startBroker();
  await expect(broker.publish({ topic: 'a/#', payload: '' })).rejects.toMatchObject({
    code: 'TOBYMQ_TOPIC_INVALID',
  });
  expect(() => broker.subscribe('a/#/b', () => {})).toThrow(/topic filter/);
  await expect(broker.explain('a/#')).rejects.toMatchObject({ code: 'TOBYMQ_TOPIC_INVALID' });
  await expect(new MemoryStore().backup()).rejects.toMatchObject({ code: 'TOBYMQ_NOT_DURABLE' });
  await broker.stop();
  await expect(broker.publish({ topic: 'a', payload: '' })).rejects.toMatchObject({
    code: 'TOBYMQ_BROKER_STOPPED',
  });
  await expect(broker.listen({ port: 0 })).rejects.toMatchObject({ code: 'TOBYMQ_BROKER_STOPPED' });
});

test.each([-1, 1.5, 4_294_967_296])(
  'a message of the program cannot have an expiry interval of %d seconds',
  async (messageExpiryInterval) => {
    const { broker } = await startBroker();
    const message = { topic: 'a', payload: '', properties: { messageExpiryInterval } };
    await expect(broker.publish(message)).rejects.toMatchObject({ code: 'TOBYMQ_PACKET_NOT_ENCODABLE' });
  },
);

test('a listener that opens while the broker stops is closed and refused', async () => {
  const { broker } = await startBroker();
  const opening = broker.listen({ port: 0 });
  const refused = expect(opening).rejects.toMatchObject({ code: 'TOBYMQ_BROKER_STOPPED' });
  await broker.stop();
  await refused;
});

test('a user name that is to be the client id is not empty', async () => {
  const { port } = await startBroker({}, { useUsernameAsClientId: true });
  const peer = await openPeer(port);
  peer.send(packet.connect({ version: 5, clientId: 'c', username: '' }));
  expect(decode.connack(await peer.expect(packetType.CONNACK), 5).reason).toBe(0x85);
});

test('a port in use is refused by name', async () => {
  const { broker, port } = await startBroker();
  await expect(broker.listen({ port })).rejects.toThrow(`cannot listen on 127.0.0.1 port ${port}`);
});

test('connections that cannot be accepted are counted and logged, and end nothing else', async () => {
  const listening = vi.spyOn(Server.prototype, 'listen');
  const reasons: unknown[] = [];
  const log = (_level: string, event: string, { reason }: LogFields) => {
    if (event === 'connection-refused') reasons.push(reason);
  };
  const { broker, port } = await startBroker({ logger: { log } });
  const server = listening.mock.contexts[0] as Server;
  listening.mockRestore();
  // What Node does when the system call fails.
  for (let i = 0; i < 2; i++) server.emit('error', new Error('accept ECONNABORTED'));
  expect(reasons).toEqual(['accept ECONNABORTED', 'accept ECONNABORTED']);
  expect(broker.metrics.socketsRefused).toBe(2);
  await (await connectPeer(port)).ping();
});

test('a listener that takes the name of one that was closed has settings of its own', async () => {
  const { broker } = await startBroker();
  const refusing = async (port: number): Promise<number> => {
    const peer = await openPeer(port);
    peer.send(packet.connect({ version: 4, clientId: 'c' }));
    return decode.connack(await peer.expect(packetType.CONNACK), 4).reason;
  };
  const first = await broker.listen({ port: 0, name: 'mqtt', acceptedVersions: [5] });
  expect(await refusing(first.port)).toBe(1);
  await first.close();
  const second = await broker.listen({ port: 0, name: 'mqtt' });
  expect(await refusing(second.port)).toBe(0);
});

test('what is configured for a listener before it is opened stays, and so does what others of its name have', async () => {
  const { broker } = await startBroker();
  broker.configure({ listeners: { mqtt: { maximumQoS: 1 } } });
  const first = await broker.listen({ port: 0, name: 'mqtt' });
  const second = await broker.listen({ port: 0, name: 'mqtt' });
  await first.close();
  await broker.listen({ port: 0, name: 'mqtt' });
  const peer = await openPeer(second.port);
  peer.send(packet.connect({ version: 5, clientId: 'c' }));
  const { properties } = decode.connack(await peer.expect(packetType.CONNACK), 5);
  expect(properties.get(property.maximumQoS)).toEqual([1]);
});

test('how shared subscriptions choose can be changed while the broker runs, to what there is', async () => {
  const { broker } = await startBroker();
  const counts = [0, 0];
  for (const i of [0, 1]) broker.subscribe('$share/g/t', () => counts[i]!++);
  broker.configure({ limits: { sharedStrategy: 'sticky' } });
  for (let i = 0; i < 4; i++) await broker.publish({ topic: 't', payload: 'x' });
  expect(counts.toSorted()).toEqual([0, 4]);
  const sharedStrategy = 'roundrobin' as 'round-robin';
  expect(() => broker.configure({ limits: { sharedStrategy } })).toThrow(/sharedStrategy must be one of/);
});

test('a Will for which a rule takes its time is published before the broker has stopped', async () => {
  const store = new MemoryStore();
  let isOpen = true;
  store.close = async () => {
    isOpen = false;
  };
  const stored: string[] = [];
  store.putRetained = ({ topic }) => {
    if (isOpen) stored.push(topic);
  };
  const authorizePublish = () => new Promise<boolean>((resolve) => setTimeout(resolve, 100, true));
  const { broker, port } = await startBroker({ store, extensions: [{ name: 'slow', authorizePublish }] });
  const peer = await connectPeer(port, {
    clientId: 'c',
    will: { topic: 'state', payload: 'off', retain: true },
  });
  peer.stream.on('end', () => peer.stream.end());
  await broker.stop();
  expect(stored).toEqual(['state']);
});

test('a Will for which a rule does not answer before the broker has stopped is published after the next start', async () => {
  const store = new MemoryStore();
  const authorizePublish = () => new Promise<boolean>(() => {});
  const { broker, port } = await startBroker({ store, extensions: [{ name: 'mute', authorizePublish }] });
  const peer = await connectPeer(port, {
    clientId: 'c',
    clean: false,
    properties: [[property.sessionExpiryInterval, 100]],
    will: { topic: 'state', payload: 'off' },
  });
  peer.destroy();
  await until(() => broker.client('c') === undefined);
  await broker.stop({ deadlineMs: 1 });
  const { broker: next } = await startBroker({ store });
  const topics: string[] = [];
  next.subscribe('state', ({ topic }) => topics.push(topic));
  await until(() => topics.length > 0);
  await next.stop();
  const { broker: last } = await startBroker({ store });
  expect(last.session('c')).toMatchObject({ hasWill: false });
});

test('a client in the same process speaks MQTT over a pipe', async () => {
  const { broker } = await startBroker();
  const pipe = broker.connect();
  const chunks: Uint8Array[] = [];
  let isClosed = false;
  pipe.onData = (chunk) => chunks.push(Uint8Array.from(chunk));
  pipe.onClose = () => {
    isClosed = true;
  };
  pipe.send(packet.connect({ version: 4, clientId: 'inside' }));
  pipe.send(packet.subscribe({ version: 4, id: 1, filters: [['t', 0]] }));
  pipe.send(packet.publish({ version: 4, topic: 't', payload: 'x' }));
  const expected = `20020000900300010030040001${Buffer.from('tx').toString('hex')}`;
  await until(() => Buffer.concat(chunks).toString('hex') === expected);
  expect(broker.client('inside')).toMatchObject({ remoteAddress: 'memory', listener: 'memory' });
  pipe.close();
  await until(() => isClosed);
  expect(broker.client('inside')).toBeUndefined();
});

test('what a client in the same process sends before its end is handled, also while a rule takes its time', async () => {
  const authorizePublish = () => new Promise<boolean>((resolve) => setImmediate(resolve, true));
  const { broker } = await startBroker({ extensions: [{ name: 'slow', authorizePublish }] });
  const topics: string[] = [];
  broker.subscribe('#', ({ topic }) => topics.push(topic));
  const pipe = broker.connect();
  const closed = new Promise<void>((resolve) => {
    pipe.onClose = () => resolve();
  });
  pipe.send(packet.connect({ version: 5, clientId: 'c', will: { topic: 'will', payload: 'x' } }));
  pipe.send(Buffer.concat([publishPacket('a', 'x'), publishPacket('b', 'x'), packet.disconnect()]));
  pipe.close();
  await closed;
  expect(topics).toEqual(['a', 'b']);
});

test('the expiry of a message that comes together with a late CONNECT is counted from then on', async () => {
  let nowMs = 1_000_000;
  const { port, broker } = await startBroker({ clock: { now: () => nowMs } });
  const peer = await openPeer(port);
  await until(() => broker.metrics.socketsNow === 1);
  nowMs += 8_000;
  const properties = [[property.messageExpiryInterval, 5]] as const;
  peer.send(
    packet.connect({ version: 5, clientId: 'c' }),
    publishPacket('r', 'x', { qos: 1, id: 1, retain: true, properties }),
  );
  await peer.take(packetType.PUBACK);
  expect([...broker.retained('r')].map(({ publishedAt }) => publishedAt)).toEqual([nowMs]);
});

test('clients, sessions and subscriptions can be looked at', async () => {
  const { broker, port } = await startBroker();
  const peer = await connectPeer(port, { clientId: 'c', username: 'u', keepAlive: 30 });
  await subscribe(peer, '$share/g/a/+', 1);
  expect([...broker.clients()]).toMatchObject([
    { clientId: 'c', username: 'u', protocolVersion: 5, keepAlive: 30 },
  ]);
  expect([...broker.sessions()]).toMatchObject([
    { clientId: 'c', isConnected: true, subscriptions: [{ filter: '$share/g/a/+', qos: 1 }] },
  ]);
  expect(broker.subscriptionsOf('a/b')).toMatchObject([{ clientId: 'c', filter: '$share/g/a/+' }]);
  expect(broker.subscriptionsOf('b')).toEqual([]);
});

test('kick disconnects with a reason, and can end the session and name another server', async () => {
  const { broker, port } = await startBroker();
  const peer = await connectPeer(port, { clientId: 'c', clean: false, properties: [[0x11, 100]] });
  expect(broker.kick('c', { reasonCode: 0x9c, serverReference: 'other:1883', endSession: true })).toBe(true);
  const disconnect = decode.reason(await peer.expect(packetType.DISCONNECT), 5);
  expect(disconnect.reason).toBe(0x9c);
  expect(disconnect.properties.get(0x1c)).toEqual(['other:1883']);
  await peer.expectClose();
  expect(broker.session('c')).toBeUndefined();
  expect(broker.kick('nobody')).toBe(false);
});

test('a kick with a code that DISCONNECT cannot carry still ends the connection', async () => {
  const { broker, port } = await startBroker();
  const peer = await connectPeer(port, { clientId: 'c' });
  broker.kick('c', { reasonCode: 0x84, reason: 'half \ud800 and \0 zero' });
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x80);
});

test('explain says who gets a message and who does not, and why', async () => {
  const { broker, port } = await startBroker({
    extensions: [
      {
        name: 'rules',
        authorizeDelivery: ({ clientId }) => clientId !== 'denied',
        authorizePublish: (_client, { topic }) => ({ allow: topic !== 'Light', reason: 'rule 7' }),
      },
    ],
  });
  for (const [clientId, filter] of [
    ['online', 'light'],
    ['denied', '#'],
    ['other', 'LIGHT'],
  ] as const) {
    await subscribe(await connectPeer(port, { clientId }), filter, 1);
  }
  const sleeper = await connectPeer(port, { clientId: 'sleeper', clean: false, properties: [[0x11, 100]] });
  await subscribe(sleeper, '+', 1);
  sleeper.send(packet.disconnect());
  await sleeper.expectClose();
  const { receivers, publisher } = await broker.explain('light', { publisher: 'online' });
  const outcomes = Object.fromEntries(receivers.map(({ clientId, outcome }) => [clientId, outcome]));
  expect(outcomes).toEqual({ online: 'delivered', denied: 'dropped', sleeper: 'queued' });
  expect(publisher).toEqual({ clientId: 'online', isAllowed: true, reason: 'rule 7' });
  const [other] = (await broker.explain('light', { clientId: 'other' })).receivers;
  expect(other).toMatchObject({
    outcome: 'not-subscribed',
    reason: 'its filter "LIGHT" differs in upper and lower case',
  });
});

test('$SYS has the names of Mosquitto, cannot be written by clients, and is off by switch', async () => {
  const { broker, port } = await startBroker({ sys: { enabled: true, interval: 10 } });
  const topics = [...broker.retained('$SYS/#')].map(({ topic }) => topic);
  expect(topics).toContain('$SYS/broker/clients/connected');
  expect(topics).toContain('$SYS/broker/retained messages/count');
  expect(topics).toContain('$SYS/broker/load/publish/sent/15min');
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(publishPacket('$SYS/broker/version', 'mine', { qos: 1, id: 1, retain: true }));
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5).reason).toBe(0x87);
  const { broker: silent } = await startBroker();
  expect([...silent.retained('$SYS/#')]).toEqual([]);
});

test('$SYS cannot be written by a Will', async () => {
  const { broker, port } = await startBroker({ sys: { enabled: true, interval: 10, version: 'ours' } });
  const will = { topic: '$SYS/broker/version', payload: 'mine', retain: true };
  const peer = await connectPeer(port, { clientId: 'c', will });
  peer.destroy();
  await until(() => broker.session('c') === undefined);
  const [version] = broker.retained('$SYS/broker/version');
  expect(String(version?.payload)).toBe('ours');
  expect(broker.metrics.dropped['not-authorized']).toBe(1);
});

test('a small value space of an extension keeps what was put', async () => {
  const { broker } = await startBroker();
  const values = broker.values('test');
  await values.put('a/1', Buffer.from('x'));
  await values.put('b', Buffer.from('y'));
  expect(Buffer.from((await values.get('a/1')) ?? []).toString()).toBe('x');
  const listed: string[] = [];
  for await (const page of values.list('a/')) listed.push(...page.map(([key]) => key));
  expect(listed).toEqual(['a/1']);
  await values.delete('a/1');
  expect(await values.get('a/1')).toBeUndefined();
});

test('stop tells 5.0 clients 0x8B, keeps persistent sessions, and a new broker on the same store has them', async () => {
  const store = new MemoryStore();
  const { broker, port } = await startBroker({ store });
  const peer = await connectPeer(port, { clientId: 'c', clean: false, properties: [[0x11, 100]] });
  await subscribe(peer, 'a', 1);
  await broker.publish({ topic: 'r', payload: 'kept', retain: true });
  await broker.publish({ topic: 'a', payload: 'one', qos: 1 });
  await peer.expect(packetType.PUBLISH);
  await broker.stop();
  expect(decode.reason(await peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x8b);
  const again = await startBroker({ store });
  await again.broker.publish({ topic: 'a', payload: 'two', qos: 1 });
  const resumed = await openPeer(again.port);
  resumed.send(packet.connect({ version: 5, clientId: 'c', clean: false, properties: [[0x11, 100]] }));
  expect(decode.connack(await resumed.expect(packetType.CONNACK), 5).sessionPresent).toBe(true);
  const first = decode.publish(await resumed.expect(packetType.PUBLISH), 5);
  expect([first.payload.toString(), first.dup]).toEqual(['one', true]);
  expect(decode.publish(await resumed.expect(packetType.PUBLISH), 5).payload.toString()).toBe('two');
  expect([...again.broker.retained()].map(({ topic }) => topic)).toEqual(['r']);
});

test('a Will whose server was killed is published by the next one', async () => {
  const store = new MemoryStore();
  const will = {
    topic: 'w',
    payload: Buffer.from('gone'),
    qos: 0,
    retain: true,
    properties: undefined,
    messageExpiryInterval: -1,
    delayInterval: 0,
  } as const;
  const session = {
    clientId: 'c',
    username: undefined,
    protocolVersion: 5,
    createdAt: 1,
    expiryInterval: 100,
  } as const;
  store.putSession({ ...session, key: 1, disconnectedAt: 0, will });
  const { broker } = await startBroker({ store });
  await until(() => [...broker.retained('w')].length === 1);
  expect(broker.session('c')).toMatchObject({ hasWill: false, isConnected: false });
});

test('a broker that cannot open its store does not start', async () => {
  class BrokenStore extends MemoryStore {
    override open(): Promise<never> {
      return Promise.reject(new Error('the folder is not writable'));
    }
  }
  await expect(Broker.start({ store: new BrokenStore() })).rejects.toThrow('the folder is not writable');
});
