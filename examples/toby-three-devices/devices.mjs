// Three devices of one account: the switch turns the lamp on, the lamp asks the thermometer whether it is cold.
// node examples/toby-three-devices/devices.mjs [mqtt://localhost] [http://127.0.0.1:18083]

import { connectBot } from '@tobymq/toby';

const [url = 'mqtt://localhost', http = 'http://127.0.0.1:18083'] = process.argv.slice(2);
const account = `home-${process.pid}`;
const secret = 'a secret for this example';

const signup = JSON.stringify({ username: account, password: secret });
await fetch(`${http}/signup`, {
  method: 'POST',
  body: signup,
  headers: { 'content-type': 'application/json' },
});
const owner = await connectBot(url, { id: account, secret });

const [lamp, thermometer, button] = await Promise.all(
  ['lamp', 'thermometer', 'switch'].map(async (name) => {
    await owner.createBot(`${name}-${process.pid}`, secret);
    return connectBot(url, { id: `${name}-${process.pid}`, secret });
  }),
);

await thermometer.follow(['temperature']);
thermometer.on('temperature', async (question) => {
  await thermometer.reply(question, 17);
  await thermometer.close();
});

await lamp.follow(['light']);
lamp.on('light', async ({ payload }) => {
  const { payload: celsius } = await lamp.ask('how warm is it?', ['temperature']);
  console.log(`lamp: ${payload}, in ${celsius < 20 ? 'a warm' : 'a cool'} colour`);
  await lamp.close();
});

await button.send('on', ['light']);
await Promise.all([button.close(), owner.close()]);
