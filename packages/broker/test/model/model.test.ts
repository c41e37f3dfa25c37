// Random clients do random things to a broker and to a reference model of it; what they receive has to agree, packet by
// packet: deliveries, order, duplicates, retained messages, Wills, sessions. A failure prints the seed and the shortest
// list of actions that shows it.

import type { QoS } from '@tobymq/codec';
import fc from 'fast-check';
import { test } from 'vitest';
import { Broker } from '../../src/broker.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import { type Action, VERSIONS, World } from './world.ts';

const topic = fc.constantFrom('a', 'a/b', 'a/c', 'b', '$x/a');
const filter = fc.constantFrom('a', 'a/b', 'a/+', 'a/#', '+', '+/b', '#', '$x/#', '$x/a');
const qos = fc.constantFrom<QoS>(0, 1, 2);
const client = fc.nat(VERSIONS.length - 1);
// Few different shared subscriptions, so that several clients often have the same one.
const filterAndShare = fc.oneof(
  { weight: 3, arbitrary: fc.record({ filter, shareName: fc.constant('') }) },
  {
    weight: 1,
    arbitrary: fc.record({ filter: fc.constantFrom('a/#', '+'), shareName: fc.constantFrom('g', 'g', 'h') }),
  },
);

const connect = fc.record({
  kind: fc.constant('connect' as const),
  client,
  cleanStart: fc.oneof(
    { weight: 3, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  isPersistent: fc.oneof(
    { weight: 3, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  acknowledging: fc.constantFrom('all' as const, 'all' as const, 'none' as const, 'half' as const),
  receiveMaximum: fc.constantFrom(1, 2, 65_535),
  topicAliasMaximum: fc.constantFrom(0, 1, 5),
  will: fc.option(fc.record({ topic, qos, retain: fc.boolean(), isDelayed: fc.boolean() }), {
    nil: undefined,
  }),
});

const disconnect = fc.record({
  kind: fc.constant('disconnect' as const),
  client,
  how: fc.constantFrom('normal' as const, 'with-will' as const, 'cut' as const),
  isSessionEnded: fc.boolean(),
});

const subscriptionOptions = fc.record({
  kind: fc.constant('subscribe' as const),
  client,
  qos,
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  id: fc.constantFrom(0, 0, 1, 2, 300),
});

const subscribe = fc
  .tuple(subscriptionOptions, filterAndShare)
  .map(([options, filter]) => ({ ...options, ...filter }));

const unsubscribe = fc
  .tuple(client, filterAndShare)
  .map(([client, filter]) => ({ kind: 'unsubscribe' as const, client, ...filter }));

const publish = fc.record({
  kind: fc.constant('publish' as const),
  client: fc.integer({ min: -1, max: VERSIONS.length - 1 }),
  topic,
  qos,
  retain: fc.boolean(),
  isEmpty: fc.oneof(
    { weight: 5, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  isRepeated: fc.boolean(),
});

const burst = fc.record({
  kind: fc.constant('burst' as const),
  client,
  messages: fc.array(fc.record({ topic, qos, retain: fc.boolean() }), { minLength: 2, maxLength: 12 }),
});

const restart = fc.constant({ kind: 'restart' as const, client: -1 });

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: connect },
  { weight: 2, arbitrary: disconnect },
  { weight: 4, arbitrary: subscribe },
  { weight: 1, arbitrary: unsubscribe },
  { weight: 8, arbitrary: publish },
  { weight: 2, arbitrary: burst },
  { weight: 1, arbitrary: restart },
);

/** A store in memory that passes for a durable one: it commits in a later turn of the event loop. */
function slowStore(): Store {
  const store = new MemoryStore();
  const commit = store.commit.bind(store);
  return Object.assign(store, {
    durable: true,
    commit: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await commit();
    },
  });
}

async function agree(store: Store, actions: readonly Action[]): Promise<void> {
  const options = { store, sys: { enabled: false }, limits: { inflightMax: 1000 } };
  const world = await World.begin(() => Broker.start(options));
  try {
    await world.run(actions);
    await world.finish();
  } finally {
    await world.end();
  }
}

const stores: readonly (readonly [string, () => Store])[] = [
  ['at once', () => new MemoryStore()],
  ['later', slowStore],
];

test.each(stores)(
  'a broker does what the model says, with a store that commits %s',
  async (_, newStore) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60, size: 'max' }), (actions) =>
        agree(newStore(), actions),
      ),
      { numRuns: Number(process.env.TOBYMQ_MODEL_RUNS ?? 150), interruptAfterTimeLimit: 60_000 },
    );
  },
  120_000,
);
