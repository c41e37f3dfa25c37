// The entry `@tobymq/client/mqttjs` in browsers. There is no Buffer, so payloads are byte arrays that can be read as text.

import { browserPlatform } from '../transports/browser.ts';
import { mqttjsApi } from './api.ts';
import { MqttClient } from './client.ts';
import { ErrorWithReasonCode, ReasonCodes } from './errors.ts';

export * from './exports.ts';

const decoder = new TextDecoder();

/** The bytes of a payload; `toString()` reads them as UTF-8, as that of a Buffer does. */
class Payload extends Uint8Array<ArrayBuffer> {
  override toString(): string {
    return decoder.decode(this);
  }
}

const api = mqttjsApi({
  ...browserPlatform,
  toBuffer: ({ buffer, byteOffset, length }) =>
    new Payload(buffer as ArrayBuffer, byteOffset, length) as Uint8Array as Buffer,
});

/** Makes a client, which connects on its own. */
export const connect = api.connect;

/** Makes a client and waits for its first connection. */
export const connectAsync = api.connectAsync;

const mqtt = { connect, connectAsync, MqttClient, Client: MqttClient, ErrorWithReasonCode, ReasonCodes };
// biome-ignore lint/style/noDefaultExport: most programs say `import mqtt from 'mqtt'`, and only the module's name is to change.
export default mqtt;
