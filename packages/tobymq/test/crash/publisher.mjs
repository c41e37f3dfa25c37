// A publisher with a persistent session. It remembers when each message was first sent and when the server took it
// over, and after a crash it repeats what was not acknowledged, as MQTT wants it: in order, with DUP, QoS 2 from where
// it stood.

import { PacketType } from '@tobymq/codec';
import { Connection, ConnectionLost } from './connection.mjs';

/**
 * @typedef {object} SentMessage
 * @property {string} id publisher, QoS and number within both
 * @property {string} stream publisher and QoS: within a stream the order must be kept
 * @property {number} number
 * @property {string} topic
 * @property {number} sentAt when it was sent first, in the test's own order of events
 * @property {number | undefined} ackedAt when PUBACK or PUBREC came
 */

export class Publisher {
  /** @type {SentMessage[]} */
  sent = [];
  /** For each retained topic: every value ever sent, in order. */
  retained = new Map();
  #name;
  #version;
  #random;
  #clock;
  #connection;
  #hasSession = false;
  #inflight = new Map();
  #lastPacketId = 0;
  #numbers = [0, 0, 0];
  #window;
  #budget = 0;
  #whenIdle = [];

  constructor(name, version, random, clock) {
    this.#name = name;
    this.#version = version;
    this.#random = random;
    this.#clock = clock;
    this.#window = random.between(5, 30);
  }

  async connect(port) {
    const connection = new Connection(this.#version);
    this.#connection = connection;
    connection.onPacket = (packet) => this.#received(packet);
    const connack = await connection.open(port, this.#name);
    if (connack.reasonCode !== 0) throw new Error(`${this.#name}: CONNACK with ${connack.reasonCode}`);
    if (this.#hasSession && !connack.sessionPresent)
      throw new Error(`${this.#name}: the server lost the session`);
    this.#hasSession = true;
    for (const entry of this.#inflight.values()) this.#transmit(entry, true);
  }

  /** Sends so many messages more, as fast as acknowledgements come. */
  publish(count) {
    this.#budget += count;
    this.#fill();
  }

  /** One last message of each QoS: who has it has everything before it. Resolves when all is acknowledged. */
  async finish() {
    this.#budget = 0;
    for (const qos of [1, 2]) this.#send(`data/${this.#name}/end`, qos, false);
    await this.idle();
  }

  /** Resolves when nothing is in flight. */
  async idle() {
    while (this.#inflight.size > 0) {
      await new Promise((resolve, reject) => {
        this.#whenIdle.push(resolve);
        if (this.#connection.isClosed) reject(new ConnectionLost());
        this.#connection.onClose = () => reject(new ConnectionLost());
      });
    }
  }

  close() {
    this.#connection?.close(false);
  }

  #fill() {
    while (this.#budget > 0 && this.#inflight.size < this.#window && !this.#connection.isClosed) {
      this.#budget -= 1;
      const qos = this.#random.chance(0.5) ? 1 : 2;
      if (this.#random.chance(0.1)) this.#sendRetained(qos);
      else this.#send(`data/${this.#name}/${this.#random.between(1, 5)}`, qos, false);
    }
  }

  #send(topic, qos, padding) {
    const stream = `${this.#name}:${qos}`;
    const number = ++this.#numbers[qos];
    const message = {
      id: `${stream}:${number}`,
      stream,
      number,
      topic,
      sentAt: this.#clock.now(),
      ackedAt: undefined,
    };
    this.sent.push(message);
    // Most are small; some are larger than what the store keeps inside a queue's row.
    const size = padding || this.#random.chance(0.05) ? this.#random.between(500, 5000) : 0;
    const payload = Buffer.from(`${message.id} ${'.'.repeat(size)}`);
    this.#start({ message, packet: { topic, qos, retain: false, payload } });
  }

  // One topic has one QoS, so that the order of its values is the order in which they were sent.
  #sendRetained(qos) {
    const topic = `retained/${this.#name}/${qos}/${this.#random.between(1, 3)}`;
    let history = this.retained.get(topic);
    if (history === undefined) {
      history = { values: [''], acked: 0 };
      this.retained.set(topic, history);
    }
    // An empty payload deletes the retained message.
    const value = this.#random.chance(0.2) ? '' : `${topic}=${history.values.length}`;
    const index = history.values.push(value) - 1;
    const acked = () => {
      history.acked = Math.max(history.acked, index);
    };
    this.#start({ acked, packet: { topic, qos, retain: true, payload: Buffer.from(value) } });
  }

  #start({ message, acked, packet }) {
    let packetId = this.#lastPacketId;
    do packetId = (packetId % 65535) + 1;
    while (this.#inflight.has(packetId));
    this.#lastPacketId = packetId;
    const entry = { message, acked, packet: { ...packet, packetId }, isReleased: false };
    this.#inflight.set(packetId, entry);
    this.#transmit(entry, false);
  }

  #transmit({ packet, isReleased }, dup) {
    if (isReleased) this.#connection.send({ type: PacketType.Pubrel, packetId: packet.packetId });
    else this.#connection.send({ type: PacketType.Publish, ...packet, dup });
  }

  #received({ type, packetId, reasonCode }) {
    if (type === PacketType.Disconnect) throw new Error(`${this.#name}: DISCONNECT with ${reasonCode}`);
    const entry = this.#inflight.get(packetId);
    if (entry === undefined) return;
    if (reasonCode >= 0x80) throw new Error(`${this.#name}: refused with ${reasonCode}`);
    if (type === PacketType.Puback || type === PacketType.Pubrec) {
      entry.acked?.();
      if (entry.message !== undefined) entry.message.ackedAt ??= this.#clock.now();
    }
    if (type === PacketType.Pubrec) {
      entry.isReleased = true;
      this.#transmit(entry, false);
      return;
    }
    this.#inflight.delete(packetId);
    if (this.#inflight.size === 0) for (const wake of this.#whenIdle.splice(0)) wake();
    this.#fill();
  }
}
