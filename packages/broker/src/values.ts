// The key-value space of an extension: small things that have to survive, in the broker's own store.

import type { Core } from './core.ts';

/** Keys and values of one extension. */
export interface ValueSpace {
  get(key: string): Promise<Uint8Array | undefined>;
  list(prefix: string): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]>;
  /** Resolves when the value is durable. */
  put(key: string, value: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
}

export function valueSpace(core: Core, space: string): ValueSpace {
  const { store, gate } = core;
  return {
    get: (key) => store.getValue(space, key),
    list: (prefix) => store.listValues(space, prefix),
    put: (key, value) => {
      store.putValue(space, key, value);
      return gate.restStored();
    },
    delete: (key) => {
      store.deleteValue(space, key);
      return gate.restStored();
    },
  };
}
