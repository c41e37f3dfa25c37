// Large messages share memory that is used again: whoever gets one, and however late, has to get its own bytes.

import { decode, packet, packetType, type RawPeer } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { connectPeer, type RunningBroker, startBroker, subscribe, until } from './support.ts';

const PUBLISHERS = 3;
const ROUNDS = 15;

/** A payload that says in every byte which one it is. */
function payloadOf(publisher: number, round: number): Buffer {
  const size = 70_000 + ((publisher * 7 + round * 13) % 23) * 40_000;
  return Buffer.alloc(size, publisher * ROUNDS + round + 1);
}

/** `publisher/round` if the payload is complete, or what is wrong with it. */
function nameOf(payload: Uint8Array): string {
  const number = (payload[0] ?? 0) - 1;
  const publisher = Math.floor(number / ROUNDS);
  const round = number % ROUNDS;
  const isWhole = number >= 0 && payloadOf(publisher, round).equals(payload);
  return isWhole ? `${publisher}/${round}` : `damaged: ${payload.length} bytes, first ${payload[0]}`;
}

const ALL = Array.from(
  { length: PUBLISHERS * ROUNDS },
  (_, i) => `${Math.floor(i / ROUNDS)}/${i % ROUNDS}`,
).sort();

/** Takes messages as they come, acknowledges them, and tells which ones they were. */
async function receive(peer: RawPeer, count: number): Promise<string[]> {
  const names: string[] = [];
  while (names.length < count) {
    const message = decode.publish(await peer.expect(packetType.PUBLISH), 5);
    if (message.qos === 1) peer.send(packet.puback({ version: 5, id: message.id ?? 0 }));
    names.push(nameOf(message.payload));
  }
  return names.sort();
}

/** Starts to receive what is published below `topic`; the answer tells which messages came. */
type Receiver = (broker: RunningBroker, filter: string) => Promise<(count: number) => Promise<string[]>>;

const RECEIVERS: Record<string, Receiver> = {
  'a client that reads at once': async ({ port }, filter) => {
    const peer = await connectPeer(port, { clientId: 'prompt' });
    await subscribe(peer, filter);
    const received: string[] = [];
    const all = receive(peer, ALL.length).then((names) => received.push(...names));
    return async () => {
      await all;
      return received;
    };
  },
  'a client that reads late': async ({ port }, filter) => {
    const peer = await connectPeer(port, { clientId: 'late' });
    await subscribe(peer, filter);
    peer.stream.pause();
    return (count) => {
      peer.stream.resume();
      return receive(peer, count);
    };
  },
  'a client with QoS 1': async ({ port }, filter) => {
    const peer = await connectPeer(port, { clientId: 'acknowledging' });
    await subscribe(peer, filter, 1);
    return (count) => receive(peer, count);
  },
  'the program itself': async ({ broker }, filter) => {
    const seen: Uint8Array[] = [];
    broker.subscribe(filter, ({ payload }) => void seen.push(payload));
    return async (count) => {
      await until(() => seen.length === count);
      return seen.map(nameOf);
    };
  },
  'a client in the process': async ({ broker }, filter) => {
    const pipe = broker.connect();
    const chunks: Uint8Array[] = [];
    pipe.onData = (chunk) => void chunks.push(chunk);
    pipe.send(packet.connect({ version: 4, clientId: 'inside' }));
    pipe.send(packet.subscribe({ version: 4, id: 1, filters: [[filter, 0]] }));
    await until(() => chunks.length > 0);
    return async (count) => {
      let names: string[] = [];
      let seen = 0;
      await until(() => {
        if (seen !== chunks.length) names = namesInPackets(Buffer.concat(chunks));
        seen = chunks.length;
        return names.length === count;
      });
      return names;
    };
  },
};

const roomForAll = { outboundBytesMax: 1_000_000_000, outboundTotalBytesMax: 1_000_000_000 };

test.each(Object.entries(RECEIVERS))('%s gets the bytes of each large message', async (_, begin) => {
  const running = await startBroker({ limits: roomForAll });
  const { port } = running;
  const all = await begin(running, '+/+/all');
  // Of every other message nobody else has anything, so that its memory is used again while others are still kept.
  const witness = await connectPeer(port, { clientId: 'witness' });
  await subscribe(witness, '+/+/#');
  const publishers = await Promise.all(
    Array.from({ length: PUBLISHERS }, (_, i) => connectPeer(port, { clientId: `publisher ${i}` })),
  );
  const witnessed = receive(witness, 2 * ALL.length);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, publisher] of publishers.entries()) {
      const payload = payloadOf(i, round);
      const qos = round % 2;
      const message = { version: 5, payload, qos, ...(qos > 0 && { id: round + 1 }) } as const;
      publisher.send(packet.publish({ ...message, topic: `${i}/${round}/all` }));
      publisher.send(packet.publish({ version: 5, payload, topic: `${i}/${round}/few` }));
    }
  }
  expect(await witnessed).toEqual(ALL.flatMap((name) => [name, name]));
  expect((await all(ALL.length)).sort()).toEqual(ALL);
  expect(running.broker.metrics.dropped['slow-consumer']).toBe(0);
});

test('retained and queued large messages keep their bytes', async () => {
  const { port } = await startBroker({ limits: roomForAll });
  const sleeper = { clientId: 'sleeper', clean: false, properties: [[0x11, 100]] } as const;
  const asleep = await connectPeer(port, sleeper);
  await subscribe(asleep, '+/+', 1);
  asleep.destroy();
  const publisher = await connectPeer(port, { clientId: 'publisher' });
  for (let round = 0; round < ROUNDS; round++) {
    const payload = payloadOf(0, round);
    publisher.send(
      packet.publish({ version: 5, topic: `0/${round}`, payload, qos: 1, id: round + 1, retain: true }),
    );
    publisher.send(packet.publish({ version: 5, topic: `0/${round}/nobody`, payload: payloadOf(1, round) }));
    await publisher.take(packetType.PUBACK);
  }
  const names = Array.from({ length: ROUNDS }, (_, round) => `0/${round}`).sort();
  const awake = await connectPeer(port, sleeper);
  expect(await receive(awake, ROUNDS)).toEqual(names);
  const newcomer = await connectPeer(port, { clientId: 'newcomer' });
  await subscribe(newcomer, '+/+');
  expect(await receive(newcomer, ROUNDS)).toEqual(names);
});

test('a receiver that vanishes in the middle of a large message harms no other', async () => {
  const { broker, port } = await startBroker();
  const publisher = await connectPeer(port, { clientId: 'publisher' });
  const steady = await connectPeer(port, { clientId: 'steady' });
  await subscribe(steady, '+/+');
  const names: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const frozen = await connectPeer(port, { clientId: 'frozen' });
    await subscribe(frozen, '+/+');
    frozen.stream.pause();
    publisher.send(packet.publish({ version: 5, topic: `0/${round}`, payload: payloadOf(0, round) }));
    names.push(...(await receive(steady, 1)));
    frozen.destroy();
    await until(() => broker.client('frozen') === undefined);
  }
  expect(names).toEqual(Array.from({ length: ROUNDS }, (_, round) => `0/${round}`));
});

/** The names of the messages among packets of MQTT 3.1.1. */
function namesInPackets(bytes: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at]! >> 4;
    let length = 0;
    let shift = 0;
    let body = at + 1;
    for (; ; body++) {
      length |= (bytes[body]! & 127) << shift;
      shift += 7;
      if (bytes[body]! < 128) break;
    }
    body++;
    const topicLength = bytes.readUInt16BE(body);
    if (type === packetType.PUBLISH)
      names.push(nameOf(bytes.subarray(body + 2 + topicLength, body + length)));
    at = body + length;
  }
  return names;
}
