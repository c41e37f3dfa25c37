// The client's side of a session store: collects the operations of one turn, writes them together, and tells when what
// depends on them may be sent. Writes do not overlap; operations that come in the meantime form the next write.

import { ClientError, messageOf } from './errors.ts';
import type { SessionStore, StoreOperation } from './store/session-store.ts';

export class Journal {
  readonly #store: SessionStore;
  readonly #onFailure: (error: ClientError) => void;
  readonly #onDirty: () => void;
  #operations: StoreOperation[] = [];
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #hasFailed = false;

  /** `onDirty` asks for a `commit()` later in this turn, `onFailure` reports that the store is of no use any more. */
  constructor(store: SessionStore, onDirty: () => void, onFailure: (error: ClientError) => void) {
    this.#store = store;
    this.#onDirty = onDirty;
    this.#onFailure = onFailure;
  }

  add(operation: StoreOperation): void {
    if (this.#operations.length === 0) this.#onDirty();
    this.#operations.push(operation);
  }

  /** Resolves when everything that was added so far is durable; `undefined` if it already is. It never rejects. */
  commit(): Promise<void> | undefined {
    if (this.#writing === undefined) {
      if (this.#operations.length === 0) return undefined;
      this.#writing = this.#write();
      return this.#writing;
    }
    if (this.#operations.length === 0) return this.#next ?? this.#writing;
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      this.#writing = this.#write();
      return this.#writing;
    });
    return this.#next;
  }

  async #write(): Promise<void> {
    const operations = this.#operations;
    this.#operations = [];
    try {
      // After a failure nothing more is written: a later write without the earlier one would tell an untrue story.
      await (this.#hasFailed ? undefined : this.#store.write(operations));
    } catch (cause) {
      this.#hasFailed = true;
      this.#onFailure(
        new ClientError('TOBYMQ_STORE_FAILED', `the session store cannot write: ${messageOf(cause)}`, {
          cause,
        }),
      );
    } finally {
      this.#writing = undefined;
    }
  }

  /** Whether bytes that depend on the store may still be sent. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Writes what is left and closes the store; again is the same closing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.commit();
    try {
      await this.#store.close();
    } catch (cause) {
      const what = `the session store cannot be closed: ${messageOf(cause)}`;
      this.#onFailure(new ClientError('TOBYMQ_STORE_FAILED', what, { cause }));
    }
  }
}
