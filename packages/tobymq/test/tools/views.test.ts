// `tobymq top` and `tobymq watch`: what they show, and that strangers cannot steer the terminal by names and payloads.

import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { painter } from '../../src/tools/paint.ts';
import { Screen } from '../../src/tools/screen/screen.ts';
import { bytes, cut, duration, fit, harmless, number } from '../../src/tools/screen/text.ts';
import type { ApiSample } from '../../src/tools/top/api-sample.ts';
import { renderTop } from '../../src/tools/top/render.ts';
import { type SysSample, SysSamples, sysRate } from '../../src/tools/top/sys-samples.ts';
import { TopicCounter } from '../../src/tools/top/topic-counter.ts';
import { type Moments, viewOf } from '../../src/tools/top/view.ts';
import { renderTree, valueText } from '../../src/tools/watch/render.ts';
import { TopicTree } from '../../src/tools/watch/topic-tree.ts';
import { startServer } from '../harness.ts';
import { runTool, startToolServer } from './tools-harness.ts';

const plain = painter(false);

test('numbers, sizes and durations are written for people', () => {
  expect([0, 3.14, 9.96, 12_345.6].map(number)).toEqual(['0', '3.1', '10.0', '12,346']);
  expect([0, 999, 1500, 2.5e6, 3e9].map(bytes)).toEqual(['0 B', '999 B', '1.5 kB', '2.5 MB', '3.0 GB']);
  expect([0, 59, 60, 3661, 86_400, 90_061].map(duration)).toEqual([
    '0 s',
    '59 s',
    '1 min',
    '1 h 1 min',
    '1 d',
    '1 d 1 h',
  ]);
  expect([fit('abc', 5), fit('abcdef', 4), cut('abc', 3)]).toEqual(['abc  ', 'abc…', 'abc']);
});

test('nothing that steers a terminal gets through', () => {
  expect(harmless('a\u001b[31mb\u0007\u009b\u202ec')).toBe('a·[31mb···c');
  const tree = new TopicTree();
  tree.set('\u001b]0;owned\u0007/x', new TextEncoder().encode('\u001b[2Jgone'), false, 0);
  expect(renderTree(tree, '#', { columns: 60, rows: 9 }, 0, 0, plain).join('')).not.toMatch(
    /[\u0000-\u001f]/,
  );
});

function sample(at: number, values: Record<string, string>): SysSample {
  return { at, values: new Map(Object.entries(values)) };
}

const moments: Moments = {
  at: 12_000,
  url: 'mqtt://h',
  sys: [
    sample(1000, { 'publish/messages/received': '100', 'publish/messages/dropped': '0' }),
    sample(11_000, {
      version: 'mosquitto version 2.0.18',
      uptime: '3661 seconds',
      'clients/connected': '7',
      'clients/total': '9',
      'publish/messages/received': '1100',
      'publish/messages/dropped': '5',
      'retained messages/count': '3',
    }),
  ],
  api: [undefined, undefined],
  topics: [{ topic: 'a/b', perSecond: 12.5, total: 400 }],
  notes: ['a note'],
};

test('top shows rates from $SYS of any server', () => {
  const lines = renderTop(viewOf(moments), { columns: 60, rows: 30 }, plain);
  expect(lines.map((line) => line.trimEnd())).toEqual([
    'mqtt://h   mosquitto version 2.0.18   up 1 h 1 min',
    'clients    7 connected   9 sessions   3 retained',
    'messages   100 in/s',
    'bytes      - in/s   - out/s',
    'drops      all 5 (0.5/s)',
    'a note',
    '',
    'busiest topics                        per second        seen',
    'a/b                                           13         400',
  ]);
});

const api = (at: number, received: number, queueFull: number): ApiSample => ({
  at,
  counters: { publishReceived: received, publishSent: 0, bytesReceived: 0, bytesSent: 0, connectionsNow: 2 },
  dropped: { 'queue-full': queueFull, expired: 7, hook: 0 },
  totals: { subscriptions: 11 },
  clients: [
    { clientId: 'fast', bufferedBytes: 0, unacknowledged: 0, isBlocked: false },
    { clientId: 'slow', bufferedBytes: 10, unacknowledged: 3, isBlocked: false },
    { clientId: 'slowest', bufferedBytes: 2_000_000, unacknowledged: 0, isBlocked: true },
  ],
  sessions: [
    { clientId: 'empty', queuedMessages: 0, queuedBytes: 0, isConnected: true },
    { clientId: 'small', queuedMessages: 2, queuedBytes: 9, isConnected: true },
    { clientId: 'big', queuedMessages: 5000, queuedBytes: 1_000_000, isConnected: false },
  ],
});

test('with the HTTP API, top shows who is slow, whose queue is long, and why messages were dropped', () => {
  const view = viewOf({ ...moments, api: [api(0, 1000, 10), api(2000, 9000, 30)] });
  expect(view).toMatchObject({ messagesIn: 4000, connected: 2, subscriptions: 11 });
  expect(view.drops).toEqual([
    { reason: 'queue-full', total: 30, perSecond: 10 },
    { reason: 'expired', total: 7, perSecond: 0 },
  ]);
  const text = renderTop(view, { columns: 60, rows: 30 }, plain).join('\n');
  expect(text).toContain('drops      queue-full 30 (10/s)   expired 7 (0/s)');
  expect(text).toMatch(/slowest consumers .*\nslowest +2\.0 MB +0 +yes\nslow +10 B +3/);
  expect(text).toMatch(/biggest queues .*\nbig +5,000 +1\.0 MB +no\nsmall +2 +9 B +yes/);
  expect(text).not.toMatch(/fast|empty/);
});

test('a small screen is shared by the tables, and never exceeded', () => {
  const many = Array.from({ length: 80 }, (_, i) => ({ topic: `t/${i}`, perSecond: 80 - i, total: 1 }));
  const view = viewOf({ ...moments, api: [undefined, api(0, 0, 0)], topics: many });
  for (const rows of [12, 20, 40]) {
    const lines = renderTop(view, { columns: 50, rows }, plain);
    expect(lines.length).toBe(rows);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(50);
  }
  expect(renderTop(view, { columns: 50, rows: 20 }, plain).join('\n')).toMatch(
    /slowest[\s\S]*big[\s\S]*t\/0/,
  );
});

test('a counter that goes down, or is not known twice, has no rate', () => {
  expect(sysRate(sample(0, { x: '10' }), sample(1000, { x: '4' }), 'x')).toBeUndefined();
  expect(sysRate(undefined, sample(1000, { x: '4' }), 'x')).toBeUndefined();
  expect(sysRate(sample(0, { x: '10' }), sample(2000, { x: '14' }), 'x')).toBe(2);
  const samples = new SysSamples(() => {});
  onTestFinished(() => samples.stop());
  samples.take('$SYS/broker/clients/total', '4');
  samples.add(1);
  samples.take('$SYS/broker/clients/total', '5');
  samples.add(2);
  expect(samples.previous?.values.get('clients/total')).toBe('4');
  expect(samples.latest?.values.get('clients/total')).toBe('5');
});

test('the busiest topics are those of the last interval, and their number is bounded', () => {
  const counter = new TopicCounter(0);
  for (let i = 0; i < 10; i++) counter.count('often');
  counter.count('once');
  expect(counter.rate(2000, 1)).toEqual([{ topic: 'often', total: 10, perSecond: 5 }]);
  counter.count('once');
  expect(counter.rate(3000, 5).map(({ topic, perSecond }) => [topic, perSecond])).toEqual([
    ['once', 1],
    ['often', 0],
  ]);
  for (let i = 0; i < 30_000; i++) counter.count(`flood/${i}`);
  const all = counter.rate(4000, 100_000);
  expect(all.length).toBeLessThanOrEqual(20_000);
  expect(all.map(({ topic }) => topic)).toContain('often');
});

test('watch shows a tree in which topics keep their places and values change', () => {
  const tree = new TopicTree();
  const text = new TextEncoder();
  tree.set('home/kitchen/temp', text.encode('21'), false, 0);
  tree.set('home/hall', text.encode('{\n "open": true }'), true, 0);
  tree.set('home//odd', new Uint8Array(), false, 0);
  tree.set('zoo', Uint8Array.of(0xff, 0x00), false, 0);
  tree.set('home/kitchen/temp', text.encode('22'), false, 60_000);
  const lines = renderTree(tree, '#', { columns: 70, rows: 20 }, 0, 61_000, plain).map((line) =>
    line.replaceAll(/ {2,}/g, '  ').trimEnd(),
  );
  expect(lines).toEqual([
    '#: 4 topics',
    'home',
    ' ├─ (empty)',
    ' │  └─ odd  (empty)  1 min 1 s ago  ×1',
    ' ├─ hall  { "open": true }  1 min 1 s ago  ×1',
    ' └─ kitchen',
    '  └─ temp  22  1 s ago  ×2',
    'zoo  0xff00  1 min 1 s ago  ×1',
  ]);
  const scrolled = renderTree(tree, '#', { columns: 70, rows: 4 }, 100, 61_000, plain);
  expect(scrolled[0]).toContain('lines 5 to 7 of 7');
  expect(scrolled).toHaveLength(4);
});

test('a long value that is cut in the middle of a character is still text', () => {
  expect(valueText(new TextEncoder().encode(`a${'ü'.repeat(3000)}`))).toMatch(/^aü+$/);
  expect(valueText(new TextEncoder().encode('ü'))).toBe('ü');
});

test('the number of topics that watch keeps is bounded, and the rest is told', () => {
  const tree = new TopicTree();
  for (let i = 0; i < 50_010; i++) tree.set(`t${i}`, new Uint8Array(), false, 0);
  expect([tree.topicCount, tree.ignoredCount]).toEqual([50_000, 10]);
  tree.set('t5', Uint8Array.of(0x31), false, 1);
  expect(tree.root.children.get('t5')).toMatchObject({ count: 2, changedAt: 1 });
  expect(renderTree(tree, '#', { columns: 90, rows: 3 }, 0, 1, plain)[0]).toContain(
    '10 messages of further topics',
  );
});

test('a live screen draws over the old frame, takes keys, and leaves the terminal as it was', () => {
  const out = Object.assign(new PassThrough(), { isTTY: true, columns: 20, rows: 2 });
  const rawModes: boolean[] = [];
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => void rawModes.push(isRaw),
  });
  const keys: string[] = [];
  const screen = new Screen(
    out,
    input,
    (key) => keys.push(key),
    () => {},
  );
  screen.open();
  screen.draw(['one', 'two', 'three']);
  input.emit('data', Buffer.from('\u001b[A'));
  input.emit('data', Buffer.from('?'));
  input.emit('data', Buffer.from('\u0003'));
  screen.close();
  expect(keys).toEqual(['up', 'quit']);
  expect(rawModes).toEqual([true, false]);
  // Chunk by chunk: what one read() returns differs between the versions of Node.
  const chunks: unknown[] = [];
  for (let chunk: unknown = out.read(); chunk !== null; chunk = out.read()) chunks.push(chunk);
  const written = chunks.join('');
  expect(written).toContain('one\u001b[K\r\ntwo\u001b[K\u001b[J');
  expect(written).not.toContain('three');
  expect(written.startsWith('\u001b[?1049h')).toBe(true);
  expect(written.endsWith('\u001b[?1049l')).toBe(true);
});

test('watch prints the tree once where there is no terminal', async () => {
  const server = await startToolServer();
  await server.run(['pub', '-r', 'home/lamp', 'on']);
  const { code, stdout } = await server.run(['watch', '-W', '1', 'home/#']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^home\/#: 1 topic\nhome\n └─ lamp +on/);
});

test('top --once reads $SYS and the HTTP API of a server', async () => {
  const token = 'a-token-for-this-test';
  const server = await startServer({
    listeners: [{ port: 0 }],
    sys: { enabled: true },
    http: { enabled: true, port: 0, token },
  });
  const port = String(server.listeners[0]?.addresses[0]?.port);
  const args = ['top', '--once', '--interval', '1', '-p', port];
  const whole = await runTool([...args, '--api', server.httpUrl as string, '--token', token]);
  expect(whole.stderr).toBe('');
  expect(whole.code).toBe(0);
  expect(whole.stdout).toMatch(/^mqtt:\/\/localhost:\d+\/? {3}tobymq version/);
  expect(whole.stdout).toContain('1 connected');
  expect(whole.stdout).toMatch(/slowest consumers[\s\S]*biggest queues[\s\S]*busiest topics/);
  const wrong = await runTool([...args, '--api', server.httpUrl as string, '--token', 'wrong']);
  expect(wrong.code).toBe(1);
});
