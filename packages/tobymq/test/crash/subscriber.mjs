// A subscriber with a persistent session. It remembers what it received, and for each of its filters since when and until
// when it was subscribed, as far as the server has acknowledged that.

import { PacketType } from '@tobymq/codec';
import { Connection, ConnectionLost } from './connection.mjs';

/**
 * @typedef {object} Period a time in which a filter was subscribed
 * @property {number} askedAt when SUBSCRIBE was sent first
 * @property {number | undefined} sureFrom when SUBACK came
 * @property {number | undefined} sureUntil when UNSUBSCRIBE was sent first
 * @property {number | undefined} endedAt when UNSUBACK came
 */

export class Subscriber {
  name;
  qos;
  /** How often each message was received, not counting what QoS 2 recognises as a repetition. */
  received = new Map();
  /** What was wrong as it happened. */
  faults = [];
  /** Messages that came after a later one of their stream, each with that one. */
  late = new Map();
  /** @type {Map<string, Period[]>} */
  #periods = new Map();
  #version;
  #random;
  #clock;
  #connection;
  #hasSession = false;
  #unreleased = new Set();
  #lastOfStream = new Map();
  #pending = new Map();
  #lastPacketId = 0;
  #laziness;
  #waiting = [];

  constructor(name, version, qos, random, clock) {
    this.name = name;
    this.qos = qos;
    this.#version = version;
    this.#random = random;
    this.#clock = clock;
    this.#laziness = random.next() * 0.2;
  }

  get isConnected() {
    return this.#connection !== undefined && !this.#connection.isClosed;
  }

  async connect(port) {
    const connection = new Connection(this.#version);
    this.#connection = connection;
    this.#pending.clear();
    connection.onPacket = (packet) => this.#handle(packet, connection);
    connection.onClose = () => this.#wake();
    const connack = await connection.open(port, this.name);
    if (connack.reasonCode !== 0) throw new Error(`${this.name}: CONNACK with ${connack.reasonCode}`);
    if (this.#hasSession && !connack.sessionPresent)
      throw new Error(`${this.name}: the server lost the session`);
    this.#hasSession = true;
    // A request whose answer was lost in a crash is asked again.
    for (const [filter, periods] of this.#periods) {
      const period = periods.at(-1);
      if (period.sureUntil !== undefined && period.endedAt === undefined) this.#requestEnd(filter, period);
      else if (period.sureUntil === undefined && period.sureFrom === undefined) this.#request(filter, period);
    }
  }

  close(politely) {
    this.#connection?.close(politely);
  }

  subscribe(filter) {
    const periods = this.#periods.get(filter) ?? [];
    const last = periods.at(-1);
    // Only from a state that the server has acknowledged, so that the test knows what follows.
    if (last !== undefined && last.endedAt === undefined) return;
    const period = {
      askedAt: this.#clock.now(),
      sureFrom: undefined,
      sureUntil: undefined,
      endedAt: undefined,
    };
    periods.push(period);
    this.#periods.set(filter, periods);
    this.#request(filter, period);
  }

  unsubscribe(filter) {
    const period = this.#periods.get(filter)?.at(-1);
    if (period?.sureFrom === undefined || period.sureUntil !== undefined) return;
    period.sureUntil = this.#clock.now();
    this.#requestEnd(filter, period);
  }

  /** Whether it must have received the message. */
  mustHave({ topic, sentAt, ackedAt }) {
    return this.#some(
      topic,
      (period) => period.sureFrom < sentAt && (period.sureUntil === undefined || ackedAt < period.sureUntil),
    );
  }

  /** Whether it may have received the message. */
  mayHave({ topic, sentAt, ackedAt = Number.POSITIVE_INFINITY }) {
    return this.#some(
      topic,
      (period) => period.askedAt < ackedAt && (period.endedAt === undefined || period.endedAt > sentAt),
    );
  }

  /** Resolves when all those messages were received. */
  async receivedAll(ids) {
    const missing = new Set(ids);
    for (;;) {
      for (const id of missing) if (this.received.has(id)) missing.delete(id);
      if (missing.size === 0) return;
      if (!this.isConnected) throw new ConnectionLost();
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
  }

  #some(topic, isEntitled) {
    for (const [filter, periods] of this.#periods) {
      if (topic.startsWith(filter.slice(0, -1)) && periods.some(isEntitled)) return true;
    }
    return false;
  }

  #request(filter, period) {
    const packetId = this.#newPacketId();
    this.#pending.set(packetId, () => {
      period.sureFrom = this.#clock.now();
    });
    this.#connection.send({
      type: PacketType.Subscribe,
      packetId,
      subscriptions: [{ filter, qos: this.qos }],
    });
  }

  #requestEnd(filter, period) {
    const packetId = this.#newPacketId();
    this.#pending.set(packetId, () => {
      period.endedAt = this.#clock.now();
    });
    this.#connection.send({ type: PacketType.Unsubscribe, packetId, filters: [filter] });
  }

  #newPacketId() {
    this.#lastPacketId = (this.#lastPacketId % 65535) + 1;
    return this.#lastPacketId;
  }

  #handle(packet, connection) {
    const { packetId } = packet;
    switch (packet.type) {
      case PacketType.Suback:
      case PacketType.Unsuback:
        if (packet.reasonCodes.some((code) => code >= 0x80))
          this.faults.push(`refused: ${packet.reasonCodes}`);
        this.#pending.get(packetId)?.();
        this.#pending.delete(packetId);
        break;
      case PacketType.Publish:
        this.#publish(packet, connection);
        break;
      case PacketType.Pubrel:
        this.#unreleased.delete(packetId);
        connection.send({ type: PacketType.Pubcomp, packetId });
        break;
      default:
        this.faults.push(`received a packet of type ${packet.type}, reason ${packet.reasonCode}`);
    }
  }

  #publish(packet, connection) {
    const { packetId, qos } = packet;
    if (qos === 2 && this.#unreleased.has(packetId)) {
      this.#acknowledge(PacketType.Pubrec, packetId, connection);
      return;
    }
    if (qos === 2) this.#unreleased.add(packetId);
    this.#count(Buffer.from(packet.payload).toString().split(' ')[0]);
    this.#acknowledge(qos === 2 ? PacketType.Pubrec : PacketType.Puback, packetId, connection);
    this.#wake();
  }

  #count(id) {
    const times = (this.received.get(id) ?? 0) + 1;
    this.received.set(id, times);
    if (times > 1) return;
    const at = id.lastIndexOf(':');
    const stream = id.slice(0, at);
    const number = Number(id.slice(at + 1));
    const last = this.#lastOfStream.get(stream) ?? 0;
    if (number < last) this.late.set(id, `${stream}:${last}`);
    else this.#lastOfStream.set(stream, number);
  }

  /** At once, or a moment later, so that a crash meets deliveries in every state. */
  #acknowledge(type, packetId, connection) {
    const send = () => connection.send({ type, packetId });
    if (this.#random.chance(this.#laziness)) setTimeout(send, this.#random.between(1, 15));
    else send();
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
