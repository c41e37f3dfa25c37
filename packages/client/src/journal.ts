// The client's side of a session store: collects the operations of one turn, writes them together, and tells when what
// depends on them may be sent. Writes do not overlap; operations that come in the meantime form the next write.

import { type ClientError, causedBy } from './errors.ts';
import type { SessionStore, StoreOperation } from './store/session-store.ts';

export class Journal {
  readonly #store: SessionStore;
  readonly #defer: (callback: () => void) => void;
  readonly #onFailure: (error: ClientError) => void;
  /** What the next write will contain. */
  #operations: StoreOperation[] = [];
  /** The next write was asked for, and waits for the present one. */
  #isAsked = false;
  /** The last write that was asked for; `undefined` when it is done. */
  #written: Promise<void> | undefined;
  #hasFailed = false;

  /** `defer` calls back at the end of the turn, `onFailure` reports that the store is of no use any more. */
  constructor(
    store: SessionStore,
    defer: (callback: () => void) => void,
    onFailure: (error: ClientError) => void,
  ) {
    this.#store = store;
    this.#defer = defer;
    this.#onFailure = onFailure;
  }

  /** Adds an operation, which is written at the end of this turn, or with the next packet. */
  add(operation: StoreOperation): void {
    if (this.#operations.length === 0) this.#defer(() => void this.commit());
    this.#operations.push(operation);
  }

  /** Resolves when everything that was added so far is durable; `undefined` if it already is. It never rejects. */
  commit(): Promise<void> | undefined {
    if (this.#operations.length > 0 && !this.#isAsked) {
      this.#isAsked = true;
      const written = this.#write(this.#written).then(() => {
        if (this.#written === written) this.#written = undefined;
      });
      this.#written = written;
    }
    return this.#written;
  }

  async #write(previous: Promise<void> | undefined): Promise<void> {
    await previous;
    const operations = this.#operations;
    this.#operations = [];
    this.#isAsked = false;
    // After a failure nothing more is written: a later write without the earlier one would tell an untrue story.
    if (!this.#hasFailed) await this.#attempt('written', () => this.#store.write(operations));
  }

  /** Writes what is left and closes the store. */
  async close(): Promise<void> {
    await this.commit();
    await this.#attempt('closed', () => this.#store.close());
  }

  async #attempt(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (cause) {
      this.#hasFailed = true;
      this.#onFailure(causedBy(cause, 'TOBYMQ_STORE_FAILED', `the session store cannot be ${what}`));
    }
  }
}
