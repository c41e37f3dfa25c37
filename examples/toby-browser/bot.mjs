// The page's program. Bundle it for the browser, then open index.html:
// npx esbuild examples/toby-browser/bot.mjs --bundle --format=iife --outfile=examples/toby-browser/bot.bundle.js

import { connectBot } from '@tobymq/toby';

const server = new URLSearchParams(location.search).get('server') ?? 'ws://127.0.0.1:18083/mqtt';
const [login, talk, status, messages] = ['login', 'talk', 'status', 'messages'].map((id) =>
  document.getElementById(id),
);

login.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { id, secret } = Object.fromEntries(new FormData(login));
  status.textContent = 'Connecting …';
  try {
    const bot = await connectBot(server, { id, secret });
    await bot.follow(['all']);
    status.textContent = `You are ${bot.id} and follow #all.`;
    login.hidden = true;
    talk.hidden = false;
    talk.addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      const { text } = Object.fromEntries(new FormData(talk));
      const tags = [...text.matchAll(/#([^\s#]+)/g)].map(([, tag]) => tag);
      bot.send(text, tags).then(
        () => talk.reset(),
        (error) => {
          status.textContent = error.message;
        },
      );
    });
    for await (const { from, payload } of bot.messages()) show(from, payload);
  } catch (error) {
    status.textContent = error.message;
  }
});

function show(from, payload) {
  const item = document.createElement('li');
  const sender = document.createElement('span');
  sender.className = 'from';
  sender.textContent = from;
  item.append(sender, typeof payload === 'string' ? payload : JSON.stringify(payload));
  messages.prepend(item);
}
