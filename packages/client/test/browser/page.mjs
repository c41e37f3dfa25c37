// What the page of the browser tests has at hand, bundled for it: the client, its store, the entry for MQTT.js programs,
// and waiting for what happens in the page.

import { connect, json, topic } from '../../src/browser.ts';
import { connectAsync } from '../../src/mqttjs/browser.ts';
import { indexedDbStore } from '../../src/store/indexed-db.ts';

const url = `ws://${location.host}/mqtt`;

globalThis.kit = {
  url,
  connect,
  connectAsync,
  indexedDbStore,
  json,
  topic,

  /** Waits until the client is in this state, for at most ten seconds. */
  async reaches(client, state) {
    const states = client.states();
    const timer = setTimeout(() => states.return(), 10_000);
    for await (const each of states) {
      if (each.state === state) {
        clearTimeout(timer);
        return each;
      }
    }
    throw new Error(`the client is ${client.state.state} and does not become ${state}`);
  },

  /** Waits until the page is hidden. */
  async isHidden() {
    while (!document.hidden)
      await new Promise((resolve) => addEventListener('visibilitychange', resolve, { once: true }));
  },

  /** Starts timers of 100 ms one after the other; resolves with how many milliseconds each of them took. */
  async timers(count) {
    const took = [];
    let last = performance.now();
    while (took.length < count) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      took.push(performance.now() - last);
      last = performance.now();
    }
    return took;
  },

  /** A client whose session survives the page. `onWrite` may hold up the store after a write. */
  persistent(onWrite = () => {}) {
    const store = indexedDbStore('sessions');
    return connect(url, {
      clientId: 'page',
      session: {
        keep: '1 h',
        store: {
          open: (clientId) => store.open(clientId),
          close: () => store.close(),
          write: async (operations) => {
            await store.write(operations);
            await onWrite(operations);
          },
        },
      },
    });
  },
};
