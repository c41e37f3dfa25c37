// The real server as a process that can be killed, on one data folder.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export class Server {
  port = 0;
  #folder;
  #config;
  #process;
  #printed = '';

  constructor(folder, durability) {
    this.#folder = folder;
    this.#config = join(folder, 'tobymq.yaml');
    const lines = [
      'data: ./data',
      `store: {durability: ${durability}}`,
      'limits: {queuedMessages: 100000000, queuedBytes: 1000000000}',
    ];
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }

  async start() {
    const args = [cli, 'serve', '-c', this.#config, '--port', '0', '--ws-port', '0', '--no-http'];
    this.#process = spawn(process.execPath, [...args, '--log-format', 'json'], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process.stderr.on('data', (data) => {
      this.#printed += data;
    });
    const ended = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`the server ended with code ${code} before it was ready:\n${this.#printed}`);
    });
    ended.catch(() => undefined);
    this.port = await Promise.race([this.#ready(), ended]);
  }

  async #ready() {
    for await (const line of createInterface({ input: this.#process.stdout })) {
      this.#printed += `${line}\n`;
      const port = /mqtt:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) {
        // What it says later is read too, so that its pipe never fills.
        this.#process.stdout.on('data', (data) => {
          this.#printed += data;
        });
        this.#process.stdout.resume();
        return Number(port);
      }
    }
    throw new Error(`the server never said that it is ready:\n${this.#printed}`);
  }

  /** What it printed since its start, for a failure's report. */
  get printed() {
    return this.#printed.slice(-5000);
  }

  async kill(signal = 'SIGKILL') {
    if (this.#process === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null)
      return;
    const exit = once(this.#process, 'exit');
    this.#process.kill(signal);
    await exit;
    this.#printed = '';
  }

  remove() {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
