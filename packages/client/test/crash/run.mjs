// The crash test of the client: a publisher, two subscribers and a server, each a process of its own, are killed at
// random moments and started again. In the end every acknowledged message must have arrived, those of QoS 2 in order
// and once: the session store's "once" for one subscriber, the application's own for the other.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../../tobymq/dist/cli.js', import.meta.url));
const script = (name) => fileURLToPath(new URL(name, import.meta.url));

/** @param {{ rounds: number, seed: number, progress?: (line: string) => void }} options */
export async function runClientCrashTest({ rounds, seed, progress = () => {} }) {
  const below = randomBelow(seed);
  const folder = mkdtempSync(join(tmpdir(), 'tobymq-client-crash-'));
  const port = await freePort();
  const url = `mqtt://127.0.0.1:${port}`;
  const config = join(folder, 'tobymq.yaml');
  writeFileSync(config, 'data: ./data\nlimits: {queuedMessages: 100000000, queuedBytes: 1000000000}\n');
  const serve = [cli, 'serve', '-c', config, '--port', String(port), '--ws-port', '0', '--no-http'];
  const server = new Program('server', [...serve, '--log-format', 'json'], /mqtt:\/\/127\.0\.0\.1/, folder);
  const client = (name) => new Program(name, [script(`${name}.mjs`), url, folder], /^ready/, folder);
  const publisher = client('publisher');
  const programs = [server, client('subscriber'), client('transactional'), publisher];
  const kills = { server: 0, subscriber: 0, transactional: 0, publisher: 0 };
  let isGood = false;
  try {
    for (const program of programs) await program.start();
    for (let round = 1; round <= rounds; round++) {
      await sleep(below(150));
      const victims = programs.filter(() => below(2) === 0);
      if (victims.length === 0) victims.push(programs[below(programs.length)]);
      for (const victim of victims) {
        await victim.kill();
        kills[victim.name]++;
      }
      // All at once: a client has to manage without a server too.
      await Promise.all(victims.map((victim) => victim.start()));
      if (round % 10 === 0) progress(`round ${round} of ${rounds}: ${JSON.stringify(kills)}`);
    }
    await publisher.finish();
    const result = await verdict(folder);
    isGood = true;
    return { ...result, rounds, seed, kills };
  } catch (error) {
    const printed = programs.map(({ name, printed }) => `${name}:\n${printed.slice(-2000)}`).join('\n');
    throw new Error(`${error.message}\n(seed ${seed}; the files are left in ${folder})\n${printed}`, {
      cause: error,
    });
  } finally {
    for (const program of programs) await program.kill();
    if (isGood) rmSync(folder, { recursive: true, force: true });
  }
}

async function verdict(folder) {
  const linesOf = (name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n');
  const numbers = (lines, word) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length + 1)));
  const sent = numbers(linesOf('sent.log'), 'sent');
  const done = numbers(linesOf('sent.log'), 'done');
  const done2 = done.filter((number) => number % 4 !== 0);
  const effects = () => linesOf('transactional.log').flatMap((line) => JSON.parse(line).effects);
  const seen = () => [2, 1].flatMap((qos) => numbers(linesOf('subscriber.log'), `qos${qos}`));
  // The server has everything; it may still be on its way to the subscribers.
  for (let wait = 0; wait < 200; wait++) {
    if (isSubset(done, seen()) && isSubset(done2, effects())) break;
    await sleep(50);
  }
  const wrong = [];
  for (const [who, expected, found] of [
    ['subscriber', done, seen()],
    ['transactional subscriber', done2, effects()],
  ]) {
    const all = new Set(found);
    for (const number of expected)
      if (!all.has(number)) wrong.push(`${number} was acknowledged, and the ${who} never got it`);
  }
  let newest = 0;
  for (const number of effects()) {
    if (number <= newest) wrong.push(`${number} took effect after ${newest}`);
    newest = Math.max(newest, number);
  }
  const repeated = judgeSubscriber(linesOf('subscriber.log'), wrong);
  if (wrong.length > 0)
    throw new Error(`${wrong.length} things are wrong:\n  ${wrong.slice(0, 20).join('\n  ')}`);
  return { sent: sent.length, acknowledged: done.length, effects: effects().length, inHandAtKill: repeated };
}

/** Only what no store knew, and only after a start, may come a second time. */
function judgeSubscriber(lines, wrong) {
  const seenInLife = new Map();
  const stored = new Set();
  let life = 0;
  let newest = 0;
  let repeated = 0;
  for (const line of lines) {
    const [word, text] = line.split(' ');
    const number = Number(text);
    if (word === 'start') {
      life++;
    } else if (word === 'stored') {
      stored.add(number);
    } else if (word === 'qos2') {
      const before = seenInLife.get(number);
      if (stored.has(number)) wrong.push(`${number} came again although the store knew it`);
      if (before === life) wrong.push(`${number} came twice to the same process`);
      if (before !== undefined) repeated++;
      else if (number < newest) wrong.push(`${number} came first after ${newest}`);
      seenInLife.set(number, life);
      newest = Math.max(newest, number);
    }
  }
  return repeated;
}

function isSubset(part, whole) {
  const all = new Set(whole);
  return part.every((number) => all.has(number));
}

class Program {
  name;
  printed = '';
  #args;
  #isReady;
  #folder;
  #process;

  constructor(name, args, isReady, folder) {
    this.name = name;
    this.#args = args;
    this.#isReady = isReady;
    this.#folder = folder;
  }

  async start() {
    const child = spawn(process.execPath, this.#args, { cwd: this.#folder, stdio: 'pipe' });
    this.#process = child;
    child.stdin.on('error', () => {});
    child.stderr.on('data', (data) => {
      this.printed += data;
    });
    await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.printed += `${line}\n`;
        if (this.#isReady.test(line)) resolve();
      });
      child.on('exit', (code) =>
        reject(new Error(`the ${this.name} ended with ${code} before it was ready`)),
      );
    });
  }

  /** Must not have ended by itself. */
  async kill() {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    if (child.exitCode !== null) {
      if (child.exitCode !== 0) throw new Error(`the ${this.name} ended with ${child.exitCode}`);
      return;
    }
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async finish() {
    const exit = once(this.#process, 'exit');
    this.#process.stdin.write('finish\n');
    const [code] = await exit;
    if (code !== 0) throw new Error(`the ${this.name} ended with ${code}`);
  }
}

/** Random numbers that a seed repeats (mulberry32). */
function randomBelow(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * limit);
  };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
