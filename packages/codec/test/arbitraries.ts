// Generators of valid packets for property tests: every type, every version, every property.

import { type Packet, PacketType, type ProtocolVersion, type QoS, type Role } from '@tobymq/codec';
import fc from 'fast-check';

/** A packet with the version and the receiving side that it is valid for. */
export interface Generated {
  readonly version: ProtocolVersion;
  readonly to: Role;
  readonly packet: Packet;
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.replaceAll('\0', '')),
  fc.string({ unit: 'grapheme-ascii', maxLength: 80 }),
);
const topic = text.map((value) => value.replaceAll(/[+#]/g, '') || 't');
const level = fc.oneof(
  fc.constant('+'),
  fc.string({ unit: 'grapheme-ascii', maxLength: 5 }).map((value) => value.replaceAll(/[+#/$]/g, '')),
);
const filter = fc
  .tuple(
    fc.constantFrom('', '$share/group/', '$SYS/'),
    fc.array(level, { minLength: 1, maxLength: 4 }),
    fc.boolean(),
  )
  .map(([prefix, levels, hasRest]) => `${prefix}${levels.join('/')}${hasRest ? '/#' : ''}` || 'a')
  .map((value) => (value.endsWith('group/') ? `${value}a` : value));
const bytes = fc.uint8Array({ maxLength: 40 });
// Around the sizes at which a length takes one byte more; the content matters less.
const payload = fc.oneof(
  { weight: 8, arbitrary: bytes },
  { weight: 1, arbitrary: fc.integer({ min: 110, max: 135 }).map((size) => new Uint8Array(size).fill(size)) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 16_370, max: 16_390 }).map((size) => new Uint8Array(size).fill(size)),
  },
);
const qos = fc.constantFrom<QoS>(0, 1, 2);
const packetId = fc.integer({ min: 1, max: 65_535 });
const uint16 = fc.integer({ min: 0, max: 65_535 });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const positive16 = fc.integer({ min: 1, max: 65_535 });
const identifier = fc.integer({ min: 1, max: 268_435_455 });
const userProperties = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 });
const zeroOrOne = fc.constantFrom<0 | 1>(0, 1);

/** Any choice of the properties; none at all is `undefined`, as the decoder gives it. In 3.1 and 3.1.1 always so. */
function propertiesOf<T extends object>(
  version: ProtocolVersion,
  model: { [K in keyof T]: fc.Arbitrary<T[K]> },
): fc.Arbitrary<Partial<T> | undefined> {
  if (version !== 5) return fc.constant(undefined);
  return fc
    .record(model, { requiredKeys: [] })
    .map((properties) => (Object.keys(properties).length === 0 ? undefined : (properties as Partial<T>)));
}

const messageProperties = {
  payloadFormatIndicator: zeroOrOne,
  messageExpiryInterval: uint32,
  contentType: text,
  responseTopic: topic,
  correlationData: bytes,
  userProperties,
};

function connect(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const properties = propertiesOf(version, {
    sessionExpiryInterval: uint32,
    receiveMaximum: positive16,
    maximumPacketSize: fc.integer({ min: 1, max: 0xffff_ffff }),
    topicAliasMaximum: uint16,
    requestResponseInformation: fc.boolean(),
    requestProblemInformation: fc.boolean(),
    userProperties,
    authenticationMethod: text,
    authenticationData: bytes,
  }).map((value) =>
    value?.authenticationData !== undefined ? { authenticationMethod: 'm', ...value } : value,
  );
  const will = fc.record({
    topic,
    payload: bytes,
    qos,
    retain: fc.boolean(),
    properties: propertiesOf(version, { ...messageProperties, willDelayInterval: uint32 }),
  });
  return fc
    .record({
      type: fc.constant(PacketType.Connect),
      protocolVersion: fc.constant(version),
      cleanStart: fc.boolean(),
      keepAlive: uint16,
      clientId: text,
      will: fc.option(will, { nil: undefined }),
      username: fc.option(text, { nil: undefined }),
      password: fc.option(bytes, { nil: undefined }),
      properties,
    })
    .map((packet) =>
      version !== 5 && packet.username === undefined ? { ...packet, password: undefined } : packet,
    );
}

function connack(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc
    .record({
      type: fc.constant(PacketType.Connack),
      sessionPresent: fc.boolean(),
      reasonCode: version === 5 ? fc.constantFrom(0, 0x80, 0x87, 0x9f) : fc.integer({ min: 0, max: 5 }),
      properties: propertiesOf(version, {
        sessionExpiryInterval: uint32,
        receiveMaximum: positive16,
        maximumQoS: zeroOrOne,
        retainAvailable: fc.boolean(),
        maximumPacketSize: fc.integer({ min: 1, max: 0xffff_ffff }),
        assignedClientIdentifier: text,
        topicAliasMaximum: uint16,
        reasonString: text,
        userProperties,
        wildcardSubscriptionAvailable: fc.boolean(),
        subscriptionIdentifierAvailable: fc.boolean(),
        sharedSubscriptionAvailable: fc.boolean(),
        serverKeepAlive: uint16,
        responseInformation: text,
        serverReference: text,
        authenticationMethod: text,
        authenticationData: bytes,
      }),
    })
    .map((packet) => ({
      ...packet,
      sessionPresent: packet.sessionPresent && packet.reasonCode === 0 && version !== 3,
    }));
}

function publish(version: ProtocolVersion, to: Role): fc.Arbitrary<Packet> {
  const model = { ...messageProperties, topicAlias: positive16 };
  const properties =
    to === 'client'
      ? propertiesOf(version, {
          ...model,
          subscriptionIdentifiers: fc.array(identifier, { minLength: 1, maxLength: 3 }),
        })
      : propertiesOf(version, model);
  return fc
    .record({
      type: fc.constant(PacketType.Publish),
      topic,
      hasNoTopic: fc.boolean(),
      payload,
      qos,
      retain: fc.boolean(),
      dup: fc.boolean(),
      packetId,
      properties,
    })
    .map(({ hasNoTopic, ...packet }) => ({
      ...packet,
      topic: hasNoTopic && packet.properties?.topicAlias !== undefined ? '' : packet.topic,
      dup: packet.dup && packet.qos > 0,
      packetId: packet.qos === 0 ? 0 : packet.packetId,
    }));
}

function ack(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const properties = propertiesOf(version, { reasonString: text, userProperties });
  const codes = (...values: number[]) => (version === 5 ? fc.constantFrom(0, ...values) : fc.constant(0));
  return fc.oneof(
    fc.record({ type: fc.constant(PacketType.Puback), packetId, reasonCode: codes(0x80, 0x99), properties }),
    fc.record({ type: fc.constant(PacketType.Pubrec), packetId, reasonCode: codes(0x87, 0x91), properties }),
    fc.record({ type: fc.constant(PacketType.Pubrel), packetId, reasonCode: codes(0x92), properties }),
    fc.record({ type: fc.constant(PacketType.Pubcomp), packetId, reasonCode: codes(0x92), properties }),
  );
}

function toServer(version: ProtocolVersion): fc.Arbitrary<Packet>[] {
  const option = version === 5 ? fc.boolean() : fc.constant(false);
  const retainHandling = version === 5 ? fc.constantFrom<0 | 1 | 2>(0, 1, 2) : fc.constant<0>(0);
  const subscription = fc
    .record({ filter, qos, noLocal: option, retainAsPublished: option, retainHandling })
    .map((value) => ({ ...value, noLocal: value.noLocal && !value.filter.startsWith('$share/') }));
  const packets: fc.Arbitrary<Packet>[] = [
    connect(version),
    fc.record({
      type: fc.constant(PacketType.Subscribe),
      packetId,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
      properties: propertiesOf(version, { subscriptionIdentifier: identifier, userProperties }),
    }),
    fc.record({
      type: fc.constant(PacketType.Unsubscribe),
      packetId,
      filters: fc.array(filter, { minLength: 1, maxLength: 4 }),
      properties: propertiesOf(version, { userProperties }),
    }),
    fc.constant({ type: PacketType.Pingreq }),
    fc.record({
      type: fc.constant(PacketType.Disconnect),
      reasonCode: version === 5 ? fc.constantFrom(0, 4, 0x82) : fc.constant(0),
      properties: propertiesOf(version, {
        sessionExpiryInterval: uint32,
        reasonString: text,
        userProperties,
      }),
    }),
  ];
  return version === 5 ? [...packets, auth(0x18, 0x19)] : packets;
}

function toClient(version: ProtocolVersion): fc.Arbitrary<Packet>[] {
  const properties = propertiesOf(version, { reasonString: text, userProperties });
  const granted = version === 5 ? [0, 1, 2, 0x87, 0xa2] : version === 4 ? [0, 1, 2, 0x80] : [0, 1, 2];
  const packets: fc.Arbitrary<Packet>[] = [
    connack(version),
    fc.record({
      type: fc.constant(PacketType.Suback),
      packetId,
      reasonCodes: fc.array(fc.constantFrom(...granted), { minLength: 1, maxLength: 5 }),
      properties,
    }),
    fc.record({
      type: fc.constant(PacketType.Unsuback),
      packetId,
      reasonCodes:
        version === 5
          ? fc.array(fc.constantFrom(0, 0x11, 0x87), { minLength: 1, maxLength: 5 })
          : fc.constant<number[]>([]),
      properties,
    }),
    fc.constant({ type: PacketType.Pingresp }),
  ];
  if (version !== 5) return packets;
  const disconnect = fc.record({
    type: fc.constant(PacketType.Disconnect),
    reasonCode: fc.constantFrom(0, 0x8b, 0x9d),
    properties: propertiesOf(5, { reasonString: text, userProperties, serverReference: text }),
  });
  return [...packets, disconnect, auth(0, 0x18)];
}

function auth(...codes: number[]): fc.Arbitrary<Packet> {
  return fc.record({
    type: fc.constant(PacketType.Auth),
    reasonCode: fc.constantFrom(...codes),
    properties: propertiesOf(5, {
      authenticationMethod: text,
      authenticationData: bytes,
      reasonString: text,
      userProperties,
    }).map((properties) => ({ authenticationMethod: 'm', ...properties })),
  });
}

/** Any valid packet to the given side. */
export function packetTo(to: Role, version: ProtocolVersion): fc.Arbitrary<Packet> {
  const own = to === 'server' ? toServer(version) : toClient(version);
  return fc.oneof(publish(version, to), ack(version), ...own);
}

/** Any valid packet of any version to either side. */
export const anyPacket: fc.Arbitrary<Generated> = fc
  .tuple(fc.constantFrom<Role>('server', 'client'), fc.constantFrom<ProtocolVersion>(3, 4, 5))
  .chain(([to, version]) => packetTo(to, version).map((packet) => ({ version, to, packet })));
