// The control packets of MQTT 3.1, 3.1.1 and 5.0 as a union that is discriminated by the packet type number.
//
// A decoded packet has every field, `undefined` where the wire had nothing, so that objects of one type always have
// the same shape. For encoding there is a looser form of each (`PublishInput` for `Publish`, and so on), in which
// fields with a default may be left out. `properties` exists in 5.0 only; it is `undefined` in other versions and in a
// packet of 5.0 that has none.

/** The packet types by name, as they stand in the upper half of a packet's first byte. */
export const PacketType = {
  Connect: 1,
  Connack: 2,
  Publish: 3,
  Puback: 4,
  Pubrec: 5,
  Pubrel: 6,
  Pubcomp: 7,
  Subscribe: 8,
  Suback: 9,
  Unsubscribe: 10,
  Unsuback: 11,
  Pingreq: 12,
  Pingresp: 13,
  Disconnect: 14,
  Auth: 15,
} as const;

export type PacketType = (typeof PacketType)[keyof typeof PacketType];

/** The protocol level byte: 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type ProtocolVersion = 3 | 4 | 5;

export type QoS = 0 | 1 | 2;

/** User properties in the order of the wire; names may repeat. */
export type UserProperties = readonly (readonly [name: string, value: string])[];

export interface ConnectProperties {
  readonly sessionExpiryInterval?: number | undefined;
  readonly receiveMaximum?: number | undefined;
  readonly maximumPacketSize?: number | undefined;
  readonly topicAliasMaximum?: number | undefined;
  readonly requestResponseInformation?: boolean | undefined;
  readonly requestProblemInformation?: boolean | undefined;
  readonly userProperties?: UserProperties | undefined;
  readonly authenticationMethod?: string | undefined;
  readonly authenticationData?: Uint8Array | undefined;
}

export interface ConnackProperties {
  readonly sessionExpiryInterval?: number | undefined;
  readonly receiveMaximum?: number | undefined;
  readonly maximumQoS?: 0 | 1 | undefined;
  readonly retainAvailable?: boolean | undefined;
  readonly maximumPacketSize?: number | undefined;
  readonly assignedClientIdentifier?: string | undefined;
  readonly topicAliasMaximum?: number | undefined;
  readonly reasonString?: string | undefined;
  readonly userProperties?: UserProperties | undefined;
  readonly wildcardSubscriptionAvailable?: boolean | undefined;
  readonly subscriptionIdentifierAvailable?: boolean | undefined;
  readonly sharedSubscriptionAvailable?: boolean | undefined;
  readonly serverKeepAlive?: number | undefined;
  readonly responseInformation?: string | undefined;
  readonly serverReference?: string | undefined;
  readonly authenticationMethod?: string | undefined;
  readonly authenticationData?: Uint8Array | undefined;
}

/** The properties of a message that travel from its publisher to its subscribers. */
export interface MessageProperties {
  readonly payloadFormatIndicator?: 0 | 1 | undefined;
  readonly messageExpiryInterval?: number | undefined;
  readonly contentType?: string | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlationData?: Uint8Array | undefined;
  readonly userProperties?: UserProperties | undefined;
}

export interface WillProperties extends MessageProperties {
  readonly willDelayInterval?: number | undefined;
}

export interface PublishProperties extends MessageProperties {
  readonly topicAlias?: number | undefined;
  /** Server to client only: one for each matching subscription that has one. */
  readonly subscriptionIdentifiers?: readonly number[] | undefined;
}

/** What PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK may carry. */
export interface AckProperties {
  readonly reasonString?: string | undefined;
  readonly userProperties?: UserProperties | undefined;
}

export interface SubscribeProperties {
  readonly subscriptionIdentifier?: number | undefined;
  readonly userProperties?: UserProperties | undefined;
}

export interface UnsubscribeProperties {
  readonly userProperties?: UserProperties | undefined;
}

export interface DisconnectProperties {
  /** Client to server only. */
  readonly sessionExpiryInterval?: number | undefined;
  readonly reasonString?: string | undefined;
  readonly userProperties?: UserProperties | undefined;
  /** Server to client only. */
  readonly serverReference?: string | undefined;
}

export interface AuthProperties {
  readonly authenticationMethod?: string | undefined;
  readonly authenticationData?: Uint8Array | undefined;
  readonly reasonString?: string | undefined;
  readonly userProperties?: UserProperties | undefined;
}

/** The Will that a CONNECT carries. */
export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: WillProperties | undefined;
}

export interface Connect {
  readonly type: typeof PacketType.Connect;
  readonly protocolVersion: ProtocolVersion;
  /** Clean Start of 5.0; Clean Session of 3.1 and 3.1.1. */
  readonly cleanStart: boolean;
  readonly keepAlive: number;
  readonly clientId: string;
  readonly will: Will | undefined;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly properties: ConnectProperties | undefined;
}

export interface Connack {
  readonly type: typeof PacketType.Connack;
  readonly sessionPresent: boolean;
  /** A reason code in 5.0, a return code (`ConnectReturnCode`) in 3.1 and 3.1.1. */
  readonly reasonCode: number;
  readonly properties: ConnackProperties | undefined;
}

export interface Publish {
  readonly type: typeof PacketType.Publish;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 when `qos` is 0. */
  readonly packetId: number;
  readonly properties: PublishProperties | undefined;
}

interface PublishAck<T extends PacketType> {
  readonly type: T;
  readonly packetId: number;
  /** Always 0 in 3.1 and 3.1.1. */
  readonly reasonCode: number;
  readonly properties: AckProperties | undefined;
}

export type Puback = PublishAck<typeof PacketType.Puback>;
export type Pubrec = PublishAck<typeof PacketType.Pubrec>;
export type Pubrel = PublishAck<typeof PacketType.Pubrel>;
export type Pubcomp = PublishAck<typeof PacketType.Pubcomp>;

export type RetainHandling = 0 | 1 | 2;

/** One topic filter of a SUBSCRIBE with its options; in 3.1 and 3.1.1 only `qos` is on the wire. */
export interface SubscriptionRequest {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
}

export interface Subscribe {
  readonly type: typeof PacketType.Subscribe;
  readonly packetId: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties: SubscribeProperties | undefined;
}

export interface Suback {
  readonly type: typeof PacketType.Suback;
  readonly packetId: number;
  readonly reasonCodes: readonly number[];
  readonly properties: AckProperties | undefined;
}

export interface Unsubscribe {
  readonly type: typeof PacketType.Unsubscribe;
  readonly packetId: number;
  readonly filters: readonly string[];
  readonly properties: UnsubscribeProperties | undefined;
}

export interface Unsuback {
  readonly type: typeof PacketType.Unsuback;
  readonly packetId: number;
  /** Empty in 3.1 and 3.1.1, which have no codes here. */
  readonly reasonCodes: readonly number[];
  readonly properties: AckProperties | undefined;
}

export interface Pingreq {
  readonly type: typeof PacketType.Pingreq;
}

export interface Pingresp {
  readonly type: typeof PacketType.Pingresp;
}

export interface Disconnect {
  readonly type: typeof PacketType.Disconnect;
  /** Always 0 in 3.1 and 3.1.1. */
  readonly reasonCode: number;
  readonly properties: DisconnectProperties | undefined;
}

export interface Auth {
  readonly type: typeof PacketType.Auth;
  readonly reasonCode: number;
  readonly properties: AuthProperties | undefined;
}

/** Any control packet, as the decoder gives it. Narrow it by `type`. */
export type Packet =
  | Connect
  | Connack
  | Publish
  | Puback
  | Pubrec
  | Pubrel
  | Pubcomp
  | Subscribe
  | Suback
  | Unsubscribe
  | Unsuback
  | Pingreq
  | Pingresp
  | Disconnect
  | Auth;

/** `T` with the fields `K` required and all others optional. */
type WithDefaults<T, K extends keyof T> = Pick<T, K> & Partial<Omit<T, K>>;

export type WillInput = WithDefaults<Will, 'topic'>;
export type SubscriptionInput = WithDefaults<SubscriptionRequest, 'filter'>;
export type ConnectInput = Omit<WithDefaults<Connect, 'type' | 'clientId'>, 'will'> & {
  readonly will?: WillInput | undefined;
};
export type ConnackInput = WithDefaults<Connack, 'type'>;
export type PublishInput = WithDefaults<Publish, 'type' | 'topic'>;
export type PubackInput = WithDefaults<Puback, 'type' | 'packetId'>;
export type PubrecInput = WithDefaults<Pubrec, 'type' | 'packetId'>;
export type PubrelInput = WithDefaults<Pubrel, 'type' | 'packetId'>;
export type PubcompInput = WithDefaults<Pubcomp, 'type' | 'packetId'>;
/** The four packets that acknowledge a PUBLISH, which look alike. */
export type PublishAckInput = PubackInput | PubrecInput | PubrelInput | PubcompInput;
export type SubscribeInput = Omit<WithDefaults<Subscribe, 'type' | 'packetId'>, 'subscriptions'> & {
  readonly subscriptions: readonly SubscriptionInput[];
};
export type SubackInput = WithDefaults<Suback, 'type' | 'packetId' | 'reasonCodes'>;
export type UnsubscribeInput = WithDefaults<Unsubscribe, 'type' | 'packetId' | 'filters'>;
export type UnsubackInput = WithDefaults<Unsuback, 'type' | 'packetId'>;
export type DisconnectInput = WithDefaults<Disconnect, 'type'>;
export type AuthInput = WithDefaults<Auth, 'type'>;

/** Any control packet in the form that the encoder takes: fields with a default may be left out. */
export type PacketInput =
  | ConnectInput
  | ConnackInput
  | PublishInput
  | PubackInput
  | PubrecInput
  | PubrelInput
  | PubcompInput
  | SubscribeInput
  | SubackInput
  | UnsubscribeInput
  | UnsubackInput
  | Pingreq
  | Pingresp
  | DisconnectInput
  | AuthInput;
