// Packets in the shape that programs written for MQTT.js know: a text `cmd`, user properties as an object, bytes as
// Buffers, and the return codes of 3.1.1 where that is spoken.

import {
  type Packet as CodecPacket,
  type PacketInput,
  PacketType,
  type QoS,
  type UserProperties,
} from '@tobymq/codec';

/** User properties by name; a name that repeats has an array. */
export type UserPropertiesObject = { [name: string]: string | string[] };

/** The properties of any packet. Which of them a packet can have is said by MQTT 5.0. */
export interface PacketProperties {
  payloadFormatIndicator?: boolean;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer;
  userProperties?: UserPropertiesObject;
  subscriptionIdentifier?: number | number[];
  topicAlias?: number;
  willDelayInterval?: number;
  sessionExpiryInterval?: number;
  receiveMaximum?: number;
  maximumPacketSize?: number;
  topicAliasMaximum?: number;
  maximumQoS?: number;
  retainAvailable?: boolean;
  wildcardSubscriptionAvailable?: boolean;
  subscriptionIdentifiersAvailable?: boolean;
  sharedSubscriptionAvailable?: boolean;
  requestResponseInformation?: boolean;
  requestProblemInformation?: boolean;
  responseInformation?: string;
  serverKeepAlive?: number;
  serverReference?: string;
  assignedClientIdentifier?: string;
  reasonString?: string;
  authenticationMethod?: string;
  authenticationData?: Buffer;
}

/** A packet of any kind; the fields are those of mqtt-packet. */
export interface Packet {
  cmd: string;
  messageId?: number;
  reasonCode?: number;
  properties?: PacketProperties;
  [field: string]: unknown;
}

export interface IPublishPacket extends Packet {
  cmd: 'publish';
  topic: string;
  payload: Buffer;
  qos: QoS;
  retain: boolean;
  dup: boolean;
}

export interface IConnackPacket extends Packet {
  cmd: 'connack';
  sessionPresent: boolean;
  /** Before 5.0. */
  returnCode?: number;
}

export interface IDisconnectPacket extends Packet {
  cmd: 'disconnect';
}

const commands = [
  '',
  'connect',
  'connack',
  'publish',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'subscribe',
  'suback',
  'unsubscribe',
  'unsuback',
  'pingreq',
  'pingresp',
  'disconnect',
  'auth',
];

/** How bytes are given to the application: a Buffer in Node, in browsers an array that can be read as text. */
export type ToBuffer = (bytes: Uint8Array) => Buffer;

/** User properties as pairs, from the object. */
export function userPropertyPairs(object: UserPropertiesObject | undefined): UserProperties | undefined {
  if (object === undefined) return undefined;
  return Object.entries(object).flatMap(([name, value]) =>
    Array.isArray(value) ? value.map((each) => [name, each] as const) : [[name, value] as const],
  );
}

function userPropertiesObject(pairs: UserProperties): UserPropertiesObject {
  // Names come from the network: without a prototype none of them has another meaning.
  const object: UserPropertiesObject = Object.create(null) as UserPropertiesObject;
  for (const [name, value] of pairs) {
    const before = object[name];
    object[name] =
      before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return object;
}

/** Properties in the shape of mqtt-packet. */
export function toProperties(
  properties: object | undefined,
  toBuffer: ToBuffer,
): PacketProperties | undefined {
  if (properties === undefined) return undefined;
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(properties) as [string, unknown][]) {
    if (value === undefined) continue;
    if (value instanceof Uint8Array) result[name] = toBuffer(value);
    else if (name === 'userProperties') result[name] = userPropertiesObject(value as UserProperties);
    else if (name === 'payloadFormatIndicator') result[name] = value === 1;
    else if (name === 'subscriptionIdentifierAvailable') result.subscriptionIdentifiersAvailable = value;
    else if (name === 'subscriptionIdentifiers') {
      const identifiers = value as readonly number[];
      if (identifiers.length > 0)
        result.subscriptionIdentifier = identifiers.length === 1 ? identifiers[0] : [...identifiers];
    } else result[name] = value;
  }
  return result;
}

/** Any packet in the shape of mqtt-packet, for the events `packetsend` and `packetreceive`. */
export function toPacket(packet: CodecPacket | PacketInput, version: number, toBuffer: ToBuffer): Packet {
  const fields = packet as Readonly<Record<string, unknown>>;
  const result: Packet = { cmd: commands[packet.type]! };
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'type' || value === undefined) continue;
    if (name === 'packetId') {
      if (value !== 0) result.messageId = value as number;
    } else if (name === 'properties') result.properties = toProperties(value as object, toBuffer) ?? {};
    else if (name === 'reasonCode') {
      if (packet.type === PacketType.Connack && version < 5) result.returnCode = value;
      else result.reasonCode = value as number;
    } else if (name === 'reasonCodes') {
      // Before 5.0 UNSUBACK has no codes.
      if (packet.type !== PacketType.Unsuback || version === 5) result.granted = value;
    } else if (name === 'cleanStart') result.clean = value;
    else if (name === 'keepAlive') result.keepalive = value;
    else if (packet.type === PacketType.Unsubscribe && name === 'filters') result.unsubscriptions = value;
    else if (name === 'subscriptions') result.subscriptions = (value as SubscriptionFields[]).map(toRequest);
    else if (value instanceof Uint8Array) result[name] = toBuffer(value);
    else if (wireFields.has(name)) result[name] = value;
  }
  return result;
}

/** What a packet has on the wire; our own outgoing messages carry more than that. */
const wireFields = new Set([
  'topic',
  'qos',
  'retain',
  'dup',
  'sessionPresent',
  'protocolVersion',
  'clientId',
  'username',
  'will',
]);

interface SubscriptionFields {
  readonly filter: string;
  readonly qos: number;
  readonly noLocal?: boolean;
  readonly retainAsPublished?: boolean;
  readonly retainHandling?: number;
}

function toRequest({ filter, qos, noLocal, retainAsPublished, retainHandling }: SubscriptionFields): object {
  return { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling };
}
