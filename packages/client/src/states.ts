// The life of the client as data. There are five states, and each but `connected` says why.

import type { ProtocolVersion } from '@tobymq/codec';
import type { ClientError } from './errors.ts';

/** Where the client is in its life. */
export type ConnectionState =
  /** An attempt to connect is running. */
  | { readonly state: 'connecting'; readonly url: string; readonly attempt: number }
  | {
      readonly state: 'connected';
      readonly url: string;
      readonly protocolVersion: ProtocolVersion;
      /** The server still knew the session. */
      readonly isResumed: boolean;
    }
  /** Not connected; the next attempt comes in `retryInMs`. */
  | {
      readonly state: 'offline';
      readonly reason: ClientError;
      readonly retryInMs: number;
      readonly attempt: number;
    }
  /** The application closed the client. */
  | { readonly state: 'closed' }
  /** The client gave up, and says why. */
  | { readonly state: 'failed'; readonly reason: ClientError };

/** How many states wait for one slow listener; of more only the newest are kept. */
const backlogMax = 100;

/** The present state, and everybody who wants to hear of the next. */
export class States {
  #current: ConnectionState;
  readonly #listeners = new Set<StateListener>();

  constructor(first: ConnectionState) {
    this.#current = first;
  }

  get current(): ConnectionState {
    return this.#current;
  }

  set(state: ConnectionState): void {
    this.#current = state;
    for (const listener of this.#listeners) listener.push(state);
  }

  /** The present state and then each change, until the client is closed or has failed. */
  listen(): AsyncIterableIterator<ConnectionState> {
    const listener = new StateListener(() => this.#listeners.delete(listener));
    listener.push(this.#current);
    this.#listeners.add(listener);
    return listener;
  }
}

class StateListener implements AsyncIterableIterator<ConnectionState> {
  readonly #onReturn: () => void;
  #backlog: ConnectionState[] = [];
  #waiters: ((result: IteratorResult<ConnectionState>) => void)[] = [];
  #isDone = false;

  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(state: ConnectionState): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) waiter({ done: false, value: state });
    else this.#backlog.push(state);
    if (this.#backlog.length > backlogMax) this.#backlog.shift();
    if (state.state === 'closed' || state.state === 'failed') this.#finish();
  }

  #finish(): void {
    this.#isDone = true;
    this.#onReturn();
    for (const waiter of this.#waiters.splice(0)) waiter({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<ConnectionState>> {
    const state = this.#backlog.shift();
    if (state !== undefined) return Promise.resolve({ done: false, value: state });
    if (this.#isDone) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  return(): Promise<IteratorResult<ConnectionState>> {
    this.#finish();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
