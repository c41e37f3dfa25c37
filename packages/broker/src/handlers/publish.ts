// PUBLISH: a message from a client. This is the hot path: for a known topic, QoS 0 and no hook that wants to see it,
// nothing is decoded, looked up or allocated between the bytes that came in and the outboxes of the receivers.
//
//     read in place → topic known? → may it? → hooks → retain, route → acknowledge

import {
  type FrameReader,
  hasDiscouragedCharacters,
  PacketType,
  PublishReader,
  readTopic,
} from '@tobymq/codec';
import { passOn } from '../bus/pass-on.ts';
import { type Connection, Pause } from '../connection/connection.ts';
import { KnownTopic } from '../connection/topic-cache.ts';
import { forwardedProperties } from '../delivery/raw-properties.ts';
import { routeAlong } from '../delivery/route-message.ts';
import { REFERENCE_BYTES_MIN, SHARED_RECEIVERS_MIN, SHARED_REFERENCE_BYTES_MIN } from '../delivery/sizes.ts';
import type { PublishRequest } from '../extension.ts';
import { ALLOWED, type Decision, isPromise } from '../hooks.ts';
import { countLevels, isSysTopic } from '../routing/levels.ts';
import { acknowledgePublish, refusePublish } from './acknowledge-publish.ts';
import { fault, protocolError } from './faults.ts';
import { finishLater, type PendingPublish } from './publish-later.ts';

const publish = new PublishReader();

const SYS_DENIED: Decision = {
  isAllowed: false,
  qosMax: 0,
  reasonCode: 0x87,
  reason: 'topics below $SYS are written by the server only',
  isCacheable: true,
};

export function handlePublish(connection: Connection, reader: FrameReader): Promise<void> | undefined {
  const { core, sender } = connection;
  const { settings } = connection.listener;
  const { bytes } = reader;
  publish.read(bytes, reader.header, reader.body, reader.end, sender.version, true);
  const { qos } = publish;
  if (qos > settings.maximumQoS)
    throw fault(0x9b, `PUBLISH has QoS ${qos}, above the maximum of ${settings.maximumQoS}`); // [N26]
  if (publish.retain && !settings.retainAvailable)
    throw fault(0x9a, 'PUBLISH is retained, which is not available'); // [N26]
  const known =
    publish.topicAlias === 0
      ? (connection.topics.find(bytes, publish.topicStart, publish.topicEnd) ?? addTopic(connection, bytes))
      : topicByAlias(connection, bytes);
  const payloadSize = publish.payloadEnd - publish.payloadStart;
  const { metrics } = core;
  metrics.publishReceived++;
  metrics.publishReceivedByQoS[qos]++;
  metrics.publishBytesReceived += payloadSize;
  if (connection.rateLimit !== undefined) limitRate(connection, payloadSize);
  if (qos > 0 && !admit(connection)) return undefined;
  if (known.rulesVersion !== core.rulesVersion) renew(connection, known);
  if (known.decision !== undefined && known.hooks.length === 0) {
    if (known.decision.isAllowed) return accept(connection, known, reader);
    refusePublish(connection, known.topic, publish.qos, publish.packetId, known.decision);
    return undefined;
  }
  return askFirst(connection, known, reader);
}

/** Checks a topic that the connection has not published to yet. */
function addTopic(connection: Connection, bytes: Uint8Array): KnownTopic {
  const name = readTopic(bytes, publish.topicStart, publish.topicEnd);
  const { topicLevelsMax, topicBytesMax } = connection.core.limits;
  if (hasDiscouragedCharacters(name)) {
    throw fault(0x81, 'the topic name of PUBLISH has control or non-characters'); // [N07]
  }
  if (countLevels(name) > topicLevelsMax) {
    throw fault(0x90, `the topic name of PUBLISH has more than ${topicLevelsMax} levels`);
  }
  const { mountPoint } = connection.sender;
  // With the mount point, because clients of other listeners are sent all of it.
  if (publish.topicEnd - publish.topicStart + Buffer.byteLength(mountPoint) > topicBytesMax) {
    throw fault(0x90, `the topic name of PUBLISH has more than ${topicBytesMax} bytes`);
  }
  const own = new Uint8Array(publish.topicEnd - publish.topicStart);
  own.set(bytes.subarray(publish.topicStart, publish.topicEnd));
  const known = new KnownTopic(own, mountPoint + name);
  connection.topics.add(known);
  return known;
}

function topicByAlias(connection: Connection, bytes: Uint8Array): KnownTopic {
  const alias = publish.topicAlias;
  const { topicAliasMaximum } = connection.listener.settings;
  // [N24]
  if (alias > topicAliasMaximum) {
    throw fault(0x94, `PUBLISH has topic alias ${alias}, above the maximum of ${topicAliasMaximum}`);
  }
  if (publish.topicEnd > publish.topicStart) {
    const { topics } = connection;
    const known = topics.find(bytes, publish.topicStart, publish.topicEnd) ?? addTopic(connection, bytes);
    topics.setAlias(alias, known);
    return known;
  }
  const known = connection.topics.byAlias(alias);
  if (known === undefined) throw protocolError(`PUBLISH uses topic alias ${alias}, which was never set`); // [N23]
  return known;
}

/** Takes a QoS 1 or 2 message into the account of open ones; false if it is a repeat that was answered. */
function admit(connection: Connection): boolean {
  const { session } = connection;
  if (session === undefined) return false;
  const { packetId } = publish;
  const serial = publish.qos === 2 ? session.inbound?.get(packetId) : undefined;
  if (serial !== connection.serial) {
    connection.receiveCount++;
    const { receiveMaximum } = connection.listener.settings;
    // [N28]; 3.x has no such maximum.
    if (connection.receiveCount > receiveMaximum && connection.sender.isV5) {
      throw fault(0x93, `more than ${receiveMaximum} messages are not acknowledged`);
    }
  }
  if (serial === undefined) return true;
  // A repeat: acknowledged again, delivered once. [MQTT-4.3.3-10]
  session.inbound?.set(packetId, connection.serial);
  connection.acknowledge(PacketType.Pubrec, packetId, 0, false);
  return false;
}

/** Asks rules and hooks anew after they have changed. */
function renew(connection: Connection, known: KnownTopic): void {
  const { hooks } = connection.listener;
  known.rulesVersion = connection.core.rulesVersion;
  known.hooks = hooks.publishHooksFor(known.topic);
  known.decision = undefined;
  if (isSysTopic(known.topic)) known.decision = SYS_DENIED;
  else if (!hooks.hasPublishRules) known.decision = ALLOWED;
}

/** Rules or hooks have to be asked: the message becomes an object that outlives this call. */
function askFirst(connection: Connection, known: KnownTopic, reader: FrameReader): Promise<void> | undefined {
  const { hooks } = connection.listener;
  const { client } = connection;
  if (client === undefined) return undefined;
  const request = requestOf(known.topic, reader);
  if (known.decision === undefined) {
    const answer = hooks.mayPublish(client, request);
    if (!isPromise(answer)) {
      if (answer.isCacheable) known.decision = answer;
      if (!answer.isAllowed) {
        refusePublish(connection, known.topic, publish.qos, publish.packetId, answer);
        return undefined;
      }
      if (known.hooks.length === 0) return accept(connection, known, reader);
    } else {
      return finishLater(connection, known, pendingOf(known, request, reader), answer);
    }
  } else if (!known.decision.isAllowed) {
    refusePublish(connection, known.topic, publish.qos, publish.packetId, known.decision);
    return undefined;
  }
  return finishLater(connection, known, pendingOf(known, request, reader), undefined);
}

/** Hooks may keep what they are shown, so the payload is a copy. */
function requestOf(topic: string, reader: FrameReader): PublishRequest {
  const { bytes } = reader;
  const payload = new Uint8Array(publish.payloadEnd - publish.payloadStart);
  payload.set(bytes.subarray(publish.payloadStart, publish.payloadEnd));
  const { qos, retain } = publish;
  const sent = publish.propertiesEnd > publish.propertiesStart ? publish.decodeProperties(bytes) : undefined;
  if (sent === undefined) return { topic, payload, qos, retain, properties: undefined };
  const { payloadFormatIndicator, messageExpiryInterval, contentType } = sent;
  const { responseTopic, correlationData, userProperties } = sent;
  const properties = {
    payloadFormatIndicator,
    messageExpiryInterval,
    contentType,
    responseTopic,
    correlationData: correlationData === undefined ? undefined : Uint8Array.from(correlationData),
    userProperties,
  };
  return { topic, payload, qos, retain, properties };
}

function pendingOf(known: KnownTopic, request: PublishRequest, reader: FrameReader): PendingPublish {
  return {
    request,
    raw: {
      topic: known.topic,
      payload: request.payload,
      qos: publish.qos,
      retain: publish.retain,
      properties: forwardedProperties(publish, reader.bytes),
      expirySeconds: publish.messageExpiryInterval,
    },
    packetId: publish.packetId,
  };
}

/**
 * The message is welcome: routes it straight from the packet, and acknowledges. All in one piece: cut into functions for
 * payload, properties and route, a message of QoS 0 took 20 of 260 ns longer inside the broker.
 */
function accept(connection: Connection, known: KnownTopic, reader: FrameReader): Promise<void> | undefined {
  const { core, session } = connection;
  if (session === undefined) return undefined;
  const { qos, retain, packetId } = publish;
  const { bytes } = reader;
  const message = core.borrowMessage();
  message.begin(known.topic, connection.sender.mountPoint === '' ? known.bytes : undefined, qos, retain);
  const payloadSize = publish.payloadEnd - publish.payloadStart;
  // A large packet was assembled in memory of its own: that can be kept, or written, without a copy.
  message.ownsPayload = payloadSize >= REFERENCE_BYTES_MIN && reader.isAssembled;
  if (message.ownsPayload) {
    reader.detach();
    message.loan = core.packetMemory.lend(bytes);
  }
  message.payloadBytes = bytes;
  message.payloadStart = publish.payloadStart;
  message.payloadEnd = publish.payloadEnd;
  message.publisherId = session.clientId;
  message.publishedAt = connection.lastSeenMs;
  const { messageExpiryInterval } = publish;
  if (messageExpiryInterval >= 0) {
    message.expiryInterval = messageExpiryInterval;
    message.expiresAt = connection.lastSeenMs + messageExpiryInterval * 1000;
  }
  if (messageExpiryInterval < 0 && publish.topicAlias === 0) {
    message.propertiesBytes = bytes;
    message.propertiesStart = publish.propertiesStart;
    message.propertiesEnd = publish.propertiesEnd;
  } else {
    message.propertiesBytes = forwardedProperties(publish, bytes) ?? NO_BYTES;
    message.propertiesStart = 0;
    message.propertiesEnd = message.propertiesBytes.length;
  }
  if (retain && core.retained.retain(message)) message.isWritten = true;
  let route = known.route;
  if (route === undefined) {
    route = core.router.route(known.topic);
    known.route = route;
  } else if (route.version !== core.router.version) {
    core.router.refresh(route);
  }
  // At QoS 0 the packet itself is mostly what receivers of the same version get, byte for byte.
  if (qos === 0 && publish.topicAlias === 0 && !publish.dup && connection.sender.mountPoint === '') {
    const isShared = route.targets.length > SHARED_RECEIVERS_MIN;
    if (payloadSize < (isShared ? SHARED_REFERENCE_BYTES_MIN : REFERENCE_BYTES_MIN)) {
      // The memory of an assembled packet serves for the next one, so that is copied at once.
      const isInPlace = !reader.isAssembled;
      message.setFrame(connection.sender.isV5, retain, bytes, reader.start, reader.end, isInPlace);
    }
  }
  const copies = routeAlong(core, route, message, session);
  const forwarded = passOn(core, message);
  const { isWritten } = message;
  const bytesKept = qos === 0 ? 0 : message.keptBytes;
  message.loan?.release();
  core.returnMessage(message);
  if (qos === 0) return undefined;
  return acknowledgePublish(connection, qos, packetId, copies, isWritten, bytesKept, forwarded);
}

function limitRate(connection: Connection, payloadSize: number): void {
  const { core, rateLimit } = connection;
  const { publishRateMax, publishBytesRateMax } = core.limits;
  const pauseMs = rateLimit?.take(payloadSize, publishRateMax, publishBytesRateMax, core.clock.now()) ?? 0;
  if (pauseMs === 0) return;
  core.metrics.rateLimited++;
  connection.pause(Pause.Rate);
  setTimeout(() => connection.resume(Pause.Rate), pauseMs).unref();
}

const NO_BYTES = new Uint8Array(0);
