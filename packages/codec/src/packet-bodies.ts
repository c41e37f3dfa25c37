// What follows the remaining length in all packets but PUBLISH, one function for each type.
//
// Each function is reader and writer (see cursor.ts): it takes the packet to be written, or an empty object when one is
// read, and gives the packet that stands in the bytes. It says the fields in the order of the wire, with their rules.

import {
  binary,
  end,
  fail,
  forbid,
  forbidPresent,
  inRange,
  isWriting,
  NEEDS_5,
  position,
  senders,
  text,
  topic,
  type,
  uint,
  version,
  writeByte,
} from './cursor.ts';
import { NO_BYTES } from './memory.ts';
import type {
  AuthInput,
  ConnackInput,
  ConnectInput,
  DisconnectInput,
  Packet,
  PacketInput,
  PublishAckInput,
  QoS,
  RetainHandling,
  SubackInput,
  SubscribeInput,
  SubscriptionInput,
  SubscriptionRequest,
  UnsubackInput,
  UnsubscribeInput,
  Will,
  WillInput,
} from './packets.ts';
import { properties } from './properties.ts';
import {
  ACK_PROPERTIES,
  AUTH_PROPERTIES,
  CONNACK_PROPERTIES,
  CONNECT_PROPERTIES,
  DISCONNECT_PROPERTIES,
  type PropertySet,
  SUBSCRIBE_PROPERTIES,
  UNSUBSCRIBE_PROPERTIES,
  WILL_PROPERTIES,
} from './property-table.ts';
import { isReasonCodeAllowed } from './reason-code-rules.ts';
import { checkTopicFilter } from './topics.ts';

/** Reading: the packet ends here, so the optional fields that follow are not there. */
function isAtEnd(): boolean {
  return !isWriting && position === end;
}

function codeOf(given: number | undefined): number {
  return checkCode(uint(1, 'reasonCode', given ?? 0));
}

function checkCode(code: number): number {
  // V31-24: SUBACK says failure since 3.1.1.
  if (!isReasonCodeAllowed(version, type, code, senders) || (isWriting && version === 3 && code === 0x80)) {
    forbid('reasonCode', code);
  }
  return code;
}

/** [MQTT-2.2.1-3] */
function packetIdOf(value: number | undefined): number {
  return uint(2, 'packetId', value, 1);
}

/** Packet identifier and properties, with which four of the packets begin. */
function startOf<T extends object>(
  set: PropertySet<T>,
  given: { readonly packetId?: number | undefined; readonly properties?: T | undefined },
): { packetId: number; properties: T | undefined } {
  return { packetId: packetIdOf(given.packetId), properties: properties(set, given.properties) };
}

/** One or more of something, up to the packet's end. */
function listOf<I, O>(what: string, given: readonly I[] | undefined, item: (given: I | undefined) => O): O[] {
  const list: O[] = [];
  if (isWriting) for (const one of given ?? []) list.push(item(one));
  else while (position < end) list.push(item(undefined));
  if (list.length === 0) fail(`${what} is missing`);
  return list;
}

/** Reason code and properties at a packet's end, both of which may be left out. 3.1 and 3.1.1 have neither. */
function outcome<T extends object>(
  set: PropertySet<T>,
  given: { readonly reasonCode?: number | undefined; readonly properties?: T | undefined },
): { reasonCode: number; properties: T | undefined } {
  const { reasonCode = 0 } = given;
  const isBare = given.properties === undefined;
  const isEmpty = isWriting ? isBare && reasonCode === 0 : version !== 5 || position === end;
  if (isEmpty) return { reasonCode: 0, properties: undefined };
  if (version !== 5) fail(NEEDS_5);
  const code = codeOf(reasonCode);
  const isShort = isWriting ? isBare : position === end;
  return { reasonCode: code, properties: isShort ? undefined : properties(set, given.properties) };
}

function connect(given: Partial<ConnectInput>): Packet {
  const { cleanStart = true, will, username, password } = given;
  if (isWriting) {
    if ((given.protocolVersion ?? version) !== version) forbid('protocolVersion', given.protocolVersion);
    text('', version === 3 ? 'MQIsdp' : 'MQTT'); // [MQTT-3.1.2-1]
    writeByte(version);
  }
  const flags = uint(
    1,
    'flags',
    (username === undefined ? 0 : 0x80) |
      (password === undefined ? 0 : 0x40) |
      (will?.retain ? 0x20 : 0) |
      (will === undefined ? 0 : 4 | (inRange('will.qos', will.qos ?? 0, 0, 2) << 3)) |
      (cleanStart ? 2 : 0),
  );
  // 3.1 does not check bits without meaning. [MQTT-3.1.2-3], [MQTT-3.1.2-11], [MQTT-3.1.2-13]
  const wrong = version === 3 ? 0 : (flags & 4) === 0 ? 0x39 : 1;
  // [MQTT-3.1.2-12]; 3.1.1: [MQTT-3.1.2-22], no password without a user name.
  if ((flags & wrong) !== 0 || (flags & 0x1c) === 0x1c || (version !== 5 && (flags & 0xc0) === 0x40)) {
    forbid('flags', flags, 0x81);
  }
  const keepAlive = uint(2, 'keepAlive', given.keepAlive ?? 60);
  const ownProperties = properties(CONNECT_PROPERTIES, given.properties);
  if (ownProperties?.authenticationData !== undefined) needMethod(ownProperties);
  return {
    type: 1,
    protocolVersion: version,
    cleanStart: (flags & 2) !== 0,
    keepAlive,
    // [MQTT-3.1.3-1]: client identifier, Will, user name, password. [MQTT-3.1.3-3], [MQTT-3.1.3-4]
    clientId: text('clientId', given.clientId),
    will: (flags & 4) === 0 ? undefined : willOf(flags, will ?? {}),
    // [MQTT-3.1.3-12]
    username: hasField(flags, 0x80) ? text('username', username) : undefined,
    password: hasField(flags, 0x40) ? binary('password', password) : undefined,
    properties: ownProperties,
  };
}

/** `mask` is the flag of a field. In 3.1 the packet's end outweighs the flags. [MQTT-3.1.2-16] to [MQTT-3.1.2-19] */
function hasField(flags: number, mask: number): boolean {
  return (flags & mask) !== 0 && !(version === 3 && isAtEnd());
}

function willOf(flags: number, given: Partial<WillInput>): Will {
  const ownProperties = properties(WILL_PROPERTIES, given.properties); // [MQTT-3.1.2-9]
  return {
    topic: topic('will.topic', given.topic), // [MQTT-3.1.3-11], [MQTT-4.7.0-1]
    payload: binary('will.payload', given.payload ?? NO_BYTES),
    qos: ((flags >> 3) & 3) as QoS,
    retain: (flags & 0x20) !== 0,
    properties: ownProperties,
  };
}

function needMethod(given: { readonly authenticationMethod?: string | undefined } | undefined): void {
  if (given?.authenticationMethod === undefined) fail('authenticationMethod is missing'); // [MQTT-4.12.0-5]
}

function connack(given: Partial<ConnackInput>): Packet {
  // [MQTT-3.2.2-1]; in 3.1 the byte is reserved and not checked, and Session Present is not told.
  const flags = uint(1, 'flags', given.sessionPresent && version !== 3 ? 1 : 0);
  if (flags > 1 && version !== 3) forbid('flags', flags, 0x81);
  const sessionPresent = isWriting ? given.sessionPresent === true : flags === 1 && version !== 3;
  let reasonCode = uint(1, 'reasonCode', given.reasonCode ?? 0);
  let ownProperties: ConnackInput['properties'];
  if (version === 5 && isAtEnd() && reasonCode === 1) {
    // A server that speaks 3.x only refuses a CONNECT of 5.0 in its own form, 20 02 00 01. It is the one answer in
    // another version's form that is right, so it becomes what it means.
    reasonCode = 0x84;
  } else {
    checkCode(reasonCode); // [MQTT-3.2.2-8]
    ownProperties = properties(CONNACK_PROPERTIES, given.properties);
  }
  // [MQTT-3.2.2-6]; 3.1.1: [MQTT-3.2.2-4]
  if (sessionPresent && reasonCode !== 0) forbid('sessionPresent', true);
  return { type: 2, sessionPresent, reasonCode, properties: ownProperties };
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP. [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1] */
function publishAck(given: Partial<PublishAckInput>): Packet {
  const packetId = packetIdOf(given.packetId);
  return { type: type as 4, packetId, ...outcome(ACK_PROPERTIES, given) };
}

function subscribe(given: Partial<SubscribeInput>): Packet {
  return {
    type: 8,
    ...startOf(SUBSCRIBE_PROPERTIES, given),
    subscriptions: listOf('filter', given.subscriptions, subscription), // [MQTT-3.8.3-2]
  };
}

/** Reading leaves the syntax to the server, which can refuse a single filter. [MQTT-3.8.3-1], [MQTT-3.10.3-1] */
function filterOf(given: string | undefined): string {
  const filter = text('filter', given);
  const problem = isWriting ? checkTopicFilter(filter) : undefined;
  return problem === undefined ? filter : fail(`filter "${filter}" ${problem}`);
}

function subscription(given: Partial<SubscriptionInput> = {}): SubscriptionRequest {
  const filter = filterOf(given.filter);
  const options = uint(
    1,
    'options',
    inRange('qos', given.qos ?? 0, 0, 2) |
      (given.noLocal ? 4 : 0) |
      (given.retainAsPublished ? 8 : 0) |
      (inRange('retainHandling', given.retainHandling ?? 0, 0, 2) << 4),
  );
  const is5 = version === 5;
  const qos = (options & 3) as QoS | 3;
  const retainHandling = (is5 ? (options >> 4) & 3 : 0) as RetainHandling | 3;
  const noLocal = is5 && (options & 4) !== 0;
  // [MQTT-3.8.3-5]; 3.1.1: [MQTT-3.8.3-4]. 3.1 leaves the upper six bits unchecked.
  const isReserved = options > (is5 ? 63 : version === 3 && !isWriting ? 255 : 2);
  if (isReserved || qos === 3 || retainHandling === 3) {
    return forbid('options', options, is5 && !isReserved ? 0x82 : 0x81);
  }
  // [MQTT-3.8.3-4]
  if (noLocal && filter.startsWith('$share/')) forbid('noLocal', noLocal);
  return { filter, qos, noLocal, retainAsPublished: is5 && (options & 8) !== 0, retainHandling };
}

function suback(given: Partial<SubackInput>): Packet {
  return {
    type: 9,
    ...startOf(ACK_PROPERTIES, given),
    reasonCodes: listOf('reasonCode', given.reasonCodes, codeOf), // [MQTT-3.9.3-2]
  };
}

function unsubscribe(given: Partial<UnsubscribeInput>): Packet {
  return {
    type: 10,
    ...startOf(UNSUBSCRIBE_PROPERTIES, given),
    filters: listOf('filter', given.filters, filterOf), // [MQTT-3.10.3-2]
  };
}

function unsuback(given: Partial<UnsubackInput>): Packet {
  const { reasonCodes = [] } = given;
  return {
    type: 11,
    ...startOf(ACK_PROPERTIES, given),
    // 3.1 and 3.1.1 have no codes here. [MQTT-3.11.3-2]
    reasonCodes: version !== 5 && reasonCodes.length === 0 ? [] : listOf('reasonCode', reasonCodes, codeOf),
  };
}

function ping(): Packet {
  return { type: type as 12 };
}

function disconnect(given: Partial<DisconnectInput>): Packet {
  const result = outcome(DISCONNECT_PROPERTIES, given); // [MQTT-3.14.2-1]
  // The first is for clients, the second for servers. [MQTT-3.14.2-2]
  const { sessionExpiryInterval, serverReference } = result.properties ?? {};
  if (senders === '<' || serverReference !== undefined)
    forbidPresent('sessionExpiryInterval', sessionExpiryInterval);
  if (senders === '>') forbidPresent('serverReference', serverReference);
  return { type: 14, ...result };
}

function auth(given: Partial<AuthInput>): Packet {
  if (version !== 5) fail(NEEDS_5, 0x81);
  const result = outcome(AUTH_PROPERTIES, given); // [MQTT-3.15.2-1]
  needMethod(result.properties);
  return { type: 15, ...result };
}

const BODIES: readonly (((given: Partial<PacketInput>) => Packet) | undefined)[] = [
  undefined,
  connect,
  connack,
  undefined,
  publishAck,
  publishAck,
  publishAck,
  publishAck,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  ping,
  ping,
  disconnect,
  auth,
] as readonly (((given: Partial<PacketInput>) => Packet) | undefined)[];

/** Writes the body of `given`, or reads one if that is empty. */
export function body(given: Partial<PacketInput>): Packet {
  const packet = BODIES[type]?.(given) ?? forbid('type', type, 0x81);
  if (!isWriting && position !== end) fail('bytes are left over', 0x81);
  return packet;
}
