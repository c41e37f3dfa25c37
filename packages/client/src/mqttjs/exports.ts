// What programs import from MQTT.js, without the functions that depend on the platform.

export {
  type ClientSubscribeCallback,
  type DoneCallback,
  type ISubscriptionGrant,
  type ISubscriptionMap,
  MqttClient,
  MqttClient as Client,
  type MqttClientEventCallbacks,
  type PacketCallback,
} from './client.ts';
export type {
  AckHandler,
  IClientOptions,
  IClientPublishOptions,
  IClientSubscribeOptions,
} from './options.ts';
export {
  ErrorWithReasonCode,
  type IConnackPacket,
  type IDisconnectPacket,
  type IPublishPacket,
  type Packet,
  type PacketProperties,
  ReasonCodes,
  type UserPropertiesObject,
} from './packets.ts';
