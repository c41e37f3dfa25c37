// The types of events and callbacks, as MQTT.js names them.

import type { IClientSubscribeOptions } from './options.ts';
import type { IConnackPacket, IDisconnectPacket, IPublishPacket, Packet } from './packets.ts';

export interface ISubscriptionGrant {
  topic: string;
  qos: 0 | 1 | 2 | 128;
  nl?: boolean;
  rap?: boolean;
  rh?: number;
}

export type ISubscriptionMap = { [topic: string]: IClientSubscribeOptions } | { resubscribe?: boolean };
export type DoneCallback = (error?: Error) => void;
export type PacketCallback = (error?: Error | null, packet?: Packet) => void;
export type ClientSubscribeCallback = (
  error: Error | null,
  granted?: ISubscriptionGrant[],
  packet?: Packet,
) => void;

export interface MqttClientEventCallbacks {
  readonly connect: (packet: IConnackPacket) => void;
  /** A promise that a listener returns is waited for: the message is acknowledged when it fulfils. */
  readonly message: (topic: string, payload: Buffer, packet: IPublishPacket) => unknown;
  readonly packetsend: (packet: Packet) => void;
  readonly packetreceive: (packet: Packet) => void;
  readonly disconnect: (packet: IDisconnectPacket) => void;
  readonly error: (error: Error) => void;
  readonly close: () => void;
  readonly end: () => void;
  readonly reconnect: () => void;
  readonly offline: () => void;
  readonly outgoingEmpty: () => void;
}
