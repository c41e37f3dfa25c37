// The properties of MQTT 5.0 as a table: which there are, what they hold, what values they may have, and which packet
// may carry which. Reader and writer both walk it, so that a property is described in one place. It is text that is
// taken apart at the start, because as objects it would be three times as long in a browser's bundle.

import type {
  AckProperties,
  AuthProperties,
  ConnackProperties,
  ConnectProperties,
  DisconnectProperties,
  PublishProperties,
  SubscribeProperties,
  UnsubscribeProperties,
  WillProperties,
} from './packets.ts';

// The identifiers that the reader and the writer of PUBLISH ask for.
export const PAYLOAD_FORMAT_INDICATOR = 0x01;
export const MESSAGE_EXPIRY_INTERVAL = 0x02;
export const CONTENT_TYPE = 0x03;
export const RESPONSE_TOPIC = 0x08;
export const CORRELATION_DATA = 0x09;
export const SUBSCRIPTION_IDENTIFIER = 0x0b;
export const TOPIC_ALIAS = 0x23;
export const USER_PROPERTY = 0x26;

/**
 * One property: its identifier, the name of its field in our packets, and its type as in TABLE. `isList` is for those
 * that may come several times, whose field is an array.
 */
export interface PropertySpec {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly min: number;
  readonly isList: boolean;
}

/**
 * The properties that one kind of packet may have, in the order in which the encoder writes them, and by identifier.
 * `of` is never there; it ties the list to the type that reading it gives.
 */
export interface PropertySet<T> {
  readonly specs: readonly PropertySpec[];
  readonly byId: readonly (PropertySpec | undefined)[];
  readonly of?: T;
}

// Each is: identifier in hexadecimal, type, name. The types are: 1 a byte that is 0 or 1, f the same as false or true,
// 2 and 4 a number of so many bytes, v a Variable Byte Integer, s a string, t a topic name, b bytes, p a pair of strings.
// The digit after the type is the least value, 0 if there is none. `*`: there may be several.
const TABLE =
  '01 1 payloadFormatIndicator,02 4 messageExpiryInterval,03 s contentType,08 t responseTopic,09 b correlationData,' +
  '0b v1 subscriptionIdentifier,0B v1* subscriptionIdentifiers,11 4 sessionExpiryInterval,' +
  '12 s assignedClientIdentifier,13 2 serverKeepAlive,15 s authenticationMethod,16 b authenticationData,' +
  '17 f requestProblemInformation,18 4 willDelayInterval,19 f requestResponseInformation,1a s responseInformation,' +
  '1c s serverReference,1f s reasonString,21 21 receiveMaximum,22 2 topicAliasMaximum,23 2 topicAlias,24 1 maximumQoS,' +
  '25 f retainAvailable,26 p0* userProperties,27 41 maximumPacketSize,28 f wildcardSubscriptionAvailable,' +
  '29 f subscriptionIdentifierAvailable,2a f sharedSubscriptionAvailable';

const SPECS: Readonly<Record<string, PropertySpec>> = Object.fromEntries(
  TABLE.split(',').map((row) => {
    const [id, type, name] = row.split(' ') as [string, string, string];
    const spec = {
      id: Number.parseInt(id, 16),
      name,
      type: type[0]!,
      min: Number(type[1] ?? 0),
      isList: type.length > 2,
    };
    return [id, spec];
  }),
);

function setOf<T>(ids: string): PropertySet<T> {
  const specs = ids.split(' ').map((id) => SPECS[id]!);
  const byId: (PropertySpec | undefined)[] = [];
  for (const spec of specs) byId[spec.id] = spec;
  return { specs, byId };
}

export const CONNECT_PROPERTIES: PropertySet<ConnectProperties> = setOf('11 21 27 22 19 17 26 15 16');
export const WILL_PROPERTIES: PropertySet<WillProperties> = setOf('18 01 02 03 08 09 26');
// In the order of Mosquitto, because there are tools and tests that compare its CONNACK byte by byte.
export const CONNACK_PROPERTIES: PropertySet<ConnackProperties> = setOf(
  '22 13 12 25 27 21 24 11 1f 26 28 29 2a 1a 1c 15 16',
);
/** 0B is the Subscription Identifier as a list: a PUBLISH has one for each subscription that it matches. */
export const PUBLISH_PROPERTIES: PropertySet<PublishProperties> = setOf('01 02 03 08 09 0B 23 26');
/** For PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK. */
export const ACK_PROPERTIES: PropertySet<AckProperties> = setOf('1f 26');
export const SUBSCRIBE_PROPERTIES: PropertySet<SubscribeProperties> = setOf('0b 26');
export const UNSUBSCRIBE_PROPERTIES: PropertySet<UnsubscribeProperties> = setOf('26');
export const DISCONNECT_PROPERTIES: PropertySet<DisconnectProperties> = setOf('11 1f 26 1c');
export const AUTH_PROPERTIES: PropertySet<AuthProperties> = setOf('15 16 1f 26');
