// `connect()` and `connectAsync()` of MQTT.js for any platform.

import { MqttClient, type MqttjsPlatform } from './client.ts';
import { type IClientOptions, mergeUrl } from './options.ts';

/** The two functions that make clients. */
export interface MqttjsApi {
  /** Makes a client, which connects on its own. */
  connect(url: string | IClientOptions, options?: IClientOptions): MqttClient;
  /**
   * Makes a client and waits for its first connection. Attempts are repeated, unless `allowRetries` is false; it rejects
   * when the client gives up.
   */
  connectAsync(
    url: string | IClientOptions,
    options?: IClientOptions,
    allowRetries?: boolean,
  ): Promise<MqttClient>;
}

/** Binds the functions to a platform. */
export function mqttjsApi(platform: MqttjsPlatform): MqttjsApi {
  const connect: MqttjsApi['connect'] = (url, options = {}) =>
    new MqttClient(platform, typeof url === 'string' ? mergeUrl(url, options) : { ...url, ...options });
  const connectAsync: MqttjsApi['connectAsync'] = async (url, options, allowRetries = true) => {
    const client = connect(url, options);
    try {
      await client.whenConnected(allowRetries);
      return client;
    } catch (error) {
      await client.endAsync(true);
      throw error;
    }
  };
  return { connect, connectAsync };
}
