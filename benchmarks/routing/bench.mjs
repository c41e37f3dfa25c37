// Routing by itself: memory of a million subscriptions, matching on a cache miss, kept routes, and subscription churn.
//
//     npm run build && node benchmarks/routing/bench.mjs [--count 1000000] [--json]
//
// Every tree gets a process of its own, so that its resident memory can be told from the others'. Subscribers are plain
// objects that exist before the measurement; everything else that the router needs for a subscription (the subscription
// object, the filter's string, tree, map) is counted.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RetainedTree } from '../../packages/broker/dist/routing/retained-tree.js';
import { Router } from '../../packages/broker/dist/routing/router.js';
import { Subscription } from '../../packages/broker/dist/routing/subscription.js';

const { values: args } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    case: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const COUNT = Number(args.count);

// Strings as the network brings them: flat, and not yet hashed.
const flat = (text) => Buffer.from(text).toString('latin1');

const DEEP = 'site/region/country/city/street/building/floor/room/rack/shelf/box';
const METRICS = [
  'temperature',
  'humidity',
  'pressure',
  'battery',
  'rssi',
  'uptime',
  'errors',
  'state',
  'fan',
  'door',
];

// How filters and topics are made from a number. `isWild` says whether the tree of wildcard filters is what is measured.
const TREES = {
  'exact, 10 per device': {
    filter: (i) => `fleet/device-${Math.floor(i / 10)}/sensors/${METRICS[i % 10]}`,
    topic: (i) => `fleet/device-${Math.floor(i / 10)}/sensors/${METRICS[i % 10]}`,
  },
  'a/+/x, 10 per device': {
    filter: (i) => `fleet/device-${Math.floor(i / 10)}/+/${METRICS[i % 10]}`,
    topic: (i) => `fleet/device-${Math.floor(i / 10)}/sensors/${METRICS[i % 10]}`,
  },
  'a/+/x, 2 per device': {
    filter: (i) => `fleet/device-${Math.floor(i / 2)}/+/${METRICS[i % 2]}`,
    topic: (i) => `fleet/device-${Math.floor(i / 2)}/sensors/${METRICS[i % 2]}`,
  },
  'a/#, one per device': {
    filter: (i) => `fleet/device-${i}/#`,
    topic: (i) => `fleet/device-${i}/sensors/temperature`,
  },
  'deep prefix, then +': {
    filter: (i) => `${DEEP}/${i}/+`,
    topic: (i) => `${DEEP}/${i}/state`,
  },
  'deep after the device': {
    filter: (i) => `+/device-${i}/${DEEP}`,
    topic: (i) => `fleet/device-${i}/${DEEP}`,
  },
  'shared, 10 per device': {
    filter: (i) => `fleet/device-${Math.floor(i / 10)}/sensors/${METRICS[i % 10]}`,
    topic: (i) => `fleet/device-${Math.floor(i / 10)}/sensors/${METRICS[i % 10]}`,
    shareName: 'workers',
  },
};

const OPTIONS = {
  shareName: '',
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionId: 0,
};

function subscribe(router, subscriber, filter, options = OPTIONS) {
  router.subscribe(new Subscription(subscriber, { ...options, filter }));
}

function newRouter(routesMax) {
  return new Router({ isOnline: () => true, routesMax });
}

function memory() {
  gc();
  gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

/**
 * Median time of one step in nanoseconds of CPU, which other processes disturb less than time by the clock. `prepare` is
 * called before every round and gives what `round` works on.
 */
function nanoseconds(steps, prepare, round, rounds = 7) {
  const times = [];
  for (let i = 0; i < rounds; i++) {
    const input = prepare(i);
    const start = process.cpuUsage();
    round(input);
    const { user, system } = process.cpuUsage(start);
    times.push(((user + system) * 1000) / steps);
  }
  return median(times);
}

/** Visits the numbers below `count` in an order without locality. */
function scattered(count, step) {
  return (step * 7_368_787) % count;
}

function measureTree(name) {
  const { filter, topic, shareName = '' } = TREES[name];
  const subscribers = Array.from({ length: Math.ceil(COUNT / 10) }, (_, id) => ({ id }));
  const router = newRouter(1024);
  const before = memory();
  let slowestMs = 0;
  let turn = performance.now();
  for (let i = 0; i < COUNT; i++) {
    subscribe(router, subscribers[Math.floor(i / 10)], flat(filter(i)), { ...OPTIONS, shareName });
    if (i % 100 !== 99) continue;
    const now = performance.now();
    slowestMs = Math.max(slowestMs, now - turn);
    turn = now;
  }
  const after = memory();

  const LOOKUPS = 20_000;
  let found = 0;
  const missNs = nanoseconds(
    LOOKUPS,
    (round) => Array.from({ length: LOOKUPS }, (_, i) => flat(topic(scattered(COUNT, round * LOOKUPS + i)))),
    (topics) => {
      for (const each of topics) {
        const route = router.route(each);
        found += route.targets.length + route.groups.length;
      }
    },
  );
  if (found !== 7 * LOOKUPS) throw new Error(`${name}: ${found} matches instead of ${7 * LOOKUPS}`);

  for (let i = 0; i < COUNT; i++) router.unsubscribe(subscribers[Math.floor(i / 10)], filter(i), shareName);
  router.age();
  router.age();
  const removed = memory();
  return {
    tree: name,
    'heap B/sub': Math.round((after.heap - before.heap) / COUNT),
    'RSS B/sub': Math.round((after.rss - before.rss) / COUNT),
    'left B/sub': Math.round((removed.heap - before.heap) / COUNT),
    'miss ns': Math.round(missNs),
    'slowest 100 subscribes ms': Math.round(slowestMs),
  };
}

function measureKeptRoutes() {
  const router = newRouter();
  for (let i = 0; i < 1000; i++) subscribe(router, { id: i }, `pairs/${i}/data`);
  const topics = Array.from({ length: 1000 }, (_, i) => flat(`pairs/${i}/data`));
  const routes = topics.map((topic) => router.route(topic));
  const STEPS = 1_000_000;
  let sum = 0;
  const lookup = nanoseconds(
    STEPS,
    () => undefined,
    () => {
      for (let i = 0; i < STEPS; i++) sum += router.route(topics[i % 1000]).targets.length;
    },
  );
  const held = nanoseconds(
    STEPS,
    () => undefined,
    () => {
      for (let i = 0; i < STEPS; i++) {
        const route = routes[i % 1000];
        if (route.version !== router.version) router.refresh(route);
        sum += route.targets.length;
      }
    },
  );
  if (sum !== 14 * STEPS) throw new Error('a message was lost');
  return [
    { 'kept route': 'by topic', 'ns per message': lookup.toFixed(1) },
    { 'kept route': 'held by the connection', 'ns per message': held.toFixed(1) },
  ];
}

/** Messages to `topics` topics in turn, with one subscribe and one unsubscribe after every `every` of them. */
function measureChurn(topicCount, every, changedFilter) {
  const router = newRouter();
  for (let i = 0; i < topicCount; i++) subscribe(router, { id: i }, `pairs/${i}/data`);
  const routes = Array.from({ length: topicCount }, (_, i) => router.route(flat(`pairs/${i}/data`)));
  const visitor = { id: -1 };
  const STEPS = 200_000;
  let sum = 0;
  const time = nanoseconds(
    STEPS,
    () => undefined,
    () => {
      for (let i = 0; i < STEPS; i++) {
        if (every > 0 && i % every === 0) {
          const filter = changedFilter(i);
          subscribe(router, visitor, filter);
          router.unsubscribe(visitor, filter, '');
        }
        const route = routes[i % topicCount];
        if (route.version !== router.version) router.refresh(route);
        sum += route.targets.length;
      }
    },
  );
  if (sum !== 7 * STEPS) throw new Error(`${sum} deliveries instead of ${7 * STEPS}`);
  return Math.round(time);
}

function measureChurnTable() {
  const exact = (i) => `visitors/${i}/inbox`;
  const wild = (i) => `pairs/${i % 100}/#`;
  const row = (topics, every) => ({
    topics,
    'changes per message': every === 0 ? 0 : 2 / every,
    'exact filters, ns per message': measureChurn(topics, every, exact),
    'wildcard filters, ns per message': measureChurn(topics, every, wild),
  });
  return [row(100, 0), row(100, 100), row(100, 10), row(100, 1), row(10_000, 100), row(10_000, 1)];
}

function measureFanOut() {
  const rows = [];
  for (const size of [1000, 10_000]) {
    const router = newRouter();
    for (let i = 0; i < size; i++) subscribe(router, { id: i }, 'news/#');
    const visitor = { id: -1 };
    const rebuild = nanoseconds(
      200,
      () => undefined,
      () => {
        for (let i = 0; i < 100; i++) {
          subscribe(router, visitor, 'news/+');
          router.route('news/today');
          router.unsubscribe(visitor, 'news/+', '');
          router.route('news/today');
        }
      },
    );
    rows.push({ subscribers: size, 'route after a change, ns per subscriber': (rebuild / size).toFixed(1) });
  }
  return rows;
}

function measureRetained() {
  const before = memory();
  const tree = new RetainedTree();
  const message = { payload: new Uint8Array(16) };
  const { topic } = TREES['exact, 10 per device'];
  for (let i = 0; i < COUNT; i++) tree.set(flat(topic(i)), message, 16);
  const after = memory();
  const page = [];
  const all = nanoseconds(
    COUNT,
    () => tree.cursor('#'),
    (cursor) => {
      while (cursor.take(page, 1000, 1000)) page.length = 0;
    },
    3,
  );
  const device = nanoseconds(
    20_000,
    () => undefined,
    () => {
      for (let i = 0; i < 20_000; i++) {
        page.length = 0;
        tree.cursor(`fleet/device-${scattered(COUNT / 10, i)}/sensors/+`).take(page, 100, 100);
        if (page.length !== 10) throw new Error(`${page.length} retained messages instead of 10`);
      }
    },
  );
  const [before90, steps] = [performance.now(), 1000];
  tree.cursor('#').take(page, steps, steps);
  return [
    {
      'retained topics': COUNT,
      'heap B/topic': Math.round((after.heap - before.heap) / COUNT),
      'RSS B/topic': Math.round((after.rss - before.rss) / COUNT),
      'replay of #, ns per message': Math.round(all),
      'replay of 10 by a/b/+, us': (device / 1000).toFixed(1),
      'one step of 1000, ms': (performance.now() - before90).toFixed(2),
    },
  ];
}

const CASES = {
  ...Object.fromEntries(Object.keys(TREES).map((name) => [name, () => measureTree(name)])),
  kept: measureKeptRoutes,
  churn: measureChurnTable,
  'fan-out': measureFanOut,
  retained: measureRetained,
};

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

if (args.case !== undefined) {
  console.log(JSON.stringify(CASES[args.case]()));
} else {
  const results = {};
  for (const name of Object.keys(CASES)) {
    const output = execFileSync(process.execPath, [
      fileURLToPath(import.meta.url),
      '--case',
      name,
      '--count',
      args.count,
    ]);
    results[name] = JSON.parse(output.toString());
  }
  if (args.json) {
    console.log(JSON.stringify({ node: process.version, count: COUNT, results }, undefined, 2));
  } else {
    console.log(`Routing with ${COUNT.toLocaleString('en')} subscriptions, Node ${process.version}`);
    console.table(Object.keys(TREES).map((name) => results[name]));
    for (const name of ['kept', 'churn', 'fan-out', 'retained']) console.table(results[name]);
  }
}
