// What the broker knows of other brokers: who serves a client id, which topics others want, and messages on their way
// between them. A broker without a bus is alone and asks nobody.

import type { StoredMessage } from '../store/store.ts';

/** What a bus calls on the broker that it connects. */
export interface BusPeer {
  /** Routes a message that was published at another broker to the sessions of this one. */
  deliver(message: StoredMessage): Promise<void> | void;
  /** Ends the connection of a client because another broker serves it now; resolves when its state is stored. */
  evict(clientId: string): Promise<void>;
}

/** The way to other brokers; given as `bus` to `Broker.start`. */
export interface Bus {
  /** Called once, before any client is served. */
  start(peer: BusPeer): Promise<void>;
  /** Resolves when this broker owns the client id and no other one serves it any more. */
  claim(clientId: string): Promise<void>;
  /** This broker has no session of the client id any more. */
  release(clientId: string): void;
  /** The first subscription of this broker to a filter came. */
  addInterest(filter: string): void;
  /** The last subscription of this broker to a filter went. */
  removeInterest(filter: string): void;
  /** Passes on a message that was published here; a promise delays the publisher's acknowledgement until it resolves. */
  publish(message: StoredMessage): Promise<void> | void;
  /** Called once, when all clients are disconnected. */
  stop(): Promise<void>;
}
