// A lamp that blinks when somebody pushes to a repository. Give the printed address to the web hooks of a code host, or try
// it by hand:  curl -d '{"pusher":{"name":"ana"}}' -H 'content-type: application/json' ADDRESS
// node examples/toby-web-hook/lamp.mjs BOT SECRET [mqtt://localhost] [http://127.0.0.1:18083]

import { connectBot } from '@tobymq/toby';

const [id, secret, url = 'mqtt://localhost', http = 'http://127.0.0.1:18083'] = process.argv.slice(2);
const lamp = await connectBot(url, { id, secret });
const hookSecret = crypto.randomUUID();
await lamp.hooksOn(hookSecret);
console.log(`${http}/hook/${id}/${hookSecret}`);

for await (const { from, payload } of lamp.messages()) {
  if (from !== 'hook') continue;
  console.log(`* blink * ${payload?.pusher?.name ?? 'somebody'} has pushed`);
}
