// Calls that wait for something with a tag: an answer of the server, or a reply of another bot. Every one of them
// settles: by the answer, by its timeout, by an abort signal, or when the bot is closed.

import type { BotMessage } from '../protocol.ts';
import { TobyError } from './errors.ts';

/** A call that waits. */
export interface Waiting {
  readonly message: Promise<BotMessage>;
  /** Ends the call, when what it waits for could not even be asked for. */
  readonly fail: (error: unknown) => void;
}

interface Settlers {
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
  /** Calls may share a tag that the program has chosen; what comes is for the one that waits longest. */
  readonly #waiting = new Map<string, Set<Settlers>>();

  /** The next message that `settle` is called with for this tag. */
  wait(tag: string, options: WaitOptions): Waiting {
    const { timeoutMs, signal, what } = options;
    let fail: Waiting['fail'] = () => {};
    const message = new Promise<BotMessage>((resolve, reject) => {
      const onAbort = (): void => settlers.reject(signal?.reason);
      const timer = setTimeout(() => {
        settlers.reject(new TobyError('TOBYMQ_TOBY_TIMEOUT', `no answer to ${what} within ${timeoutMs} ms`));
      }, timeoutMs);
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#remove(tag, settlers);
        settle();
      };
      const settlers: Settlers = {
        resolve: (answer) => finish(() => resolve(answer)),
        reject: (error) => finish(() => reject(error)),
      };
      fail = settlers.reject;
      if (signal?.aborted === true) {
        settlers.reject(signal.reason);
        return;
      }
      signal?.addEventListener('abort', onAbort);
      this.#waiting.set(tag, (this.#waiting.get(tag) ?? new Set()).add(settlers));
    });
    return { message, fail };
  }

  /** Gives a message to whoever waits for its tag; false when nobody does. */
  settle(tag: string, message: BotMessage): boolean {
    const [first] = this.#waiting.get(tag) ?? [];
    first?.resolve(message);
    return first !== undefined;
  }

  failAll(error: Error): void {
    for (const calls of [...this.#waiting.values()]) for (const { reject } of [...calls]) reject(error);
  }

  #remove(tag: string, settlers: Settlers): void {
    const calls = this.#waiting.get(tag);
    calls?.delete(settlers);
    if (calls?.size === 0) this.#waiting.delete(tag);
  }
}
