// Clients that other people wrote: mosquitto_pub and mosquitto_sub, MQTT.js, and Paho for Python.

import { runProcess } from '@tobymq/testkit';
import mqtt from 'mqtt';
import { expect, onTestFinished, test } from 'vitest';
import { startBroker, until } from './support.ts';

test.for(['mqttv31', 'mqttv311', 'mqttv5'])(
  'mosquitto_pub and mosquitto_sub with %s, at every QoS',
  async (version) => {
    const { port, broker } = await startBroker();
    const address = ['-h', '127.0.0.1', '-p', String(port), '-V', version];
    const receiver = runProcess('mosquitto_sub', [
      ...address,
      '-t',
      'm/#',
      '-q',
      '2',
      '-C',
      '3',
      '-F',
      '%t %q %p',
    ]);
    await until(() => broker.subscriptionsOf('m/1').length === 1);
    for (const qos of ['0', '1', '2']) {
      const sent = await runProcess('mosquitto_pub', [
        ...address,
        '-t',
        `m/${qos}`,
        '-q',
        qos,
        '-m',
        `message ${qos}`,
      ]);
      expect(sent.code).toBe(0);
    }
    expect((await receiver).stdout.trim().split('\n')).toEqual([
      'm/0 0 message 0',
      'm/1 1 message 1',
      'm/2 2 message 2',
    ]);
  },
);

test('mosquitto_sub keeps its session between runs', async () => {
  const { port } = await startBroker();
  const address = ['-h', '127.0.0.1', '-p', String(port)];
  const session = [...address, '-i', 'keeper', '-c', '-q', '1', '-t', 'k'];
  await runProcess('mosquitto_sub', [...session, '-E']);
  await runProcess('mosquitto_pub', [...address, '-t', 'k', '-q', '1', '-m', 'kept']);
  expect((await runProcess('mosquitto_sub', [...session, '-C', '1'])).stdout.trim()).toBe('kept');
});

test.for([4, 5] as const)(
  'MQTT.js with protocol version %s: publish, subscribe, retain, resume',
  async (protocolVersion) => {
    const { port, broker } = await startBroker();
    const properties = protocolVersion === 5 ? { sessionExpiryInterval: 100 } : undefined;
    const options = {
      protocolVersion,
      clientId: 'js',
      clean: false,
      reconnectPeriod: 0,
      ...(properties && { properties }),
    };
    const url = `mqtt://127.0.0.1:${port}`;
    const first = await mqtt.connectAsync(url, options);
    const received: string[] = [];
    first.on('message', (topic, payload) => received.push(`${topic} ${payload}`));
    await first.subscribeAsync('j/#', { qos: 2 });
    for (const qos of [0, 1, 2] as const)
      await first.publishAsync(`j/${qos}`, `m${qos}`, { qos, retain: qos === 2 });
    await until(() => received.length === 3);
    expect(received).toEqual(['j/0 m0', 'j/1 m1', 'j/2 m2']);
    await first.endAsync();
    await broker.publish({ topic: 'j/later', payload: 'queued', qos: 1 });
    const again = mqtt.connect(url, options);
    onTestFinished(() => again.endAsync(true).then(() => undefined));
    const message = new Promise((resolve) => {
      again.once('message', (topic, payload) => resolve(`${topic} ${payload}`));
    });
    expect(await message).toBe('j/later queued');
    expect([...broker.retained()].map(({ topic }) => topic)).toEqual(['j/2']);
  },
);

const PAHO = `
import sys
import paho.mqtt.client as paho
version = {'4': paho.MQTTv311, '5': paho.MQTTv5}[sys.argv[2]]
arguments = {'client_id': 'python', 'protocol': version}
if hasattr(paho, 'CallbackAPIVersion'):
    arguments['callback_api_version'] = paho.CallbackAPIVersion.VERSION2
client = paho.Client(**arguments)
seen = []
def on_connect(client, *_):
    client.subscribe('p/#', 2)
def on_subscribe(client, *_):
    for qos in (0, 1, 2):
        client.publish('p/%d' % qos, 'm%d' % qos, qos)
def on_message(client, _, message):
    seen.append('%s %d %s' % (message.topic, message.qos, message.payload.decode()))
    if len(seen) == 3:
        print('\\n'.join(sorted(seen)))
        client.disconnect()
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.connect('127.0.0.1', int(sys.argv[1]))
client.loop_forever()
`;

test.for(['4', '5'])('Paho for Python with protocol version %s', async (version) => {
  const { port } = await startBroker();
  const hasPaho = (await runProcess('/usr/bin/python3', ['-c', 'import paho.mqtt.client'])).code === 0;
  const python = hasPaho ? '/usr/bin/python3' : 'python3';
  const result = await runProcess(python, ['-c', PAHO, String(port), version]);
  expect(result.stderr).toBe('');
  expect(result.stdout.trim().split('\n')).toEqual(['p/0 0 m0', 'p/1 1 m1', 'p/2 2 m2']);
});
