// What programs import from MQTT.js, without the functions that depend on the platform.

export { MqttClient, MqttClient as Client } from './client.ts';
export { ErrorWithReasonCode, ReasonCodes } from './errors.ts';
export type {
  ClientSubscribeCallback,
  DoneCallback,
  ISubscriptionGrant,
  ISubscriptionMap,
  MqttClientEventCallbacks,
  PacketCallback,
} from './events.ts';
export type {
  AckHandler,
  IClientOptions,
  IClientPublishOptions,
  IClientSubscribeOptions,
} from './options.ts';
export type {
  IConnackPacket,
  IDisconnectPacket,
  IPublishPacket,
  Packet,
  PacketProperties,
  UserPropertiesObject,
} from './packets.ts';
