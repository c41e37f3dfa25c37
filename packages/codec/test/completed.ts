// What the decoder gives for a packet that the encoder was given.

import { type PacketInput, PacketType, type ProtocolVersion } from '@tobymq/codec';

/** The packet as the decoder gives it, with the defaults of the fields that the input leaves out. */
export function completed(packet: PacketInput, version: ProtocolVersion): unknown {
  switch (packet.type) {
    case PacketType.Connect: {
      const will = packet.will && {
        payload: new Uint8Array(0),
        qos: 0,
        retain: false,
        properties: undefined,
        ...packet.will,
      };
      return {
        protocolVersion: version,
        cleanStart: true,
        keepAlive: 60,
        username: undefined,
        password: undefined,
        properties: undefined,
        ...packet,
        will,
      };
    }
    case PacketType.Connack:
      return { sessionPresent: false, reasonCode: 0, properties: undefined, ...packet };
    case PacketType.Publish:
      return {
        payload: new Uint8Array(0),
        qos: 0,
        retain: false,
        dup: false,
        packetId: 0,
        properties: undefined,
        ...packet,
      };
    case PacketType.Subscribe:
      return {
        properties: undefined,
        ...packet,
        subscriptions: packet.subscriptions.map((subscription) => ({
          qos: 0,
          noLocal: false,
          retainAsPublished: false,
          retainHandling: 0,
          ...subscription,
        })),
      };
    case PacketType.Suback:
    case PacketType.Unsubscribe:
      return { properties: undefined, ...packet };
    case PacketType.Unsuback:
      return { properties: undefined, reasonCodes: [], ...packet };
    case PacketType.Pingreq:
    case PacketType.Pingresp:
      return packet;
    default:
      return { reasonCode: 0, properties: undefined, ...packet };
  }
}
