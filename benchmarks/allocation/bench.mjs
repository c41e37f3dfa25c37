// Bytes allocated per QoS 0 message on the way through the broker.
//
//     npm run build && node benchmarks/allocation/bench.mjs [--messages 1000000] [--json]
//
// The broker runs in a process whose young generation is so large that no garbage collection happens during a
// measurement; then the growth of the heap is what was allocated. `memory` feeds the bytes of publishers straight into the
// broker and throws away what it writes, so it shows the broker's own code. `tcp` is the same with real sockets and the
// peers in another process, so it shows what Node's sockets add. Chunks hold 50 messages of 64 bytes, about what a busy
// socket gives per read.

import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { PerformanceObserver } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Broker } from '../../packages/broker/dist/index.js';
import { Decoder, encode, PacketType } from '../../packages/codec/dist/index.js';

const { values: args } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    case: { type: 'string' },
    json: { type: 'boolean', default: false },
    peers: { type: 'string' },
  },
});
const SELF = fileURLToPath(import.meta.url);
const MESSAGES = Number(args.messages);
const MESSAGES_PER_CHUNK = 50;
const HEAP_FLAGS = ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512'];

// `topics` is how many topics the messages go to in turn; a connection remembers the last one without any lookup.
const CASES = {
  'memory, 3.1.1, one topic': { version: 4, topics: 1, subscribers: 1 },
  'memory, 3.1.1, 50 topics': { version: 4, topics: 50, subscribers: 1 },
  'memory, 3.1.1, 10 subscribers': { version: 4, topics: 1, subscribers: 10 },
  'memory, 5.0, one topic': { version: 5, topics: 1, subscribers: 1 },
  'memory, 5.0 to 3.1.1': { version: 5, subscriberVersion: 4, topics: 1, subscribers: 1 },
  'tcp, 3.1.1, one topic': { version: 4, topics: 1, subscribers: 1, isTcp: true },
};

function connectPacket(clientId, version) {
  return encode({ type: PacketType.Connect, clientId, protocolVersion: version, keepAlive: 0 }, version);
}

function subscribePacket(version) {
  return encode({ type: PacketType.Subscribe, packetId: 1, subscriptions: [{ filter: 'bench/#' }] }, version);
}

/** One chunk of PUBLISH packets, as a busy socket would give it. */
function publishChunk(version, topics) {
  const packets = Array.from({ length: MESSAGES_PER_CHUNK }, (_, i) =>
    encode({ type: PacketType.Publish, topic: `bench/${i % topics}`, payload: new Uint8Array(64) }, version),
  );
  return Buffer.concat(packets);
}

/** A byte stream without a network: takes what the broker writes and only counts it. */
class Sink {
  remoteAddress = 'memory';
  remotePort = 0;
  listener = 'bench';
  peer = { transport: 'memory' };
  bufferedBytes = 0;
  bytesWritten = 0;
  handler = undefined;

  start(handler) {
    this.handler = handler;
  }

  write(bytes) {
    this.bytesWritten += bytes.length;
    return true;
  }

  writev(pieces) {
    for (let i = 0; i < pieces.length; i++) this.bytesWritten += pieces[i].length;
    return true;
  }

  pause() {}
  resume() {}
  end() {}
  destroy() {
    this.handler.onClose(undefined);
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** How much `run` allocates, on V8's heap and in array buffers. */
async function allocatedBy(run) {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  globalThis.gc();
  await turn();
  observer.observe({ entryTypes: ['gc'] });
  const before = process.memoryUsage();
  await run();
  const after = process.memoryUsage();
  await turn();
  observer.disconnect();
  return {
    heap: after.heapUsed - before.heapUsed,
    buffers: after.arrayBuffers - before.arrayBuffers,
    collections,
  };
}

async function measureInMemory({ version, subscriberVersion = version, topics, subscribers }) {
  const broker = await Broker.start({});
  const attach = async (clientId, itsVersion) => {
    const stream = new Sink();
    broker.attach(stream);
    stream.handler.onData(connectPacket(clientId, itsVersion));
    await turn();
    return stream;
  };
  const sinks = [];
  for (let i = 0; i < subscribers; i++) {
    const sink = await attach(`subscriber-${i}`, subscriberVersion);
    sink.handler.onData(subscribePacket(subscriberVersion));
    sinks.push(sink);
  }
  const publisher = await attach('publisher', version);
  const chunk = publishChunk(version, topics);
  const feed = async (messages) => {
    for (let sent = 0; sent < messages; sent += MESSAGES_PER_CHUNK) {
      publisher.handler.onData(chunk);
      await turn();
    }
  };
  await feed(200_000);
  const deliveredBefore = broker.metrics.publishSent;
  const result = await allocatedBy(() => feed(MESSAGES));
  const delivered = broker.metrics.publishSent - deliveredBefore;
  if (delivered !== MESSAGES * subscribers)
    throw new Error(`${delivered} deliveries instead of ${MESSAGES * subscribers}`);
  // What the loop itself costs, without the broker.
  const loop = await allocatedBy(async () => {
    for (let sent = 0; sent < MESSAGES; sent += MESSAGES_PER_CHUNK) await turn();
  });
  await broker.stop({ deadlineMs: 0 });
  return { ...result, heap: result.heap - loop.heap, collections: result.collections + loop.collections };
}

async function measureOverTcp({ version, topics }) {
  const broker = await Broker.start({});
  const { port } = await broker.listen({ port: 0 });
  const peers = fork(SELF, ['--peers', JSON.stringify({ port, version, topics })]);
  await once(peers, 'message');
  const deliver = async (messages) => {
    peers.send(messages);
    await once(peers, 'message');
  };
  await deliver(200_000);
  const result = await allocatedBy(() => deliver(MESSAGES));
  peers.disconnect();
  await once(peers, 'exit');
  await broker.stop({ deadlineMs: 0 });
  return result;
}

/** The peers of the TCP case: one publishes as many messages as it is told, the other counts them. */
async function runPeers({ port, version, topics }) {
  const open = async (clientId) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(connectPacket(clientId, version));
    await once(socket, 'data');
    return socket;
  };
  const subscriber = await open('subscriber');
  subscriber.write(subscribePacket(version));
  await once(subscriber, 'data');
  const publisher = await open('publisher');
  const chunk = publishChunk(version, topics);
  const decoder = new Decoder({ role: 'client', version });
  let expected = 0;
  let received = 0;
  // A window of messages under way, so that the broker has no reason to drop any.
  let sent = 0;
  const fill = () => {
    for (; sent < expected && sent - received < 20 * MESSAGES_PER_CHUNK; sent += MESSAGES_PER_CHUNK)
      publisher.write(chunk);
  };
  subscriber.on('data', (bytes) => {
    received += decoder.push(bytes).length;
    if (received === expected) process.send('done');
    else fill();
  });
  process.on('message', (messages) => {
    expected += messages;
    fill();
  });
  process.on('disconnect', () => process.exit());
  process.send('ready');
}

async function measure(name) {
  const setting = CASES[name];
  const { heap, buffers, collections } = await (setting.isTcp ? measureOverTcp : measureInMemory)(setting);
  const deliveries = MESSAGES * setting.subscribers;
  return {
    case: name,
    'heap B per message': Number((heap / deliveries).toFixed(2)),
    'buffer B per message': Number((buffers / deliveries).toFixed(2)),
    collections,
  };
}

if (args.peers !== undefined) {
  await runPeers(JSON.parse(args.peers));
} else if (args.case !== undefined) {
  console.log(JSON.stringify(await measure(args.case)));
} else {
  const results = Object.keys(CASES).map((name) => {
    const command = [...HEAP_FLAGS, SELF, '--case', name, '--messages', args.messages];
    return JSON.parse(execFileSync(process.execPath, command).toString());
  });
  if (args.json)
    console.log(JSON.stringify({ node: process.version, messages: MESSAGES, results }, undefined, 2));
  else {
    console.log(
      `Allocation per delivered QoS 0 message of 64 bytes, ${MESSAGES.toLocaleString('en')} messages, Node ${process.version}`,
    );
    console.table(results);
  }
}
