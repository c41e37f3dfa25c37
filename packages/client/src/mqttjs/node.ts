// The entry `@tobymq/client/mqttjs` in Node, for programs that were written for MQTT.js.

import { nodePlatform } from '../transports/node.ts';
import { mqttjsApi } from './api.ts';
import { MqttClient } from './client.ts';
import { ErrorWithReasonCode, ReasonCodes } from './errors.ts';

export * from './exports.ts';

const api = mqttjsApi({
  ...nodePlatform,
  toBuffer: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
});

/**
 * Makes a client, which connects on its own.
 *
 * @example
 * const client = mqtt.connect('mqtt://localhost');
 * client.on('message', (topic, message) => console.log(topic, message.toString()));
 * client.subscribe('news/#');
 */
export const connect = api.connect;

/** Makes a client and waits for its first connection. */
export const connectAsync = api.connectAsync;

const mqtt = { connect, connectAsync, MqttClient, Client: MqttClient, ErrorWithReasonCode, ReasonCodes };
// biome-ignore lint/style/noDefaultExport: most programs say `import mqtt from 'mqtt'`, and only the module's name is to change.
export default mqtt;
