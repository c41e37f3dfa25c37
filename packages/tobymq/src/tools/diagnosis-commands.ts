// The commands that measure, diagnose and watch.

import type { Command } from '../commands/command.ts';
import { connectionOptions } from './connection-options.ts';

export const diagnosisCommands: readonly Command[] = [
  {
    name: 'bench',
    group: 'Diagnosis',
    summary: 'Measure throughput and latency of a server',
    description:
      'Scenarios: pairs (publisher i to subscriber i), fan-in, fan-out, shared (one shared subscription), publish (to nobody, until acknowledged), subscribe (until SUBACK), connect (until CONNACK), retained and offline (until everything that was kept has come).\n\nWith --rate the load is an open loop: each operation has a time at which it is due, and its latency counts from there, also when the server could not take it then. With --window each client keeps so many operations open, which finds the largest throughput. Ends with 1 when there were errors, or messages of QoS 1 or 2 were lost.',
    args: [{ name: 'SCENARIO', description: 'what to measure; pairs without', optional: true }],
    options: [
      {
        name: 'clients',
        short: 'c',
        value: 'N',
        description: 'How many clients on the many side',
        default: '10',
      },
      { name: 'subscribers', value: 'N', description: 'How many subscribers, where both sides may be many' },
      {
        name: 'qos',
        short: 'q',
        value: 'QOS',
        description: 'The QoS',
        default: '0',
        values: ['0', '1', '2'],
      },
      { name: 'size', short: 's', value: 'BYTES', description: 'The size of each payload', default: '64' },
      { name: 'duration', short: 'd', value: 'SECONDS', description: 'The measured time', default: '10' },
      { name: 'warmup', value: 'SECONDS', description: 'Runs before and is not counted', default: '1' },
      {
        name: 'ramp',
        value: 'SECONDS',
        description: 'The load grows from nothing in this time',
        default: '0',
      },
      { name: 'rate', value: 'N', description: 'Open loop: so many operations per second in total' },
      {
        name: 'window',
        short: 'w',
        value: 'N',
        description: 'Closed loop: operations open per client',
        default: '10; 1 for connect and subscribe',
      },
      {
        name: 'messages',
        value: 'N',
        description: 'How many messages are kept (retained, offline)',
        default: '10000',
      },
      {
        name: 'patience',
        value: 'SECONDS',
        description: 'How long the missing are waited for at the end',
        default: '5',
      },
      { name: 'json', description: 'The report as one line of JSON' },
      { name: 'compare', value: 'FILE', description: 'Set it beside the --json of an earlier run' },
      {
        name: 'against',
        value: 'URL',
        description: 'Measure a second server in turns with the first, and tell the ratio',
      },
      ...connectionOptions,
    ],
    examples: [
      { command: 'tobymq bench', description: 'ten pairs, as fast as they can' },
      {
        command: 'tobymq bench fan-out -c 200 --rate 50 -q 1',
        description: 'latency of 50 messages per second to 200 subscribers',
      },
      {
        command: 'tobymq bench pairs --json > before.json; tobymq bench pairs --compare before.json',
        description: 'before and after a change',
      },
      {
        command: 'tobymq bench pairs -L mqtt://localhost:1883 --against mqtt://localhost:1884',
        description: 'two servers',
      },
    ],
    load: async () => (await import('./bench/run.ts')).run,
  },
  {
    name: 'doctor',
    group: 'Diagnosis',
    summary: 'Find out why a connection does not work',
    description:
      'Goes step by step: name, TCP, certificates, WebSocket, CONNECT in every version of MQTT, what the server offers, a message there and back in every QoS, an idle connection. Names the first fault with its likely cause and what to do. Connects with the options that your program uses, so give the same --id, --username and topic. Ends with 0 when nothing is wrong, 3 unreachable, 4 refused, 5 not authorized, 8 TLS, 9 beyond a limit.',
    args: [{ name: 'URL', description: 'the server, such as mqtts://broker.example', optional: true }],
    options: [
      { name: 'topic', short: 't', value: 'TOPIC', description: 'The topic of the message there and back' },
      { name: 'size', short: 's', value: 'BYTES', description: 'The size of that message', default: '64' },
      { name: 'idle', value: 'SECONDS', description: 'How long an idle connection is watched', default: '4' },
      { name: 'timeout', value: 'SECONDS', description: 'How long each step may take', default: '5' },
      { name: 'json', description: 'All findings as one line of JSON' },
      ...connectionOptions,
    ],
    examples: [
      { command: 'tobymq doctor mqtts://broker.example', description: 'everything about a server' },
      {
        command: 'tobymq doctor broker.local -u ana -i sensor-7 --topic sensors/7/temp --size 20000',
        description: 'as a certain device',
      },
    ],
    load: async () => (await import('./doctor/run.ts')).run,
  },
  {
    name: 'top',
    group: 'Diagnosis',
    summary: 'Watch what a server does',
    description:
      'Shows rates, clients, drops, the slowest consumers, the biggest queues and the busiest topics, drawn anew every --interval. A server with $SYS topics is enough; slow consumers, queues and the reasons of drops need the HTTP API of TobyMQ. The busiest topics are counted by a subscription to #, which costs the server as much as every other subscriber; --no-topics leaves that out. Ends with q.',
    args: [{ name: 'URL', description: 'the server', optional: true }],
    options: [
      { name: 'api', value: 'URL', description: 'The HTTP API, such as http://localhost:18083' },
      { name: 'token', value: 'TOKEN', description: 'Its token (better: the variable TOBYMQ_TOKEN)' },
      {
        name: 'data',
        value: 'FOLDER',
        description: 'Find API and token in the data folder of a server on this machine',
      },
      { name: 'interval', value: 'SECONDS', description: 'The time between two pictures', default: '2' },
      { name: 'no-topics', description: 'Do not subscribe to # to find the busiest topics' },
      { name: 'once', description: 'Print one picture and end' },
      ...connectionOptions,
    ],
    examples: [
      { command: 'tobymq top --data ./data', description: 'the server of this machine, with everything' },
      { command: 'tobymq top mqtt://mosquitto.local', description: 'any server with $SYS topics' },
    ],
    load: async () => (await import('./top/run.ts')).run,
  },
  {
    name: 'watch',
    group: 'Diagnosis',
    summary: 'Watch a tree of topics change in place',
    description:
      'Shows the topics as a tree, with the last value of each, how long ago it came and how many there were. Arrow keys and page keys move, q ends. Where the output is no terminal, the tree is printed once, when --timeout is over.',
    args: [{ name: 'FILTER', description: 'which topics; # without', optional: true, many: true }],
    options: [
      { name: 'timeout', short: 'W', value: 'SECONDS', description: 'End after this time' },
      ...connectionOptions,
    ],
    examples: [
      { command: "tobymq watch 'home/#'", description: 'one branch' },
      { command: "tobymq watch -W 5 '#' > topics.txt", description: 'what is there within five seconds' },
    ],
    load: async () => (await import('./watch/run.ts')).run,
  },
];
