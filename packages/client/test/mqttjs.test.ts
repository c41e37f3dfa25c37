// The entry for programs written for MQTT.js. Small programs run with both libraries and must come to the same where
// the behaviour is to be the same; where ours is better, it is tested alone.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Broker } from '@tobymq/broker';
import { decode, packet, packetType, property, RawPeer, withTempDir } from '@tobymq/testkit';
import * as original from 'mqtt';
import { describe, expect, expectTypeOf, onTestFinished, test } from 'vitest';
import mqtt, * as ours from '../src/mqttjs/node.ts';
import { memoryStore } from '../src/node.ts';
import { answerSubscribe, listen } from './support.ts';

type Library = Pick<typeof ours, 'connect' | 'connectAsync'>;
type Log = (line: string) => void;

async function startBroker(): Promise<string> {
  const broker = await Broker.start();
  onTestFinished(() => broker.stop());
  const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
  return `mqtt://127.0.0.1:${port}`;
}

/** Programs as they are written for MQTT.js; what they log must not depend on the library. */
const programs: Readonly<Record<string, (library: Library, url: string, log: Log) => Promise<void>>> = {
  'the first example of the README': (mqtt, url, log) =>
    new Promise((resolve) => {
      const client = mqtt.connect(url);
      client.on('connect', () => {
        client.subscribe('presence', (error) => {
          if (!error) client.publish('presence', 'Hello mqtt');
        });
      });
      client.on('message', (topic, message) => {
        log(`${topic} ${message.toString()} ${Buffer.isBuffer(message)}`);
        client.end(() => resolve());
      });
    }),

  'promises, QoS and properties': async (mqtt, url, log) => {
    const client = await mqtt.connectAsync(url, { protocolVersion: 5, clientId: 'a' });
    const arrived = new Promise<void>((resolve) => {
      client.on('message', (topic, payload, { cmd, qos, retain, dup, properties }) => {
        log(`${cmd} ${topic} ${payload.toString('hex')} ${qos} ${retain} ${dup}`);
        log(JSON.stringify({ ...properties }, Object.keys(properties ?? {}).sort()));
        log(`${properties?.userProperties?.a} ${properties?.userProperties?.b}`);
        resolve();
      });
    });
    log(JSON.stringify(await client.subscribeAsync('a/+', { qos: 2 })));
    await client.publishAsync('a/b', Buffer.from([1, 2]), {
      qos: 2,
      properties: {
        payloadFormatIndicator: false,
        contentType: 'x',
        responseTopic: 'r',
        correlationData: Buffer.from('c'),
        userProperties: { a: '1', b: ['2', '3'] },
      },
    });
    await arrived;
    await client.unsubscribeAsync('a/+');
    await client.endAsync();
    log(`${client.connected} ${client.reconnecting} ${client.disconnected}`);
  },

  'several filters with options, retained messages': async (mqtt, url, log) => {
    const client = mqtt.connect(url);
    await client.publishAsync('kept/1', 'first', { retain: true, qos: 1 });
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => {
      client.on('message', (topic, message, { retain, qos }) => {
        seen.push(`${topic} ${message} ${retain} ${qos}`);
        if (topic === 'last') resolve();
      });
    });
    const granted = await new Promise((resolve, reject) => {
      client.subscribe({ resubscribe: true, 'kept/+': { qos: 1 }, last: { qos: 0 } }, (error, result) =>
        error ? reject(error) : resolve(result),
      );
    });
    log(JSON.stringify(granted));
    await client.publishAsync('last', 'end', { qos: 1 });
    await done;
    for (const line of seen.sort()) log(line);
    await client.publishAsync('kept/1', '', { retain: true });
    await client.endAsync();
  },

  'publish and end in one go': (mqtt, url, log) =>
    new Promise((resolve) => {
      const listener = mqtt.connect(url);
      listener.on('message', (topic, message) => {
        log(`${topic} ${message}`);
        listener.end(() => resolve());
      });
      listener.subscribe('quick', () => {
        const client = mqtt.connect(url);
        client.on('connect', () => {
          client.publish('quick', 'gone', { qos: 1 }, (error) => log(`published ${error ?? 'well'}`));
          client.end();
        });
      });
    }),

  'what is wrong is told to the callback': async (mqtt, url, log) => {
    const client = await mqtt.connectAsync(url);
    await new Promise<void>((resolve) => {
      client.subscribe('a#/b', (error) => {
        log(`subscribe ${error instanceof Error}`);
        resolve();
      });
    });
    await client.endAsync();
    await new Promise<void>((resolve) => {
      client.publish('late', 'x', { qos: 1 }, (error) => {
        log(`publish ${error?.message}`);
        resolve();
      });
    });
  },

  'a refused connection': (mqtt, _, log) =>
    new Promise((resolve) => {
      const client = mqtt.connect('mqtt://127.0.0.1:1', { reconnectPeriod: 0 });
      client.on('error', (error) => log(`error ${(error as NodeJS.ErrnoException).code}`));
      client.on('close', () => {
        log('close');
        client.end(() => resolve());
      });
      client.on('end', () => log('end'));
    }),

  'options that are wrong': async (mqtt, _, log) => {
    for (const [url, options] of [
      ['no url at all', {}],
      ['mqtt://localhost', { clean: false }],
    ] as const) {
      try {
        mqtt.connect(url, options);
      } catch (error) {
        log(`${url}: ${(error as Error).message}`);
      }
    }
  },

  'a client that is started by hand, ended and started again': async (mqtt, url, log) => {
    const client = mqtt.connect(url, { manualConnect: true });
    const next = (): Promise<void> => new Promise((resolve) => client.once('connect', () => resolve()));
    log(`${client.connected}`);
    const first = next();
    client.connect();
    await first;
    await client.subscribeAsync('again');
    await client.endAsync();
    const second = next();
    client.reconnect();
    await second;
    const message = new Promise<string>((resolve) => {
      client.on('message', (topic, payload) => resolve(`${topic} ${payload}`));
    });
    await client.subscribeAsync('again2');
    client.publish('again2', 'works');
    log(await message);
    await client.endAsync();
  },

  'a client that is to reconnect while it is still ending': async (mqtt, url, log) => {
    for (const isForced of [false, true]) {
      const client = mqtt.connect(url);
      for (const event of ['connect', 'reconnect', 'close', 'offline', 'error', 'end'] as const)
        client.on(event, () => log(event));
      const next = (): Promise<void> => new Promise((resolve) => client.once('connect', () => resolve()));
      await next();
      const second = next();
      client.end(isForced);
      client.reconnect();
      await second;
      await client.publishAsync('a', 'x', { qos: 1 });
      log(`${client.connected} ${client.reconnecting} ${client.disconnecting} ${client.disconnected}`);
      await client.endAsync();
    }
  },

  'a client that is to reconnect although it is connected': async (mqtt, url, log) => {
    const names: string[] = [];
    const client = await mqtt.connectAsync(url, { clientId: 'first' });
    client.on('end', () => log('end'));
    const again = new Promise<void>((resolve) => client.once('connect', () => resolve()));
    client.options.clientId = 'second';
    client.on('packetsend', (packet) => packet.cmd === 'connect' && names.push(`${packet.clientId}`));
    client.reconnect();
    await again;
    log(`${client.connected} ${names}`);
    await client.endAsync();
  },

  'one listener that is there for good and for once': async (mqtt, url, log) => {
    const client = await mqtt.connectAsync(url);
    const listener = (): void => log('offline');
    client.once('offline', listener);
    client.on('offline', listener);
    for (let i = 0; i < 3; i++) client.emit('offline');
    await client.endAsync();
  },
};

test.each(Object.entries(programs))('the same with both libraries: %s', async (_, program) => {
  const url = await startBroker();
  const logs: string[][] = [];
  for (const library of [original as unknown as Library, ours]) {
    const lines: string[] = [];
    await program(library, url, (line) => lines.push(line));
    logs.push(lines);
  }
  expect(logs[1]).toEqual(logs[0]);
  expect(logs[0]!.length).toBeGreaterThan(0);
});

test('the path of a Unix socket is that of a file, and may have what means something in a URL', async () => {
  await withTempDir(async (directory) => {
    const path = join(directory, '100% #1?.sock');
    const server = createServer(async (socket) => {
      const peer = new RawPeer(socket);
      await peer.expect(packetType.CONNECT);
      peer.send(packet.connack({ version: 4 }));
    }).listen(path);
    onTestFinished(() => void server.close());
    const clients = [
      await ours.connectAsync({ protocol: 'mqtt', unixSocket: true, path }),
      await ours.connectAsync(`mqtt+unix://${directory}/100%25%20%231%3F.sock`),
    ];
    for (const client of clients) await client.endAsync(true);
  });
});

test('the events of a lost connection come in the same order', async () => {
  const logs: string[][] = [];
  for (const library of [original as unknown as Library, ours]) {
    const server = await listen();
    const lines: string[] = [];
    const client = library.connect(`mqtt://127.0.0.1:${server.port}`, { reconnectPeriod: 10 });
    for (const event of ['connect', 'reconnect', 'close', 'offline', 'error', 'end'] as const) {
      client.on(event, () => lines.push(event));
    }
    const { peer } = await server.acceptClient();
    await expect.poll(() => lines.length).toBe(1);
    peer.destroy();
    await server.acceptClient();
    await expect.poll(() => lines.at(-1)).toBe('connect');
    await client.endAsync(true);
    logs.push(lines);
  }
  expect(logs[0]).toEqual(['connect', 'offline', 'close', 'reconnect', 'connect', 'close', 'end']);
  expect(logs[1]).toEqual(logs[0]);
});

test('packets are shown to those who listen, in the same shape', async () => {
  const url = await startBroker();
  const logs: unknown[][] = [];
  for (const library of [original as unknown as Library, ours]) {
    const seen: unknown[] = [];
    const client = library.connect(url, { clientId: 'watched' });
    const shown = ['cmd', 'sessionPresent', 'returnCode', 'topic', 'qos', 'granted', 'unsubscriptions'];
    for (const event of ['packetsend', 'packetreceive'] as const) {
      client.on(event, (each) => {
        const fields = Object.entries(each).filter(([name, value]) => shown.includes(name) && value !== null);
        // MQTT.js shows fields that some packets do not have, and does not show its first CONNECT.
        const relevant = fields.filter(([name]) => name !== 'qos' || each.cmd === 'publish');
        if (each.cmd !== 'connect') seen.push([event, Object.fromEntries(relevant)]);
      });
    }
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    await client.subscribeAsync('a', { qos: 1 });
    await client.publishAsync('b', 'x', { qos: 2 });
    await client.unsubscribeAsync('a');
    await client.endAsync();
    logs.push(seen);
  }
  expect(logs[1]).toEqual(logs[0]);
});

test('what is subscribed to is subscribed to again after reconnect(), and node:events can wait for events', async () => {
  const url = await startBroker();
  const client = ours.connect(url);
  await once(client as never, 'connect');
  await client.subscribeAsync(['a', 'b']);
  await client.unsubscribeAsync('b');
  await client.endAsync();
  client.reconnect();
  const message = once(client as never, 'message');
  for (const topic of ['b', 'a']) await client.publishAsync(topic, 'x', { qos: 1 });
  expect((await message)[0]).toBe('a');
  await client.endAsync();
});

test('the module has what programs import', () => {
  expect(Object.keys(mqtt).sort()).toEqual([
    'Client',
    'ErrorWithReasonCode',
    'MqttClient',
    'ReasonCodes',
    'connect',
    'connectAsync',
  ]);
  expect([ours.ReasonCodes[5], ours.ReasonCodes[135], ours.ReasonCodes[142]]).toEqual([
    'Not authorized',
    'Not authorized',
    'Session taken over',
  ]);
  expectTypeOf<ours.MqttClientEventCallbacks['message']>().parameter(1).toEqualTypeOf<Buffer>();
});

describe('better than MQTT.js', () => {
  test('a client that was ended before it was started settles every call', async () => {
    const client = ours.connect('mqtt://127.0.0.1:1', { manualConnect: true });
    const calls = [client.publishAsync('a', 'x', { qos: 1 }), client.subscribeAsync('a')];
    await client.endAsync();
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'TOBYMQ_CLOSED' });
  });

  test('a client that has given up says so to who subscribes, and subscribes when it is started again', async () => {
    const server = await listen();
    const client = ours.connect(`mqtt://127.0.0.1:${server.port}`, { reconnectPeriod: 0 });
    onTestFinished(() => client.endAsync(true));
    const gaveUp = new Promise<void>((resolve) => client.once('close', resolve));
    (await server.accept()).destroy();
    await gaveUp;
    await expect(client.subscribeAsync('a')).rejects.toThrow();
    client.reconnect();
    const { peer } = await server.acceptClient({ version: 4 });
    expect((await answerSubscribe(peer, [0], 4)).filters).toEqual([['a', 0]]);
  });

  test('B23: what arrives before a listener is there waits for it, unacknowledged', async () => {
    const server = await listen();
    const connecting = ours.connectAsync(`mqtt://127.0.0.1:${server.port}`);
    const { peer } = await server.acceptClient({ sessionPresent: false });
    for (const id of [1, 2, 3])
      peer.send(packet.publish({ version: 4, topic: 't', payload: `${id}`, qos: 1, id }));
    const client = await connecting;
    onTestFinished(() => client.endAsync(true));
    await client.publishAsync('marker', '');
    await peer.nothingUntil((frame) => frame.type === packetType.PUBLISH);
    const seen: string[] = [];
    client.on('message', (_, message) => seen.push(message.toString()));
    for (const id of [1, 2, 3]) expect(decode.ack(await peer.expect(packetType.PUBACK), 4).id).toBe(id);
    expect(seen).toEqual(['1', '2', '3']);
  });

  test('B12: a listener that throws is reported, the message is not acknowledged, and the client lives', async () => {
    const server = await listen();
    const client = ours.connect(`mqtt://127.0.0.1:${server.port}`);
    onTestFinished(() => client.endAsync(true));
    const { peer } = await server.acceptClient();
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    client.on('message', (topic) => {
      if (topic === 'bad') throw new Error('a bug');
    });
    peer.send(packet.publish({ version: 4, topic: 'bad', payload: '', qos: 1, id: 1 }));
    await expect.poll(() => errors.map(({ message }) => message)).toEqual([expect.stringContaining('a bug')]);
    await client.publishAsync('marker', '');
    await peer.nothingUntil((frame) => frame.type === packetType.PUBLISH);
    expect(client.connected).toBe(true);
  });

  test('a message is acknowledged when the promise of its listener fulfils', async () => {
    const server = await listen();
    const client = ours.connect(`mqtt://127.0.0.1:${server.port}`);
    onTestFinished(() => client.endAsync(true));
    const { peer } = await server.acceptClient();
    let finish = (): void => {};
    client.on('message', () => new Promise<void>((resolve) => (finish = resolve)));
    peer.send(packet.publish({ version: 4, topic: 't', payload: '', qos: 1, id: 5 }));
    await new Promise<void>((resolve) => client.once('message', () => resolve()));
    await client.publishAsync('marker', '');
    await peer.nothingUntil((frame) => frame.type === packetType.PUBLISH);
    finish();
    expect(decode.ack(await peer.expect(packetType.PUBACK), 4).id).toBe(5);
  });

  test('handleMessage takes one message after the other; customHandleAcks chooses the reason code', async () => {
    const server = await listen();
    const client = ours.connect(`mqtt://127.0.0.1:${server.port}`, {
      protocolVersion: 5,
      customHandleAcks: (topic, _message, _packet, done) => done(null, topic === 'no' ? 0x87 : 0),
    });
    onTestFinished(() => client.endAsync(true));
    const waiting: (() => void)[] = [];
    const handled: string[] = [];
    client.handleMessage = ({ topic }, callback) => {
      handled.push(topic);
      waiting.push(callback);
    };
    const { peer } = await server.acceptClient();
    peer.send(
      packet.publish({ topic: 'a', payload: '', qos: 1, id: 1 }),
      packet.publish({ topic: 'no', payload: '', qos: 1, id: 2 }),
    );
    await expect.poll(() => handled).toEqual(['a']);
    waiting.shift()!();
    expect(decode.ack(await peer.expect(packetType.PUBACK), 5)).toMatchObject({ id: 1, reason: 0 });
    await expect.poll(() => handled).toEqual(['a', 'no']);
    waiting.shift()!();
    expect(decode.ack(await peer.expect(packetType.PUBACK), 5)).toMatchObject({ id: 2, reason: 0x87 });
  });

  test('B16, B17: connectAsync keeps trying, and a refusal that may pass is tried again', async () => {
    const server = await listen();
    const connecting = ours.connectAsync(`mqtt://127.0.0.1:${server.port}`, {
      protocolVersion: 5,
      reconnectPeriod: 5,
    });
    await server.acceptClient({ reason: 0x88 });
    await server.acceptClient();
    await (await connecting).endAsync();
    await expect(ours.connectAsync('mqtt://127.0.0.1:1', {}, false)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  test('a refusal for good has the return code, and ends the attempts', async () => {
    const server = await listen();
    const connecting = ours.connectAsync(`mqtt://127.0.0.1:${server.port}`, { reconnectPeriod: 5 });
    await server.acceptClient({ reason: 5 });
    await expect(connecting).rejects.toMatchObject({
      message: 'Connection refused: Not authorized',
      code: 5,
    });
    expect(server.backlog).toBe(0);
  });

  test('B6, B20: a refused filter is 128 and an error; a refused unsubscribe is an error', async () => {
    const server = await listen();
    const client = ours.connect(`mqtt://127.0.0.1:${server.port}`, { protocolVersion: 5 });
    onTestFinished(() => client.endAsync(true));
    const { peer } = await server.acceptClient({
      properties: [[property.subscriptionIdentifierAvailable, 0]],
    });
    const outcome = new Promise((resolve) => {
      client.subscribe(['a', 'b'], (error, granted) => resolve([(error as { code?: number }).code, granted]));
    });
    await answerSubscribe(peer, [0, 0x87]);
    expect(await outcome).toEqual([
      0x87,
      [
        { topic: 'a', qos: 0, nl: false, rap: false, rh: 0 },
        { topic: 'b', qos: 128, nl: false, rap: false, rh: 0 },
      ],
    ]);
    const leaving = client.unsubscribeAsync('a');
    const { id } = decode.unsubscribe(await peer.take(packetType.UNSUBSCRIBE), 5);
    peer.send(packet.unsuback({ id, codes: [0x87] }));
    await expect(leaving).rejects.toMatchObject({ code: 0x87 });
  });

  test('with a session store, open messages survive the client', async () => {
    const server = await listen();
    const options = { clientId: 'c', clean: false, sessionStore: memoryStore() };
    const first = ours.connect(`mqtt://127.0.0.1:${server.port}`, options);
    const { peer } = await server.acceptClient();
    const publishing = first.publishAsync('t', 'kept', { qos: 1 });
    await peer.expect(packetType.PUBLISH);
    await Promise.all([first.endAsync(true), expect(publishing).rejects.toThrow()]);
    const second = ours.connect(`mqtt://127.0.0.1:${server.port}`, options);
    onTestFinished(() => second.endAsync(true));
    const again = await server.acceptClient({ sessionPresent: true });
    expect(decode.publish(await again.peer.expect(packetType.PUBLISH), 4)).toMatchObject({
      topic: 't',
      dup: true,
    });
  });

  test('options that cannot be honoured are refused by name', () => {
    for (const name of ['socksProxy', 'createWebsocket', 'incomingStore', 'outgoingStore']) {
      expect(() => ours.connect('mqtt://localhost', { [name]: 'x' })).toThrow(name);
    }
  });
});

test('the options of MQTT.js are on the wire', async () => {
  const server = await listen();
  const client = ours.connect({
    host: '127.0.0.1',
    port: server.port,
    protocolVersion: 5,
    clientId: 'me',
    clean: false,
    keepalive: 17,
    username: 'u',
    password: Buffer.from('p'),
    properties: { sessionExpiryInterval: 99, receiveMaximum: 7, userProperties: { a: ['1', '2'] } },
    will: {
      topic: 'w',
      payload: Buffer.from('gone'),
      qos: 1,
      retain: true,
      properties: { willDelayInterval: 3 },
    },
  });
  onTestFinished(() => client.endAsync(true));
  const { connect } = await server.acceptClient({ properties: [[property.serverKeepAlive, 33]] });
  expect(connect).toMatchObject({ clientId: 'me', clean: false, keepAlive: 17, username: 'u' });
  expect(connect.password!.toString()).toBe('p');
  expect(connect.will).toMatchObject({ topic: 'w', qos: 1, retain: true });
  expect(connect.will!.properties.get(property.willDelayInterval)).toEqual([3]);
  expect(connect.properties.get(property.sessionExpiryInterval)).toEqual([99]);
  expect(connect.properties.get(property.receiveMaximum)).toEqual([7]);
  await expect.poll(() => client.keepalive).toBe(33);
});
