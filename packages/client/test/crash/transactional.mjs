// A subscriber of the crash test whose work and whose session are one transaction: `node transactional.mjs URL FOLDER`.
// Its session store writes what the handlers have done together with the client's operations, here as one line of a
// file, elsewhere in the application's database. So each message of QoS 2 takes effect exactly once, without any
// looking back, whenever the process is killed. The acknowledgement is manual, so that the work and its operation are
// noted in the same moment.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, memoryStore } from '@tobymq/client';

const [url, folder] = process.argv.slice(2);
const log = join(folder, 'transactional.log');
let effects = [];

const memory = memoryStore();
const store = {
  open: async (clientId) => {
    const lines = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
    for (const line of lines) if (line !== '') await memory.write(JSON.parse(line).operations);
    return memory.open(clientId);
  },
  write: async (operations) => {
    appendFileSync(log, `${JSON.stringify({ operations, effects })}\n`);
    effects = [];
  },
  close: async () => {},
};

const client = await connect(url, {
  clientId: 'transactional',
  session: { keep: '1 day', store },
  reconnect: { min: 5, max: 50 },
  onError: (error) => {
    console.log(`FAILED ${error.code} ${error.message}`);
    process.exit(3);
  },
});

await client.on(
  'crash/2',
  (message) => {
    effects.push(Number(message.text));
    message.ack();
  },
  { qos: 2, ack: 'manual' },
);
console.log('ready');
