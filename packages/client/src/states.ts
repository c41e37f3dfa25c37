// The life of the client as data. There are five states, and each but `connected` says why.

import type { ProtocolVersion } from '@tobymq/codec';
import type { ClientError } from './errors.ts';
import { Inbox } from './inbox.ts';

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
  current: ConnectionState;
  readonly #listeners = new Set<Inbox<ConnectionState>>();

  constructor(first: ConnectionState) {
    this.current = first;
  }

  set(state: ConnectionState): void {
    this.current = state;
    for (const listener of this.#listeners) tell(listener, state);
  }

  /** The present state and then each change, until the client is closed or has failed. */
  listen(): AsyncIterableIterator<ConnectionState> {
    const listener: Inbox<ConnectionState> = new Inbox(() => this.#listeners.delete(listener), backlogMax);
    this.#listeners.add(listener);
    tell(listener, this.current);
    return listener;
  }
}

function tell(listener: Inbox<ConnectionState>, state: ConnectionState): void {
  listener.push(state);
  if (state.state === 'closed' || state.state === 'failed') listener.end();
}
