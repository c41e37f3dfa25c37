// The scenarios of the side-by-side benchmark: what the load generator is told to do, and what TobyMQ promises.
//
// `goals` names, per measured phase, the highest allowed ratio of broker CPU per unit to Mosquitto in the same run;
// `fast` names the phases that are to be at least as many per second as Mosquitto's.
// `quick` scenarios make up the short run; `scale` is what `--scale` multiplies, so that a small machine can do less.

const goal = (phase, ratio) => ({ goals: { [phase]: ratio } });

export const scenarios = [
  scenario('pair-1', '1 pair, window 1', ['pairs', '--window', '1'], { quick: true, ...goal('pairs', 0.9) }),
  scenario('pair-100', '1 pair, window 100', ['pairs', '--window', '100'], {
    quick: true,
    ...goal('pairs', 0.3),
  }),
  scenario(
    'pairs-1',
    '100 pairs, window 1',
    ['pairs', '--publishers', '100', '--window', '1'],
    goal('pairs', 0.85),
  ),
  scenario('pairs-20', '100 pairs, window 20', ['pairs', '--publishers', '100', '--window', '20'], {
    quick: true,
    ...goal('pairs', 0.28),
  }),
  scenario('fan-out', '1 → 1000 fan-out, window 2', ['fan-out', '--subscribers', '1000', '--window', '2'], {
    quick: true,
    ...goal('fan-out', 0.65),
  }),
  scenario('fan-in', '100 → 1 fan-in, window 10', ['fan-in', '--publishers', '100', '--window', '10'], {
    quick: true,
    ...goal('fan-in', 0.4),
  }),
  scenario(
    'qos-1',
    '100 pairs QoS 1, window 5',
    ['pairs', '--publishers', '100', '--window', '5', '--qos', '1'],
    {
      quick: true,
      ...goal('pairs', 0.55),
    },
  ),
  scenario(
    'qos-2',
    '100 pairs QoS 2, window 5',
    ['pairs', '--publishers', '100', '--window', '5', '--qos', '2'],
    {
      quick: true,
      ...goal('pairs', 0.3),
    },
  ),
  scenario(
    'payload-16k',
    '20 pairs, 16 kB payload',
    ['pairs', '--publishers', '20', '--window', '4', '--payload', '16384'],
    goal('pairs', 0.8),
  ),
  ...[
    ['pair-100', '1 pair, window 100', ['pairs', '--window', '100']],
    ['pairs-20', '100 pairs, window 20', ['pairs', '--publishers', '100', '--window', '20']],
    ['fan-in', '100 → 1 fan-in, window 10', ['fan-in', '--publishers', '100', '--window', '10']],
  ].map(([name, title, args]) =>
    scenario(`${name}-single`, `${title}, single writes`, [...args, '--single-writes']),
  ),
  scenario('payload-1m', '4 pairs, 1 MB payload', [
    'pairs',
    '--publishers',
    '4',
    '--window',
    '2',
    '--payload',
    '1000000',
  ]),
  scenario(
    'mqtt-5',
    '50 pairs, MQTT 5, QoS 1, window 10',
    ['pairs', '--publishers', '50', '--window', '10', '--qos', '1', '--version', '5'],
    goal('pairs', 0.35),
  ),
  scenario('mqtt-5-properties', '50 pairs, MQTT 5 with properties', [
    ...['pairs', '--publishers', '50', '--window', '10', '--version', '5', '--properties'],
  ]),
  scenario('churn', '20 pairs beside subscription churn', ['churn', '--publishers', '20', '--window', '10']),
  scenario('tree', 'Deep tree of 1,000,000 filters', ['tree', '--publishers', '10', '--window', '10'], {
    count: 1_000_000,
    rounds: 1,
  }),
  scenario('retained', '100,000 retained messages', ['retained'], { count: 100_000 }),
  scenario('queue', 'Offline queue of 50,000 messages', ['queue'], { count: 50_000 }),
  scenario('storm', 'Storm of 20,000 connections', ['storm'], { count: 20_000, fast: ['storm-again'] }),
  scenario('idle', '15,000 idle connections', ['idle'], { count: 15_000, rounds: 1 }),
  scenario('tls', '50 pairs over TLS, window 10', ['pairs', '--publishers', '50', '--window', '10', '--tls']),
  scenario('websocket', '50 pairs over WebSocket, window 10', [
    ...['pairs', '--publishers', '50', '--window', '10', '--websocket'],
  ]),
];

function scenario(name, title, args, more = {}) {
  return { name, title, args, goals: {}, fast: [], quick: false, ...more };
}

/** The scenarios that a comma-separated list names; `all`, `core` (those with a goal) and `quick` are groups. */
export function selectScenarios(list) {
  const selected = new Set();
  for (const name of list.split(',')) {
    const found = scenarios.filter((entry) => entry.name === name || inGroup(entry, name));
    if (found.length === 0) {
      const names = scenarios.map((entry) => entry.name).join(', ');
      throw new Error(`There is no scenario ${name}. There are: all, core, quick, ${names}`);
    }
    for (const entry of found) selected.add(entry);
  }
  return scenarios.filter((entry) => selected.has(entry));
}

function inGroup(entry, group) {
  if (group === 'all') return true;
  if (group === 'core') return Object.keys(entry.goals).length > 0;
  return group === 'quick' && entry.quick;
}
