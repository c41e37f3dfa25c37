// The scenarios about what the server keeps. Both prepare `--messages` messages and then measure how long until a client
// that comes has got each of them, counted from the moment at which it asks.
//
//   retained  so many retained messages; each subscriber subscribes to all of them
//   offline   each subscriber has so many messages in the queue of its session, and comes back

import type { Client } from '@tobymq/client';
import { Crowd, settle } from './crowd.ts';
import type { Scenario } from './messages.ts';
import type { BenchSettings } from './settings.ts';
import type { Tally } from './tally.ts';

/** Messages that wait for their acknowledgement while the run is prepared and cleaned up. */
const OPEN_MAX = 500;

export const retained: Scenario = async (settings, target, tally, signal) => {
  const crowd = new Crowd(target, tally);
  const topic = (index: number): string => `${settings.prefix}/retained/${index}`;
  const publisher = await crowd.one('pub');
  try {
    const payload = new Uint8Array(settings.size);
    await publishMany(settings.messages, signal, (i) =>
      publisher.publish(topic(i), payload, { qos: 1, retain: true }),
    );
    const subscribers = await crowd.open(settings.subscribers, 'sub');
    await collect(settings, tally, signal, (due) => {
      for (const client of subscribers) {
        expect(tally, settings, due);
        client
          .on(`${settings.prefix}/retained/+`, () => tally.effect(due, performance.now()), {
            qos: settings.qos,
          })
          .catch((error: unknown) => tally.fail(error));
      }
    });
    // Before the clean-up: they would get the deletions, too.
    for (const client of subscribers) await crowd.close(client);
  } finally {
    const cleanUp = new AbortController();
    await publishMany(settings.messages, cleanUp.signal, (i) =>
      publisher.publish(topic(i), '', { qos: 1, retain: true }),
    ).catch((error: unknown) => tally.fail(error));
    await crowd.closeAll();
  }
};

export const offline: Scenario = async (settings, target, tally, signal) => {
  const crowd = new Crowd(target, tally);
  const qos = settings.qos === 0 ? 1 : settings.qos;
  const topic = `${settings.prefix}/offline`;
  const name = (index: number): string => `${settings.prefix.replaceAll('/', '-')}-${index}`;
  const come = (index: number, keep: number, onMessage: () => void): Promise<Client> =>
    crowd.one('', { clientId: name(index), session: { keep } }).then(async (client) => {
      await client.on(topic, onMessage, { qos, retained: 'never' });
      return client;
    });
  const indexes = Array.from({ length: settings.subscribers }, (_, index) => index);
  try {
    for (const index of indexes) await crowd.close(await come(index, 600_000, () => {}));
    const publisher = await crowd.one('pub');
    const payload = new Uint8Array(settings.size);
    await publishMany(settings.messages, signal, () => publisher.publish(topic, payload, { qos }));
    await collect(settings, tally, signal, (due) => {
      for (const index of indexes) {
        expect(tally, settings, due);
        come(index, 1000, () => tally.effect(due, performance.now())).catch((error: unknown) =>
          tally.fail(error),
        );
      }
    });
  } finally {
    await crowd.closeAll();
  }
};

function expect(tally: Tally, { messages }: BenchSettings, due: number): void {
  tally.begin(due, messages, performance.now());
}

/** Starts everything at once and waits until all has come; the measured time is what that took. */
async function collect(
  settings: BenchSettings,
  tally: Tally,
  signal: AbortSignal,
  start: (due: number) => void,
): Promise<void> {
  const startsAt = performance.now();
  tally.measure(startsAt, Number.POSITIVE_INFINITY);
  start(startsAt);
  await settle(
    () => tally.done >= tally.expected,
    () => tally.done,
    settings.patienceMs,
    signal,
  );
  tally.endsAt = startsAt + Math.max(1, tally.latency.max);
}

async function publishMany(
  count: number,
  signal: AbortSignal,
  publish: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count && !signal.aborted) await publish(next++);
  };
  await Promise.all(Array.from({ length: Math.min(OPEN_MAX, count) }, worker));
}
