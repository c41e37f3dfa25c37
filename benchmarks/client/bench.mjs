// The client beside MQTT.js, in one run and on one connection each over loopback: messages of 64 bytes, received and
// published. The server side is a process of its own that does as little as possible (peer.mjs). Rounds of both clients
// alternate; each row shows the median. Judge the ratios: the rates depend on the machine and on what else it does.
//
//   node benchmarks/client/bench.mjs [rounds]

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { connect } from '@tobymq/client';
import mqtt from 'mqtt';
import { bundle } from '../../packages/client/scripts/bundle.mjs';

const rounds = Number(process.argv[2] ?? 5);
const counts = { receive: 300_000, publish0: 200_000, publish1: 40_000, roundTrips: 2_000 };
const window = 100;
const payload = Buffer.alloc(64, 'x');

const seconds = (since) => Number(process.hrtime.bigint() - since) / 1e9;

/** What each client does in each row; every function returns how many seconds it took. */
const toby = {
  open: (url, protocolVersion) => connect(url, { protocolVersion, reconnect: false }),
  close: (client) => client.close(),

  async receive(client, count) {
    let seen = 0;
    let finish;
    const done = new Promise((resolve) => {
      finish = resolve;
    });
    const start = process.hrtime.bigint();
    const flood = await client.on('flood', () => {
      if (++seen === count) finish();
    });
    const trigger = await client.on(`flood/${count}`, () => {});
    await done;
    const time = seconds(start);
    await Promise.all([flood.unsubscribe(), trigger.unsubscribe()]);
    return time;
  },

  async receiveLoop(client, count) {
    let seen = 0;
    const flood = client.subscribe('flood', { inHand: count });
    await flood.ready;
    const start = process.hrtime.bigint();
    const trigger = await client.on(`flood/${count}`, () => {});
    for await (const _ of flood) if (++seen === count) break;
    const time = seconds(start);
    await trigger.unsubscribe();
    return time;
  },

  async publish0(client, count) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) await client.publish('bench/topic', payload);
    await client.publish('bench/end', payload, { qos: 1 });
    return seconds(start);
  },

  async publish1(client, count) {
    let left = count;
    const options = { qos: 1 };
    const worker = async () => {
      while (left-- > 0) await client.publish('bench/topic', payload, options);
    };
    const start = process.hrtime.bigint();
    await Promise.all(Array.from({ length: window }, worker));
    return seconds(start);
  },

  async roundTrips(client, count) {
    let onEcho = () => {};
    const echo = await client.on('echo', () => onEcho());
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) {
      await new Promise((resolve) => {
        onEcho = resolve;
        void client.publish('echo', payload);
      });
    }
    const time = seconds(start);
    await echo.unsubscribe();
    return time;
  },
};

const other = {
  async open(url, protocolVersion) {
    const client = mqtt.connect(url, { protocolVersion, reconnectPeriod: 0 });
    await once(client, 'connect');
    // It leaves Nagle's algorithm on, which would only measure the kernel's delayed acknowledgements.
    client.stream.setNoDelay(true);
    return client;
  },
  close: (client) => client.endAsync(),

  async receive(client, count) {
    let seen = 0;
    await client.subscribeAsync('flood');
    const start = process.hrtime.bigint();
    await new Promise((resolve) => {
      client.on('message', () => {
        if (++seen === count) resolve();
      });
      client.subscribe(`flood/${count}`);
    });
    const time = seconds(start);
    client.removeAllListeners('message');
    await client.unsubscribeAsync(['flood', `flood/${count}`]);
    return time;
  },
  receiveLoop: (client, count) => other.receive(client, count),

  async publish0(client, count) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) {
      client.publish('bench/topic', payload);
      if (client.stream.writableNeedDrain) await once(client.stream, 'drain');
    }
    await client.publishAsync('bench/end', payload, { qos: 1 });
    return seconds(start);
  },

  // The faster of its two styles on the measured versions: promises.
  async publish1(client, count) {
    let left = count;
    const options = { qos: 1 };
    const worker = async () => {
      while (left-- > 0) await client.publishAsync('bench/topic', payload, options);
    };
    const start = process.hrtime.bigint();
    await Promise.all(Array.from({ length: window }, worker));
    return seconds(start);
  },

  async roundTrips(client, count) {
    let onEcho = () => {};
    await client.subscribeAsync('echo');
    client.on('message', () => onEcho());
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) {
      await new Promise((resolve) => {
        onEcho = resolve;
        client.publish('echo', payload);
      });
    }
    const time = seconds(start);
    client.removeAllListeners('message');
    await client.unsubscribeAsync('echo');
    return time;
  },
};

const rows = [
  ['receive QoS 0, handler', 'receive', counts.receive],
  ['receive QoS 0, for await', 'receiveLoop', counts.receive],
  ['publish QoS 0', 'publish0', counts.publish0],
  ['publish QoS 1, 100 in flight', 'publish1', counts.publish1],
  ['round trip QoS 0', 'roundTrips', counts.roundTrips],
];

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const rate = (value) => `${Math.round(value).toLocaleString('en').padStart(11)}/s`;

const peer = fork(new URL('peer.mjs', import.meta.url));
const [port] = await once(peer, 'message');
const url = `mqtt://127.0.0.1:${port}`;
console.log(`Node ${process.version}, ${rounds} rounds, 64 bytes, medians`);
console.log(`${''.padEnd(42)}${'TobyMQ'.padStart(13)}${'MQTT.js'.padStart(13)}   ratio`);
for (const version of [4, 5]) {
  for (const [label, method, count] of rows) {
    const rates = [[], []];
    for (let round = 0; round <= rounds; round++) {
      for (const [i, subject] of [toby, other].entries()) {
        const client = await subject.open(url, version);
        const time = await subject[method](client, count);
        await subject.close(client);
        // The first round warms up.
        if (round > 0) rates[i].push(count / time);
      }
    }
    const [ours, theirs] = rates.map(median);
    const name = `${version === 5 ? 'MQTT 5.0' : 'MQTT 3.1.1'}, ${label}`;
    console.log(`${name.padEnd(42)}${rate(ours)}${rate(theirs)}${(ours / theirs).toFixed(1).padStart(7)}x`);
  }
}
peer.disconnect();

console.log('\nOne file for browsers, minified, in bytes');
console.log(`${''.padEnd(42)}${'TobyMQ'.padStart(13)}${'MQTT.js'.padStart(13)}   ratio`);
const files = [
  Buffer.from(await bundle()),
  readFileSync(new URL('../../node_modules/mqtt/dist/mqtt.min.js', import.meta.url)),
];
for (const [label, measure] of [
  ['minified', (file) => file.length],
  ['gzip', (file) => gzipSync(file, { level: 9 }).length],
  ['brotli', (file) => brotliCompressSync(file).length],
]) {
  const [ours, theirs] = files.map(measure);
  const size = (value) => value.toLocaleString('en').padStart(13);
  console.log(`${label.padEnd(42)}${size(ours)}${size(theirs)}${(ours / theirs).toFixed(2).padStart(7)}x`);
}
