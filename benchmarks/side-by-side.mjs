#!/usr/bin/env node
// Brokers side by side: the same load on each in turn, in one run, on one machine. See benchmarks/README.md.
//
// For every scenario each broker is started fresh and pinned to one core, the load generator to another. Rounds are
// interleaved (first round on every broker, then the second, …), so that whatever disturbs the machine disturbs all,
// and the median of the rounds counts. What is compared is the CPU time of the broker per delivered message.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { brokerFromCommand, builtIn, makeCertificate, runningBroker, startBroker } from './lib/brokers.mjs';
import { chart } from './lib/chart.mjs';
import { buildGenerator, portFor, runGenerator } from './lib/generator.mjs';
import { askBroker, eventLoopDelay } from './lib/inside.mjs';
import { coresToPin, describeMachine, nodeVersion } from './lib/machine.mjs';
import { processMemoryMb } from './lib/memory.mjs';
import { topFunctions } from './lib/profile.mjs';
import { detailTable, ratioTable, terminalLines } from './lib/report.mjs';
import { scenarios, selectScenarios } from './lib/scenarios.mjs';
import { summarize } from './lib/statistics.mjs';

const help = `Usage: node benchmarks/side-by-side.mjs [options]
  --scenarios LIST    names or groups, with commas: all, core, quick (default), ${scenarios.map(({ name }) => name).join(', ')}
  --brokers LIST      built in: tobymq, mosquitto, aedes (default: all three); NAME@PATH runs it on that Node
  --broker NAME=CMD   another broker; {port}, {tlsPort}, {websocketPort} and {dir} in CMD are filled in (repeatable)
  --url NAME=URL      a broker that runs already (mqtt://user:password@host:port; no CPU or memory is seen; repeatable)
  --baseline NAME     what the ratios refer to (default: mosquitto if it takes part, else the first)
  --rounds N          rounds per scenario (default 3)      --seconds N  measured per round (default 3)
  --warmup N          seconds before a round is measured (default 1)
  --settle N          seconds before the memory is read at the end (default 2)
  --scale FACTOR      multiplies the counts of scenarios that have one (1,000,000 filters, 15,000 connections, …)
  --json FILE         write everything measured            --svg FILE   write the chart
  --markdown FILE     write the tables
  --profile FOLDER    write a CPU profile of each scenario on TobyMQ and print its busiest functions
  --no-pin            do not pin to cores`;

const { values } = parseArgs({
  options: {
    scenarios: { type: 'string', default: 'quick' },
    brokers: { type: 'string', default: 'tobymq,mosquitto,aedes' },
    broker: { type: 'string', multiple: true, default: [] },
    url: { type: 'string', multiple: true, default: [] },
    baseline: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '1' },
    settle: { type: 'string', default: '2' },
    scale: { type: 'string', default: '1' },
    json: { type: 'string' },
    svg: { type: 'string' },
    markdown: { type: 'string' },
    profile: { type: 'string' },
    'no-pin': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(help);
} else {
  await main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

async function main() {
  buildGenerator();
  const contenders = readContenders();
  const chosen = selectScenarios(values.scenarios);
  const cores = values['no-pin'] ? {} : coresToPin();
  const baseline = values.baseline ?? (contenders.has('mosquitto') ? 'mosquitto' : [...contenders.keys()][0]);
  const folder = mkdtempSync(join(tmpdir(), 'tobymq-bench-'));
  const report = {
    date: new Date().toISOString(),
    command: ['node benchmarks/side-by-side.mjs', ...process.argv.slice(2)].join(' '),
    machine: describeMachine(),
    brokers: Object.fromEntries([...contenders].map(([name, { description }]) => [name, description])),
    baseline,
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    results: [],
  };
  try {
    const certificate = makeCertificate(folder);
    for (const scenario of chosen) {
      const result = await measure(scenario, contenders, { cores, certificate });
      report.results.push(result);
      console.log(terminalLines(result, baseline).join('\n'));
      writeReports(report);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// Written after every scenario: a run of an hour that is broken off has not been for nothing.
function writeReports(report) {
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  if (values.svg) writeFileSync(values.svg, chart(report));
  if (values.markdown) writeFileSync(values.markdown, `${ratioTable(report)}\n\n${detailTable(report)}\n`);
}

// Name → how to get that broker and what to say about it.
function readContenders() {
  const contenders = new Map();
  for (const text of values.brokers.split(',').filter(Boolean)) {
    const [name, node = process.execPath] = text.split('@');
    const definition = builtIn[name];
    if (!definition) throw new Error(`There is no built-in broker ${name}. Use --broker NAME=CMD.`);
    const onNode = name === 'mosquitto' ? '' : ` on Node ${nodeVersion(node)}`;
    const label =
      text.includes('@') && contenders.has(name) ? `${name}-node${nodeVersion(node).split('.')[0]}` : name;
    contenders.set(label, { definition, node, description: `${name} ${definition.version()}${onNode}` });
  }
  for (const text of values.broker) {
    const [name, command] = splitAtEquals(text);
    contenders.set(name, { definition: brokerFromCommand(command), description: command });
  }
  for (const text of values.url) {
    const [name, url] = splitAtEquals(text);
    contenders.set(name, { running: runningBroker(url), description: url.replace(/\/\/.*@/, '//') });
  }
  return contenders;
}

function splitAtEquals(text) {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`Expected NAME=VALUE, found ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function measure(scenario, contenders, { cores, certificate }) {
  const args = argumentsOf(scenario);
  const entries = new Map();
  for (const [name, contender] of contenders) {
    const broker = contender.running ?? (await start(name, contender, { cores, certificate }));
    entries.set(name, {
      broker,
      rounds: [],
      errors: [],
      residentAtStartMb: processMemoryMb(broker.pid),
      loopDelay: undefined,
    });
  }
  const rounds = scenario.rounds ?? Number(values.rounds);
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [name, entry] of entries) await measureOnce({ name, entry, args, scenario, cores });
    }
    await new Promise((done) => setTimeout(done, Number(values.settle) * 1000));
    for (const entry of entries.values()) entry.residentAtEndMb = processMemoryMb(entry.broker.pid);
  } finally {
    for (const { broker } of entries.values()) await broker.stop();
  }
  const brokers = {};
  for (const [name, { rounds: measured, errors, residentAtStartMb, residentAtEndMb, loopDelay }] of entries) {
    brokers[name] = { phases: summarize(measured), errors, residentAtStartMb, residentAtEndMb, loopDelay };
  }
  return { name: scenario.name, title: scenario.title, goals: scenario.goals, fast: scenario.fast, brokers };
}

function argumentsOf(scenario) {
  const args = [...scenario.args, '--seconds', values.seconds, '--warmup', values.warmup];
  if (scenario.count)
    args.push('--count', String(Math.max(1, Math.round(scenario.count * Number(values.scale)))));
  return args;
}

async function start(name, { definition, node }, { cores, certificate }) {
  return startBroker(name, definition, { node, core: cores.broker, certificate });
}

async function measureOnce({ name, entry, args, scenario, cores }) {
  if (portFor(args, entry.broker) === undefined) {
    entry.errors.push('does not offer this transport');
    return;
  }
  await eventLoopDelay(entry.broker);
  const profile =
    values.profile && name.startsWith('tobymq') ? startProfile(name, scenario, entry.broker) : undefined;
  const { phases, error } = await runGenerator({ args, broker: entry.broker, core: cores.generator });
  if (profile) await (await profile)();
  const delay = await eventLoopDelay(entry.broker);
  if (delay && (entry.loopDelay === undefined || delay.p99 > entry.loopDelay.p99)) entry.loopDelay = delay;
  if (error) entry.errors.push(error);
  entry.rounds.push(phases);
}

// Answers with what ends the profile, writes it and prints its summary.
async function startProfile(name, scenario, broker) {
  mkdirSync(values.profile, { recursive: true });
  const file = resolve(values.profile, `${name}-${scenario.name}.cpuprofile`);
  await askBroker(broker, 'profile-start');
  return async () => {
    await askBroker(broker, `profile-stop ${file}`);
    console.log(`\n${file}\n${topFunctions(file).join('\n')}`);
  };
}
