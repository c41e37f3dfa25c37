// The contract suite on the SQLite store at each level, and on the broker's store in memory.

import { MemoryStore } from '@tobymq/broker';
import { onTestFinished } from 'vitest';
import { storeContract } from './store-contract.ts';
import { openStore, temporaryFolder } from './support.ts';

for (const durability of ['fsync', 'commit'] as const) {
  storeContract(`SQLite, ${durability}, closed and opened again`, async () => {
    const options = { folder: await temporaryFolder(), durability };
    return {
      store: await openStore(options),
      restart: async (store) => {
        await store.close();
        return openStore(options);
      },
    };
  });
}

storeContract('SQLite, memory', async () => ({
  store: await openStore({ folder: 'unused', durability: 'memory' }),
  restart: async (store) => store,
}));

storeContract('MemoryStore of the broker', async () => {
  const store = new MemoryStore();
  await store.open();
  onTestFinished(() => store.close());
  return { store, restart: async (same) => same };
});
