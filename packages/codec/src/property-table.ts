// The properties of MQTT 5.0 as a table: which there are, what they hold, what values they may have, and which packet
// may carry which. Reader and writer both walk these lists, so that a property is described in one place. (PUBLISH,
// on the hot path, has reader and writer of its own in publish-properties.ts.)

import type {
  AckProperties,
  AuthProperties,
  ConnackProperties,
  ConnectProperties,
  DisconnectProperties,
  SubscribeProperties,
  UnsubscribeProperties,
  WillProperties,
} from './packets.ts';

/** The property identifiers by name. */
export const PropertyId = {
  PayloadFormatIndicator: 0x01,
  MessageExpiryInterval: 0x02,
  ContentType: 0x03,
  ResponseTopic: 0x08,
  CorrelationData: 0x09,
  SubscriptionIdentifier: 0x0b,
  SessionExpiryInterval: 0x11,
  AssignedClientIdentifier: 0x12,
  ServerKeepAlive: 0x13,
  AuthenticationMethod: 0x15,
  AuthenticationData: 0x16,
  RequestProblemInformation: 0x17,
  WillDelayInterval: 0x18,
  RequestResponseInformation: 0x19,
  ResponseInformation: 0x1a,
  ServerReference: 0x1c,
  ReasonString: 0x1f,
  ReceiveMaximum: 0x21,
  TopicAliasMaximum: 0x22,
  TopicAlias: 0x23,
  MaximumQoS: 0x24,
  RetainAvailable: 0x25,
  UserProperty: 0x26,
  MaximumPacketSize: 0x27,
  WildcardSubscriptionAvailable: 0x28,
  SubscriptionIdentifierAvailable: 0x29,
  SharedSubscriptionAvailable: 0x2a,
} as const;

export type PropertyId = (typeof PropertyId)[keyof typeof PropertyId];

/** What the value of a property looks like on the wire; `boolean` is a byte that is 0 or 1. */
export type PropertyType =
  | 'boolean'
  | 'byte'
  | 'uint16'
  | 'uint32'
  | 'variable'
  | 'text'
  | 'topic'
  | 'binary'
  | 'pairs';

/** One property: its identifier, the name of its field in our packets, its type, and the least and greatest value. */
export interface PropertySpec {
  readonly id: PropertyId;
  readonly name: string;
  readonly type: PropertyType;
  readonly min: number;
  readonly max: number;
}

/** The properties that one kind of packet may have, in the order in which the encoder writes them. */
export interface PropertySet<T> {
  /** How errors call the packet. */
  readonly packet: string;
  readonly specs: readonly PropertySpec[];
  /** Never present; it ties the set to the type that reading it gives. */
  readonly of?: T;
}

function spec(id: PropertyId, name: string, type: PropertyType, min = 0, max = 0xffff_ffff): PropertySpec {
  return { id, name, type, min, max };
}

const payloadFormatIndicator = spec(
  PropertyId.PayloadFormatIndicator,
  'payloadFormatIndicator',
  'byte',
  0,
  1,
);
const messageExpiryInterval = spec(PropertyId.MessageExpiryInterval, 'messageExpiryInterval', 'uint32');
const contentType = spec(PropertyId.ContentType, 'contentType', 'text');
const responseTopic = spec(PropertyId.ResponseTopic, 'responseTopic', 'topic');
const correlationData = spec(PropertyId.CorrelationData, 'correlationData', 'binary');
const subscriptionIdentifier = spec(
  PropertyId.SubscriptionIdentifier,
  'subscriptionIdentifier',
  'variable',
  1,
  268_435_455,
);
const sessionExpiryInterval = spec(PropertyId.SessionExpiryInterval, 'sessionExpiryInterval', 'uint32');
const assignedClientIdentifier = spec(
  PropertyId.AssignedClientIdentifier,
  'assignedClientIdentifier',
  'text',
);
const serverKeepAlive = spec(PropertyId.ServerKeepAlive, 'serverKeepAlive', 'uint16', 0, 65_535);
const authenticationMethod = spec(PropertyId.AuthenticationMethod, 'authenticationMethod', 'text');
const authenticationData = spec(PropertyId.AuthenticationData, 'authenticationData', 'binary');
const requestProblemInformation = spec(
  PropertyId.RequestProblemInformation,
  'requestProblemInformation',
  'boolean',
);
const willDelayInterval = spec(PropertyId.WillDelayInterval, 'willDelayInterval', 'uint32');
const requestResponseInformation = spec(
  PropertyId.RequestResponseInformation,
  'requestResponseInformation',
  'boolean',
);
const responseInformation = spec(PropertyId.ResponseInformation, 'responseInformation', 'text');
const serverReference = spec(PropertyId.ServerReference, 'serverReference', 'text');
const reasonString = spec(PropertyId.ReasonString, 'reasonString', 'text');
const receiveMaximum = spec(PropertyId.ReceiveMaximum, 'receiveMaximum', 'uint16', 1, 65_535);
const topicAliasMaximum = spec(PropertyId.TopicAliasMaximum, 'topicAliasMaximum', 'uint16', 0, 65_535);
const maximumQoS = spec(PropertyId.MaximumQoS, 'maximumQoS', 'byte', 0, 1);
const retainAvailable = spec(PropertyId.RetainAvailable, 'retainAvailable', 'boolean');
const userProperties = spec(PropertyId.UserProperty, 'userProperties', 'pairs');
const maximumPacketSize = spec(PropertyId.MaximumPacketSize, 'maximumPacketSize', 'uint32', 1);
const wildcardSubscriptionAvailable = spec(
  PropertyId.WildcardSubscriptionAvailable,
  'wildcardSubscriptionAvailable',
  'boolean',
);
const subscriptionIdentifierAvailable = spec(
  PropertyId.SubscriptionIdentifierAvailable,
  'subscriptionIdentifierAvailable',
  'boolean',
);
const sharedSubscriptionAvailable = spec(
  PropertyId.SharedSubscriptionAvailable,
  'sharedSubscriptionAvailable',
  'boolean',
);

export const CONNECT_PROPERTIES: PropertySet<ConnectProperties> = {
  packet: 'CONNECT',
  specs: [
    sessionExpiryInterval,
    receiveMaximum,
    maximumPacketSize,
    topicAliasMaximum,
    requestResponseInformation,
    requestProblemInformation,
    userProperties,
    authenticationMethod,
    authenticationData,
  ],
};

export const WILL_PROPERTIES: PropertySet<WillProperties> = {
  packet: 'the Will of CONNECT',
  specs: [
    willDelayInterval,
    payloadFormatIndicator,
    messageExpiryInterval,
    contentType,
    responseTopic,
    correlationData,
    userProperties,
  ],
};

export const CONNACK_PROPERTIES: PropertySet<ConnackProperties> = {
  packet: 'CONNACK',
  specs: [
    sessionExpiryInterval,
    receiveMaximum,
    maximumQoS,
    retainAvailable,
    maximumPacketSize,
    assignedClientIdentifier,
    topicAliasMaximum,
    reasonString,
    userProperties,
    wildcardSubscriptionAvailable,
    subscriptionIdentifierAvailable,
    sharedSubscriptionAvailable,
    serverKeepAlive,
    responseInformation,
    serverReference,
    authenticationMethod,
    authenticationData,
  ],
};

const ACK_SPECS: readonly PropertySpec[] = [reasonString, userProperties];

export const PUBACK_PROPERTIES: PropertySet<AckProperties> = { packet: 'PUBACK', specs: ACK_SPECS };
export const PUBREC_PROPERTIES: PropertySet<AckProperties> = { packet: 'PUBREC', specs: ACK_SPECS };
export const PUBREL_PROPERTIES: PropertySet<AckProperties> = { packet: 'PUBREL', specs: ACK_SPECS };
export const PUBCOMP_PROPERTIES: PropertySet<AckProperties> = { packet: 'PUBCOMP', specs: ACK_SPECS };
export const SUBACK_PROPERTIES: PropertySet<AckProperties> = { packet: 'SUBACK', specs: ACK_SPECS };
export const UNSUBACK_PROPERTIES: PropertySet<AckProperties> = { packet: 'UNSUBACK', specs: ACK_SPECS };

export const SUBSCRIBE_PROPERTIES: PropertySet<SubscribeProperties> = {
  packet: 'SUBSCRIBE',
  specs: [subscriptionIdentifier, userProperties],
};

export const UNSUBSCRIBE_PROPERTIES: PropertySet<UnsubscribeProperties> = {
  packet: 'UNSUBSCRIBE',
  specs: [userProperties],
};

export const DISCONNECT_PROPERTIES: PropertySet<DisconnectProperties> = {
  packet: 'DISCONNECT',
  specs: [sessionExpiryInterval, reasonString, userProperties, serverReference],
};

export const AUTH_PROPERTIES: PropertySet<AuthProperties> = {
  packet: 'AUTH',
  specs: [authenticationMethod, authenticationData, reasonString, userProperties],
};
