// Starts a program for a test, collects what it prints, waits for a line, and makes sure that it is gone afterwards.

import {
  type ChildProcessWithoutNullStreams,
  type SpawnOptionsWithoutStdio,
  spawn,
} from 'node:child_process';
import type { WaitOptions } from './raw-peer.ts';

export interface ProcessResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A program that a test started.
 *
 * @example
 * const program = TestProcess.start(process.execPath, ['server.mjs', '--port', '0']);
 * const [, port] = await program.line(/listening on .*:(\d+)/);
 * await program.stop();
 */
export class TestProcess {
  readonly child: ChildProcessWithoutNullStreams;
  #stdout = '';
  #stderr = '';
  readonly #watchers = new Set<() => void>();
  readonly #exit: Promise<ProcessResult>;
  #ended = false;
  #startError: Error | undefined;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#changed();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#changed();
    });
    // Writing to a program that has ended is the test's business to find out by its exit.
    child.stdin.on('error', () => {});
    this.#exit = new Promise((resolve) => {
      const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#ended = true;
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
        this.#changed();
      };
      child.on('error', (error) => {
        this.#startError = error;
        finish(null, null);
      });
      child.on('close', finish);
    });
  }

  static start(
    command: string,
    args: readonly string[] = [],
    options: SpawnOptionsWithoutStdio = {},
  ): TestProcess {
    return new TestProcess(spawn(command, [...args], { stdio: 'pipe', ...options }));
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits for a line on either output that matches, and returns the match. */
  line(pattern: RegExp, options: WaitOptions = {}): Promise<RegExpExecArray> {
    const { timeout = 10_000 } = options;
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      const fail = (why: string): void => {
        finish();
        reject(new Error(`${why} ${pattern}\nstdout: ${this.#stdout}\nstderr: ${this.#stderr}`));
      };
      const check = (): void => {
        const match = [...this.#stdout.split('\n'), ...this.#stderr.split('\n')]
          .map((text) => pattern.exec(text))
          .find((found) => found !== null);
        if (match) {
          finish();
          resolve(match);
        } else if (this.#ended) {
          fail(`${this.#startError?.message ?? 'the program ended'} before it printed`);
        }
      };
      const timer = setTimeout(() => fail(`${timeout} ms passed without a line like`), timeout);
      this.#watchers.add(check);
      check();
    });
  }

  /** Waits for the end of the program. */
  exit(): Promise<ProcessResult> {
    return this.#exit;
  }

  /** Asks the program to end, insists after five seconds, and waits until it has. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProcessResult> {
    if (!this.#ended) {
      this.child.kill(signal);
      const insist = setTimeout(() => this.child.kill('SIGKILL'), 5000);
      await this.#exit;
      clearTimeout(insist);
    }
    return this.#exit;
  }

  #changed(): void {
    for (const check of [...this.#watchers]) {
      check();
    }
  }
}

/** Runs a program to its end with some input, and returns what it printed and how it ended. */
export async function runProcess(
  command: string,
  args: readonly string[] = [],
  options: SpawnOptionsWithoutStdio & { readonly input?: string } = {},
): Promise<ProcessResult> {
  const { input, ...spawnOptions } = options;
  const program = TestProcess.start(command, args, spawnOptions);
  program.child.stdin.end(input ?? '');
  return program.exit();
}
