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

// The identifiers of the properties of PUBLISH have names, because its own reader and writer use them.
export const PAYLOAD_FORMAT_INDICATOR = 0x01;
export const MESSAGE_EXPIRY_INTERVAL = 0x02;
export const CONTENT_TYPE = 0x03;
export const RESPONSE_TOPIC = 0x08;
export const CORRELATION_DATA = 0x09;
export const SUBSCRIPTION_IDENTIFIER = 0x0b;
export const TOPIC_ALIAS = 0x23;
export const USER_PROPERTY = 0x26;

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
  readonly id: number;
  readonly name: string;
  readonly type: PropertyType;
  readonly min: number;
  readonly max: number;
}

/**
 * The properties that one kind of packet may have, in the order in which the encoder writes them. `of` is never there; it
 * ties the list to the type that reading it gives.
 */
export type PropertySet<T> = readonly PropertySpec[] & { readonly of?: T };

function spec(id: number, name: string, type: PropertyType, min = 0, max = 0xffff_ffff): PropertySpec {
  return { id, name, type, min, max };
}

const payloadFormatIndicator = spec(PAYLOAD_FORMAT_INDICATOR, 'payloadFormatIndicator', 'byte', 0, 1);
const messageExpiryInterval = spec(MESSAGE_EXPIRY_INTERVAL, 'messageExpiryInterval', 'uint32');
const contentType = spec(CONTENT_TYPE, 'contentType', 'text');
const responseTopic = spec(RESPONSE_TOPIC, 'responseTopic', 'topic');
const correlationData = spec(CORRELATION_DATA, 'correlationData', 'binary');
const subscriptionIdentifier = spec(
  SUBSCRIPTION_IDENTIFIER,
  'subscriptionIdentifier',
  'variable',
  1,
  268_435_455,
);
const sessionExpiryInterval = spec(0x11, 'sessionExpiryInterval', 'uint32');
const assignedClientIdentifier = spec(0x12, 'assignedClientIdentifier', 'text');
const serverKeepAlive = spec(0x13, 'serverKeepAlive', 'uint16', 0, 65_535);
const authenticationMethod = spec(0x15, 'authenticationMethod', 'text');
const authenticationData = spec(0x16, 'authenticationData', 'binary');
const requestProblemInformation = spec(0x17, 'requestProblemInformation', 'boolean');
const willDelayInterval = spec(0x18, 'willDelayInterval', 'uint32');
const requestResponseInformation = spec(0x19, 'requestResponseInformation', 'boolean');
const responseInformation = spec(0x1a, 'responseInformation', 'text');
const serverReference = spec(0x1c, 'serverReference', 'text');
const reasonString = spec(0x1f, 'reasonString', 'text');
const receiveMaximum = spec(0x21, 'receiveMaximum', 'uint16', 1, 65_535);
const topicAliasMaximum = spec(0x22, 'topicAliasMaximum', 'uint16', 0, 65_535);
const maximumQoS = spec(0x24, 'maximumQoS', 'byte', 0, 1);
const retainAvailable = spec(0x25, 'retainAvailable', 'boolean');
const userProperties = spec(USER_PROPERTY, 'userProperties', 'pairs');
const maximumPacketSize = spec(0x27, 'maximumPacketSize', 'uint32', 1);
const wildcardSubscriptionAvailable = spec(0x28, 'wildcardSubscriptionAvailable', 'boolean');
const subscriptionIdentifierAvailable = spec(0x29, 'subscriptionIdentifierAvailable', 'boolean');
const sharedSubscriptionAvailable = spec(0x2a, 'sharedSubscriptionAvailable', 'boolean');

export const CONNECT_PROPERTIES: PropertySet<ConnectProperties> = [
  sessionExpiryInterval,
  receiveMaximum,
  maximumPacketSize,
  topicAliasMaximum,
  requestResponseInformation,
  requestProblemInformation,
  userProperties,
  authenticationMethod,
  authenticationData,
];

export const WILL_PROPERTIES: PropertySet<WillProperties> = [
  willDelayInterval,
  payloadFormatIndicator,
  messageExpiryInterval,
  contentType,
  responseTopic,
  correlationData,
  userProperties,
];

// In the order of Mosquitto, because there are tools and tests that compare its CONNACK byte by byte.
export const CONNACK_PROPERTIES: PropertySet<ConnackProperties> = [
  topicAliasMaximum,
  serverKeepAlive,
  assignedClientIdentifier,
  retainAvailable,
  maximumPacketSize,
  receiveMaximum,
  maximumQoS,
  sessionExpiryInterval,
  reasonString,
  userProperties,
  wildcardSubscriptionAvailable,
  subscriptionIdentifierAvailable,
  sharedSubscriptionAvailable,
  responseInformation,
  serverReference,
  authenticationMethod,
  authenticationData,
];

/** For PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK. */
export const ACK_PROPERTIES: PropertySet<AckProperties> = [reasonString, userProperties];

export const SUBSCRIBE_PROPERTIES: PropertySet<SubscribeProperties> = [
  subscriptionIdentifier,
  userProperties,
];

export const UNSUBSCRIBE_PROPERTIES: PropertySet<UnsubscribeProperties> = [userProperties];

export const DISCONNECT_PROPERTIES: PropertySet<DisconnectProperties> = [
  sessionExpiryInterval,
  reasonString,
  userProperties,
  serverReference,
];

export const AUTH_PROPERTIES: PropertySet<AuthProperties> = [
  authenticationMethod,
  authenticationData,
  reasonString,
  userProperties,
];
