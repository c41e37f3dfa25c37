// `tobymq bench`: what it counts, what it finds against servers with known faults, and how it compares.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, packet, packetType, RawServer } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { Histogram } from '../../src/tools/bench/histogram.ts';
import { dueAt } from '../../src/tools/bench/load.ts';
import { comparisonText, parseReport, reportText } from '../../src/tools/bench/report.ts';
import { runTool, startToolServer } from './tools-harness.ts';

test('percentiles of the histogram are within a tenth of a percent, from microseconds to hours', () => {
  for (const unit of [0.001, 0.1, 10, 3600]) {
    const histogram = new Histogram();
    for (let value = 1; value <= 10_000; value++) histogram.record(value * unit);
    for (const percent of [1, 50, 90, 99, 99.9, 100]) {
      const exact = percent * 100 * unit;
      expect(Math.abs(histogram.percentile(percent) - exact)).toBeLessThanOrEqual(exact * 0.001);
    }
    expect(histogram.count).toBe(10_000);
    expect(histogram.min).toBeCloseTo(unit);
    expect(histogram.max).toBeCloseTo(10_000 * unit);
    expect(histogram.mean).toBeCloseTo(5000.5 * unit);
  }
});

test('histograms add up, an empty one answers 0, and nothing exceeds the largest value', () => {
  const empty = new Histogram();
  expect([empty.min, empty.max, empty.mean, empty.percentile(99)]).toEqual([0, 0, 0, 0]);
  const [low, high] = [new Histogram(), new Histogram()];
  low.record(1);
  high.record(3);
  high.record(1e12);
  low.add(high);
  expect([low.count, low.min, low.percentile(50), low.percentile(100)]).toEqual([
    3,
    1,
    3.001,
    (2 ** 36 - 1) / 1000,
  ]);
  const single = new Histogram();
  single.record(7.777);
  expect(single.percentile(99.9)).toBe(7.777);
});

test('an open loop is due at even times, and grows evenly during the ramp', () => {
  expect([0, 1, 100].map((index) => dueAt(index, 100, 0))).toEqual([0, 10, 1000]);
  // Within a ramp of 2 s to 100 per second there are 100 operations, a quarter of them in its first half.
  expect(dueAt(25, 100, 2000)).toBeCloseTo(1000);
  expect(dueAt(100, 100, 2000)).toBeCloseTo(2000);
  expect(dueAt(101, 100, 2000)).toBeCloseTo(2010);
});

const base = ['--json', '--warmup', '0', '-d', '0.3', '-c', '3'];

test.each([
  [['pairs', '-q', '1'], { publishers: 3, subscribers: 3, window: 10 }],
  [['fan-in', '-q', '2', '--window', '2'], { publishers: 3, subscribers: 1, window: 2 }],
  [['fan-out', '-V', '3.1.1'], { publishers: 1, subscribers: 3, protocol: '3.1.1' }],
  [['shared', '-q', '1'], { publishers: 3, subscribers: 3 }],
  [['publish', '-q', '1', '--size', '1000'], { size: 1000 }],
  [['subscribe'], { window: 1 }],
  [['connect'], { window: 1 }],
  [['retained', '--messages', '200'], { received: 600 }],
  [['offline', '--messages', '200'], { received: 600 }],
])('%s counts everything that it sent, and loses nothing', async (args, wanted) => {
  const server = await startToolServer({ sys: { enabled: false } });
  const { code, stdout, stderr } = await server.run(['bench', ...args, ...base]);
  const report = JSON.parse(stdout);
  expect(stderr).toBe('');
  expect(report).toMatchObject({ kind: 'tobymq-bench', lost: 0, errors: {}, ...wanted });
  expect(code).toBe(0);
  expect(report.received).toBeGreaterThan(0);
  expect(report.latencyMs.p50).toBeGreaterThan(0);
  expect(report.latencyMs.p99).toBeLessThanOrEqual(report.latencyMs.max);
  expect(server.broker.metrics.retainedNow).toBe(0);
});

test('an open loop sends what --rate says, and each copy of a fan-out counts', async () => {
  const server = await startToolServer();
  const { stdout } = await server.run(['bench', 'fan-out', ...base, '--rate', '200', '-d', '0.5']);
  expect(JSON.parse(stdout)).toMatchObject({ rate: 200, window: null, sent: 100, received: 300 });
});

test('a known delay on the way to the server is reported within 5 % at p99', { retry: 3 }, async () => {
  const delayMs = 2000;
  const server = await startToolServer();
  const port = await delayingProxy(server.port, delayMs);
  const { stdout } = await runTool([
    ...['bench', 'pairs', '-c', '2', '--json', '--warmup', '0', '-d', '1', '--rate', '100'],
    ...['-L', `mqtt://127.0.0.1:${port}`],
  ]);
  const { latencyMs, received } = JSON.parse(stdout);
  expect(received).toBe(100);
  expect(Math.abs(latencyMs.p99 - delayMs)).toBeLessThan(delayMs * 0.05);
});

test('a server that stalls for a second pays for every operation that was due in that second', async () => {
  const { url, stalled } = await stallingServer(20, 1000);
  const args = ['bench', 'publish', '-c', '1', '-q', '1', '--json', '--warmup', '0', '-d', '2', '-L', url];
  const open = JSON.parse((await runTool([...args, '--rate', '100'])).stdout);
  expect(stalled()).toBe(true);
  expect(open).toMatchObject({ sent: 200, received: 200, lost: 0 });
  // Half of the 200 were due during the stall; one in ten waited for at least 800 ms.
  expect(open.latencyMs.p90).toBeGreaterThan(700);
});

test('lost messages and lost connections are told, and end with 1', async () => {
  const server = await RawServer.listen();
  onTestFinished(() => server.close());
  void (async () => {
    const { peer } = await server.acceptClient();
    await peer.take(packetType.PUBLISH);
    peer.destroy();
  })();
  const { code, stdout } = await runTool([
    ...['bench', 'publish', '-c', '1', '-q', '1', '--json', '--warmup', '0', '-d', '0.5', '--rate', '20'],
    ...['--patience', '1', '-L', `mqtt://127.0.0.1:${server.port}`],
  ]);
  expect(code).toBe(1);
  const report = JSON.parse(stdout);
  expect(report.received).toBe(0);
  expect(report.lost).toBe(report.sent);
  expect(report.errors.TOBYMQ_CONNECTION_LOST).toBeGreaterThan(0);
});

test('--compare sets an earlier report beside the new one, --against a second server', async () => {
  const server = await startToolServer();
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-bench-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const earlier = join(folder, 'earlier.json');
  await writeFile(earlier, (await server.run(['bench', 'pairs', ...base, '--size', '32'])).stdout);
  const compared = await server.run(['bench', 'pairs', ...base.slice(1), '--compare', earlier]);
  expect(compared.stdout).toMatch(/earlier\s+now\s+ratio/);
  expect(compared.stdout).toMatch(/p99\.9 ms\s+[\d.,]+\s+[\d.,]+\s+[\d.]+/);
  expect(compared.stdout).toContain('not the same load: size 32 and 64');
  await writeFile(earlier, '{"some":"thing"}');
  expect(await server.run(['bench', 'pairs', ...base, '--compare', earlier])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is not what "tobymq bench --json" writes'),
  });

  const second = await startToolServer();
  const against = ['--against', `mqtt://127.0.0.1:${second.port}`];
  const versus = JSON.parse((await server.run(['bench', 'pairs', ...base, ...against])).stdout);
  expect(versus.report.url).toContain(String(server.port));
  expect(versus.against.url).toContain(String(second.port));
  expect(versus.ratio.perSecond).toBeCloseTo(versus.against.perSecond / versus.report.perSecond, 1);
  expect(second.broker.metrics.publishReceived).toBeGreaterThan(0);
});

test('the report for people has every figure, and no secret', () => {
  const report = parseReport(
    JSON.stringify({
      ...{ kind: 'tobymq-bench', scenario: 'fan-in', url: 'mqtt://h', protocol: '5.0', publishers: 20 },
      ...{
        subscribers: 1,
        qos: 1,
        size: 64,
        rate: 500,
        window: null,
        seconds: 10,
        sent: 5000,
        received: 4990,
      },
      ...{ lost: 10, perSecond: 499, megabytesPerSecond: 0.03194, generatorLateMs: 90, errors: { E: 2 } },
      latencyMs: { min: 0.1, mean: 1, p50: 0.9, p90: 2, p99: 4.5, p999: 9.25, max: 31 },
    }),
  );
  if (report === undefined) throw new Error('the report was not read');
  expect(reportText(report)).toBe(
    [
      'fan-in: 20 publishers, 1 subscriber, QoS 1, 64 bytes, 500 per second asked for',
      'server      mqtt://h, MQTT 5.0',
      'time        10 s',
      'throughput  499 per second, 0.03194 MB/s',
      'counted     5,000 sent, 4,990 received, 10 lost',
      'latency ms  p50 0.9  p90 2  p99 4.5  p99.9 9.25  max 31',
      'errors      2 × E',
      'note        this machine was late itself (p99 90 ms); the latencies contain that. Ask for a lower --rate.',
      '',
    ].join('\n'),
  );
  const half = { ...report, perSecond: 249.5, errors: {} };
  expect(comparisonText(report, half, ['a', 'b']).split('\n')[1]).toBe('per second   499  249.5   0.50');
});

test.each([
  [['bench', 'everything'], 'SCENARIO must be one of pairs, fan-in'],
  [['bench', '--size', '4'], '--size must be at least 12'],
  [['bench', '--rate', '5', '--window', '5'], 'not both'],
  [['bench', '--rate', 'fast'], '--rate must be a number'],
  [['bench', '-d', '0'], '--duration must be above 0'],
])('%s is refused with exit code 2', async (args, message) => {
  expect(await runTool(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
});

test('a server that cannot be reached ends with 3', async () => {
  expect(await runTool(['bench', '-L', 'mqtt://127.0.0.1:1'])).toMatchObject({ code: 3 });
});

/** A TCP proxy that passes on each chunk to the server after a fixed time, and answers at once. */
async function delayingProxy(port: number, delayMs: number): Promise<number> {
  const sockets = new Set<Socket>();
  const proxy = createServer((inbound) => {
    const outbound = connectTcp(port, '127.0.0.1');
    for (const socket of [inbound, outbound]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
    }
    inbound.on('data', (chunk) => setTimeout(() => outbound.writable && outbound.write(chunk), delayMs));
    outbound.pipe(inbound);
    inbound.on('close', () => outbound.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return (proxy.address() as { port: number }).port;
}

/** A server that acknowledges at once, but for a stall in front of one message. */
async function stallingServer(
  stallsAt: number,
  stallMs: number,
): Promise<{ readonly url: string; readonly stalled: () => boolean }> {
  const server = await RawServer.listen();
  onTestFinished(() => server.close());
  let count = 0;
  void (async () => {
    const { peer } = await server.acceptClient();
    for (;;) {
      const frame = await peer.next({ timeout: 10_000 });
      if (frame.type !== packetType.PUBLISH) return;
      if (count++ === stallsAt) await new Promise((resolve) => setTimeout(resolve, stallMs));
      peer.send(packet.puback({ version: 5, id: decode.publish(frame, 5).id as number }));
    }
  })().catch(() => {});
  return { url: `mqtt://127.0.0.1:${server.port}`, stalled: () => count > stallsAt };
}
