// The scenarios that are not about messages: `connect` opens and closes connections, an operation being done at CONNACK;
// `subscribe` makes subscriptions to topics of their own, an operation being done at SUBACK.

import { Crowd, settle } from './crowd.ts';
import { startLoad } from './load.ts';
import type { Scenario } from './messages.ts';

export const connections: Scenario = async (settings, target, tally, signal) => {
  const crowd = new Crowd(target, tally);
  let index = 0;
  let open = 0;
  const once = async (due: number): Promise<void> => {
    open++;
    try {
      const client = await crowd.one(String(index++));
      tally.effect(due, performance.now());
      await crowd.close(client);
    } catch (error) {
      tally.fail(error);
    } finally {
      open--;
    }
  };
  const load = startLoad(settings, settings.publishers, tally, signal, (slot, due) => {
    tally.begin(due, 1, performance.now());
    void once(due).then(() => load.done(slot));
  });
  await load.finished;
  await settle(
    () => open === 0,
    () => open,
    settings.patienceMs,
    signal,
  );
  await crowd.closeAll();
};

export const subscriptions: Scenario = async (settings, target, tally, signal) => {
  const crowd = new Crowd(target, tally);
  try {
    const clients = await crowd.open(settings.subscribers, 'sub');
    let index = 0;
    const load = startLoad(settings, settings.subscribers, tally, signal, (slot, due) => {
      tally.begin(due, 1, performance.now());
      const client = clients[slot] as (typeof clients)[number];
      client
        .on(`${settings.prefix}/sub/${index++}/+`, () => {}, { qos: settings.qos })
        .then(
          () => tally.effect(due, performance.now()),
          (error: unknown) => tally.fail(error),
        )
        .then(() => load.done(slot));
    });
    await load.finished;
    await settle(
      () => tally.done >= tally.expected,
      () => tally.done,
      settings.patienceMs,
      signal,
    );
  } finally {
    await crowd.closeAll();
  }
};
