// The codec beside mqtt-packet, in one process: how many packets a second each encodes and decodes.
//
// Both do the same work: from a packet object to bytes, and from chunks of 20 kB to packet objects. The rounds of the
// two alternate, and the medians are compared, so that whatever else the machine does hits both alike. The ratio is
// the result; the rates depend on the machine. A row is marked when it misses its goal.
//
//   node benchmarks/codec/bench.mjs [--rounds 15] [--json]

import { isDeepStrictEqual, parseArgs } from 'node:util';
import { Decoder, encode, PacketType } from '@tobymq/codec';
import mqttPacket from 'mqtt-packet';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, json: { type: 'boolean', default: false } },
});
const ROUNDS = Number(values.rounds);
const CHUNK_SIZE = 20_000;
/** How long one measurement runs at least. */
const ROUND_MS = 40;
const TOPIC = 'home/kitchen-00/sensor';
/** Real topics differ, so each packet of a chunk has another of this many. */
const TOPICS = 50;

const fiveProperties = {
  name: 'PUBLISH 16 B, 5 properties, 5.0',
  version: 5,
  goal: 6,
  ours: {
    type: PacketType.Publish,
    topic: TOPIC,
    payload: new Uint8Array(16).fill(120),
    properties: {
      payloadFormatIndicator: 1,
      messageExpiryInterval: 3600,
      contentType: 'application/json',
      responseTopic: 'home/answers/42',
      userProperties: [['source', 'sensor-17']],
    },
  },
  theirs: {
    cmd: 'publish',
    topic: TOPIC,
    payload: Buffer.alloc(16, 120),
    qos: 0,
    retain: false,
    dup: false,
    properties: {
      payloadFormatIndicator: true,
      messageExpiryInterval: 3600,
      contentType: 'application/json',
      responseTopic: 'home/answers/42',
      userProperties: { source: 'sensor-17' },
    },
  },
};

/** @param {4 | 5} version @param {number} size */
function publish(version, size) {
  return {
    name: `PUBLISH ${size} B, ${versionName(version)}`,
    version,
    goal: 4,
    ours: { type: PacketType.Publish, topic: TOPIC, payload: new Uint8Array(size).fill(120) },
    theirs: {
      cmd: 'publish',
      topic: TOPIC,
      payload: Buffer.alloc(size, 120),
      qos: 0,
      retain: false,
      dup: false,
    },
  };
}

/** @param {4 | 5} version */
function puback(version) {
  return {
    name: `PUBACK, ${versionName(version)}`,
    version,
    goal: 4,
    ours: { type: PacketType.Puback, packetId: 4711 },
    theirs: { cmd: 'puback', messageId: 4711 },
  };
}

/** @param {4 | 5} version */
function versionName(version) {
  return version === 5 ? '5.0' : '3.1.1';
}

const cases = [
  publish(4, 16),
  publish(4, 64),
  publish(5, 16),
  publish(5, 64),
  puback(4),
  puback(5),
  fiveProperties,
];

/**
 * Runs `work`, which handles `count` packets, for at least ROUND_MS; the packets in a second of processor time. Processor
 * time, because a machine that also does other things changes it less than time on the clock.
 */
function rate(work, count) {
  let packets = 0;
  const start = process.cpuUsage();
  let elapsed = 0;
  while (elapsed < ROUND_MS * 1000) {
    for (let repeat = 0; repeat < 20; repeat++) work();
    packets += 20 * count;
    const { user, system } = process.cpuUsage(start);
    elapsed = user + system;
  }
  return (packets / elapsed) * 1_000_000;
}

/** @param {number[]} numbers */
function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** The packet with the number in its topic, in ours and in theirs. */
function numbered(packet, index) {
  if (packet.topic === undefined) return packet;
  return { ...packet, topic: TOPIC.replace('00', String(index % TOPICS).padStart(2, '0')) };
}

/** As many packets as fit into one chunk. */
function chunkOf(packet, version) {
  const count = Math.floor(CHUNK_SIZE / encode(packet, version).length);
  const packets = Array.from({ length: count }, (_, index) => encode(numbered(packet, index), version));
  return { count, chunk: Buffer.concat(packets) };
}

// Whatever is made is used, so that no engine can leave the work out.
let sink = 0;

/** The bytes may differ (mqtt-packet writes the long form of a PUBACK of 5.0), but they must say the same. */
function checkSamePacket(name, ours, theirs, version) {
  const [expected, actual] = [ours, theirs].map((bytes) =>
    new Decoder({ role: 'client', version }).push(bytes),
  );
  if (!isDeepStrictEqual(expected, actual)) throw new Error(`${name}: the two encode different packets`);
}

function encodeCase({ name, version, goal, ours, theirs }) {
  const options = { protocolVersion: version };
  checkSamePacket(name, encode(ours, version), mqttPacket.generate(theirs, options), version);
  const count = 500;
  const ourPackets = Array.from({ length: count }, (_, index) => numbered(ours, index));
  const theirPackets = Array.from({ length: count }, (_, index) => numbered(theirs, index));
  return {
    name: `encode ${name}`,
    goal,
    ours: () => {
      for (let index = 0; index < count; index++) sink += encode(ourPackets[index], version).length;
    },
    theirs: () => {
      for (let index = 0; index < count; index++)
        sink += mqttPacket.generate(theirPackets[index], options).length;
    },
    count,
  };
}

function decodeCase({ name, version, goal, ours }) {
  const { chunk, count } = chunkOf(ours, version);
  const decoder = new Decoder({ role: 'client', version });
  const parser = mqttPacket.parser({ protocolVersion: version });
  parser.on('packet', (packet) => {
    sink += packet.length;
  });
  parser.on('error', (error) => {
    throw error;
  });
  return {
    name: `decode ${name}`,
    goal,
    ours: () => {
      decoder.feed(chunk);
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) sink += packet.type;
    },
    theirs: () => {
      parser.parse(chunk);
    },
    count,
  };
}

const results = [];
for (const bench of [...cases.map(encodeCase), ...cases.map(decodeCase)]) {
  const ours = [];
  const theirs = [];
  for (let round = 0; round < ROUNDS + 3; round++) {
    const first = rate(bench.ours, bench.count);
    const second = rate(bench.theirs, bench.count);
    // The first rounds warm up.
    if (round >= 3) {
      ours.push(first);
      theirs.push(second);
    }
  }
  const result = { name: bench.name, tobymq: median(ours), mqttPacket: median(theirs), goal: bench.goal };
  results.push({ ...result, ratio: result.tobymq / result.mqttPacket });
}

if (values.json) {
  console.log(JSON.stringify({ node: process.version, rounds: ROUNDS, results }, undefined, 2));
} else {
  console.log(
    `Node ${process.version}, median of ${ROUNDS} rounds, million packets in a second of processor time (${sink > 0 ? 'ok' : '-'})\n`,
  );
  console.log(
    `${'packet'.padEnd(42)} ${'@tobymq/codec'.padStart(14)} ${'mqtt-packet 9'.padStart(14)} ${'ratio'.padStart(7)}  goal`,
  );
  for (const { name, tobymq, mqttPacket: other, ratio, goal } of results) {
    const row = [
      name.padEnd(42),
      (tobymq / 1e6).toFixed(2).padStart(14),
      (other / 1e6).toFixed(2).padStart(14),
      ratio.toFixed(1).padStart(7),
    ].join(' ');
    console.log(`${row}  ${goal}${ratio < goal ? '  missed' : ''}`);
  }
}
