// Keeps a started server running: SIGHUP reloads, SIGTERM and SIGINT stop it. A second SIGINT does not wait any longer.

import { ConfigError, formatProblem } from '../config/errors.ts';
import type { Server } from '../server.ts';

export interface SignalActions {
  /** SIGUSR1. */
  readonly flush?: (() => void) | undefined;
  /** SIGUSR2. */
  readonly printTree?: (() => void) | undefined;
}

/** Answers with the exit code when the server has stopped. */
export function runUntilStopped(server: Server, actions: SignalActions = {}): Promise<number> {
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) process.exit(130);
      isStopping = true;
      void server.stop().then(() => resolve(0));
    };
    process.on('SIGTERM', () => {
      if (!isStopping) stop();
    });
    process.on('SIGINT', stop);
    process.on('SIGHUP', () => void reload(server));
    const { flush, printTree } = actions;
    if (flush) process.on('SIGUSR1', flush);
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
