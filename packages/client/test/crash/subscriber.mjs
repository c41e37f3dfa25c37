// A subscriber of the crash test with the file store: `node subscriber.mjs URL FOLDER`. It notes each message that it
// handles, and each that the store knows as handled: those must never come again. What was handled and not yet stored
// when it was killed does come again, because nobody else can know whether the work was done.

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, fileStore } from '@tobymq/client';

const [url, folder] = process.argv.slice(2);
const note = (line) => appendFileSync(join(folder, 'subscriber.log'), `${line}\n`);
const store = fileStore(join(folder, 'subscriber'));
let handled = [];

const client = await connect(url, {
  clientId: 'subscriber',
  session: {
    keep: '1 day',
    store: {
      open: (clientId) => store.open(clientId),
      close: () => store.close(),
      write: async (operations) => {
        const stored = handled;
        handled = [];
        await store.write(operations);
        for (const number of stored) note(`stored ${number}`);
      },
    },
  },
  reconnect: { min: 5, max: 50 },
  onError: (error) => {
    console.log(`FAILED ${error.code} ${error.message}`);
    process.exit(3);
  },
});

note('start');
await client.on(
  'crash/+',
  (message) => {
    note(`qos${message.qos} ${message.text}`);
    if (message.qos === 2) handled.push(message.text);
    message.ack();
  },
  { qos: 2, ack: 'manual' },
);
console.log('ready');
