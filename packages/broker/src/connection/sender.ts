// What goes out to one client: PUBLISH in the form that suits it, acknowledgements, and everything else.

import {
  type AckProperties,
  encode,
  type PacketInput,
  PINGRESP,
  type ProtocolVersion,
  type PublishAckInput,
  type QoS,
  writeAck,
} from '@tobymq/codec';
import type { Core } from '../core.ts';
import { encodeForm, PublishForm } from '../delivery/encode-publish.ts';
import type { RoutedMessage } from '../delivery/routed-message.ts';
import type { ClientInfo } from '../extension.ts';
import type { Hooks } from '../hooks.ts';
import { REMEMBERED_TOPIC_MAX } from '../routing/router.ts';
import type { ByteStream } from '../transports/byte-stream.ts';
import type { AliasesOut } from './aliases-out.ts';
import { Outbox } from './outbox.ts';

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export type AcknowledgementType = PublishAckInput['type'];

/** How many answers of delivery rules one connection keeps. */
const DECISIONS_MAX = 1_024;

/** An alias takes three bytes, and the lengths of the properties and of the packet may need one more each for it. */
const ALIAS_BYTES_MAX = 5;

/** For messages that have to be encoded for one client alone, because of an alias or a mount point. */
const ownForm = new PublishForm();

export class Sender {
  readonly #core: Core;
  readonly outbox: Outbox;
  version: ProtocolVersion = 4;
  isV5 = false;
  /** The largest packet that the client takes. [MQTT-3.1.2-24] */
  maximumPacketSize = Number.POSITIVE_INFINITY;
  aliases: AliasesOut | undefined = undefined;
  mountPoint = '';
  /** Whether reason strings and user properties may stand in acknowledgements. [MQTT-3.1.2-29] */
  givesReasons = false;
  hooks: Hooks | undefined = undefined;
  client: ClientInfo | undefined = undefined;
  #mayRead: Map<string, boolean> | undefined = undefined;
  #lastTopic: string | undefined = undefined;
  #lastAnswer = false;
  #rulesVersion = 0;

  constructor(core: Core, stream: ByteStream) {
    this.#core = core;
    this.outbox = new Outbox(stream, core.flusher);
  }

  /** Sends a PUBLISH; false if it is not to be sent to this client at all. */
  publish(
    message: RoutedMessage,
    qos: QoS,
    retain: boolean,
    dup: boolean,
    packetId: number,
    ids: readonly number[],
  ): boolean {
    const core = this.#core;
    const outbox = this.outbox;
    // A client that does not read loses QoS 0 messages, and costs nothing but its bound.
    if (qos === 0 && outbox.isBlocked && outbox.pendingBytes > this.#bytesMax()) {
      return this.#drop('slow-consumer', message);
    }
    if (this.hooks?.hasDeliveryRules === true && !this.#isAllowed(message.topic)) {
      return this.#drop('not-authorized', message);
    }
    const form =
      this.aliases === undefined && this.mountPoint === ''
        ? message.form(this.isV5, qos, retain, dup, ids)
        : this.#encodeApart(message, qos, retain, dup, ids);
    // [MQTT-3.1.2-25]
    if (form.size > this.maximumPacketSize) return this.#drop('packet-too-large', message);
    if (form.isFrame) {
      outbox.appendFrame(form.bytes, form.start, form.end);
    } else {
      const offset = outbox.append(form.bytes, form.start, form.end);
      if (qos > 0) {
        const at = offset + form.packetIdOffset;
        outbox.bytes[at] = packetId >>> 8;
        outbox.bytes[at + 1] = packetId & 255;
      }
      if (form.isPayloadApart) outbox.appendReference(message.payloadToWrite(), message.loan);
    }
    outbox.flushIfLarge();
    const { metrics } = core;
    metrics.publishSent++;
    metrics.packetsSent++;
    metrics.publishSentByQoS[qos]++;
    metrics.publishBytesSent += message.payloadEnd - message.payloadStart;
    metrics.bytesSent += form.size;
    return true;
  }

  /** Codes and reasons are for 5.0 only. */
  acknowledge(type: AcknowledgementType, packetId: number, reasonCode: number, reason?: string): void {
    const code = this.isV5 ? reasonCode : 0;
    if (reason !== undefined && this.givesReasons && code >= 0x80) {
      this.packet({ type, packetId, reasonCode: code, properties: { reasonString: reason } });
      return;
    }
    const size = code === 0 ? 4 : 5;
    const offset = this.outbox.reserve(size);
    writeAck(this.outbox.bytes, offset, type, packetId, code);
    this.#count(size);
  }

  pong(): void {
    this.outbox.append(PINGRESP, 0, 2);
    this.#count(2);
  }

  /** Any packet but PUBLISH. Reasons are left out when they would make it too large for the client. */
  packet(packet: Exclude<PacketInput, { type: 3 }>): boolean {
    let bytes = encode(packet, this.version);
    if (bytes.length > this.maximumPacketSize && 'properties' in packet && packet.properties !== undefined) {
      const properties: AckProperties = {
        ...packet.properties,
        reasonString: undefined,
        userProperties: undefined,
      };
      bytes = encode({ ...packet, properties } as PacketInput, this.version); // [MQTT-3.2.2-19], [MQTT-3.4.2-2], [MQTT-3.9.2-1], [MQTT-3.14.2-3]
    }
    if (bytes.length > this.maximumPacketSize) return false;
    this.outbox.append(bytes, 0, bytes.length);
    this.#count(bytes.length);
    return true;
  }

  #count(size: number): void {
    this.#core.metrics.packetsSent++;
    this.#core.metrics.bytesSent += size;
  }

  /** The bound of this outbox, which sinks when the slow connections together hold too much. */
  #bytesMax(): number {
    const { outboundBytesMax, outboundTotalBytesMax } = this.#core.limits;
    return this.#core.flusher.blockedBytes > outboundTotalBytesMax
      ? outboundBytesMax / 100
      : outboundBytesMax;
  }

  #drop(reason: 'slow-consumer' | 'not-authorized' | 'packet-too-large', message: RoutedMessage): false {
    this.#core.dropped(reason, message.topic, this.client?.clientId ?? '');
    return false;
  }

  #isAllowed(topic: string): boolean {
    if (this.#rulesVersion !== this.#core.rulesVersion || (this.#mayRead?.size ?? 0) > DECISIONS_MAX) {
      this.#rulesVersion = this.#core.rulesVersion;
      this.#mayRead = undefined;
      this.#lastTopic = undefined;
    }
    // The topic of a publisher is one string for all its messages, so mostly comparing it is comparing two references.
    if (topic === this.#lastTopic) return this.#lastAnswer;
    const known = this.#mayRead?.get(topic);
    if (known !== undefined) {
      this.#lastTopic = topic;
      this.#lastAnswer = known;
      return known;
    }
    if (this.hooks === undefined || this.client === undefined) return true;
    const { isAllowed, isCacheable } = this.hooks.mayReceive(this.client, topic);
    if (isCacheable && topic.length <= REMEMBERED_TOPIC_MAX) {
      this.#mayRead ??= new Map();
      this.#mayRead.set(topic, isAllowed);
    }
    return isAllowed;
  }

  #encodeApart(
    message: RoutedMessage,
    qos: QoS,
    retain: boolean,
    dup: boolean,
    ids: readonly number[],
  ): PublishForm {
    const { mountPoint } = this;
    const topic =
      mountPoint !== '' && message.topic.startsWith(mountPoint)
        ? Buffer.from(message.topic.slice(mountPoint.length))
        : message.topicBytes;
    const known = this.aliases?.known(message.topic) ?? 0;
    if (known > 0) {
      encodeForm(ownForm, message, NO_TOPIC, this.isV5, qos, retain, dup, ids, known);
      return ownForm;
    }
    // An alias is given away only with a packet that goes out.
    encodeForm(ownForm, message, topic, this.isV5, qos, retain, dup, ids, 0);
    if (this.aliases === undefined || ownForm.size + ALIAS_BYTES_MAX > this.maximumPacketSize) return ownForm;
    const alias = this.aliases.give(message.topic);
    if (alias > 0) encodeForm(ownForm, message, topic, this.isV5, qos, retain, dup, ids, alias);
    return ownForm;
  }
}

const NO_TOPIC = new Uint8Array(0);
