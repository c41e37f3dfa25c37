// Keeps a started server running: SIGHUP reloads, SIGUSR1 commits, SIGTERM and SIGINT stop it. A second SIGINT does not
// wait any longer, unless it comes at once: under npm, Ctrl-C reaches the server twice, from the terminal and from npm.

import { ConfigError, formatProblem } from '../config/errors.ts';
import { keepYoungGenerationSmall, MemoryCare } from '../memory-care.ts';
import type { Server } from '../server.ts';

/** SIGINTs that come within this time are the same. */
const SAME_SIGNAL_MS = 500;

export interface SignalActions {
  /** SIGUSR2. */
  readonly printTree?: (() => void) | undefined;
}

/** Answers with the exit code when the server has stopped. */
export function runUntilStopped(server: Server, actions: SignalActions = {}): Promise<number> {
  keepYoungGenerationSmall();
  // Whoever read what was announced may be gone: no reason to stop serving.
  process.stdout.on('error', () => {});
  const memory = new MemoryCare();
  return new Promise((resolve) => {
    let isStopping = false;
    let stoppedAt = 0;
    const stop = (): void => {
      if (isStopping) {
        if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(130);
        return;
      }
      isStopping = true;
      stoppedAt = performance.now();
      memory.stop();
      server.stop().then(
        () => resolve(0),
        (error: unknown) => {
          process.stderr.write(`The server did not stop in order: ${String(error)}\n`);
          resolve(1);
        },
      );
    };
    process.on('SIGTERM', () => {
      if (!isStopping) stop();
    });
    process.on('SIGINT', stop);
    process.on('SIGHUP', () => void reload(server));
    // Left to Node, it would open a debugger, through which every user of this machine could take over the server.
    // A store that fails has its own line in the log.
    process.on('SIGUSR1', () => void server.broker.flush().catch(() => undefined));
    const { printTree } = actions;
    if (printTree) process.on('SIGUSR2', printTree);
  });
}

/** A reload that fails changes nothing and says why. */
async function reload(server: Server): Promise<void> {
  try {
    await server.reload();
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems.map(formatProblem) : [String(error)];
    for (const reason of problems) server.log.log('error', 'reload-failed', { reason });
  }
}
