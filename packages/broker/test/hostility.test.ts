// A slow or hostile client harms only itself.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decode, packet, packetType, property, type RawPeer } from '@tobymq/testkit';
import { expect, test } from 'vitest';
import { badVectors, hexFor } from '../../codec/test/bad-vectors.ts';
import { bytesOf, vectors } from '../../codec/test/vectors.ts';
import { connectPeer, openPeer, publishPacket, startBroker, subscribe, until } from './support.ts';

/** Bytes of the heap and of buffers that are in use after garbage collection; buffers are freed by its second run. */
async function usedBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  for (let run = 0; run < 2; run++) {
    (runInNewContext('gc') as () => void)();
    await new Promise<void>((resolve) => setTimeout(resolve, 10));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const MB = 1024 * 1024;

test('a subscriber that stops reading costs its bound and loses QoS 0 messages; a healthy one gets them all', async () => {
  const { port, broker } = await startBroker({ limits: { outboundBytesMax: MB } });
  const frozen = await connectPeer(port, { clientId: 'frozen' });
  await subscribe(frozen, 'load');
  frozen.stream.pause();
  const healthy = await connectPeer(port, { clientId: 'healthy' });
  await subscribe(healthy, 'load');
  const publisher = await connectPeer(port, { clientId: 'p' });
  const payload = 'x'.repeat(100_000);
  for (let i = 0; i < 300; i++) {
    publisher.send(publishPacket('load', payload));
    expect(decode.publish(await healthy.expect(packetType.PUBLISH), 5).payload.length).toBe(payload.length);
  }
  expect(broker.metrics.dropped['slow-consumer']).toBeGreaterThan(0);
  expect(broker.client('frozen')?.isBlocked).toBe(true);
  // The bound, the message that went over it, and what the socket itself holds back.
  expect(broker.client('frozen')?.bufferedBytes).toBeLessThan(4 * MB);
  expect(broker.client('healthy')?.isBlocked).toBe(false);
});

test('QoS 1 messages for a subscriber that stops reading wait in its bounded queue and arrive when it reads again', async () => {
  const { port, broker } = await startBroker({ limits: { queueMessagesMax: 120, inflightMax: 65_535 } });
  const frozen = await connectPeer(port, { clientId: 'frozen' });
  await subscribe(frozen, 'load', 1);
  frozen.stream.pause();
  const payload = Buffer.alloc(200_000);
  for (let i = 0; broker.metrics.dropped['queue-full'] === 0; i++) {
    expect(i).toBeLessThan(1_000);
    await broker.publish({ topic: 'load', payload, qos: 1 });
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  expect(broker.session('frozen')?.queuedMessages).toBe(120);
  frozen.stream.resume();
  const sent = broker.metrics.publishSent;
  for (let i = 0; i < sent + 120; i++) {
    frozen.send(packet.puback({ id: decode.publish(await frozen.expect(packetType.PUBLISH), 5).id }));
  }
  await until(() => broker.session('frozen')?.inFlight === 0);
  expect(broker.session('frozen')?.queuedMessages).toBe(0);
});

test('a client that freezes and vanishes gives its memory back', async () => {
  const { port, broker } = await startBroker({ limits: { outboundBytesMax: 64 * MB } });
  const before = await usedBytes();
  const frozen = await connectPeer(port, { clientId: 'frozen' });
  await subscribe(frozen, 'load');
  frozen.stream.pause();
  for (let i = 0; broker.metrics.dropped['slow-consumer'] === 0; i++) {
    expect(i).toBeLessThan(1_000);
    await broker.publish({ topic: 'load', payload: Buffer.alloc(200_000) });
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  frozen.reset();
  await until(() => broker.metrics.socketsNow === 0);
  expect((await usedBytes()) - before).toBeLessThan(32 * MB);
});

test('the retained messages of a huge wildcard do not hold up another client', async () => {
  const { port, broker } = await startBroker();
  for (let i = 0; i < 20_000; i++) await broker.publish({ topic: `r/${i}`, payload: 'x', retain: true });
  const greedy = await connectPeer(port, { clientId: 'greedy' });
  const other = await connectPeer(port, { clientId: 'other' });
  await subscribe(greedy, 'r/#');
  await other.ping();
  expect(broker.metrics.publishSent).toBeLessThan(20_000);
  await until(() => broker.metrics.publishSent === 20_000);
});

test('10,000 connections opened and dropped leave nothing behind, and others are served meanwhile', async () => {
  const { port, broker } = await startBroker();
  const steady = await connectPeer(port, { clientId: 'steady' });
  const storm = async (count: number) => {
    for (let opened = 0; opened < count; opened += 250) {
      const peers = await Promise.all(Array.from({ length: 250 }, () => openPeer(port)));
      peers.forEach((peer, i) => {
        // Some say nothing, some half a CONNECT, some connect and vanish.
        if (i % 3 === 1) peer.send(packet.connect({ version: 5, clientId: `half${i}` }).subarray(0, 8));
        if (i % 3 === 2)
          peer.send(packet.connect({ version: 5, clientId: `c${i}` }), publishPacket('t', 'x'));
        peer.reset();
      });
      await steady.ping();
    }
    await until(() => broker.metrics.socketsNow === 1);
  };
  await storm(1_000);
  const before = await usedBytes();
  await storm(9_000);
  expect(broker.metrics.sessionsNow).toBe(1);
  expect(broker.metrics.connectionsNow).toBe(1);
  expect((await usedBytes()) - before).toBeLessThan(40 * MB);
}, 60_000);

test('[MQTT-3.1.0-1] what is not MQTT is refused at its first bytes, and the log says what it seems to be', async () => {
  const refused: unknown[] = [];
  const { port, broker } = await startBroker({
    limits: { connectTimeoutMs: 100_000 },
    logger: { log: (_level, event, fields) => event === 'client-refused' && refused.push(fields?.reason) },
  });
  // None of these would be a whole packet.
  const strangers = {
    G: 'the first packet is not CONNECT',
    'GET / HTTP/1.1\r\n': 'the first packet is not CONNECT but text, HTTP perhaps',
    '\x16\x03\x01\x02\x00\x01':
      'the first packet is not CONNECT but the beginning of TLS: this listener speaks MQTT without it',
    'PROXY TCP4 1.2.3.4':
      'the first packet is not CONNECT but a PROXY header: this listener does not expect one',
    '\x30\x7f\x00\x01a': 'the first packet is not CONNECT',
  };
  for (const [bytes, reason] of Object.entries(strangers)) {
    const peer = await openPeer(port);
    peer.send(Buffer.from(bytes, 'latin1'));
    await peer.expectClose();
    expect(refused.pop()).toBe(reason);
  }
  expect(broker.metrics.connectionsRefused).toBe(5);
  expect(broker.metrics.refusedByReasonCode.get(0x82)).toBe(5);
});

test.each([
  ['HTTP', 4, 'the protocol of CONNECT is not MQTT'],
  ['MQTT', 6, 'CONNECT: MQTT 6 is unsupported'],
])('the log says what is wrong with a CONNECT of %s %i', async (protocolName, level, reason) => {
  const refused: unknown[] = [];
  const { port } = await startBroker({
    logger: { log: (_level, event, fields) => event === 'client-refused' && refused.push(fields?.reason) },
  });
  const peer = await openPeer(port);
  peer.send(packet.connect({ protocolName, level }));
  await peer.expectClose();
  expect(refused).toEqual([reason]);
});

test.each([3, 4, 5] as const)(
  'one packet with very many filters is refused before it is decoded (version %i)',
  async (version) => {
    const { port, broker } = await startBroker();
    const filters = Array.from({ length: 70_000 }, (): [string, number] => ['a', 0]);
    for (const bytes of [
      packet.subscribe({ version, id: 1, filters }),
      packet.unsubscribe({ version, id: 1, filters: filters.map(([filter]) => filter) }),
    ]) {
      const peer = await connectPeer(port, { version, clientId: 'c' });
      peer.send(bytes);
      const [frame] = await peer.expectClose();
      if (version === 5) expect(decode.reason(frame!, 5).reason).toBe(0x97);
    }
    expect(broker.metrics.disconnectsByReasonCode.get(0x97)).toBe(2);
    const peer = await connectPeer(port, { version, clientId: 'c' });
    peer.send(packet.subscribe({ version, id: 1, filters: filters.slice(0, 65_535) }));
    await peer.expect(packetType.SUBACK);
  },
);

test('one packet with very large properties is refused before they are read, and not what has a large payload', async () => {
  const { port, broker } = await startBroker();
  const large = Array.from({ length: 10 }, () => [property.userProperty, ['k', 'x'.repeat(60_000)]] as const);
  const tooLarge = [...large, ...large];
  for (const bytes of [
    publishPacket('t', 'x', { properties: tooLarge }),
    publishPacket('t', 'x', { qos: 1, id: 1, properties: tooLarge }),
    packet.subscribe({ version: 5, id: 1, filters: [['t', 0]], properties: tooLarge }),
    packet.puback({ id: 1, reason: 0, properties: tooLarge }),
    packet.disconnect({ reason: 0, properties: tooLarge }),
  ]) {
    const peer = await connectPeer(port, { clientId: 'c' });
    peer.send(bytes);
    const [frame] = await peer.expectClose();
    expect(decode.reason(frame!, 5).reason).toBe(0x97);
  }
  expect(broker.metrics.disconnectsByReasonCode.get(0x97)).toBe(5);
  const peer = await connectPeer(port, { clientId: 'c' });
  peer.send(publishPacket('t', 'x'.repeat(2_000_000), { qos: 1, id: 1, properties: large }));
  expect(decode.ack(await peer.expect(packetType.PUBACK), 5).reason).toBe(0x10);
});

test('no bytes, valid, forbidden or mutated, before or after CONNECT, take the broker down', async () => {
  const faults: unknown[] = [];
  const { port, broker } = await startBroker({
    logger: { log: (_level, event, fields) => event === 'internal-error' && faults.push(fields) },
  });
  const steady = await connectPeer(port, { clientId: 'steady' });
  const seed = Date.now() % 1_000_000;
  const random = generator(seed);
  const corpus = [
    ...vectors.map(({ hex }) => bytesOf(hex)),
    ...badVectors.flatMap((vector) => vector.versions.map((version) => bytesOf(hexFor(vector, version)))),
  ];
  const attack = async (bytes: Uint8Array, version: 3 | 4 | 5 | undefined) => {
    const peer = await openPeer(port);
    if (version !== undefined) peer.send(packet.connect({ version, clientId: `v${random(50)}` }));
    peer.send(bytes);
    await settle(peer);
    peer.destroy();
  };
  for (let start = 0; start < corpus.length; start += 40) {
    await Promise.all(
      corpus
        .slice(start, start + 40)
        .flatMap((bytes) => [
          attack(bytes, undefined),
          attack(bytes, ([3, 4, 5] as const)[random(3)]),
          attack(mutate(bytes, random), 5),
        ]),
    );
    await steady.ping();
  }
  expect(faults, `seed ${seed}`).toEqual([]);
  await until(() => broker.metrics.socketsNow === 1);
}, 60_000);

/** Waits until the broker has answered a PINGREQ or closed: it has seen all that came before. */
async function settle(peer: RawPeer): Promise<void> {
  peer.send(packet.pingreq());
  // A half packet swallows the PINGREQ; then nothing comes, and that is fine too.
  await peer.next({ timeout: 50 }).catch(() => undefined);
}

function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const mutated = Uint8Array.from(bytes);
  for (let i = 0; i <= random(3); i++) {
    if (mutated.length > 0) mutated[random(mutated.length)] = random(256);
  }
  return mutated.subarray(0, mutated.length - random(3));
}

/** A small generator of whole numbers, so that a seed repeats a run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}
