// Calls that wait for something with a tag: an answer of the server, or a reply of another bot. Every one of them
// settles: by the answer, by its timeout, by an abort signal, or when the bot is closed.

import type { BotMessage } from '../protocol.ts';
import { TobyError } from './errors.ts';

interface Waiting {
  readonly resolve: (message: BotMessage) => void;
  readonly reject: (error: unknown) => void;
}

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What is waited for, for the error message. */
  readonly what: string;
}

export class Pending {
  readonly #waiting = new Map<string, Waiting>();

  /** The next message that `settle` is called with for this tag. */
  wait(tag: string, options: WaitOptions): Promise<BotMessage> {
    const { timeoutMs, signal, what } = options;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => finish(() => reject(signal?.reason));
      const timer = setTimeout(() => {
        finish(() =>
          reject(new TobyError('TOBYMQ_TOBY_TIMEOUT', `no answer to ${what} within ${timeoutMs} ms`)),
        );
      }, timeoutMs);
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waiting.delete(tag);
        settle();
      };
      if (signal?.aborted === true) {
        finish(() => reject(signal.reason));
        return;
      }
      signal?.addEventListener('abort', onAbort);
      this.#waiting.set(tag, {
        resolve: (message) => finish(() => resolve(message)),
        reject: (error) => finish(() => reject(error)),
      });
    });
  }

  /** Gives a message to whoever waits for its tag; false when nobody does. */
  settle(tag: string, message: BotMessage): boolean {
    const waiting = this.#waiting.get(tag);
    waiting?.resolve(message);
    return waiting !== undefined;
  }

  /** Fails one call, when it could not even be sent. */
  fail(tag: string, error: unknown): void {
    this.#waiting.get(tag)?.reject(error);
  }

  failAll(error: Error): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }
}
