// What durability costs: QoS 1 into the queue of an offline session and out again, and QoS 1 to online subscribers with
// persistent sessions, at each level of the store, beside Mosquitto with its default, which stores nothing.
//
//   node benchmarks/durability/bench.mjs [--count 300000] [--rounds 3] [--seconds 4] [--node PATH]
//
// The brokers take turns, so that whatever else the machine does meets all of them; medians of the rounds are shown.
// On a machine with two cores or more the load generator has one of them for itself.

import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { builtIn, startBroker } from '../lib/brokers.mjs';
import { buildGenerator, runGenerator } from '../lib/generator.mjs';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '300000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    levels: { type: 'string', default: 'fsync,commit,memory' },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});

const cli = fileURLToPath(new URL('../../packages/tobymq/dist/cli.js', import.meta.url));

/** `tobymq serve` at one level, with nothing else that costs. */
function tobymqAt(durability) {
  return {
    transports: ['port'],
    prepare({ folder, ports, node }) {
      const file = join(folder, 'tobymq.yaml');
      const config = {
        data: join(folder, 'data'),
        store: { durability },
        listeners: [{ type: 'tcp', host: '127.0.0.1', port: ports.port }],
        limits: { queuedMessages: 100_000_000, queuedBytes: 10_000_000_000 },
        http: { enabled: false },
      };
      writeFileSync(file, JSON.stringify(config));
      return [node, cli, 'serve', '--config', file, '--no-http'];
    },
  };
}

const mosquitto = {
  ...builtIn.mosquitto,
  transports: ['port'],
  prepare({ folder, ports }) {
    const file = join(folder, 'mosquitto.conf');
    const lines = [
      `listener ${ports.port} 127.0.0.1`,
      'allow_anonymous true',
      'log_type error',
      'max_queued_messages 0',
      'max_inflight_messages 100',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return ['/usr/sbin/mosquitto', '-c', file];
  },
};

const brokers = [
  ['mosquitto', mosquitto],
  ...values.levels.split(',').map((level) => [`tobymq ${level}`, tobymqAt(level)]),
];
const measured = new Map(brokers.map(([name]) => [name, []]));
const core = availableParallelism() > 1 ? availableParallelism() - 1 : undefined;

buildGenerator();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, definition] of brokers) measured.get(name).push(await measure(definition));
}
report();

async function measure(definition) {
  const broker = await startBroker('durability', definition, { node: values.node });
  const run = async (...args) => {
    const { phases, error } = await runGenerator({ args, broker, core });
    if (error !== undefined) throw new Error(error);
    return phases[0];
  };
  try {
    const before = bytesOf(broker.folder);
    const offline = ['--count', values.count, '--publishers', '50', '--window', '50'];
    const fill = await run('offline-fill', ...offline);
    const bytes = (bytesOf(broker.folder) - before) / Number(values.count);
    const drain = await run('offline-drain', ...offline);
    const time = ['--qos', '1', '--seconds', values.seconds, '--warmup', '1'];
    const online = await run('pairs', '--publishers', '50', '--window', '10', '--persistent', ...time);
    const one = await run('pairs', '--publishers', '1', '--window', '100', '--persistent', ...time);
    return { fill, bytes, drain, online, one };
  } finally {
    await broker.stop();
  }
}

function bytesOf(folder) {
  // The space that is set aside for a full disk belongs to no message.
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== 'tobymq.reserve',
  );
  return files.reduce(
    (sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size,
    0,
  );
}

function report() {
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
  const rate = (phase) => phase.count / phase.seconds;
  const cpu = (phase) => phase.cpuMicroseconds;
  const rows = [...measured].map(([name, rounds]) => {
    const cells = { broker: name };
    for (const key of ['fill', 'drain', 'online', 'one']) {
      cells[`${key} msg/s`] = Math.round(median(rounds.map((round) => rate(round[key]))));
      cells[`${key} µs CPU`] = Number(median(rounds.map((round) => cpu(round[key]))).toFixed(1));
    }
    cells['bytes/msg'] = Math.round(median(rounds.map(({ bytes }) => bytes)));
    return cells;
  });
  console.log(
    'QoS 1, 64 byte payloads. fill: 50 publishers x 50 in flight into one offline session; drain: out of it;',
  );
  console.log(
    'online: 50 pairs x 10 in flight, persistent subscribers; one: a single such pair, 100 in flight.',
  );
  console.table(rows);
  if (values.json !== undefined) {
    mkdirSync(join(values.json, '..'), { recursive: true });
    writeFileSync(values.json, `${JSON.stringify(rows, undefined, 2)}\n`);
  }
}
