// The process that `reopen.test.ts` kills: fills a queue and prints what is committed.

import { SqliteStore } from '../dist/index.js';

const [folder, durability, lastId] = process.argv.slice(2);
const store = new SqliteStore({ folder, durability });
try {
  await store.open();
} catch (error) {
  console.log(`error ${error.code}`);
  process.exit(0);
}

store.putSession({
  key: 1,
  clientId: 'one',
  username: undefined,
  protocolVersion: 5,
  expiryInterval: 3600,
  createdAt: 0,
  disconnectedAt: 0,
  will: undefined,
});

for (let id = Number(lastId) + 1; ; id++) {
  const message = {
    id,
    topic: 'kill/test',
    payload: Buffer.alloc(id % 2000, id),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt: 0,
    publishedAt: 0,
    publisher: 'writer',
  };
  store.enqueue(message, [{ sessionKey: 1, qos: 1, retain: false, subscriptionIds: [], packetId: 0 }]);
  if (id % 10 === 1 && id > 10) store.dequeue(1, id - 1);
  await store.commit();
  console.log(`committed ${id}`);
}
