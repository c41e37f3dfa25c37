// The publisher of the crash test: `node publisher.mjs URL FOLDER`. It numbers its messages and never gives a number
// twice: a number is noted before the message is published, and noted as acknowledged afterwards. Killed at any
// moment, it goes on with the next number, and its session store goes on with the messages. "finish" ends it.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, fileStore } from '@tobymq/client';

const [url, folder] = process.argv.slice(2);
const log = join(folder, 'sent.log');
const inFlight = 20;

function fail(error) {
  console.log(`FAILED ${error.code} ${error.message}`);
  process.exit(3);
}

const client = await connect(url, {
  clientId: 'publisher',
  session: { keep: '1 day', store: fileStore(join(folder, 'publisher')) },
  reconnect: { min: 5, max: 50 },
  onError: fail,
});

let last = 0;
if (existsSync(log)) {
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    if (line.startsWith('sent ')) last = Number(line.slice(5));
  }
}
console.log(`ready after ${last}, ${client.stats().openOutgoing} open`);

let isFinishing = false;
process.stdin.on('data', () => {
  isFinishing = true;
});

async function publishOn() {
  while (!isFinishing) {
    const number = ++last;
    // Every fourth has QoS 1, so that both kinds are mixed in one session.
    const qos = number % 4 === 0 ? 1 : 2;
    appendFileSync(log, `sent ${number}\n`);
    await client.publish(`crash/${qos}`, String(number), { qos });
    appendFileSync(log, `done ${number}\n`);
  }
}

await Promise.all(Array.from({ length: inFlight }, publishOn)).catch(fail);
// Messages of earlier processes may still be open.
while (client.stats().openOutgoing + client.stats().queuedMessages > 0) {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await client.close();
console.log('finished');
process.exit();
