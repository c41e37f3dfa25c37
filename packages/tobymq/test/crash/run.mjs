// The crash test: publishers and subscribers work on a real server, which is killed at random moments and started
// again on the same data. At the end everything that was acknowledged must be true.
//
// The seed decides who does what and when the server dies. The machine decides how far everyone has come by then, so
// a seed repeats a scenario, not every packet of it.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PacketType } from '@tobymq/codec';
import { Connection, ConnectionLost } from './connection.mjs';
import { Publisher } from './publisher.mjs';
import { Random } from './random.mjs';
import { Server } from './server.mjs';
import { Subscriber } from './subscriber.mjs';

const messagesPerRoundMax = 150;

/**
 * Runs the test and answers with what it saw; throws with everything that was wrong.
 *
 * @param {{ rounds: number, seed: number, durability?: 'fsync' | 'commit', progress?: (line: string) => void }} options
 */
export async function runCrashTest({ rounds, seed, durability = 'fsync', progress = () => {} }) {
  const random = new Random(seed);
  const folder = mkdtempSync(join(tmpdir(), 'tobymq-crash-'));
  const server = new Server(folder, durability);
  let failed = false;
  try {
    const world = new World(random);
    for (let round = 1; round <= rounds; round++) {
      await server.start();
      await world.round(server.port, () => server.kill());
      if (round % 10 === 0) progress(`round ${round} of ${rounds}: ${world.summary()}`);
    }
    await server.start();
    await world.finish(server.port);
    return { ...world.verdict(), rounds, seed };
  } catch (error) {
    failed = true;
    const hint = `seed ${seed}, ${rounds} rounds; the data is left in ${folder}`;
    throw new Error(`${error.message}\n(${hint})\nthe server printed:\n${server.printed}`, { cause: error });
  } finally {
    await server.kill();
    if (!failed) server.remove();
  }
}

class World {
  #random;
  #time = 0;
  #publishers;
  #subscribers;
  #changing;
  #retainedChecks = 0;

  constructor(random) {
    this.#random = random;
    const clock = { now: () => ++this.#time };
    const own = () => new Random(random.between(0, 0xffff_ffff));
    this.#publishers = [5, 4, 5, 4].map((version, i) => new Publisher(`p${i}`, version, own(), clock));
    this.#subscribers = [
      new Subscriber('all-2', 5, 2, own(), clock),
      new Subscriber('all-1', 4, 1, own(), clock),
      new Subscriber('changing-2', 4, 2, own(), clock),
      new Subscriber('changing-1', 5, 1, own(), clock),
      new Subscriber('sleeper', 5, 2, own(), clock),
    ];
    this.#changing = this.#subscribers.slice(2, 4);
  }

  summary() {
    const sent = this.#publishers.reduce((sum, { sent }) => sum + sent.length, 0);
    const received = this.#subscribers.reduce((sum, subscriber) => sum + subscriber.received.size, 0);
    return `${sent} messages sent, ${received} received`;
  }

  /** From a started server to a killed one. */
  async round(port, kill) {
    const lifeMs = this.#random.chance(0.2) ? this.#random.between(0, 40) : this.#random.between(40, 400);
    const life = sleep(lifeMs).then(kill);
    try {
      await this.#checkRetained(port);
      await this.#connectAll(port);
      for (const publisher of this.#publishers) {
        publisher.publish(this.#random.between(0, messagesPerRoundMax));
      }
      await Promise.all([life, this.#changeThings(port)]);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
    await life;
    for (const client of [...this.#publishers, ...this.#subscribers]) client.close(false);
  }

  async #connectAll(port) {
    const sleeperIsAwake = this.#random.chance(0.25);
    const connecting = [];
    for (const subscriber of this.#subscribers) {
      if (subscriber.name === 'sleeper' && !sleeperIsAwake) continue;
      connecting.push(subscriber.connect(port).then(() => this.#subscribeBase(subscriber)));
    }
    for (const publisher of this.#publishers) connecting.push(publisher.connect(port));
    const results = await Promise.allSettled(connecting);
    for (const { reason } of results)
      if (reason !== undefined && !(reason instanceof ConnectionLost)) throw reason;
    for (const { reason } of results) if (reason !== undefined) throw reason;
  }

  #subscribeBase(subscriber) {
    if (this.#changing.includes(subscriber)) subscriber.subscribe('data/p0/#');
    else subscriber.subscribe('data/#');
  }

  /** Until the server is gone: subscriptions come and go, and so do connections. */
  async #changeThings(port) {
    for (;;) {
      await sleep(this.#random.between(1, 30));
      const subscriber = this.#changing[this.#random.between(0, 1)];
      if (this.#subscribers[0].isConnected === false) return;
      const filter = `data/p${this.#random.between(1, 3)}/#`;
      if (subscriber.isConnected && this.#random.chance(0.6)) {
        if (this.#random.chance(0.5)) subscriber.subscribe(filter);
        else subscriber.unsubscribe(filter);
      } else if (this.#random.chance(0.3)) {
        const wanderer = this.#subscribers[this.#random.between(1, 3)];
        if (wanderer.isConnected) wanderer.close(this.#random.chance(0.5));
        else await wanderer.connect(port);
      }
    }
  }

  /** All come back, nobody is killed any more, and everything on its way arrives. */
  async finish(port) {
    await this.#checkRetained(port);
    await Promise.all(this.#publishers.map((publisher) => publisher.connect(port)));
    await Promise.all(this.#publishers.map((publisher) => publisher.idle()));
    await Promise.all(this.#publishers.map((publisher) => publisher.finish()));
    // The last messages are acknowledged, so they lie in the queue of each session that is entitled to them.
    const last = this.#publishers.flatMap(({ sent }) => sent.slice(-2));
    for (const subscriber of this.#subscribers) {
      await subscriber.connect(port);
      this.#subscribeBase(subscriber);
      await subscriber.receivedAll(
        last.filter((message) => subscriber.mustHave(message)).map(({ id }) => id),
      );
    }
    await this.#checkRetained(port);
    for (const client of [...this.#publishers, ...this.#subscribers]) client.close(false);
  }

  /** Each retained topic must hold its last acknowledged value, or one that was sent after it. */
  async #checkRetained(port) {
    const found = await readRetained(port);
    this.#retainedChecks += 1;
    for (const { retained } of this.#publishers) {
      for (const [topic, { values, acked }] of retained) {
        const value = found.get(topic) ?? '';
        if (!values.slice(acked).includes(value)) {
          const since = values.slice(acked).join(', ');
          throw new Error(`retained ${topic} is "${value}"; acknowledged and sent since: ${since}`);
        }
      }
    }
  }

  verdict() {
    const wrong = [];
    let required = 0;
    for (const subscriber of this.#subscribers) {
      for (const fault of subscriber.faults) wrong.push(`${subscriber.name}: ${fault}`);
      for (const message of this.#publishers.flatMap(({ sent }) => sent)) {
        const times = subscriber.received.get(message.id) ?? 0;
        const qos = Math.min(subscriber.qos, Number(message.stream.split(':')[1]));
        const must = message.ackedAt !== undefined && subscriber.mustHave(message);
        if (must) required += 1;
        if (must && times === 0)
          wrong.push(`${subscriber.name} never got ${message.id}, which was acknowledged`);
        // Who has subscribed in between may get a later message first, and after a crash the repetition of an earlier one.
        if (must && subscriber.late.has(message.id))
          wrong.push(`${subscriber.name} received ${message.id} after ${subscriber.late.get(message.id)}`);
        if (qos === 2 && times > 1)
          wrong.push(`${subscriber.name} got ${message.id} ${times} times with QoS 2`);
        if (times > 0 && !subscriber.mayHave(message)) {
          wrong.push(`${subscriber.name} got ${message.id} without a subscription for it`);
        }
      }
    }
    if (wrong.length > 0) {
      throw new Error(`${wrong.length} things are wrong:\n  ${wrong.slice(0, 20).join('\n  ')}`);
    }
    const messages = this.#publishers.reduce((sum, { sent }) => sum + sent.length, 0);
    return { messages, deliveriesRequired: required, retainedChecks: this.#retainedChecks };
  }
}

/** All retained messages below `retained/`, read by a client of its own. */
async function readRetained(port) {
  const connection = new Connection(5);
  const found = new Map();
  const read = new Promise((resolve, reject) => {
    connection.onClose = () => reject(new ConnectionLost());
    connection.onPacket = (packet) => {
      if (packet.type === PacketType.Publish) found.set(packet.topic, Buffer.from(packet.payload).toString());
      // The retained messages of a SUBSCRIBE come before the answer to a PINGREQ that follows its SUBACK.
      else if (packet.type === PacketType.Suback) connection.send({ type: PacketType.Pingreq });
      else if (packet.type === PacketType.Pingresp) resolve(found);
    };
  });
  read.catch(() => undefined);
  await connection.open(port, 'reader', { cleanStart: true });
  connection.send({
    type: PacketType.Subscribe,
    packetId: 1,
    subscriptions: [{ filter: 'retained/#', qos: 0 }],
  });
  await read;
  connection.close(true);
  return found;
}
