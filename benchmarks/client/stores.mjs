// What a session store costs: publishes of QoS 1 with 100 in flight and 64 bytes over loopback to a broker in the same
// process, without a store and with the file store in both levels of durability. Judge the ratios.
//
//   node benchmarks/client/stores.mjs

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker } from '@tobymq/broker';
import { connect, fileStore } from '@tobymq/client';

const folder = mkdtempSync(join(tmpdir(), 'tobymq-store-bench-'));
const broker = await Broker.start();
const { port } = await broker.listen({ host: '127.0.0.1', port: 0 });
const payload = new Uint8Array(64);

const rows = [
  { name: 'no store', store: undefined, count: 100_000 },
  { name: 'commit', store: fileStore(folder, { durability: 'commit' }), count: 30_000 },
  { name: 'fsync', store: fileStore(folder), count: 15_000 },
];

for (const { name, store, count } of rows) {
  const client = await connect(`mqtt://127.0.0.1:${port}`, {
    clientId: `bench-${name}`,
    session: { keep: '1 h', ...(store === undefined ? {} : { store }) },
  });
  let sent = 0;
  const start = performance.now();
  const publishOn = async () => {
    while (sent++ < count) await client.publish('bench', payload, { qos: 1 });
  };
  await Promise.all(Array.from({ length: 100 }, publishOn));
  const rate = Math.round((count / (performance.now() - start)) * 1000);
  console.log(`${name.padEnd(10)} ${rate.toLocaleString('en-US').padStart(9)} messages/s`);
  await client.close();
}

await broker.stop();
rmSync(folder, { recursive: true });
